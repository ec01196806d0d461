// @ts-check
// What is known of a connection as a whole: notes, the opening handshake, sums, and a strip of all its frames.

import { toneOf } from './describe.js';
import { byId, element } from './dom.js';
import { addressOf } from './rules.js';
import { FRAME } from './session.js';
import { byteCount, counted, number, percent, sinceStart } from './words.js';

/** @typedef {import('./session.js').Session} Session */

/** @param {string[]} notes */
export function drawNotes(notes) {
  byId('notes', HTMLElement).replaceChildren(...notes.slice(0, 20).map((note) => element('li', {}, note)));
}

/** @param {Session} session */
export function drawOpening({ opening, extensions }) {
  const root = byId('opening', HTMLDetailsElement);
  root.hidden = !opening.request && !opening.response;
  const summary = root.querySelector('summary');
  const heads = root.querySelector('.heads');
  if (!summary || !heads || root.hidden) return;
  const status = /^HTTP\/\S+ (\d+)/.exec(opening.response ?? '')?.[1];
  const verdict = opening.problems.length ? 'with faults' : opening.opened ? 'fine' : opening.response ? 'refused' : 'not answered';
  const agreed = [extensions && `extensions: ${extensions}`, opening.subprotocol && `subprotocol: ${opening.subprotocol}`].filter(Boolean);
  summary.textContent = ['Opening handshake', [status, verdict].filter(Boolean).join(', '), ...agreed].join(' · ');
  root.open = opening.problems.length > 0;
  heads.replaceChildren(
    ...opening.problems.map(({ text, section }) => {
      const address = addressOf(section);
      const link = address ? element('a', { href: address, target: '_blank', rel: 'noreferrer' }, section) : section;
      return element('p', { class: 'notice' }, `${text} (`, link, ')');
    }),
    ...[opening.request, opening.response].flatMap((head) => (head ? [element('pre', { tabindex: '0' }, head.trimEnd())] : [])),
  );
}

/** @param {Session} session */
export function drawFigures({ sums, errors, isFull, itemCount }) {
  const table = element('table', {}, element('caption', { class: 'unseen' }, 'Sums by sender'));
  const headings = ['', 'messages', 'frames', 'header', 'payload', 'overhead', 'compression'];
  const head = element('tr', {}, ...headings.map((text) => (text ? element('th', { scope: 'col' }, text) : element('td'))));
  const rows = Object.entries(sums)
    .filter(([, { frames }]) => frames > 0)
    .map(([sender, { messages, frames, header, payload, deflated, inflated }]) => {
      const compression = inflated ? `${number(deflated)} of ${number(inflated)} B, ${percent(deflated, inflated)}` : 'none';
      const cells = [number(messages), number(frames), `${number(header)} B`, `${number(payload)} B`, percent(header, header + payload), compression];
      const arrow = sender === 'client' ? '→ client' : '← server';
      return element('tr', {}, element('th', { scope: 'row' }, arrow), ...cells.map((text) => element('td', {}, text)));
    });
  table.append(element('thead', {}, head), element('tbody', {}, ...rows));
  const root = byId('figures', HTMLElement);
  root.replaceChildren(...(rows.length ? [table] : []));
  if (isFull) root.append(element('p', { class: 'notice' }, `Only the first ${number(itemCount)} frames are shown: the capture has more.`));
  const next = byId('next-error', HTMLButtonElement);
  next.textContent = errors.size === 0 ? 'No errors' : `${counted(errors.size, 'error')}: next`;
  next.disabled = errors.size === 0;
}

/** At most so many frames are looked at to draw the strip. */
const MOST_DRAWN = 20_000;
/** In CSS pixels. */
const HEIGHT = 64;

/**
 * All frames in a strip, by time where the capture has it, else by place; the client's above, the server's below. They are
 * drawn once, beside; when another is chosen only that is copied.
 */
export class Strip {
  #canvas = byId('strip', HTMLCanvasElement);
  #frames = document.createElement('canvas');
  /** @type {Session | undefined} */
  #session;
  #start = 0;
  #chosen = -1;
  /** In the order of the frames. @type {{ x: number, wide: number, index: number }[]} */
  #marks = [];

  /** @param {(index: number) => void} onChoose */
  constructor(onChoose) {
    this.#canvas.addEventListener('click', ({ offsetX }) => {
      const far = (/** @type {{ x: number, wide: number }} */ { x, wide }) => Math.abs(x + wide / 2 - offsetX);
      const [first, ...others] = this.#marks;
      if (first) onChoose(others.reduce((best, mark) => (far(mark) < far(best) ? mark : best), first).index);
    });
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** @param {Session} session @param {number} start */
  show(session, start) {
    this.#session = session;
    this.#start = start;
    this.#chosen = -1;
    this.#draw();
  }

  /** @param {number} index */
  choose(index) {
    this.#chosen = index;
    this.#present();
  }

  #draw() {
    const session = this.#session;
    const context = this.#frames.getContext('2d');
    const width = this.#canvas.clientWidth;
    if (!session || !context || width === 0) return;
    const [height, scale] = [HEIGHT, devicePixelRatio || 1];
    this.#canvas.width = this.#frames.width = width * scale;
    this.#canvas.height = this.#frames.height = height * scale;
    context.scale(scale, scale);
    const tones = { data: this.#colour('--mark-data'), control: this.#colour('--mark-control'), error: this.#colour('--mark-error'), gap: this.#colour('--mark-gap') };
    const last = session.itemCount ? session.item(session.itemCount - 1) : undefined;
    const duration = last ? last.time - this.#start : NaN;
    const hasTime = duration > 0;
    const total = session.lanes.reduce((sum, { log }) => sum + log.length, 0);
    byId('strip-scale', HTMLElement).textContent = hasTime
      ? `Frames over ${sinceStart(duration)}: the client’s above, the server’s below.`
      : `Frames over ${byteCount(total)}: the client’s above, the server’s below.`;
    const step = Math.ceil(session.itemCount / MOST_DRAWN) || 1;
    this.#marks = [];
    let before = 0;
    for (let index = 0; index < session.itemCount; index += 1) {
      // Errors are few and always drawn; of the rest every nth, so that a million frames take no longer than some thousands.
      if (index % step !== 0 && !session.errors.has(index)) continue;
      const item = session.item(index);
      const at = hasTime ? (item.time - this.#start) / duration : session.itemCount > 1 && step > 1 ? index / session.itemCount : before / Math.max(total, 1);
      before += item.size;
      const x = at * (width - 6);
      const wide = hasTime ? 3 : Math.max(2, (item.size / Math.max(total, 1)) * (width - 6) - 1);
      const tall = Math.min(28, 5 + Math.log2(1 + item.size) * 1.6);
      context.fillStyle = tones[toneOf(session, item)];
      context.fillRect(x, item.kind !== FRAME ? 32 - tall / 2 : item.sender === 'client' ? 31 - tall : 33, wide, tall);
      this.#marks.push({ x, wide, index });
    }
    context.fillStyle = tones.gap;
    context.fillRect(0, 31.5, width, 1);
    this.#present();
  }

  /** The frames, and around the chosen one, or the last drawn before it, a box. */
  #present() {
    const context = this.#canvas.getContext('2d');
    if (!context || this.#frames.width === 0) return;
    const scale = devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.drawImage(this.#frames, 0, 0);
    const mark = this.#marks[lastUpTo(this.#marks, this.#chosen)];
    if (!mark) return;
    context.scale(scale, scale);
    context.strokeStyle = this.#colour('--mark-chosen');
    context.lineWidth = 2;
    context.strokeRect(Math.max(mark.x - 2, 1), 1, mark.wide + 4, HEIGHT - 2);
  }

  /** @param {string} name */
  #colour(name) {
    return getComputedStyle(this.#canvas).getPropertyValue(name) || 'gray';
  }
}

/** Where the last mark of at most this frame is; -1 if there is none. @param {{ index: number }[]} marks @param {number} index */
function lastUpTo(marks, index) {
  let [from, to] = [0, marks.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((marks[middle]?.index ?? 0) <= index) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}
