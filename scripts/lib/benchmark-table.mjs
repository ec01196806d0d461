// The benchmark's tables: one for each task and kind of message, contenders down, sizes across.

import { grouped, standing } from './benchmark.mjs';

/** @typedef {import('./benchmark.mjs').Workload} Workload */
/** @typedef {{ title: string, head: string[], rows: string[][] }} Table */

/** @param {number} size */
export function sizeName(size) {
  if (size >= 1 << 20) return `${size / (1 << 20)} MiB`;
  return size >= 1024 ? `${size / 1024} KiB` : `${size} B`;
}

/** Three digits that count, and thousands told apart. @param {number} value */
export function figure(value) {
  if (value < 10) return value.toFixed(1);
  return Math.round(value).toLocaleString('en-US');
}

/**
 * @param {Workload[]} workloads
 * @param {string} unit what a figure is, as in 'ns a message'
 * @returns {Table[]}
 */
export function tables(workloads, unit) {
  const title = (/** @type {Workload} */ { task, kind, takeover }) => `${task}, ${kind}${takeover ? '' : ', no context takeover'}`;
  return grouped(workloads, title).map(([title, group]) => {
    const standings = group.map(standing);
    return sizesAcross(`${title} (${unit})`, group, [
      ['itoden to the floor', ...standings.map((found) => times(found?.timesFloor))],
      ['best peer to itoden', ...standings.map((found) => times(found?.timesFaster))],
    ]);
  });
}

/** How many times, where that is known. @param {number | undefined} found */
export const times = (found) => (found === undefined ? '–' : `${found.toFixed(2)}×`);

/**
 * Contenders down, sizes across, and further rows below.
 * @param {string} title
 * @param {Workload[]} group
 * @param {string[][]} below
 * @returns {Table}
 */
export function sizesAcross(title, group, below) {
  const names = [...new Set(group.flatMap(({ cells }) => cells.map(({ name }) => name)))];
  const rows = names.map((name) => [
    name,
    ...group.map(({ cells }) => {
      const cell = cells.find((other) => other.name === name);
      return cell ? figure(cell.value) : '–';
    }),
  ]);
  return { title, head: ['', ...group.map(({ size }) => sizeName(size))], rows: [...rows, ...below] };
}

/** For a terminal. @param {Table} table */
export function asText({ title, head, rows }) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (/** @type {string[]} */ row) =>
    row.map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]))).join('  ');
  return [title, line(head), ...rows.map(line)].join('\n');
}

/** For a page. @param {Table} table */
export function asMarkdown({ title, head, rows }) {
  const line = (/** @type {string[]} */ row) => `| ${row.join(' | ')} |`;
  return [`### ${title}`, '', line(head), line(head.map((_, column) => (column === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}
