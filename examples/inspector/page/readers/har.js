// @ts-check
// The WebSocket connections of a HAR file. Chromium and Firefox write their messages, as they were before compression and
// fragments, to `_webSocketMessages`; the frames are made here, by the codec, so that there is something to look at.

import { FrameEncoder, SendError } from 'itoden-wasm/deflate';
import { Opening } from '../opening.js';
import { Session } from '../session.js';
import { ReadError } from './text.js';

/** A key of zeros masks to the same bytes: the real one is not in the file (RFC 6455 §5.3). */
const NO_KEY = new Uint8Array(4);

const NOTE =
  'A HAR file has messages, not frames: those shown are made from the messages, one each, uncompressed. The masking keys are not in the file; zeros stand for them.';

/**
 * Its sessions, with a pause wherever it yields (how far it is, 0 to 1).
 * @param {string} text
 * @returns {Generator<number, Session[]>}
 */
export function* readHar(text) {
  const entries = entriesOf(text);
  const sockets = entries.filter((entry) => Array.isArray(entry?._webSocketMessages));
  if (sockets.length === 0) {
    throw new ReadError(
      `This HAR file has ${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}, and none with _webSocketMessages: it has no WebSocket in it, or the program that wrote it leaves them out.`,
    );
  }
  const sessions = [];
  for (const [index, entry] of sockets.entries()) {
    const session = new Session({ title: titleOf(entry) }, ['client', 'server']);
    session.opening = openingOf(entry);
    // What was negotiated is shown, but these frames have none of it.
    session.opening.extensions = '';
    session.notes.push(NOTE);
    for (const [at, message] of entry._webSocketMessages.entries()) {
      feedMessage(session, message, at);
      yield (index + at / entry._webSocketMessages.length) / sockets.length;
    }
    session.end();
    sessions.push(session);
  }
  return sessions;
}

/** @param {string} text @returns {any[]} */
function entriesOf(text) {
  let har;
  try {
    har = JSON.parse(text);
  } catch (error) {
    throw new ReadError(`This file begins as JSON does, but can't be read as such: ${error instanceof Error ? error.message : error}`);
  }
  const entries = har?.log?.entries;
  if (!Array.isArray(entries)) throw new ReadError('This JSON file is no HAR file: it has no log.entries.');
  return entries;
}

/** @param {any} entry */
function titleOf(entry) {
  const url = String(entry.request?.url ?? 'a WebSocket without a URL');
  return URL.canParse(url) ? url : `‘${url}’`;
}

/** Heads as HTTP/1.1 writes them, without the pseudo-header fields of HTTP/2. @param {any} entry */
function openingOf(entry) {
  const fields = (/** @type {any} */ headers) =>
    (Array.isArray(headers) ? headers : [])
      .filter((each) => !String(each?.name).startsWith(':'))
      .map((each) => `${each?.name}: ${each?.value}\r\n`)
      .join('');
  const url = URL.canParse(entry.request?.url) ? new URL(entry.request.url) : undefined;
  const request = fields(entry.request?.headers);
  const response = fields(entry.response?.headers);
  const opening = new Opening();
  // A browser that has no head of it writes a status of 0, or no fields at all.
  if (!url || !request || !response) return opening;
  return Opening.fromText(
    `GET ${url.pathname}${url.search} HTTP/1.1\r\n${request}\r\n`,
    `HTTP/1.1 ${entry.response.status} ${entry.response.statusText || 'Switching Protocols'}\r\n${response}\r\n`,
  );
}

/** @param {Session} session @param {any} message @param {number} at */
function feedMessage(session, message, at) {
  const { type, opcode, data = '', time } = message ?? {};
  if (type !== 'send' && type !== 'receive') {
    session.notes.push(`Message ${at + 1} has the type '${type}' instead of send or receive; it says: ${String(data).slice(0, 200)}`);
    return;
  }
  const role = type === 'send' ? 'client' : 'server';
  const encoder = new FrameEncoder(role);
  const options = role === 'client' ? { maskingKey: NO_KEY } : {};
  /** @type {Uint8Array | undefined} */
  let bytes;
  try {
    bytes = frameOf(encoder, opcode, String(data), options);
  } catch (error) {
    // A codec that obeys the RFC can't make the frame that the file claims to have.
    if (!(error instanceof SendError)) throw error;
    session.notes.push(`Message ${at + 1} can't be drawn: ${error.message} (${error.section}).`);
    return;
  }
  if (!bytes) {
    session.notes.push(`Message ${at + 1} has the opcode ${opcode}; shown are text (1), binary (2), close (8), ping (9) and pong (10).`);
    return;
  }
  const seconds = typeof time === 'number' ? time : null;
  for (const _ of session.feed(role === 'client' ? 0 : 1, bytes, seconds)); // one message needs no pause
}

/** @param {FrameEncoder} encoder @param {unknown} opcode @param {string} data @param {{ maskingKey?: Uint8Array }} options */
function frameOf(encoder, opcode, data, options) {
  const bytes = () => fromBase64(data);
  if (opcode === 1) return encoder.encodeText(data, options);
  if (opcode === 2) return encoder.encodeBinary(bytes(), options);
  if (opcode === 8) return encoder.encodeClose(...closeOf(bytes()), options);
  if (opcode === 9) return encoder.encodePing(bytes(), options);
  if (opcode === 10) return encoder.encodePong(bytes(), options);
  return undefined;
}

/** @param {string} data binary messages are base64; a browser may leave a text as it is */
function fromBase64(data) {
  try {
    return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  } catch {
    return new TextEncoder().encode(data);
  }
}

/** @param {Uint8Array} body @returns {[number | undefined, string]} */
function closeOf(body) {
  if (body.length < 2) return [undefined, ''];
  return [new DataView(body.buffer, body.byteOffset).getUint16(0), new TextDecoder().decode(body.subarray(2))];
}
