// @ts-check
// Puts the byte streams of TCP connections together: in order, each byte once, whatever was sent again or came early.

/** @typedef {import('./packet.js').Segment} Segment */

/**
 * What is told of a connection, in order.
 * @typedef {object} Listener
 * @property {(bytes: Uint8Array, time: number | null, packet: number) => void} onBytes
 * @property {(length: number, time: number | null, packet: number) => void} onMissing bytes that the capture does not have
 * @property {(time: number | null) => void} onEnd
 */

/** @typedef {{ sequence: number, segment: Segment, time: number | null, packet: number }} Piece */

/** How many bytes wait behind a hole until it is taken for one that won't be filled. */
const MOST_WAITING = 4 << 20;

/** One direction of a connection. */
export class TcpStream {
  /** @type {number | undefined} the sequence number of the byte that comes next */
  #next;
  /** @type {Piece[]} by sequence */
  #waiting = [];
  #waitingBytes = 0;
  /** @type {number | undefined} the sequence number of FIN */
  #end;
  #ended = false;
  retransmitted = 0;
  outOfOrder = 0;
  missing = 0;
  #listener;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Whether it began within the capture. */
  sawSyn = false;

  /** @param {Segment} segment @param {number | null} time @param {number} packet its number in the capture, from 1 */
  add(segment, time, packet) {
    let { sequence } = segment;
    if (segment.syn) {
      sequence = (sequence + 1) >>> 0;
      if (this.#next === undefined) this.sawSyn = true;
      this.#next ??= sequence;
    }
    this.#next ??= sequence;
    if (segment.fin) this.#end = (sequence + segment.length) >>> 0;
    // A keep-alive of TCP sends the byte before again; it is no retransmission of anything.
    if (segment.length > 0) {
      const ahead = distance(this.#next, sequence);
      if (ahead > 0) this.outOfOrder += 1;
      else if (ahead + segment.length <= 0 && segment.length > 1) this.retransmitted += 1;
      this.#insert({ sequence, segment, time, packet });
      this.#drain(this.#waitingBytes > MOST_WAITING);
    }
    this.#finish(time);
  }

  /** The capture has ended: what waits behind a hole is told, and so is the hole. @param {number | null} time */
  end(time) {
    while (this.#waiting.length > 0) this.#drain(true);
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.onEnd(time);
  }

  /** @param {Piece} piece */
  #insert(piece) {
    let at = this.#waiting.length;
    while (at > 0 && distance(/** @type {any} */ (this.#waiting[at - 1]).sequence, piece.sequence) < 0) at -= 1;
    this.#waiting.splice(at, 0, piece);
    this.#waitingBytes += piece.segment.length;
  }

  /** Tells what is in order; if `skips`, the first hole is passed over. @param {boolean} skips */
  #drain(skips) {
    for (let first; (first = this.#waiting[0]); ) {
      const next = /** @type {number} */ (this.#next);
      const ahead = distance(next, first.sequence);
      if (ahead > 0) {
        if (!skips) return;
        skips = false;
        this.#miss(ahead, first.time, first.packet);
      }
      this.#waiting.shift();
      const { payload, length } = first.segment;
      this.#waitingBytes -= length;
      const known = Math.max(-ahead, 0);
      if (known >= length) continue;
      const fresh = payload.subarray(known);
      if (fresh.length > 0) {
        this.#next = (/** @type {number} */ (this.#next) + fresh.length) >>> 0;
        this.#listener.onBytes(fresh, first.time, first.packet);
      }
      const cut = length - Math.max(payload.length, known);
      if (cut > 0) this.#miss(cut, first.time, first.packet);
    }
  }

  /** @param {number} length @param {number | null} time @param {number} packet */
  #miss(length, time, packet) {
    this.missing += length;
    this.#next = (/** @type {number} */ (this.#next) + length) >>> 0;
    this.#listener.onMissing(length, time, packet);
  }

  /** @param {number | null} time */
  #finish(time) {
    if (this.#ended || this.#end === undefined || this.#next === undefined || distance(this.#next, this.#end) > 0) return;
    this.#ended = true;
    this.#listener.onEnd(time);
  }
}

/** How far `to` is ahead of `from`, where sequence numbers begin again after 2^32. @param {number} from @param {number} to */
const distance = (from, to) => (to - from) | 0;
