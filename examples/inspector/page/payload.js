// @ts-check
// What a frame carries: masked, key, unmasked and, of text, the characters; and the message that it belongs to.

import { closeLine, nameOf } from './describe.js';
import { element } from './dom.js';
import { byteCount, counted, hex, number, percent, textOf, visible } from './words.js';

/** @typedef {import('./session.js').Session} Session */
/** @typedef {ReturnType<Session['item']>} Item */

const BYTES_SHOWN = 128;
const CHARACTERS_SHOWN = 4096;
const utf8 = new TextEncoder();

/** @param {Session} session @param {Item} item @param {[number, number] | undefined} fault */
export function drawPayload(session, item, fault) {
  const frame = session.frame(item.index);
  if (!frame || frame.payloadLength === 0) return [];
  const isFaulty = (/** @type {number} */ at) => {
    const bit = (item.headerLength + at) * 8;
    return fault !== undefined && fault[0] < bit + 8 && fault[1] > bit;
  };
  const isText = isUncompressedText(session, item);
  const rows = ['payload', ...(frame.masked ? ['⊕ key', '= unmasked'] : []), ...(isText ? ['text'] : [])];
  const list = element('ol', { class: 'characters', 'data-testid': 'payload', 'aria-label': `The payload: ${rows.join(', ')}` });
  const key = frame.maskingKey;
  const shown = Math.min(frame.payloadLength, BYTES_SHOWN);
  const column = (/** @type {number} */ at) =>
    element(
      'span',
      { class: 'byte', ...(isFaulty(at) && { 'data-faulty': '' }) },
      element('span', { 'data-field': 'payload' }, hex(frame.maskedPayload[at] ?? 0)),
      ...(key ? [element('span', { 'data-field': 'key' }, hex(key[at % 4] ?? 0)), element('span', { 'data-field': 'text' }, hex(frame.payload[at] ?? 0))] : []),
    );
  for (const [from, to, character] of isText ? pieces(frame.payload.subarray(0, shown)) : single(shown)) {
    const columns = Array.from({ length: to - from }, (_, index) => column(from + index));
    const piece = element('li', {}, element('span', { class: 'bytes' }, ...columns));
    if (isText) piece.append(element('span', { class: 'character' }, visible(character)));
    list.append(piece);
  }
  const labels = element('p', { class: 'rows', 'aria-hidden': 'true' }, ...rows.map((text) => element('span', {}, text)));
  const hidden = frame.payloadLength - shown;
  return [
    element('h3', {}, frame.masked ? 'Payload, masked and unmasked' : 'Payload'),
    element('div', { class: 'payload', role: 'group', 'aria-label': 'Payload', tabindex: '0' }, labels, list),
    ...(hidden ? [element('p', { class: 'help' }, `… and ${byteCount(hidden)} more, which are below, byte by byte.`)] : []),
  ];
}

/** @param {Session} session @param {Item} item */
function isUncompressedText(session, item) {
  const first = session.item(session.message(item.message).first);
  return nameOf(session, first) === 'text' && !(first.firstByte & 0x40 && session.extensions);
}

/** @param {number} count @returns {[number, number, string][]} */
const single = (count) => Array.from({ length: count }, (_, at) => [at, at + 1, '']);

/**
 * Characters and the bytes of each. A byte that is in none, such as a part of a character whose rest is in another frame,
 * stands alone.
 * @param {Uint8Array} bytes
 * @returns {[from: number, to: number, character: string][]}
 */
function pieces(bytes) {
  /** @type {[number, number, string][]} */
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const character = [...textOf(bytes.subarray(at, at + 4))][0] ?? '';
    const encoded = utf8.encode(character);
    const isWhole = encoded.every((byte, index) => bytes[at + index] === byte);
    const length = isWhole ? encoded.length : 1;
    found.push([at, at + length, isWhole ? character : '�']);
    at += length;
  }
  return found;
}

/** @param {Session} session @param {Item} item @param {(index: number) => void} onFrame */
export function drawMessage(session, item, onFrame) {
  const message = session.message(item.message);
  const first = session.item(message.first);
  const items = session.itemsOf(item.message);
  const isCompressed = Boolean(first.firstByte & 0x40 && session.extensions);
  const parts = [element('h3', {}, isCompressed ? 'Message, inflated' : 'Message')];
  if (items.length > 1) parts.push(drawFragments(items, item.index, onFrame));
  const words = [`${nameOf(session, first)} from the ${first.sender}, in ${counted(items.length, 'frame')}`];
  if (Number.isNaN(message.length)) words.push(item.isIgnored ? 'ignored' : items.some((index) => session.item(index).error) ? 'refused for its error' : 'not whole: it broke off, or its end is not in the capture');
  else if (isCompressed) words.push(`${number(message.payload)} bytes inflated to ${byteCount(message.length)} (${percent(message.payload, message.length)})`);
  else words.push(byteCount(message.length));
  parts.push(element('p', { class: 'help', 'data-testid': 'message-facts' }, `${words.join('; ')}.`));
  const content = message.kept ?? (isCompressed || Number.isNaN(message.length) ? undefined : contentOf(session, first));
  if (content === undefined) {
    if (isCompressed && !Number.isNaN(message.length)) parts.push(element('p', { class: 'help' }, 'Its content was not kept: the capture has too much.'));
    return parts;
  }
  const text = typeof content === 'string' ? content : hexRows(content);
  const shown = text.slice(0, CHARACTERS_SHOWN);
  parts.push(element('pre', { class: 'content', 'data-testid': 'message', tabindex: '0', 'aria-label': 'The content of the message' }, shown));
  if (shown.length < text.length || message.length > content.length * 4) parts.push(element('p', { class: 'help' }, 'This is its beginning.'));
  return parts;
}

/** @param {Session} session @param {Item} item */
function contentOf(session, item) {
  const payload = session.frame(item.index)?.payload ?? new Uint8Array();
  const name = nameOf(session, item);
  if (name === 'close') return closeLine(payload);
  return name === 'text' ? textOf(payload.subarray(0, CHARACTERS_SHOWN * 4)) : payload.subarray(0, CHARACTERS_SHOWN);
}

/** @param {number[]} items @param {number} current @param {(index: number) => void} onFrame */
function drawFragments(items, current, onFrame) {
  const list = element('ol', { class: 'fragments', 'aria-label': 'Its frames' });
  for (const index of items.slice(0, 50)) {
    const button = element('button', { type: 'button', class: 'quiet', ...(index === current && { 'aria-current': 'true' }) }, `frame ${number(index + 1)}`);
    button.addEventListener('click', () => onFrame(index));
    list.append(element('li', {}, button));
  }
  if (items.length > 50) list.append(element('li', { class: 'help' }, `and ${number(items.length - 50)} more`));
  return list;
}

/** @param {Uint8Array} bytes */
function hexRows(bytes) {
  const rows = [];
  for (let at = 0; at < Math.min(bytes.length, CHARACTERS_SHOWN); at += 16) {
    rows.push(Array.from(bytes.subarray(at, at + 16), hex).join(' '));
  }
  return rows.join('\n');
}
