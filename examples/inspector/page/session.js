// @ts-check
// One WebSocket connection of a capture: its bytes in both directions, the frames in them, the messages of these.

import { FrameDecoder, Inspector } from 'itoden-wasm/deflate';
import { LONGEST_HEADER } from './fields.js';
import { Judge } from './judge.js';
import { ByteLog, NumberLog } from './logs.js';
import { LONGEST_HEAD, Opening, endOfHead, mayBeHead } from './opening.js';

/** An error of the core without the frames and the stack that it holds. @typedef {{ code: string, closeCode: number, section: string, message: string }} Misdeed */
/** @typedef {import('./judge.js').Role} Role */

/**
 * @typedef {object} SessionOptions
 * @property {string} title
 * @property {string} [extensions] what was negotiated, if no handshake in the capture tells
 * @property {boolean} [midstream] whether it may begin within a frame
 * @property {boolean} [looksForHeads] whether an opening handshake may come first
 */

/** How much of a message is kept that isn't in one frame as it is: 64 KiB each, 64 MiB in all. */
const KEPT_EACH = 64 << 10;
const KEPT_ALL = 64 << 20;
/** The largest frame that is one: beyond, bytes are rather no frames at all. */
const MAX_FRAME = 64 << 20;
/** How many items a session shows at most. */
export const MOST_ITEMS = 2_000_000;
/** How many bytes are looked at without a pause; the search for frames within garbage is slow. */
export const STEP = 4 << 10;

/** What an item is. */
export const FRAME = 0;
/** Bytes that are no frames. */
export const GAP = 1;
/** Bytes that the capture does not have. */
export const HOLE = 2;

const IGNORED = 1 << 16;
const CONTEXT_LOST = 1 << 17;

/** One direction, or both where a capture doesn't part them. */
class Lane {
  log = new ByteLog();
  /** Where each piece begins that came at once, when, and in which packet. */
  starts = new NumberLog();
  times = new NumberLog();
  packets = new NumberLog();
  /** @type {Inspector | undefined} while frames are expected */
  inspector;
  /** Where in the log the inspector began. */
  base = 0;
  /** Where in the log the head begins that is being collected; undefined if none is expected. @type {number | undefined} */
  head;
  looked = 0;
  /** By who receives; two where both directions are in one lane. @type {Map<Role, Judge>} */
  judges = new Map();
  /** The message that is not finished, by who receives. @type {Map<Role, number>} */
  open = new Map();

  /** @param {Role | undefined} sender undefined: whoever masks is the client (RFC 6455 §5.1) */
  constructor(sender) {
    this.sender = sender;
  }
}

export class Session {
  opening = new Opening();
  /** @type {Lane[]} */
  lanes;
  /** @type {string[]} what else a reader should know */
  notes = [];
  /** Sums by sender. */
  sums = { client: noSums(), server: noSums() };
  /** Whether not all is shown, since there is too much. */
  isFull = false;
  // Of each item: its kind (bits 0-1), lane (2), direction (3), the first byte (8-15) and flags; where it is; how long its
  // header and all of it are; its message.
  #kinds = new NumberLog();
  #offsets = new NumberLog();
  #headers = new NumberLog();
  #sizes = new NumberLog();
  #messages = new NumberLog();
  /** @type {Map<number, Misdeed>} by item */
  #errors = new Map();
  // Of each message: its first and last item, how long it is (NaN while it isn't whole), and what its payloads had.
  #first = new NumberLog();
  #last = new NumberLog();
  #lengths = new NumberLog();
  #payloads = new NumberLog();
  /** @type {Map<number, string | Uint8Array>} */
  #kept = new Map();
  #keptBytes = 0;

  /** @param {SessionOptions} options @param {(Role | undefined)[]} senders whose bytes each lane has */
  constructor(options, senders) {
    this.title = options.title;
    this.options = options;
    this.lanes = senders.map((sender) => new Lane(sender));
    for (const lane of this.lanes) if (options.looksForHeads) lane.head = 0;
  }

  /** What was negotiated. */
  get extensions() {
    return this.options.extensions || this.opening.extensions;
  }

  get itemCount() {
    return this.#kinds.length;
  }

  get messageCount() {
    return this.#first.length;
  }

  /** Items with an error, in order. */
  get errors() {
    return this.#errors;
  }

  /** Takes bytes of a lane, with a pause wherever it yields. @param {number} index @param {Uint8Array} bytes @param {number | null} [time] @param {number} [packet] */
  *feed(index, bytes, time = null, packet = NaN) {
    const lane = this.#lane(index);
    lane.starts.push(lane.log.length);
    lane.times.push(time ?? NaN);
    lane.packets.push(packet);
    for (let at = 0; at < bytes.length && !this.isFull; at += STEP) {
      const piece = bytes.subarray(at, at + STEP);
      lane.log.append(piece);
      if (lane.head !== undefined) this.#lookForHead(lane);
      else this.#inspect(lane, piece);
      yield;
    }
  }

  /** The capture lacks bytes here. @param {number} index @param {number} length */
  miss(index, length) {
    const lane = this.#lane(index);
    this.#endFrames(lane);
    this.#add(lane, HOLE, lane.log.length, 0, length, lane.sender ?? 'client', 0);
    lane.head = undefined;
    this.#begin(lane, true);
  }

  /** All has come. */
  end() {
    for (const lane of this.lanes) {
      if (lane.head !== undefined && lane.log.length > lane.head) this.#begin(lane, this.options.midstream, lane.head);
      this.#endFrames(lane);
      for (const judge of lane.judges.values()) judge.free();
    }
  }

  /** @param {number} index */
  item(index) {
    const bits = this.#kinds.at(index);
    const laneIndex = (bits >> 2) & 1;
    const lane = this.#lane(laneIndex);
    const offset = this.#offsets.at(index);
    const size = this.#sizes.at(index);
    const kind = bits & 3;
    const last = lane.starts.countUpTo(kind === HOLE ? offset : offset + size - 1) - 1;
    return {
      index,
      kind,
      laneIndex,
      sender: /** @type {Role} */ (bits & 8 ? 'server' : 'client'),
      /** FIN, RSV and opcode. */
      firstByte: (bits >> 8) & 0xff,
      isIgnored: (bits & IGNORED) !== 0,
      isContextLost: (bits & CONTEXT_LOST) !== 0,
      offset,
      size,
      headerLength: this.#headers.at(index),
      payloadLength: size - this.#headers.at(index),
      message: this.#messages.at(index),
      error: this.#errors.get(index),
      /** When its last byte came, in seconds; NaN if the capture doesn't tell. */
      time: lane.times.at(last),
    };
  }

  /** The bytes of an item, as they were on the wire. @param {number} index @param {number} [most] */
  bytesOf(index, most = Infinity) {
    const { kind, laneIndex, offset, size } = this.item(index);
    return kind === HOLE ? new Uint8Array() : this.#lane(laneIndex).log.view(offset, offset + Math.min(size, most));
  }

  /** The bytes that an item's header is in. What is no frame may claim a longer header than it has bytes. @param {number} index */
  startOf(index) {
    const { kind, error, laneIndex, offset, size } = this.item(index);
    const length = Math.min(kind === GAP && error ? LONGEST_HEADER : size, LONGEST_HEADER);
    return kind === HOLE ? new Uint8Array() : this.#lane(laneIndex).log.view(offset, offset + length);
  }

  /** A frame once more, as the core reads it. @param {number} index */
  frame(index) {
    if (this.item(index).kind !== FRAME) return undefined;
    const decoder = new FrameDecoder('any', { maxFrameSize: MAX_FRAME });
    try {
      return decoder.push(this.bytesOf(index))[0];
    } finally {
      decoder.free();
    }
  }

  /** When a byte came, in which packet. @param {number} laneIndex @param {number} offset */
  arrival(laneIndex, offset) {
    const lane = this.#lane(laneIndex);
    const piece = lane.starts.countUpTo(offset) - 1;
    return { time: lane.times.at(piece), packet: lane.packets.at(piece), start: lane.starts.at(piece) };
  }

  /** @param {number} index */
  message(index) {
    const [first, last] = [this.#first.at(index), this.#last.at(index)];
    return {
      index,
      first,
      last,
      /** What the application gets, in bytes; NaN if it isn't whole. */
      length: this.#lengths.at(index),
      /** What its frames carried. */
      payload: this.#payloads.at(index),
      /** As far as it was kept; undefined: it is the payload of its one frame. */
      kept: this.#kept.get(index),
    };
  }

  /** The items of a message, in order. @param {number} index */
  itemsOf(index) {
    const { first, last } = this.message(index);
    const items = [];
    for (let at = first; at <= last; at += 1) if (this.#messages.at(at) === index) items.push(at);
    return items;
  }

  /** @param {number} index */
  #lane(index) {
    const lane = this.lanes[index];
    if (!lane) throw new RangeError(`there is no lane ${index}`);
    return lane;
  }

  /** @param {Lane} lane @returns {void} */
  #lookForHead(lane) {
    const from = /** @type {number} */ (lane.head);
    const bytes = lane.log.view(from);
    if (!mayBeHead(bytes)) return this.#begin(lane, this.options.midstream, from);
    const end = endOfHead(bytes, Math.max(lane.looked - 3, 0));
    lane.looked = bytes.length;
    if (end === undefined) {
      if (bytes.length > LONGEST_HEAD) this.#begin(lane, this.options.midstream, from);
      return;
    }
    const head = bytes.slice(0, end);
    const isRequest = head[0] === 0x47; // G of GET
    if (isRequest) this.opening.takeRequest(head);
    const isInterim = !isRequest && !this.opening.takeResponse(head);
    lane.looked = 0;
    lane.head = from + end;
    if (isInterim) return lane.log.length > lane.head ? this.#lookForHead(lane) : undefined;
    // Where both directions are in one lane, the answer may follow at once.
    if (lane.sender === undefined && lane.log.length === lane.head) return;
    if (lane.sender === undefined && mayBeHead(lane.log.view(lane.head))) return this.#lookForHead(lane);
    this.#begin(lane, false, lane.head);
  }

  /** From here on there are frames. @param {Lane} lane @param {boolean} [midstream] @param {number} [from] */
  #begin(lane, midstream = false, from = lane.log.length) {
    lane.head = undefined;
    lane.base = from;
    lane.inspector = new Inspector({ midstream, maxFrameSize: MAX_FRAME });
    const rest = lane.log.view(from).slice();
    if (rest.length > 0) this.#inspect(lane, rest);
  }

  /** @param {Lane} lane @param {Uint8Array} piece */
  #inspect(lane, piece) {
    if (!lane.inspector) this.#begin(lane, this.options.midstream, lane.log.length - piece.length);
    else for (const seen of lane.inspector.push(piece)) this.#take(lane, seen);
  }

  /** @param {Lane} lane */
  #endFrames(lane) {
    for (const seen of lane.inspector?.end() ?? []) this.#take(lane, seen);
    lane.inspector = undefined;
    lane.open.clear();
    for (const judge of lane.judges.values()) judge.reset();
  }

  /** @param {Lane} lane @param {import('itoden-wasm/deflate').Inspection} seen */
  #take(lane, seen) {
    if (this.isFull) return;
    const offset = lane.base + seen.offset;
    if (seen.type === 'gap') {
      const item = this.#add(lane, GAP, offset, 0, seen.length, lane.sender ?? 'client', 0);
      if (seen.error) this.#fail(item, seen.error);
      lane.open.clear();
      if (seen.error) for (const judge of lane.judges.values()) judge.reset();
      return;
    }
    const { frame } = seen;
    const size = frame.headerLength + frame.payloadLength;
    const sender = lane.sender ?? (frame.masked ? 'client' : 'server');
    const verdict = this.#judgeOf(lane, sender).judge(lane.log.view(offset, offset + size));
    const flags = (verdict.ignored ? IGNORED : 0) | (verdict.contextLost ? CONTEXT_LOST : 0);
    const firstByte = lane.log.view(offset, offset + 1)[0] ?? 0;
    const item = this.#add(lane, FRAME, offset, frame.headerLength, size, sender, flags | (firstByte << 8));
    if (verdict.error) this.#fail(item, verdict.error);
    const sums = this.sums[sender];
    sums.frames += 1;
    sums.header += frame.headerLength;
    sums.payload += frame.payloadLength;
    this.#group(lane, sender, item, frame, verdict);
  }

  /** @param {number} item @param {import('itoden-wasm/deflate').ProtocolError} error */
  #fail(item, { code, closeCode, section, message }) {
    this.#errors.set(item, { code, closeCode, section, message });
  }

  /** @param {Lane} lane @param {Role} sender */
  #judgeOf(lane, sender) {
    const role = sender === 'client' ? 'server' : 'client';
    const known = lane.judges.get(role);
    if (known) return known;
    let judge;
    try {
      judge = new Judge(role, this.extensions);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const note = `The extensions '${this.extensions}' are unknown here, so frames are read without them; known is permessage-deflate (RFC 7692).`;
      if (!this.notes.includes(note)) this.notes.push(note);
      judge = new Judge(role, '');
    }
    lane.judges.set(role, judge);
    return judge;
  }

  /** Puts frames together: a control frame is a message of its own, wherever it comes (§5.4). @param {Lane} lane @param {Role} sender @param {number} item @param {import('itoden-wasm/deflate').Frame} frame @param {import('./judge.js').Verdict} verdict */
  #group(lane, sender, item, frame, { event, error }) {
    const isControl = frame.opcodeName === 'close' || frame.opcodeName === 'ping' || frame.opcodeName === 'pong';
    const open = isControl || frame.opcodeName !== 'continuation' ? undefined : lane.open.get(sender);
    const message = open ?? this.#first.length;
    if (open === undefined) {
      this.#first.push(item);
      this.#last.push(item);
      this.#lengths.push(NaN);
      this.#payloads.push(frame.payloadLength);
    } else {
      this.#last.set(message, item);
      this.#payloads.set(message, this.#payloads.at(message) + frame.payloadLength);
    }
    this.#messages.set(item, message);
    if (!isControl && frame.fin) lane.open.delete(sender);
    else if (!isControl) lane.open.set(sender, message);
    if (error && !isControl) lane.open.delete(sender);
    if (!event) return;
    const content = event.type === 'text' ? event.text : event.type === 'binary' ? event.payload : undefined;
    const isPlain = content === undefined || (this.#first.at(message) === item && !frame.rsv1);
    this.#lengths.set(message, isPlain ? frame.payloadLength : typeof content === 'string' ? utf8Length(content) : content.length);
    if (!isPlain) this.#keep(message, content);
    const sums = this.sums[sender];
    sums.messages += 1;
    if (this.extensions && this.item(this.#first.at(message)).firstByte & 0x40) {
      sums.deflated += this.#payloads.at(message);
      sums.inflated += this.#lengths.at(message);
    }
  }

  /** @param {number} message @param {string | Uint8Array} content */
  #keep(message, content) {
    const kept = content.length <= KEPT_EACH ? content : content.slice(0, KEPT_EACH);
    if (this.#keptBytes + kept.length > KEPT_ALL) return;
    this.#keptBytes += kept.length;
    this.#kept.set(message, kept);
  }

  /** @param {Lane} lane @param {number} kind @param {number} offset @param {number} header @param {number} size @param {Role} sender @param {number} bits */
  #add(lane, kind, offset, header, size, sender, bits) {
    this.#kinds.push(kind | (this.lanes.indexOf(lane) << 2) | (sender === 'server' ? 8 : 0) | bits);
    this.#offsets.push(offset);
    this.#headers.push(header);
    this.#sizes.push(size);
    this.#messages.push(NaN);
    if (this.#kinds.length >= MOST_ITEMS) this.isFull = true;
    return this.#kinds.length - 1;
  }
}

const noSums = () => ({
  frames: 0,
  header: 0,
  payload: 0,
  /** Those that are whole and well. */
  messages: 0,
  /** Of messages that were compressed: what went over the wire, and what became of it. */
  deflated: 0,
  inflated: 0,
});

/** @param {string} text */
function utf8Length(text) {
  // Short texts are most; a long one is not worth a second copy of itself.
  if (text.length < 1024) return new TextEncoder().encode(text).length;
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    length += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return length;
}
