// The benchmark's charts: for each size a group of bars, as long as a contender is far from the floor.

import { figure, sizeName } from './benchmark-table.mjs';
import { best } from './benchmark.mjs';

/** @typedef {import('./benchmark.mjs').Workload} Workload */

const width = 760;
const left = 190;
const right = 130;
const barHeight = 14;
const step = 18;
const groupHead = 28;
const top = 76;

/** Readable on a light page and on a dark one; the classes are those of contenders. */
export const barStyle = `
    text { font: 12px system-ui, sans-serif; fill: #24292f; }
    .title { font-size: 15px; font-weight: 600; }
    .size { font-weight: 600; }
    .quiet { fill: #57606a; }
    .grid { stroke: #d0d7de; }
    .itoden { fill: #cf222e; }
    .variant { fill: #e8a0a6; }
    .peer { fill: #8c959f; }
    .floor { fill: #1a7f37; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .quiet { fill: #9198a1; }
      .grid { stroke: #3d444d; }
      .itoden { fill: #ff7b72; }
      .variant { fill: #8f4f4b; }
      .peer { fill: #656c76; }
      .floor { fill: #3fb950; }
    }`;

/** @param {string} text */
export const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Whether there is a floor to measure from. @param {Workload} workload */
const hasFloor = (workload) => best(workload, 'floor') !== undefined;

/**
 * A drawing of workloads that differ in size; on a logarithmic axis, since contenders differ a hundredfold.
 * @param {string} title
 * @param {Workload[]} workloads
 */
export function chart(title, workloads) {
  const groups = workloads.filter(hasFloor).map((workload) => {
    const floor = best(workload, 'floor')?.value ?? 1;
    const bars = workload.cells
      .filter((cell) => cell.class !== 'primitive')
      .sort((a, b) => a.value - b.value)
      .map((cell) => ({ cell, times: Math.max(1, cell.value / floor) }));
    return { size: workload.size, bars };
  });
  const most = Math.max(2, ...groups.flatMap(({ bars }) => bars.map(({ times }) => times)));
  const x = (/** @type {number} */ times) => left + ((width - left - right) * Math.log(times)) / Math.log(most);
  const height = top + groups.reduce((sum, { bars }) => sum + groupHead + bars.length * step, 0) + 12;
  /** @type {string[]} */
  const parts = [];
  const text = (/** @type {number} */ at, /** @type {number} */ y, /** @type {string} */ content, /** @type {string} */ more = '') =>
    parts.push(`<text x="${at.toFixed(1)}" y="${y}"${more}>${escapeXml(content)}</text>`);
  text(12, 24, title, ' class="title"');
  text(12, 42, 'Time a message, and how many times that of the floor; shorter is better. The axis is logarithmic.', ' class="quiet"');
  for (const times of ticks(most)) {
    parts.push(`<line class="grid" x1="${x(times).toFixed(1)}" x2="${x(times).toFixed(1)}" y1="${top - 8}" y2="${height - 8}"/>`);
    text(x(times), top - 14, times === 1 ? 'floor' : `${times}×`, ' class="quiet" text-anchor="middle"');
  }
  let y = top;
  for (const { size, bars } of groups) {
    text(12, y + 18, sizeName(size), ' class="size"');
    y += groupHead;
    for (const { cell, times } of bars) {
      // A bar of no length would not be seen.
      const length = Math.max(2, x(times) - left);
      text(left - 8, y + 11, cell.name, ' text-anchor="end"');
      parts.push(`<rect class="${cell.class}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2"/>`);
      text(left + length + 6, y + 11, `${figure(cell.value)} ns · ${times.toFixed(1)}×`, ' class="quiet"');
      y += step;
    }
  }
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`;
  return `${open}\n  <title>${escapeXml(title)}</title>\n  <style>${barStyle}\n  </style>\n  ${parts.join('\n  ')}\n</svg>\n`;
}

/** 1, 2, 5, 10, 20, 50, … up to `most`; only tens if there would be many. @param {number} most */
export function ticks(most) {
  /** @type {number[]} */
  const all = [];
  for (let ten = 1; ten <= most; ten *= 10) all.push(...[1, 2, 5].map((factor) => factor * ten).filter((tick) => tick <= most));
  return all.length > 8 ? all.filter((tick) => Number.isInteger(Math.log10(tick))) : all;
}
