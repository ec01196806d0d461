import type { ProtocolError } from './errors.js';
import { EventType, FailureType } from './itoden_wasm.js';
import { copyOut, memory } from './module.js';

/**
 * Why a connection did not end cleanly: the peer broke the protocol, the transport ended without a Close frame, or a Close
 * frame was not answered in time.
 */
export type FailureCause = 'protocol' | 'eof' | 'close_timeout';

/** What an application should know of a connection. */
export type ConnectionEvent =
  /** A whole text message (RFC 6455 §5.6). */
  | { readonly type: 'text'; readonly text: string }
  /** A whole binary message. */
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

// The core has checked the text already; a byte order mark is part of it.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const RECORD = 4;

function failureCause(failure: number): FailureCause | null {
  switch (failure) {
    case FailureType.Protocol:
      return 'protocol';
    case FailureType.Eof:
      return 'eof';
    case FailureType.CloseTimeout:
      return 'close_timeout';
    default:
      return null;
  }
}

/** @internal The events of a table of src/connection.rs. */
export function readEvents(table: number, count: number, failure: () => ProtocolError): ConnectionEvent[] {
  const records = new Uint32Array(memory(), table, count * RECORD).slice();
  const events = new Array<ConnectionEvent>(count);
  for (let index = 0, at = 0; index < count; index += 1, at += RECORD) {
    events[index] = readEvent(records[at]!, records[at + 1]!, records[at + 2]!, records[at + 3]!, failure);
  }
  return events;
}

function readEvent(
  type: EventType,
  number: number,
  address: number,
  length: number,
  failure: () => ProtocolError,
): ConnectionEvent {
  const payload = () => copyOut(address, length);
  const text = () => utf8.decode(new Uint8Array(memory(), address, length));
  switch (type) {
    case EventType.Text:
      return { type: 'text', text: text() };
    case EventType.Binary:
      return { type: 'binary', payload: payload() };
    case EventType.Ping:
      return { type: 'ping', payload: payload() };
    case EventType.Pong:
      return { type: 'pong', payload: payload() };
    case EventType.Close:
      return { type: 'close', code: number, reason: text() };
    case EventType.Failed:
      return { type: 'failed', error: failure() };
    case EventType.Closed: {
      const wasClean = (number & 0x1_0000) !== 0;
      return { type: 'closed', code: number & 0xffff, reason: text(), wasClean, cause: failureCause(number >>> 17) };
    }
  }
}
