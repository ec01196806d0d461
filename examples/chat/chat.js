// @ts-check
// The room: who is here, what is said, and what everyone is told. It knows no sockets: whoever can be sent a string is
// a client, so the tests use plain objects. events.d.ts has what the room says.

/** @typedef {import('./events.js').ChatEvent} ChatEvent */
/** @typedef {import('./events.js').Message} Message */
/** @typedef {import('./events.js').Problem} Problem */

/**
 * What the room needs of a connection; a WebSocket has it all.
 * @typedef {{ send(text: string): void, terminate(): void, readonly bufferedAmount: number }} Client
 */

/** @typedef {{ name: string, client: Client, allowance: number, refilledAt: number }} Member */

export const LIMITS = {
  /** Characters (code points) of a name and of a message. */
  name: 32,
  text: 2000,
  /** Messages that a member may send at once, and how many a second are added after that. */
  burst: 10,
  perSecond: 2,
  /** Bytes of history in one welcome. Clients cap what they take in: 1 MiB is a common default. */
  welcome: 512 * 1024,
  /** Bytes that may wait for a member who doesn't read; the room is not kept waiting beyond that. */
  buffered: 4 * 1024 * 1024,
};

export class ChatRoom {
  #history;
  #now;
  /** @type {Map<string, Member>} by the name's key */ #members = new Map();

  /**
   * @param {{ add(name: string, text: string, at: number): Message, recent(): Message[] }} history
   * @param {() => number} [now] milliseconds since 1970
   */
  constructor(history, now = Date.now) {
    this.#history = history;
    this.#now = now;
  }

  get people() {
    return Array.from(this.#members.values(), (member) => member.name);
  }

  /**
   * @param {Client} client
   * @param {string} wanted a name that nameProblem() has nothing against; one that is taken gets a number
   * @returns {Member}
   */
  join(client, wanted) {
    const name = this.#freeName(wanted);
    const member = { name, client, allowance: LIMITS.burst, refilledAt: this.#now() };
    this.#tellAll({ type: 'joined', name });
    this.#members.set(keyOf(name), member);
    this.#tell(member, { type: 'welcome', you: name, people: this.people, history: this.#historyForWelcome() });
    return member;
  }

  /**
   * @param {Member} member
   * @param {string} text
   */
  say(member, text) {
    const problem = this.#tooFast(member) ?? textProblem(text);
    if (problem) return this.#tell(member, { type: 'error', ...problem });
    this.#tellAll({ type: 'message', ...this.#history.add(member.name, text, this.#now()) });
  }

  /** @param {Member} member */
  leave(member) {
    if (this.#members.delete(keyOf(member.name))) this.#tellAll({ type: 'left', name: member.name });
  }

  /** @param {ChatEvent} event */
  #tellAll(event) {
    for (const member of this.#members.values()) this.#tell(member, event);
  }

  /**
   * @param {Member} member
   * @param {ChatEvent} event
   */
  #tell({ client }, event) {
    if (client.bufferedAmount > LIMITS.buffered) client.terminate();
    else client.send(JSON.stringify(event));
  }

  /** @param {string} wanted */
  #freeName(wanted) {
    for (let number = 1; ; number += 1) {
      const suffix = number === 1 ? '' : ` ${number}`;
      const name = [...wanted].slice(0, LIMITS.name - suffix.length).join('').trimEnd() + suffix;
      if (!this.#members.has(keyOf(name))) return name;
    }
  }

  /**
   * Takes one message off the member's allowance, which grows with time up to the burst.
   * @param {Member} member
   * @returns {Problem | undefined}
   */
  #tooFast(member) {
    const now = this.#now();
    const earned = (Math.max(0, now - member.refilledAt) / 1000) * LIMITS.perSecond;
    member.allowance = Math.min(LIMITS.burst, member.allowance + earned);
    member.refilledAt = now;
    if (member.allowance < 1) {
      const message = `Not sent: ${LIMITS.burst} messages at once and then ${LIMITS.perSecond} a second are allowed.`;
      return { code: 'slow-down', message };
    }
    member.allowance -= 1;
    return undefined;
  }

  #historyForWelcome() {
    const history = this.#history.recent();
    let first = history.length;
    for (let bytes = 0; first > 0; first -= 1) {
      bytes += Buffer.byteLength(JSON.stringify(history[first - 1]));
      if (bytes > LIMITS.welcome) break;
    }
    return history.slice(first);
  }
}

/**
 * The name as it is shown: one form for equal letters, one space where there were more.
 * @param {string} raw
 */
export function tidyName(raw) {
  return raw.normalize('NFC').replaceAll(/ +/g, ' ').trim();
}

/**
 * What speaks against a tidied name, if anything. The sentence fits a close reason (123 bytes, RFC 6455 §5.5).
 * @param {string} name
 * @returns {string | undefined}
 */
export function nameProblem(name) {
  const length = [...name].length;
  if (length < 1 || length > LIMITS.name) return `A name has 1 to ${LIMITS.name} characters; this one has ${length}.`;
  // Bidi controls would turn round the text that is shown beside the name.
  const control = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.exec(name)?.[0];
  if (control) return `A name can't hold control characters; this one holds ${codePoint(control)}.`;
  if (!/[\p{L}\p{N}\p{P}\p{S}]/u.test(name)) return 'A name needs a character that can be seen; this one has none.';
  return undefined;
}

/**
 * @param {string} text
 * @returns {Problem | undefined}
 */
function textProblem(text) {
  if (text.trim() === '') return { code: 'empty', message: 'Not sent: the message is empty.' };
  const length = [...text].length;
  if (length > LIMITS.text) {
    return { code: 'too-long', message: `Not sent: ${length} characters, where ${LIMITS.text} are allowed.` };
  }
  const control = /(?![\t\n\r])\p{Cc}/u.exec(text)?.[0];
  if (control) {
    const message = `Not sent: the message holds the control character ${codePoint(control)}; only tabs and line breaks are allowed.`;
    return { code: 'control-character', message };
  }
  return undefined;
}

/**
 * Two names with the same key look too much alike to share a room.
 * @param {string} name
 */
function keyOf(name) {
  return name.normalize('NFKC').toLowerCase();
}

/** @param {string} character */
function codePoint(character) {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
