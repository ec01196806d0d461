// @ts-check
// What the core says of each frame: whether it may come here, and which message it completes. One end of a connection is
// played for each direction: that which receives.

import { Connection } from 'itoden-wasm/deflate';

/** @typedef {import('itoden-wasm/deflate').ProtocolError} ProtocolError */
/** @typedef {import('itoden-wasm/deflate').ConnectionEvent} ConnectionEvent */
/** @typedef {'client' | 'server'} Role */

/**
 * What came of a frame.
 * @typedef {object} Verdict
 * @property {ConnectionEvent | undefined} event the message that it completes
 * @property {ProtocolError | undefined} error
 * @property {boolean} ignored whether it came behind a Close frame, where nothing is read any more (§5.5.1)
 * @property {boolean} contextLost whether an error before took the context away that it would be inflated with
 */

/** The largest message that is put together; the core tells of a larger one. */
const MAX_MESSAGE = 64 << 20;

/** An end that receives and never sends. @param {Role} role @param {string} extensions */
export function receiver(role, extensions) {
  return new Connection(role, { extensions, maxMessageSize: MAX_MESSAGE, autoPong: false, now: () => 0 });
}

/** Judges the frames of one direction. After an error it goes on with a fresh connection, as nobody else would. */
export class Judge {
  #role;
  #extensions;
  #connection;
  #contextLost = false;

  /** @param {Role} role who receives @param {string} extensions */
  constructor(role, extensions) {
    this.#role = role;
    this.#extensions = extensions;
    this.#connection = receiver(role, extensions);
  }

  /** @param {Uint8Array} bytes a whole frame, as it was on the wire @returns {Verdict} */
  judge(bytes) {
    const ignored = this.#connection.closeReceived;
    const contextLost = this.#contextLost;
    for (const event of this.#connection.receive(bytes)) {
      if (event.type === 'failed') {
        this.reset();
        return { event: undefined, error: event.error, ignored, contextLost };
      }
      if (event.type !== 'closed') return { event, error: undefined, ignored, contextLost };
    }
    return { event: undefined, error: undefined, ignored, contextLost };
  }

  /** Begins anew behind an error or a hole. */
  reset() {
    this.#connection.free();
    this.#connection = receiver(this.#role, this.#extensions);
    this.#contextLost = this.#extensions !== '';
  }

  free() {
    this.#connection.free();
  }
}

/**
 * How many bytes of `frames` the core takes before it fails, so the place of the byte that is wrong; undefined if it takes
 * all. Nothing here knows UTF-8: the frames are played again to a fresh connection, the last ones byte by byte.
 * @param {Role} role
 * @param {Uint8Array[]} frames a message from its first frame on, uncompressed
 */
export function failingByte(role, frames) {
  let whole = 0;
  for (const size of [4096, 1]) {
    const connection = receiver(role, '');
    const failsAt = playUntilFailure(connection, frames, size, whole);
    connection.free();
    if (failsAt === undefined) return undefined;
    whole = failsAt;
  }
  return whole;
}

/**
 * Where the piece begins in which the connection fails. All before `whole` goes in larger pieces.
 * @param {Connection} connection
 * @param {Uint8Array[]} frames
 * @param {number} size
 * @param {number} whole
 */
function playUntilFailure(connection, frames, size, whole) {
  let at = 0;
  for (const frame of frames) {
    for (let from = 0; from < frame.length; ) {
      const to = Math.min(from + (at + from < whole ? Math.min(4096, whole - at - from) : size), frame.length);
      if (connection.receive(frame.subarray(from, to)).some(({ type }) => type === 'failed')) return at + from;
      from = to;
    }
    at += frame.length;
  }
  return undefined;
}
