import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chart, digits, disturbance, shapeName, summarise, tables, verdicts } from '../lib/echo-report.mjs';

const sample = (/** @type {number} */ cpu) => ({ cpu, rate: 1000 / cpu, busy: 0.5, loadBusy: 0.97 });

/** @param {number} inFlight @param {Record<string, number[]>} cpu µs a message of each server */
const workload = (inFlight, cpu) =>
  summarise({ connections: 64, size: 64, inFlight }, new Map(Object.entries(cpu).map(([name, all]) => [name, all.map(sample)])));

test('a workload is named by what differs', () => {
  assert.equal(shapeName({ connections: 64, size: 16 << 10, inFlight: 1 }), '64 × 16 KiB, one in flight');
  assert.equal(shapeName({ connections: 1, size: 64, inFlight: 16 }), '1 × 64 B, 16 in flight');
});

test('the bounds with one message in flight are 0.7 and 1 of ws', () => {
  const found = verdicts([workload(1, { 'itoden native': [7], 'itoden stream': [10], ws: [10] })]);
  assert.deepEqual(found.map(({ met, found: ratio }) => [met, ratio]), [[true, '0.70'], [true, '1.00']]);
  const missed = verdicts([workload(1, { 'itoden native': [7.1], 'itoden stream': [10.1], ws: [10] })]);
  assert.deepEqual(missed.map(({ met }) => met), [false, false]);
});

test('the bounds with many messages in flight are an eighth and a quarter of ws', () => {
  const found = verdicts([workload(16, { 'itoden native': [1], 'itoden stream': [2], ws: [8] })]);
  assert.deepEqual(found.map(({ met }) => met), [true, true]);
  const missed = verdicts([workload(16, { 'itoden native': [1.1], 'itoden stream': [2.1], ws: [8] })]);
  assert.deepEqual(missed.map(({ met }) => met), [false, false]);
});

test('without ws nothing is judged or drawn', () => {
  const alone = [workload(1, { 'itoden native': [7] })];
  assert.deepEqual(verdicts(alone), []);
  assert.doesNotMatch(chart(alone), /<rect|NaN/);
});

test('what was measured is told as a median with its spread', () => {
  const { entries } = workload(1, { ws: [30, 10, 20] });
  assert.deepEqual(entries[0].cpu, { value: 20, low: 12, high: 28 });
});

test('tables have servers across, workloads down, and a dash where one takes no part', () => {
  const workloads = [workload(1, { 'itoden native': [7], ws: [10] }), workload(16, { ws: [1234] })];
  const [time, , busy, memory] = tables(workloads, [{ name: 'ws', bytes: { value: 9100, low: 9000, high: 9240 } }]);
  assert.deepEqual(time.head, ['', 'itoden native', 'ws']);
  assert.deepEqual(time.rows, [['64 × 64 B, one in flight', '7.00', '10'], ['64 × 64 B, 16 in flight', '–', '1,234']]);
  assert.equal(busy.rows[0][1], '50 %');
  assert.deepEqual(memory.rows, [['ws', '9.1', '9.0–9.2']]);
});

test('figures below ten have two digits behind the point', () => {
  assert.deepEqual([0.871, 9.994, 10.4].map(digits), ['0.87', '9.99', '10']);
});

test('a machine that is busy with other things is told of', () => {
  const calm = [workload(1, { ws: [10] })];
  assert.equal(disturbance(calm), undefined);
  const busy = calm.map(({ shape, entries }) => ({ shape, entries: entries.map((entry) => ({ ...entry, busy: 0.1, loadBusy: 0.15 })) }));
  assert.match(disturbance(busy) ?? '', /had its processor 15 % of the time/);
});

test('a chart has a bar and a whisker for each server, as long as its part of what ws takes', () => {
  const svg = chart([workload(1, { 'itoden native': [5], ws: [10], 'slow & old': [900] })]);
  const bars = [...svg.matchAll(/<rect class="(\w+)" .*? width="([\d.]+)"/g)].map(([, own, width]) => [own, Number(width)]);
  assert.deepEqual(bars.map(([own]) => own), ['itoden', 'peer', 'peer']);
  assert.equal(Number(bars[1][1]) / Number(bars[0][1]), 2);
  assert.equal([...svg.matchAll(/class="whisker"/g)].length, 3);
  assert.match(svg, /slow &amp; old/);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});
