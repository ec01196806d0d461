// What the benchmark of the wasm package found: standings, bounds, tables and a chart.

import { barStyle, escapeXml } from './benchmark-chart.mjs';
import { sizeName, sizesAcross, times } from './benchmark-table.mjs';
import { best, grouped } from './benchmark.mjs';

/** @typedef {import('./benchmark.mjs').Workload} Workload */
/** @typedef {import('./benchmark.mjs').Verdict} Verdict */
/** @typedef {import('./benchmark-table.mjs').Table} Table */

/** How many times faster than the best peer. @param {Workload} workload */
export function timesFaster(workload) {
  const [itoden, peer] = [best(workload, 'itoden'), best(workload, 'peer')];
  return itoden && peer ? { times: peer.value / itoden.value, peer: peer.name } : undefined;
}

/** Bursts of small masked frames, and masked frames of 64 KiB. @param {Workload} workload */
export const bound = ({ task, size }) => (task === 'decode' && [16, 125, 64 << 10].includes(size) ? 2 : 0.9);

/**
 * The bounds that issue 6 sets: 2× where masked frames are many or large, 0.9× anywhere.
 * @param {Workload[]} workloads
 * @returns {Verdict[]}
 */
export function verdicts(workloads) {
  return workloads.flatMap((workload) => {
    const found = timesFaster(workload);
    if (!found) return [];
    const least = bound(workload);
    return [{ text: `${nameOf(workload)}: at least ${least}×`, met: found.times >= least, found: `${found.times.toFixed(2)}× ${found.peer}` }];
  });
}

/** @param {Workload} workload */
const nameOf = ({ task, kind, size }) => `${task}, ${kind}, ${sizeName(size)}`;

/** One for each task and kind: contenders down, sizes across. @param {string} place @param {Workload[]} workloads @returns {Table[]} */
export function tables(place, workloads) {
  return grouped(workloads, ({ task, kind }) => `${task}, ${kind}`).map(([title, group]) =>
    sizesAcross(`${place}: ${title} (ns a message)`, group, [
      ['best peer to itoden', ...group.map((workload) => times(timesFaster(workload)?.times))],
    ]),
  );
}

const [width, left, right, step, groupHead, top] = [760, 250, 60, 16, 24, 76];

/**
 * How many times faster than the best peer, a bar for each workload, on a logarithmic axis with 1× in it.
 * @param {{ place: string, workloads: Workload[] }[]} parts
 */
export function chart(parts) {
  const bars = parts.map(({ place, workloads }) => ({
    place,
    bars: workloads.flatMap((workload) => {
      const found = timesFaster(workload);
      return found ? [{ name: nameOf(workload), times: found.times, least: bound(workload) }] : [];
    }),
  }));
  const all = bars.flatMap((part) => part.bars.map(({ times }) => times));
  const [low, high] = [Math.max(0.1, Math.min(0.5, ...all)), Math.max(2, ...all)];
  const x = (/** @type {number} */ times) => left + ((width - left - right) * Math.log(Math.max(times, low) / low)) / Math.log(high / low);
  const height = top + bars.reduce((sum, part) => sum + groupHead + part.bars.length * step, 0) + 12;
  const title = 'itoden-wasm to the best peer';
  /** @type {string[]} */
  const drawn = [];
  const text = (/** @type {number} */ at, /** @type {number} */ y, /** @type {string} */ content, more = '') =>
    drawn.push(`<text x="${at.toFixed(1)}" y="${y}"${more}>${escapeXml(content)}</text>`);
  text(12, 24, title, ' class="title"');
  text(12, 42, 'How many times faster; the line is 1×, longer is better. The axis is logarithmic. Grey: a bound is missed.', ' class="quiet"');
  drawn.push(`<line class="grid" x1="${x(1).toFixed(1)}" x2="${x(1).toFixed(1)}" y1="${top - 8}" y2="${height - 8}"/>`);
  let y = top;
  for (const part of bars) {
    text(12, y + 14, part.place, ' class="size"');
    y += groupHead;
    for (const { name, times, least } of part.bars) {
      const [from, to] = [Math.min(x(times), x(1)), Math.max(x(times), x(1))];
      text(left - 8, y + 10, name, ' text-anchor="end"');
      drawn.push(`<rect class="${times >= least ? 'itoden' : 'peer'}" x="${from.toFixed(1)}" y="${y}" width="${Math.max(2, to - from).toFixed(1)}" height="12" rx="2"/>`);
      text(to + 6, y + 10, `${times.toFixed(2)}×`, ' class="quiet"');
      y += step;
    }
  }
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`;
  return `${open}\n  <title>${title}</title>\n  <style>${barStyle}\n  </style>\n  ${drawn.join('\n  ')}\n</svg>\n`;
}
