// What the benchmark of the Node package has found: tables, bounds, charts.

import { barStyle, escapeXml } from './benchmark-chart.mjs';
import { figure, sizeName } from './benchmark-table.mjs';
import { median, quantile } from './benchmark.mjs';

/** @typedef {import('./benchmark.mjs').Verdict} Verdict */
/** @typedef {import('./benchmark-table.mjs').Table} Table */
/** @typedef {import('./echo-bench.mjs').Sample} Sample */
/** @typedef {import('./echo-bench.mjs').Shape} Shape */

/** @typedef {{ name: string, cpu: Spread, rate: Spread, busy: number, loadBusy: number | null }} Entry of one server */
/** @typedef {{ value: number, low: number, high: number }} Spread the median, and a tenth of all samples beyond each end */
/** @typedef {{ shape: Shape, entries: Entry[] }} Workload */
/** @typedef {{ name: string, bytes: Spread }} Memory */

/** Whom itoden measures itself by. */
export const yardstick = 'ws';

/** The most processor time a message, as a part of what ws takes: with one message in flight, and with many. */
const bounds = new Map([
  ['itoden native', { one: 0.7, many: 1 / 8 }],
  ['itoden stream', { one: 1, many: 1 / 4 }],
]);

/** @param {number[]} numbers @returns {Spread} */
export function spread(numbers) {
  return { value: median(numbers), low: quantile(numbers, 0.1), high: quantile(numbers, 0.9) };
}

/** @param {Shape} shape */
export function shapeName({ connections, size, inFlight }) {
  return `${connections} × ${sizeName(size)}, ${inFlight === 1 ? 'one' : inFlight} in flight`;
}

/** @param {Shape} shape @param {Map<string, Sample[]>} samples by server @returns {Workload} */
export function summarise(shape, samples) {
  const entries = [...samples].map(([name, all]) => {
    const loads = all.flatMap(({ loadBusy }) => (loadBusy === undefined ? [] : [loadBusy]));
    return {
      name,
      cpu: spread(all.map(({ cpu }) => cpu)),
      rate: spread(all.map(({ rate }) => rate)),
      busy: median(all.map(({ busy }) => busy)),
      loadBusy: loads.length > 0 ? median(loads) : null,
    };
  });
  return { shape, entries };
}

/** Digits that mean something, at every size. @param {number} value */
export const digits = (value) => (value < 10 ? value.toFixed(2) : figure(value));

/**
 * One row for each workload, one column for each server.
 * @param {string} title
 * @param {Workload[]} workloads
 * @param {(entry: Entry) => string} tell
 * @returns {Table}
 */
function table(title, workloads, tell) {
  const names = [...new Set(workloads.flatMap(({ entries }) => entries.map(({ name }) => name)))];
  const rows = workloads.map(({ shape, entries }) => [
    shapeName(shape),
    ...names.map((name) => {
      const entry = entries.find((one) => one.name === name);
      return entry ? tell(entry) : '–';
    }),
  ]);
  return { title, head: ['', ...names], rows };
}

/** @param {Workload[]} workloads @param {Memory[]} memory @returns {Table[]} */
export function tables(workloads, memory) {
  const percent = (/** @type {number} */ part) => `${Math.round(100 * part)} %`;
  return [
    table('Processor time of the server, µs a message', workloads, ({ cpu }) => digits(cpu.value)),
    table('Messages a second', workloads, ({ rate }) => figure(rate.value)),
    table('How busy the server was', workloads, ({ busy }) => percent(busy)),
    {
      title: 'Memory of a connection at rest',
      head: ['', 'kB (1,000 bytes)', 'spread'],
      rows: memory.map(({ name, bytes }) => [name, ...[bytes.value / 1000, [bytes.low, bytes.high]].map((value) =>
        Array.isArray(value) ? value.map((end) => (end / 1000).toFixed(1)).join('–') : value.toFixed(1))]),
    },
  ];
}

/** @param {Workload[]} workloads @returns {Verdict[]} */
export function verdicts(workloads) {
  return workloads.flatMap(({ shape, entries }) => {
    const ws = entries.find(({ name }) => name === yardstick);
    if (!ws) return [];
    return [...bounds].flatMap(([name, { one, many }]) => {
      const entry = entries.find((candidate) => candidate.name === name);
      if (!entry) return [];
      const bound = shape.inFlight === 1 ? one : many;
      const ratio = entry.cpu.value / ws.cpu.value;
      return [{ text: `${shapeName(shape)}: ${name} at most ${bound} of ${yardstick}`, met: ratio <= bound, found: ratio.toFixed(2) }];
    });
  });
}

/**
 * Says so if the machine had other things to do: a load that polls has its processor all the time if nobody else wants it.
 * @param {Workload[]} workloads
 */
export function disturbance(workloads) {
  const shares = workloads.flatMap(({ entries }) => entries.flatMap(({ loadBusy }) => (loadBusy === null ? [] : [loadBusy])));
  if (shares.length === 0 || median(shares) >= 0.9) return undefined;
  const share = `${Math.round(100 * median(shares))} %`;
  return `The machine was busy with other things: the load had its processor ${share} of the time. Processor times can be compared, messages a second can't.`;
}

const width = 760;
const left = 190;
const right = 120;
const top = 66;
const step = 18;
const barHeight = 14;
const groupHead = 28;

/** The chart of the Node package. @param {Workload[]} workloads */
export function chart(workloads) {
  const groups = workloads.flatMap(({ shape, entries }) => {
    const measure = entries.find(({ name }) => name === yardstick);
    return measure === undefined ? [] : [{ name: shapeName(shape), entries, measure }];
  });
  return bars('Echo servers in Node: processor time a message', groups);
}

/** @typedef {{ name: string, cpu: Spread }} Bar */

/**
 * Bars as long as somebody needs processor time beside whom all are measured by, who is called the same in all groups; whiskers
 * show the spread. A bar that would be much longer than the measure is cut.
 * @param {string} title
 * @param {{ name: string, entries: Bar[], measure: Bar }[]} groups
 */
export function bars(title, groups) {
  const yardstick = groups[0]?.measure.name ?? '';
  const measured = groups.map(({ name, entries, measure }) => ({ group: name, entries, ws: measure.cpu.value }));
  const most = Math.min(2.5, Math.max(1, ...measured.flatMap(({ entries, ws }) => entries.map(({ cpu }) => cpu.value / ws))));
  const x = (/** @type {number} */ ratio) => left + ((width - left - right) * Math.min(ratio, most)) / most;
  const height = top + measured.reduce((sum, { entries }) => sum + groupHead + entries.length * step, 0) + 12;
  /** @type {string[]} */
  const parts = [];
  const text = (/** @type {number} */ at, /** @type {number} */ y, /** @type {string} */ content, more = '') =>
    parts.push(`<text x="${at.toFixed(1)}" y="${y}"${more}>${escapeXml(content)}</text>`);
  text(12, 24, title, ' class="title"');
  text(12, 42, `As a part of what ${yardstick} takes; shorter is better. The thin lines show where eight of ten samples lie.`, ' class="quiet"');
  for (let ratio = 0; ratio <= most; ratio += 0.5) {
    parts.push(`<line class="grid" x1="${x(ratio).toFixed(1)}" x2="${x(ratio).toFixed(1)}" y1="${top}" y2="${height - 8}"/>`);
    text(x(ratio), top - 6, ratio === 1 ? yardstick : String(ratio), ' class="quiet" text-anchor="middle"');
  }
  let y = top;
  for (const { group, entries, ws } of measured) {
    text(12, y + 18, group, ' class="size"');
    y += groupHead;
    for (const { name, cpu } of entries) {
      const own = name.includes('itoden') ? 'itoden' : 'peer';
      const end = x(cpu.value / ws);
      text(left - 8, y + 11, name, ' text-anchor="end"');
      parts.push(`<rect class="${own}" x="${left}" y="${y}" width="${Math.max(2, end - left).toFixed(1)}" height="${barHeight}" rx="2"/>`);
      const [low, high] = [x(cpu.low / ws), x(cpu.high / ws)];
      parts.push(`<line class="whisker" x1="${low.toFixed(1)}" x2="${high.toFixed(1)}" y1="${y + barHeight / 2}" y2="${y + barHeight / 2}"/>`);
      text(Math.max(end, high) + 6, y + 11, `${digits(cpu.value)} µs · ${(cpu.value / ws).toFixed(2)}`, ' class="quiet"');
      y += step;
    }
  }
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`;
  const style = `${barStyle}\n    .whisker { stroke: #24292f; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) { .whisker { stroke: #e6edf3; } }`;
  return `${open}\n  <title>${escapeXml(title)}</title>\n  <style>${style}\n  </style>\n  ${parts.join('\n  ')}\n</svg>\n`;
}
