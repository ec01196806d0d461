// @ts-check
// A list of millions of rows, of which only those exist that are seen. Beyond what a browser can scroll there are pages.

import { byId, element } from './dom.js';
import { number } from './words.js';

const PER_PAGE = 100_000;
const ROW = 32;
const BEYOND = 8;

/**
 * @typedef {object} Rows
 * @property {number} count
 * @property {(index: number) => HTMLElement[]} cells of a row
 * @property {(index: number) => string} kind put on the row as its class
 * @property {(index: number) => string} label what is read aloud
 */

export class List {
  #root = byId('list', HTMLElement);
  #pages = byId('pages', HTMLElement);
  #range = byId('page-range', HTMLElement);
  #canvas = element('div', { class: 'rows', role: 'presentation' });
  /** @type {Rows} */
  #rows = { count: 0, cells: () => [], kind: () => '', label: () => '' };
  #page = 0;
  #chosen = -1;
  #onChoose;

  /** @param {(index: number) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.#root.append(this.#canvas);
    this.#root.addEventListener('scroll', () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.#root);
    this.#root.addEventListener('keydown', (event) => this.#key(event));
    this.#root.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest('[data-row]') : null;
      if (row instanceof HTMLElement) this.choose(Number(row.dataset.row));
    });
    byId('earlier', HTMLButtonElement).addEventListener('click', () => this.#turn(-1));
    byId('later', HTMLButtonElement).addEventListener('click', () => this.#turn(1));
  }

  get chosen() {
    return this.#chosen;
  }

  /** Shows other rows, or the same ones grown. @param {Rows} rows @param {string} label @param {boolean} [keeps] the choice */
  show(rows, label, keeps = false) {
    this.#rows = rows;
    this.#root.setAttribute('aria-label', label);
    if (!keeps) {
      this.#chosen = -1;
      this.#page = 0;
      this.#root.scrollTop = 0;
    }
    this.#layOut();
  }

  /** @param {number} index @param {{ tells?: boolean }} [options] whether the page is told */
  choose(index, { tells = true } = {}) {
    if (this.#rows.count === 0) return;
    this.#chosen = Math.max(0, Math.min(index, this.#rows.count - 1));
    const page = Math.floor(this.#chosen / PER_PAGE);
    if (page !== this.#page) {
      this.#page = page;
      this.#layOut();
    }
    const top = (this.#chosen % PER_PAGE) * ROW;
    const { scrollTop, clientHeight } = this.#root;
    if (top < scrollTop) this.#root.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.#root.scrollTop = top + ROW - clientHeight;
    this.#draw();
    if (tells) this.#onChoose(this.#chosen);
  }

  focus() {
    this.#root.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const screen = Math.max(1, Math.floor(this.#root.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: screen, PageUp: -screen, Home: -Infinity, End: Infinity };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.choose(this.#chosen + step);
  }

  /** @param {number} by */
  #turn(by) {
    this.#page += by;
    this.#root.scrollTop = 0;
    this.#layOut();
  }

  #layOut() {
    const { count } = this.#rows;
    const from = this.#page * PER_PAGE;
    const to = Math.min(from + PER_PAGE, count);
    this.#canvas.style.height = `${(to - from) * ROW}px`;
    this.#pages.hidden = count <= PER_PAGE;
    this.#range.textContent = `${number(from + 1)}–${number(to)} of ${number(count)}`;
    byId('earlier', HTMLButtonElement).disabled = this.#page === 0;
    byId('later', HTMLButtonElement).disabled = to >= count;
    this.#draw();
  }

  #draw() {
    const base = this.#page * PER_PAGE;
    const { scrollTop, clientHeight } = this.#root;
    const from = base + Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const to = Math.min(base + Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND, base + PER_PAGE, this.#rows.count);
    const shown = [];
    for (let index = from; index < to; index += 1) shown.push(this.#row(index, base));
    this.#canvas.replaceChildren(...shown);
    const isSeen = this.#chosen >= from && this.#chosen < to;
    if (isSeen) this.#root.setAttribute('aria-activedescendant', `row-${this.#chosen}`);
    else this.#root.removeAttribute('aria-activedescendant');
  }

  /** @param {number} index @param {number} base */
  #row(index, base) {
    const row = element('div', {
      id: `row-${index}`,
      class: `row ${this.#rows.kind(index)}`,
      role: 'option',
      'aria-selected': String(index === this.#chosen),
      'aria-setsize': String(this.#rows.count),
      'aria-posinset': String(index + 1),
      'aria-label': this.#rows.label(index),
      'data-row': String(index),
    });
    row.style.top = `${(index - base) * ROW}px`;
    row.append(...this.#rows.cells(index));
    return row;
  }
}
