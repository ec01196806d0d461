// @ts-check
// Draws one frame: its header bit by bit as in RFC 6455 §5.2, its payload byte by byte, and the whole of it in hex.

import { byId, element } from './dom.js';

/** @typedef {import('itoden-wasm').Frame} Frame */

const PAYLOAD_BYTES_SHOWN = 256;
const MASKING_KEY_LENGTH = 4;

const utf8 = new TextEncoder();

/**
 * @param {Uint8Array} bytes the frame as it goes over the wire
 * @param {Frame} frame what the codec read in it
 */
export function drawFrame(bytes, frame) {
  byId('frame', HTMLElement).hidden = false;
  drawHeader(bytes, frame);
  drawPayload(frame);
  drawWhole(bytes, frame);
}

/**
 * @param {Uint8Array} bytes
 * @param {Frame} frame
 */
function drawHeader(bytes, frame) {
  const keyLength = frame.masked ? MASKING_KEY_LENGTH : 0;
  const header = bytes.subarray(0, frame.headerLength - keyLength);
  const bits = Array.from(header, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const shortLength = parseInt(bits.slice(9, 16), 2);
  const extended = bits.length - 16;

  /** @type {[field: string, label: string, from: number, to: number, meaning: string][]} */
  const fields = [
    ['flag', 'FIN', 0, 1, ''],
    ['flag', 'RSV1–3', 1, 4, ''],
    ['opcode', 'opcode', 4, 8, `${frame.opcode} = ${frame.opcodeName}`],
    ['mask', 'MASK', 8, 9, ''],
    ['length', 'payload length', 9, 16, extended ? `${shortLength}: see the next ${extended} bits` : byteCount(shortLength)],
  ];
  for (let from = 16; from < bits.length; from += 16) {
    const isLast = from + 16 === bits.length;
    fields.push(['length', 'extended payload length', from, from + 16, isLast ? byteCount(frame.payloadLength) : '']);
  }
  byId('wire-bits', HTMLElement).replaceChildren(
    ...fields.map(([field, label, from, to, meaning]) => {
      const cells = [...bits.slice(from, to)].map((bit, index) =>
        element('span', { 'data-place': String((from + index) % 16) }, bit),
      );
      const item = element('li', { 'data-field': field, 'data-width': String(to - from) });
      item.append(
        element('span', { class: 'cells' }, ...cells),
        element('span', { class: 'label' }, label),
        element('span', { class: 'meaning' }, meaning),
      );
      return item;
    }),
  );
}

/** @param {Frame} frame */
function drawPayload({ payload, maskedPayload, maskingKey }) {
  const items = [];
  let start = 0;
  for (const character of new TextDecoder().decode(payload)) {
    const end = start + utf8.encode(character).length;
    if (end > PAYLOAD_BYTES_SHOWN) break;
    const columns = [];
    for (let at = start; at < end; at += 1) {
      columns.push(
        element(
          'span',
          { class: 'byte' },
          element('span', { 'data-field': 'masked' }, hex(maskedPayload[at])),
          element('span', { 'data-field': 'key' }, hex(maskingKey?.[at % MASKING_KEY_LENGTH])),
          element('span', { 'data-field': 'text' }, hex(payload[at])),
        ),
      );
    }
    const bytesOfCharacter = element('span', { class: 'bytes' }, ...columns);
    items.push(element('li', {}, bytesOfCharacter, element('span', { class: 'character' }, visible(character))));
    start = end;
  }
  byId('wire-payload', HTMLElement).replaceChildren(...items);
  const hidden = payload.length - start;
  byId('wire-more', HTMLElement).textContent = hidden ? `… and ${byteCount(hidden)} more, which are all in the hex below.` : '';
}

/**
 * @param {Uint8Array} bytes
 * @param {Frame} frame
 */
function drawWhole(bytes, frame) {
  const { headerLength, payloadLength, masked } = frame;
  const keyStart = headerLength - (masked ? MASKING_KEY_LENGTH : 0);
  /** @type {[field: string, part: Uint8Array][]} */
  const parts = [
    ['flag', bytes.subarray(0, 1)],
    ['length', bytes.subarray(1, keyStart)],
    ['key', bytes.subarray(keyStart, headerLength)],
    ['masked', bytes.subarray(headerLength)],
  ];

  const whole = byId('wire-hex', HTMLElement);
  whole.replaceChildren();
  for (const [field, part] of parts) {
    if (part.length === 0) continue;
    whole.append(whole.hasChildNodes() ? ' ' : '', element('span', { 'data-field': field }, Array.from(part, hex).join(' ')));
  }

  const bar = byId('wire-bar', HTMLElement);
  bar.replaceChildren();
  for (const [field, part] of parts) {
    const piece = element('span', { 'data-field': field });
    piece.style.flexGrow = String(part.length);
    bar.append(piece);
  }

  byId('wire-size', HTMLElement).textContent =
    `${byteCount(bytes.length)} on the wire: ${payloadLength} of text and ${headerLength} of header ` +
    `(${headerLength - keyStart} of them the masking key).`;
}

/** @param {number | undefined} byte */
function hex(byte) {
  return byte === undefined ? '' : byte.toString(16).padStart(2, '0');
}

/**
 * A character that would not be seen gets a sign that is.
 * @param {string} character
 */
function visible(character) {
  return { ' ': '␣', '\n': '↵', '\r': '␍', '\t': '⇥' }[character] ?? character;
}

/** @param {number} count */
function byteCount(count) {
  return count === 1 ? '1 byte' : `${count} bytes`;
}
