// What the benchmark of the Python package has found: tables, bounds, the chart.

import { figure, sizeName } from './benchmark-table.mjs';
import { bars, digits, spread } from './echo-report.mjs';

/** @typedef {import('./benchmark.mjs').Verdict} Verdict */
/** @typedef {import('./benchmark-table.mjs').Table} Table */
/** @typedef {import('./echo-report.mjs').Spread} Spread */
/** @typedef {import('./python-bench.mjs').Task} Task */
/** @typedef {import('./echo-bench.mjs').Sample} Sample */
/** @typedef {{ name: string, cpu: Spread, rate: Spread }} Entry */
/** @typedef {{ task: Task, entries: Entry[] }} Workload */
/** @typedef {import('./echo-report.mjs').Memory} Memory */

/** What costs nothing but loop, transport and kernel. */
export const floor = 'bare loop';

/** What costs nothing but the kernel, and `ssl`. */
export const socketFloor = 'bare socket';

/** What two equals differ by when measured. */
const noise = 1.03;

/** @typedef {{ who: string, than: string, most: number, applies: (task: Task) => boolean }} Bound of processor time */

const small = (/** @type {Task} */ { role, loop, transport, size }) => role === 'client' && loop !== 'threads' && transport === 'TCP' && size <= 8192;
const large = (/** @type {Task} */ { role, loop, transport, size }) => role === 'client' && loop !== 'threads' && transport === 'TCP' && size > 8192;
const secure = (/** @type {Task} */ { role, loop, transport }) => role === 'client' && loop !== 'threads' && transport === 'TLS';
const busy = (/** @type {Task} */ { role, transport, inFlight }) => role === 'server' && transport === 'TCP' && inFlight === 16;
const threads = (/** @type {Task} */ { loop }) => loop === 'threads';

/** @type {Bound[]} */
const bounds = [
  { who: 'itoden callbacks', than: 'picows', most: 1, applies: small },
  { who: 'itoden', than: 'picows.websockets', most: 0.75, applies: small },
  { who: 'itoden', than: 'websockets', most: 1 / 3, applies: small },
  { who: 'itoden', than: 'picows.websockets', most: 0.8, applies: large },
  { who: 'itoden', than: 'websockets', most: 1 / 2, applies: large },
  { who: 'itoden', than: 'picows.websockets', most: 1, applies: secure },
  { who: 'itoden', than: 'websockets', most: 1 / 8, applies: busy },
  { who: 'itoden', than: 'picows.websockets', most: 0.8, applies: busy },
  { who: 'itoden.sync', than: 'websockets.sync', most: 1 / 2, applies: threads },
];

/** @param {Task} task */
export function taskName({ role, loop, transport, size, connections, inFlight }) {
  const bytes = size >= 10_000 ? `${size / 1000} kB` : sizeName(size);
  const load = role === 'client' ? bytes : `${connections} × ${bytes}, ${inFlight === 1 ? 'one' : inFlight} in flight`;
  return `${role}, ${transport}, ${loop}, ${load}`;
}

/** @param {Task} task @param {Map<string, Sample[]>} samples by name @returns {Workload} */
export function summarise(task, samples) {
  const entries = [...samples].map(([name, all]) => ({
    name,
    cpu: spread(all.map(({ cpu }) => cpu)),
    rate: spread(all.map(({ rate }) => rate)),
  }));
  return { task, entries };
}

const fraction = (/** @type {number} */ most) => (most < 0.5 && Number.isInteger(Math.round(1e6 / most) / 1e6) ? `1/${Math.round(1 / most)}` : String(most));

/** @param {Workload[]} workloads @param {Memory[]} memory @returns {Verdict[]} */
export function verdicts(workloads, memory) {
  const ofLoads = workloads.flatMap(({ task, entries }) => {
    const of = (/** @type {string} */ name) => entries.find((entry) => entry.name === name);
    /** @type {Verdict[]} */
    const found = bounds.filter(({ applies }) => applies(task)).flatMap(({ who, than, most }) => {
      const [own, other] = [of(who), of(than)];
      if (!own || !other) return [];
      const ratio = own.cpu.value / other.cpu.value;
      const text = `${taskName(task)}: ${who} at most ${fraction(most)} of ${than}`;
      return [{ text, met: ratio <= (most === 1 ? noise : most), found: ratio.toFixed(2) }];
    });
    /** What is the protocol's own: without what kernel, loop and transport cost. @param {Entry} own @param {Entry} other @param {Entry} bare */
    const share = (own, other, bare) => (own.cpu.value - bare.cpu.value) / (other.cpu.value - bare.cpu.value);
    const [client, theirs] = [of('itoden'), of('websockets')];
    const [own, other, bare] = [of('uvicorn, itoden'), of('uvicorn, websockets-sansio'), of(floor)];
    if (client && theirs && bare && (small(task) || large(task))) {
      const [most, ratio] = [small(task) ? 1 / 3 : 1 / 2, share(client, theirs, bare)];
      const text = `${taskName(task)}: itoden at most ${fraction(most)} of websockets in processor time beyond the ${floor}`;
      found.push({ text, met: ratio <= most, found: ratio.toFixed(2) });
    }
    if (own && other) {
      const ratio = own.rate.value / other.rate.value;
      found.push({ text: `${taskName(task)}: itoden at least 1.5 of websockets-sansio in messages a second`, met: ratio >= 1.5, found: ratio.toFixed(2) });
    }
    if (own && other && bare) {
      const ratio = share(own, other, bare);
      const text = `${taskName(task)}: itoden at most 0.5 of websockets-sansio in processor time beyond the ${floor}`;
      found.push({ text, met: ratio <= 0.5, found: ratio.toFixed(2) });
    }
    return found;
  });
  const bytes = (/** @type {string} */ wanted) => memory.find(({ name }) => name === wanted)?.bytes.value;
  const [own, other] = [bytes('itoden'), bytes('websockets')];
  if (own === undefined || other === undefined) return ofLoads;
  const text = 'memory of a connection at rest, deflate agreed: itoden at most 1/4 of websockets';
  return [...ofLoads, { text, met: own / other <= 1 / 4, found: (own / other).toFixed(2) }];
}

/** @param {Workload[]} workloads @param {Memory[]} memory @returns {Table[]} */
export function tables(workloads, memory) {
  const groups = new Map();
  for (const workload of workloads) {
    const key = taskName(workload.task).split(', ').slice(0, 3).join(', ');
    groups.set(key, [...(groups.get(key) ?? []), workload]);
  }
  /** @type {Table[]} */
  const all = [...groups].map(([key, group]) => {
    const names = [...new Set(group.flatMap((/** @type {Workload} */ { entries }) => entries.map(({ name }) => name)))];
    const tell = (/** @type {Entry | undefined} */ entry) => (entry ? `${digits(entry.cpu.value)} µs · ${figure(entry.rate.value)}/s` : '–');
    return {
      title: `${key}: processor time and number of ${key.startsWith('client') ? 'round trips' : 'messages'}`,
      head: ['', ...group.map((/** @type {Workload} */ { task }) => taskName(task).split(', ').slice(3).join(', '))],
      rows: names.map((name) => [name, ...group.map((/** @type {Workload} */ { entries }) => tell(entries.find((entry) => entry.name === name)))]),
    };
  });
  if (memory.length === 0) return all;
  const kilobytes = (/** @type {number} */ value) => (value / 1000).toFixed(1);
  const rows = memory.map(({ name, bytes: { value, low, high } }) => [name, kilobytes(value), `${kilobytes(low)}–${kilobytes(high)}`]);
  return [...all, { title: 'Memory of a connection at rest, deflate agreed', head: ['', 'kB (1,000 bytes)', 'spread'], rows }];
}

/** Everybody beside `websockets`; of uvicorn, its own protocol. @param {Workload[]} workloads */
export function chart(workloads) {
  const groups = workloads.flatMap(({ task, entries }) => {
    const measure = entries.find(({ name }) => name.replace('.sync', '').replace('uvicorn, ', '').replace('-sansio', '') === 'websockets');
    const others = entries.filter(({ name }) => name !== floor && name !== socketFloor);
    return measure && task.transport === 'TCP' ? [{ name: taskName(task), entries: others, measure: { ...measure, name: 'websockets' } }] : [];
  });
  return bars('The Python package: processor time a message', groups);
}
