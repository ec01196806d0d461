import { protocolError } from './errors.js';
import type { ProtocolError } from './errors.js';
import type { Handle } from './exports.js';
import { shortAscii } from './module.js';
import type { Wasm } from './module.js';

/**
 * Why a connection did not end cleanly: the peer broke the protocol, the transport ended without a Close frame, or a Close
 * frame was not answered in time.
 */
export type FailureCause = 'protocol' | 'eof' | 'close_timeout';

/** What an application should know of a connection. */
export type ConnectionEvent =
  /** A whole text message (RFC 6455 §5.6). */
  | { readonly type: 'text'; readonly text: string }
  /**
   * A whole binary message. Payloads up to 1 KiB share a buffer with others of the same chunk, which lives as long as one
   * of them: `slice()` what is to be kept for long, or to be transferred. See also `ReceiveOptions`.
   */
  | { readonly type: 'binary'; readonly payload: Uint8Array<ArrayBuffer> }
  /** A ping; unless `autoPong` is off, its answer is in the output (§5.5.2). */
  | { readonly type: 'ping'; readonly payload: Uint8Array<ArrayBuffer> }
  /** A pong, asked for or not (§5.5.3). */
  | { readonly type: 'pong'; readonly payload: Uint8Array<ArrayBuffer> }
  /** A Close frame; its answer is in the output. The code is 1005 if it had none (§7.1.5). */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  /** The peer broke the protocol; the Close frame that says so is in the output (§7.1.7). */
  | { readonly type: 'failed'; readonly error: ProtocolError }
  /** The end, exactly once: the peer's close code, or 1006 if no Close frame came (§7.1.5), and whether it was clean. */
  | {
      readonly type: 'closed';
      readonly code: number;
      readonly reason: string;
      readonly wasClean: boolean;
      readonly cause: FailureCause | null;
    };

const RECORD = 4;

// As src/connection.rs numbers them.
const TEXT = 0;
const BINARY = 1;
const PONG = 3;
const CLOSE = 4;
const FAILED = 5;
const APART = 7;
/** Those whose payload is bytes, from BINARY to PONG. */
const carriers = ['binary', 'ping', 'pong'] as const;
const failureCauses = [null, 'protocol', 'eof', 'close_timeout'] as const;

/** Payloads up to this length share a buffer with those beside them: to make a buffer takes longer than to copy so much. */
const SMALL = 1024;
/** Most bytes between two payloads, which are the header of the second. */
const HEADER = 14;

/** @internal `payload` in a buffer of its own. */
export function owned(payload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return payload.length === payload.buffer.byteLength ? payload : payload.slice();
}

/** @internal All of them in one; the one itself if there are no others. */
export function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0] as Uint8Array<ArrayBuffer>;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @internal The events of a table of src/connection.rs. `parts`: of the message that was not brought into the module. */
export function readEvents(wasm: Wasm, connection: Handle, count: number, parts: Uint8Array[]): ConnectionEvent[] {
  const events = new Array<ConnectionEvent>(count);
  const words = wasm.words();
  let at = wasm.exports.connection_events(connection) >>> 2;
  const end = at + count * RECORD;
  /** Where the payloads begin and end that are in `batch`. */
  let [from, to] = [0, 0];
  let batch = new ArrayBuffer(0);
  for (let index = 0; index < count; index += 1, at += RECORD) {
    const [type, number, address, length] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    if (type === APART) {
      events[index] = { type: 'binary', payload: joined(parts.splice(0)) };
      continue;
    }
    if (type < BINARY || type > PONG) {
      events[index] = readEvent(wasm, connection, type, number, address, length);
      continue;
    }
    if (address < from || address + length > to) {
      [from, to] = [address, address + length];
      if (length <= SMALL) {
        for (let next = at + RECORD; next < end && follows(words, next, to); next += RECORD) to = words[next + 2]! + words[next + 3]!;
      }
      batch = wasm.copy(from, to - from).buffer;
    }
    events[index] = { type: carriers[type - BINARY]!, payload: new Uint8Array(batch, address - from, length) };
  }
  return events;
}

/** Whether the record at `at` has a small payload of bytes shortly behind the address `end`. */
function follows(words: Uint32Array, at: number, end: number): boolean {
  const [type, address, length] = [words[at]!, words[at + 2]!, words[at + 3]!];
  return type >= BINARY && type <= PONG && length <= SMALL && address >= end && address - end <= HEADER;
}

function readEvent(
  wasm: Wasm, connection: Handle, type: number, number: number, address: number, length: number,
): ConnectionEvent {
  switch (type) {
    case TEXT:
      return { type: 'text', text: readText(wasm, address, length) };
    case CLOSE:
      return { type: 'close', code: number, reason: wasm.text(address, length) };
    case FAILED:
      wasm.exports.connection_failure(connection);
      return { type: 'failed', error: protocolError(wasm) };
    default: {
      const [wasClean, cause] = [(number & 0x1_0000) !== 0, failureCauses[number >>> 17] ?? null];
      return { type: 'closed', code: number & 0xffff, reason: wasm.text(address, length), wasClean, cause };
    }
  }
}

/** Of how many bytes is seen whether a text is likely to be ASCII. */
const LOOKS = 16;
/** In a host that knows nothing but UTF-8 there is none. */
let wide: TextDecoder | null | undefined;

function wideDecoder(): TextDecoder | null {
  try {
    return new TextDecoder('utf-16le', { ignoreBOM: true });
  } catch {
    return null;
  }
}

/** Text that the core has checked. What is not ASCII comes as UTF-16: see src/text.rs. */
function readText(wasm: Wasm, address: number, length: number): string {
  const bytes = wasm.bytes();
  const short = shortAscii(bytes, address, length);
  if (short !== undefined) return short;
  if (wide === undefined) wide = wideDecoder();
  if (wide === null || looksLikeAscii(bytes, address, length)) return wasm.decode(address, length);
  let text = '';
  for (const end = address + length; address < end; ) {
    wasm.exports.text_units(address, end - address);
    const [units, count, taken, isWide] = [wasm.told(0), wasm.told(1), wasm.told(2), wasm.told(3)];
    // A string of Latin-1 takes half the memory, but only if it was never wider.
    // To make text of what is there already takes no more memory, so `bytes` is not detached.
    text += isWide ? wide.decode(bytes.subarray(units, units + 2 * count)) : wasm.decode(address, taken);
    address += taken;
  }
  return text;
}

function looksLikeAscii(bytes: Uint8Array, address: number, length: number): boolean {
  const step = Math.max(1, Math.floor(length / LOOKS));
  for (let at = address; at < address + length; at += step) if (bytes[at]! > 0x7f) return false;
  return true;
}
