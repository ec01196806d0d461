// @ts-check
// One frame in full: its fields bit by bit as in RFC 6455 §5.2, its error at the bits that it speaks of, its payload masked
// and unmasked, its message.

import { nameOf } from './describe.js';
import { byId, element } from './dom.js';
import { fieldsOf } from './fields.js';
import { drawBytes } from './grid.js';
import { faultOf } from './locate.js';
import { drawMessage, drawPayload } from './payload.js';
import { addressOf, rules } from './rules.js';
import { FRAME, HOLE } from './session.js';
import { byteCount, counted, number, offsetText, percent, sinceStart } from './words.js';

/** @typedef {import('./session.js').Session} Session */
/** @typedef {ReturnType<Session['item']>} Item */

/** @param {{ session: Session, index: number, start: number, onLeave: () => void, onFrame: (index: number) => void }} given */
export function drawDetail({ session, index, start, onLeave, onFrame }) {
  const root = byId('detail', HTMLElement);
  const item = session.item(index);
  const fault = faultOf(session, index);
  const parts = [drawHead(session, item, start)];
  if (item.error) parts.push(drawError(item, item.error, fault));
  if (item.isIgnored) parts.push(note('This frame came behind a Close frame. The receiver throws it away unread (RFC 6455 §5.5.1).'));
  if (item.kind === HOLE) {
    root.replaceChildren(...parts, note('The capture has no packets with these bytes; frames are looked for behind them.'));
    return { focusBytes: () => {} };
  }
  parts.push(drawBits(session, item, fault));
  const bytes = drawBytes({ session, index, fault, start, onLeave });
  if (item.kind === FRAME) parts.push(...drawPayload(session, item, fault));
  parts.push(element('h3', {}, 'Byte by byte'), ...bytes.nodes);
  if (item.kind === FRAME) parts.push(...drawMessage(session, item, onFrame), ...drawSize(item));
  root.replaceChildren(...parts);
  return { focusBytes: bytes.focus };
}

/** @param {string} text */
const note = (text) => element('p', { class: 'note' }, text);

/** @param {Session} session @param {Item} item @param {number} start */
function drawHead(session, item, start) {
  const name = nameOf(session, item);
  const isCompressed = item.kind === FRAME && session.extensions && item.firstByte & 0x40;
  const title = item.kind === FRAME ? `Frame ${number(item.index + 1)}: ${isCompressed ? 'compressed ' : ''}${name} from the ${item.sender}` : `${number(item.index + 1)}: ${name}`;
  const time = Number.isNaN(item.time) ? '' : `, whole at ${sinceStart(item.time - start)}`;
  const place = item.kind === HOLE ? `${byteCount(item.size)} at ${offsetText(item.offset)}` : `${byteCount(item.size)} at ${offsetText(item.offset)} of the stream${time}`;
  return element('div', { class: 'detail-head' }, element('h2', { 'data-testid': 'frame-title' }, title), element('p', { class: 'help' }, place));
}

/** @param {Item} item @param {import('./session.js').Misdeed} error @param {[number, number] | undefined} fault */
function drawError(item, error, fault) {
  const rule = rules[error.code];
  const address = addressOf(error.section);
  const section = address ? element('a', { href: address, target: '_blank', rel: 'noreferrer' }, error.section) : error.section;
  const card = element('div', { class: 'error-card', 'data-testid': 'error' });
  card.append(element('p', { class: 'error-message' }, element('strong', {}, `${error.code}: `), error.message));
  if (rule) card.append(element('blockquote', {}, section, ': “', rule.says, '”'));
  const where = fault ? bitsInWords(fault) : 'the frame';
  card.append(element('p', { class: 'help' }, `At ${where}. A receiver would fail the connection with close code ${error.closeCode}.`));
  if (item.isContextLost && error.code === 'invalid_deflate') {
    card.append(element('p', { class: 'help' }, 'It follows an error or a hole before, which took the context away that this message would be inflated with.'));
  }
  if (rule?.fix) card.append(element('p', { class: 'help' }, rule.fix));
  if (item.kind !== FRAME) {
    card.append(element('p', { class: 'help' }, `Frames have no mark at which they begin, so the next one, ${counted(item.size, 'byte')} further on, is a guess: the first place from which all is well-formed.`));
  }
  return card;
}

/** @param {[number, number]} bits */
function bitsInWords([from, to]) {
  if (from % 8 === 0 && to % 8 === 0) {
    const [first, last] = [from / 8, to / 8 - 1];
    return first === last ? `byte ${first} of the frame` : `bytes ${first} to ${last} of the frame`;
  }
  return to - from === 1 ? `bit ${from} of the frame` : `bits ${from} to ${to - 1} of the frame`;
}

/** @param {Session} session @param {Item} item @param {[number, number] | undefined} fault */
function drawBits(session, item, fault) {
  const start = session.startOf(item.index);
  const bits = Array.from(start, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const list = element('ol', { class: 'bits', 'data-testid': 'bits', 'aria-label': 'The header, bit by bit' });
  for (const field of fieldsOf(start, Math.max(item.size, start.length)).filter(({ name }) => name !== 'payload')) {
    // A field of more than 16 bits goes over several lines, as in the figure.
    for (let from = field.from; from < field.to; from += 16 - (from % 16)) {
      const to = Math.min(field.to, from + 16 - (from % 16));
      const cells = [];
      for (let bit = from; bit < to; bit += 1) {
        const isFaulty = fault !== undefined && bit >= fault[0] && bit < fault[1];
        cells.push(element('span', { 'data-place': String(bit % 16), ...(isFaulty && { 'data-faulty': '' }) }, bits[bit] ?? ''));
      }
      const isLast = to === field.to;
      const meaning = isLast ? meaningOf(session, item, field, bits) : '';
      list.append(
        element(
          'li',
          { 'data-field': field.name, 'data-width': String(to - from) },
          element('span', { class: 'cells' }, ...cells),
          element('span', { class: 'label' }, from === field.from ? field.label : `${field.label}, on`),
          element('span', { class: 'meaning' }, meaning),
        ),
      );
    }
  }
  return list;
}

/** @param {Session} session @param {Item} item @param {import('./fields.js').Field} field @param {string} bits */
function meaningOf(session, item, field, bits) {
  const value = BigInt(`0b${bits.slice(field.from, field.to) || '0'}`);
  if (field.name === 'opcode') return item.kind === FRAME ? `${value} = ${nameOf(session, item)}` : `0x${value.toString(16)}`;
  if (field.name === 'length') return value < 126n ? byteCount(Number(value)) : `${value}: see the next ${value === 126n ? 16 : 64} bits`;
  if (field.name === 'extended') return byteCount(Number(value));
  if (field.name === 'key') return value.toString(16).padStart(8, '0');
  return '';
}

/** @param {Item} item */
function drawSize({ headerLength, payloadLength, size }) {
  const bar = element('div', { class: 'bar', 'aria-hidden': 'true' });
  const pieces = /** @type {const} */ ([['length', headerLength], ['payload', payloadLength]]);
  for (const [field, length] of pieces) {
    const piece = element('span', { 'data-field': field });
    piece.style.flexGrow = String(length);
    bar.append(piece);
  }
  const text = `${byteCount(size)} on the wire: ${number(payloadLength)} of payload and ${number(headerLength)} of header, ${percent(headerLength, size)} of the frame.`;
  return [element('h3', {}, 'Size'), bar, element('p', { class: 'help', 'data-testid': 'size' }, text)];
}
