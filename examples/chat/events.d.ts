// What the server sends: each event is one text message that holds one of these as JSON. (What a member sends needs no
// type: the text message is the text that is said.)

export interface Message {
  id: number;
  name: string;
  text: string;
  /** Milliseconds since 1970, UTC. */
  at: number;
}

export interface Problem {
  code: 'empty' | 'too-long' | 'control-character' | 'slow-down';
  message: string;
}

export type ChatEvent =
  | { type: 'welcome'; you: string; people: string[]; history: Message[] }
  | ({ type: 'message' } & Message)
  | { type: 'joined'; name: string }
  | { type: 'left'; name: string }
  | ({ type: 'error' } & Problem);
