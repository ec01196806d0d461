// for await (const message of websocket)

import type { Callback, RawData, WebSocket } from './websocket.js';

/** A string for a text message; for a binary one what `binaryType` says. */
export type IteratedMessage = string | RawData;

/** While this much waits for a slow consumer, no more is read. */
const MANY = 64;
const MUCH = 64 << 10;

interface Asking {
  resolve(result: IteratorResult<IteratedMessage, undefined>): void;
  reject(error: unknown): void;
}

const DONE = { done: true, value: undefined } as const;

export class MessageIterator implements AsyncIterableIterator<IteratedMessage> {
  readonly #websocket: WebSocket;
  #queue: { message: IteratedMessage; size: number }[] = [];
  #size = 0;
  #asking: Asking[] = [];
  /** Reading was stopped because the consumer is slow. */
  #holds = false;
  #ended = false;
  /** What the next one who asks behind the last message is told. */
  #failure: Error | undefined;

  constructor(websocket: WebSocket) {
    this.#websocket = websocket;
    // Errors are told by the iteration, also those that come once it was left.
    websocket.on('error', this.#onError);
    if (websocket.readyState === websocket.CLOSED) {
      this.#onClose(websocket.closeCode ?? 1006);
      return;
    }
    websocket.on('message', this.#onMessage);
    websocket.on('close', this.#onClose);
  }

  readonly #onMessage = (data: RawData, isBinary: boolean): void => {
    const message = isBinary ? data : data.toString();
    const asking = this.#asking.shift();
    if (asking) return asking.resolve({ done: false, value: message });
    const size = sizeOf(data);
    this.#queue.push({ message, size });
    this.#size += size;
    if (this.#holds || (this.#queue.length < MANY && this.#size < MUCH)) return;
    // One who has paused by himself will resume by himself.
    if (this.#websocket.isPaused) return;
    this.#holds = true;
    this.#websocket.pause();
  };

  readonly #onError = (error: Error): void => {
    if (!this.#ended) this.#end(error);
  };

  readonly #onClose = (code: number): void => {
    if (this.#ended) return;
    if (this.#websocket.wasClean) return this.#end(undefined);
    this.#end(new Error(`The connection has ended with ${code}, without a closing handshake`));
  };

  #end(failure: Error | undefined): void {
    this.#ended = true;
    this.#websocket.removeListener('message', this.#onMessage);
    this.#websocket.removeListener('close', this.#onClose);
    this.#failure = failure;
    for (const asking of this.#asking.splice(0)) this.#tellEnd(asking);
  }

  /** The failure is told once. */
  #tellEnd({ resolve, reject }: Asking): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) reject(failure);
    else resolve(DONE);
  }

  #read(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.#websocket.resume();
  }

  next(): Promise<IteratorResult<IteratedMessage, undefined>> {
    const first = this.#queue.shift();
    if (first) {
      this.#size -= first.size;
      if (this.#queue.length === 0) this.#read();
      return Promise.resolve({ done: false, value: first.message });
    }
    return new Promise((resolve, reject) => {
      if (this.#ended) this.#tellEnd({ resolve, reject });
      else this.#asking.push({ resolve, reject });
    });
  }

  /** The loop was left: the connection is closed with 1000. */
  return(): Promise<IteratorResult<IteratedMessage, undefined>> {
    this.#queue = [];
    this.#size = 0;
    if (!this.#ended) this.#end(undefined);
    this.#failure = undefined;
    // A paused connection would not hear the answer.
    this.#read();
    this.#websocket.close(1000);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function sizeOf(data: RawData | Blob): number {
  if (Array.isArray(data)) return data.reduce((sum, { length }) => sum + length, 0);
  return 'size' in data ? data.size : data.byteLength;
}

/** A promise of what calls back. */
export function promised(run: (callback: Callback) => void): Promise<void> {
  return new Promise((resolve, reject) => run((error) => (error ? reject(error) : resolve())));
}
