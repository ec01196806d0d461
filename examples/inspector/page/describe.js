// @ts-check
// Frames and messages in words: for rows, headings and what is read aloud.

import { element } from './dom.js';
import { FRAME, GAP, HOLE } from './session.js';
import { byteCount, counted, line, number, sinceStart, size, textOf } from './words.js';

/** @typedef {import('./session.js').Session} Session */
/** @typedef {ReturnType<Session['item']>} Item */

/** A preview is made of no more than this. */
const MOST_PREVIEWED = 64 << 10;
const LINE = 120;

/** @param {Session} session @param {Item} item */
export function nameOf(session, item) {
  if (item.kind === HOLE) return 'missing';
  if (item.kind === GAP) return item.error ? 'no frame' : 'incomplete';
  return session.frame(item.index)?.opcodeName ?? '';
}

/** The class of a row or a mark: its colour. @param {Session} session @param {Item} item */
export function toneOf(session, item) {
  if (item.error) return 'error';
  if (item.kind !== FRAME) return 'gap';
  // By the first byte alone, since the strip asks for each of a million frames: data or control, as §5.2 has them.
  return item.firstByte & 8 ? 'control' : 'data';
}

/** @param {Item} item */
const flagsOf = ({ kind, firstByte }) => {
  if (kind !== FRAME) return '';
  return [firstByte & 0x80 ? 'FIN' : '', ...[1, 2, 3].map((bit) => (firstByte & (0x80 >> bit) ? `RSV${bit}` : ''))].filter(Boolean).join(' ');
};

/** What is in a frame, in a line. @param {Session} session @param {Item} item */
export function previewOf(session, item) {
  if (item.error) return item.error.message;
  if (item.kind === HOLE) return `${byteCount(item.size)} are not in the capture`;
  if (item.kind === GAP) return item.index === session.itemCount - 1 ? `${byteCount(item.size)}: the frame is cut here` : `${byteCount(item.size)} before the first frame`;
  if (item.isIgnored) return 'behind a Close frame: ignored (§5.5.1)';
  if (item.payloadLength > MOST_PREVIEWED) return size(item.payloadLength);
  const message = session.message(item.message);
  const first = session.item(message.first);
  if (first.firstByte & 0x40 && session.extensions) {
    if (message.kept === undefined) return 'compressed';
    return message.first === item.index ? contentLine(message.kept) : 'compressed, goes on';
  }
  const payload = session.frame(item.index)?.payload ?? new Uint8Array();
  const name = nameOf(session, first);
  if (name === 'close') return closeLine(payload);
  return name === 'text' ? line(textOf(payload), LINE) : hexLine(payload);
}

/** @param {Uint8Array} body */
export function closeLine(body) {
  if (body.length < 2) return body.length === 0 ? 'without a code' : hexLine(body);
  const code = new DataView(body.buffer, body.byteOffset).getUint16(0);
  return `${code} ${line(textOf(body.subarray(2)), LINE)}`.trim();
}

/** @param {string | Uint8Array} content */
const contentLine = (content) => (typeof content === 'string' ? line(content, LINE) : hexLine(content));

/** @param {Uint8Array} bytes */
export function hexLine(bytes) {
  const shown = Array.from(bytes.subarray(0, 40), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return bytes.length > 40 ? `${shown} …` : shown;
}

/** @param {Item} item */
const arrow = ({ sender, kind }) => (kind === FRAME ? (sender === 'client' ? '→' : '←') : '·');
/** @param {Item} item */
const from = ({ sender, kind }) => (kind === FRAME ? `from the ${sender}` : '');

/** @param {string} name @param {string} text */
const cell = (name, text) => element('span', { class: name }, text);

/** @param {Session} session @param {number} start when the capture began @returns {import('./list.js').Rows} */
export function frameRows(session, start) {
  return {
    count: session.itemCount,
    kind: (index) => {
      const item = session.item(index);
      return `${toneOf(session, item)} ${item.sender}`;
    },
    cells: (index) => {
      const item = session.item(index);
      return [
        cell('number', number(index + 1)),
        cell('time', sinceStart(item.time - start)),
        cell('arrow', arrow(item)),
        cell('name', nameOf(session, item)),
        cell('flags', flagsOf(item)),
        cell('size', size(item.kind === FRAME ? item.payloadLength : item.size)),
        cell('preview', previewOf(session, item)),
      ];
    },
    label: (index) => {
      const item = session.item(index);
      const words = [`${number(index + 1)}:`, nameOf(session, item), from(item), flagsOf(item), byteCount(item.payloadLength)];
      return `${words.filter(Boolean).join(' ')}. ${item.error ? 'Error: ' : ''}${previewOf(session, item)}`;
    },
  };
}

/** @param {Session} session @param {number} start @returns {import('./list.js').Rows} */
export function messageRows(session, start) {
  const parts = (/** @type {number} */ index) => {
    const message = session.message(index);
    const [first, last] = [session.item(message.first), session.item(message.last)];
    const items = session.itemsOf(index);
    const failed = items.map((at) => session.item(at)).find(({ error }) => error);
    return { message, first, last, items, failed, preview: messagePreview(session, message, first, failed) };
  };
  return {
    count: session.messageCount,
    kind: (index) => {
      const { first, failed } = parts(index);
      return `${toneOf(session, failed ?? first)} ${first.sender}`;
    },
    cells: (index) => {
      const { message, first, last, items, preview } = parts(index);
      return [
        cell('number', number(index + 1)),
        cell('time', sinceStart(last.time - start)),
        cell('arrow', arrow(first)),
        cell('name', nameOf(session, first)),
        cell('flags', items.length > 1 ? counted(items.length, 'frame') : ''),
        cell('size', Number.isNaN(message.length) ? 'cut' : size(message.length)),
        cell('preview', preview),
      ];
    },
    label: (index) => {
      const { message, first, items, preview, failed } = parts(index);
      const length = Number.isNaN(message.length) ? 'incomplete' : byteCount(message.length);
      return `${number(index + 1)}: ${nameOf(session, first)} ${from(first)}, ${counted(items.length, 'frame')}, ${length}. ${failed ? 'Error: ' : ''}${preview}`;
    },
  };
}

/** @param {Session} session @param {ReturnType<Session['message']>} message @param {Item} first @param {Item | undefined} failed */
function messagePreview(session, message, first, failed) {
  if (failed) return previewOf(session, failed);
  if (message.kept !== undefined) return contentLine(message.kept);
  const preview = previewOf(session, first);
  return Number.isNaN(message.length) && !first.isIgnored ? `${preview} (its end is not here)` : preview;
}
