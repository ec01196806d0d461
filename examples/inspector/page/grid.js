// @ts-check
// The bytes of a frame one by one: a grid to walk with the arrow keys. Under it stands what the byte at hand is, when it came
// and in which packet.

import { element } from './dom.js';
import { fieldOfByte, fieldsOf } from './fields.js';
import { byteCount, hex, offsetText, sinceStart, visible } from './words.js';

const WIDTH = 16;
const PER_PAGE = WIDTH * 32;

/**
 * @typedef {object} Bytes
 * @property {import('./session.js').Session} session
 * @property {number} index of the item
 * @property {[number, number] | undefined} fault in bits
 * @property {number} start when the capture began
 * @property {() => void} onLeave Escape was pressed
 */

/** @param {Bytes} given */
export function drawBytes({ session, index, fault, start, onLeave }) {
  const item = session.item(index);
  const bytes = session.bytesOf(index);
  const fields = fieldsOf(session.startOf(index), Math.max(item.size, session.startOf(index).length));
  const frame = session.frame(index);
  let page = 0;
  let at = fault ? Math.min(Math.floor(fault[0] / 8), bytes.length - 1) : 0;
  page = Math.floor(at / PER_PAGE);

  const grid = element('div', { class: 'grid', role: 'grid', 'aria-label': `The bytes of frame ${index + 1}`, 'data-testid': 'bytes' });
  const told = element('p', { class: 'told', 'data-testid': 'byte', 'aria-live': 'polite' });
  const turn = element('div', { class: 'toolbar pages' });

  /** @param {number} byte */
  function isFaulty(byte) {
    return fault !== undefined && fault[0] < byte * 8 + 8 && fault[1] > byte * 8;
  }

  function drawPage() {
    const from = page * PER_PAGE;
    const to = Math.min(from + PER_PAGE, bytes.length);
    const rows = [];
    for (let row = from; row < to; row += WIDTH) rows.push(drawRow(row, Math.min(row + WIDTH, to)));
    grid.replaceChildren(...rows);
    turn.hidden = bytes.length <= PER_PAGE;
    turn.replaceChildren(turner('Earlier', -1, page === 0), element('span', { class: 'help' }, `bytes ${from}–${to - 1} of ${byteCount(bytes.length)}`), turner('Later', 1, to >= bytes.length));
    tell();
  }

  /** @param {string} text @param {number} by @param {boolean} disabled */
  function turner(text, by, disabled) {
    const button = element('button', { type: 'button', class: 'quiet', ...(disabled && { disabled: '' }) }, text);
    button.addEventListener('click', () => {
      page += by;
      at = page * PER_PAGE;
      drawPage();
    });
    return button;
  }

  /** @param {number} from @param {number} to */
  function drawRow(from, to) {
    const row = element('div', { role: 'row' }, element('span', { class: 'offset', role: 'rowheader' }, offsetText(item.offset + from)));
    for (let byte = from; byte < to; byte += 1) row.append(drawByte(byte));
    const text = Array.from(bytes.subarray(from, to), (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('');
    row.append(element('span', { class: 'characters', 'aria-hidden': 'true' }, text));
    return row;
  }

  /** @param {number} byte */
  function drawByte(byte) {
    const field = fieldOfByte(fields, byte)?.name ?? 'payload';
    const { start: pieceStart, packet } = session.arrival(item.laneIndex, item.offset + byte);
    const attributes = {
      role: 'gridcell',
      'data-field': field,
      'data-byte': String(byte),
      tabindex: byte === at ? '0' : '-1',
      ...(isFaulty(byte) && { 'data-faulty': '' }),
      // Where bytes that came later begin: only captures with packets know.
      ...(byte > 0 && !Number.isNaN(packet) && pieceStart === item.offset + byte && { 'data-arrived': '' }),
    };
    return element('span', attributes, hex(bytes[byte] ?? 0));
  }

  function tell() {
    if (bytes.length === 0) return;
    const value = bytes[at] ?? 0;
    const field = fieldOfByte(fields, at);
    const { time, packet } = session.arrival(item.laneIndex, item.offset + at);
    const names = fields.filter(({ from, to }) => from < at * 8 + 8 && to > at * 8).map(({ label }) => label);
    const inField = field && field.to - field.from > 8 ? `, byte ${at - field.from / 8}` : '';
    const unmasked = frame?.masked && at >= frame.headerLength ? frame.payload[at - frame.headerLength] : undefined;
    const words = [
      `Byte ${at} at ${offsetText(item.offset + at)}:`,
      `${hex(value)} = ${value} = ${value.toString(2).padStart(8, '0')},`,
      `${names.join(', ')}${inField}`,
      unmasked === undefined ? '' : `; unmasked ${hex(unmasked)} ${unmasked < 0x80 ? `‘${visible(String.fromCharCode(unmasked))}’` : ''}`,
      Number.isNaN(time) ? '' : `; came at ${sinceStart(time - start)}`,
      Number.isNaN(packet) ? '' : ` in packet ${packet}`,
      isFaulty(at) ? '; here is the fault' : '',
    ];
    told.textContent = `${words.filter(Boolean).join(' ').replaceAll(' ;', ';').replaceAll('  ', ' ').trim()}.`;
  }

  /** @param {number} to */
  function move(to) {
    if (to < 0 || to >= bytes.length) return;
    grid.querySelector('[tabindex="0"]')?.setAttribute('tabindex', '-1');
    at = to;
    if (Math.floor(at / PER_PAGE) !== page) {
      page = Math.floor(at / PER_PAGE);
      drawPage();
    }
    const cell = grid.querySelector(`[data-byte="${at}"]`);
    cell?.setAttribute('tabindex', '0');
    if (cell instanceof HTMLElement) cell.focus();
    tell();
  }

  grid.addEventListener('keydown', (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: WIDTH, ArrowUp: -WIDTH, Home: -(at % WIDTH), End: WIDTH - 1 - (at % WIDTH), PageDown: PER_PAGE, PageUp: -PER_PAGE };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (event.key === 'Escape') onLeave();
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const isEnd = event.key === 'End' || event.key.startsWith('Page');
    move(isEnd ? Math.max(0, Math.min(at + step, bytes.length - 1)) : at + step);
  });
  grid.addEventListener('click', ({ target }) => {
    if (target instanceof HTMLElement && target.dataset.byte) move(Number(target.dataset.byte));
  });

  drawPage();
  return { nodes: [element('div', { class: 'scroller' }, grid), turn, told], focus: () => move(at) };
}
