import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chart, ticks } from '../lib/benchmark-chart.mjs';
import { asMarkdown, asText, figure, sizeName, tables } from '../lib/benchmark-table.mjs';
import { collect, median, quantile, standing, verdicts } from '../lib/benchmark.mjs';

/**
 * @param {string} contender
 * @param {import('../lib/benchmark.mjs').Class} own
 * @param {number[]} nanoseconds
 * @param {Partial<import('../lib/benchmark.mjs').Line>} [more]
 * @returns {import('../lib/benchmark.mjs').Line}
 */
function line(contender, own, nanoseconds, more = {}) {
  const size = more.size ?? 16;
  const [task, kind] = [more.task ?? 'decode', more.kind ?? 'binary'];
  return { workload: `${task} ${kind} ${size}`, task, kind, size, takeover: true, contender, class: own, wireBytes: size, nanoseconds, ...more };
}

/** @param {number} itoden @param {number} peer @param {number} floor @param {Partial<import('../lib/benchmark.mjs').Line>} [more] */
const measured = (itoden, peer, floor, more) =>
  collect([line('itoden-core', 'itoden', [itoden], more), line('a peer', 'peer', [peer], more), line('bare loop', 'floor', [floor], more)]);

test('a median is the middle number, or the mean of the two in the middle, whatever their order', () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([8, 2, 4, 6]), 5);
  assert.equal(median([3]), 3);
  assert.throws(() => median([]), RangeError);
});

test('a quantile lies between its neighbours', () => {
  assert.equal(quantile([0, 10, 20, 30, 40], 0.1), 4);
  assert.equal(quantile([10, 9, 8], 1), 10);
});

test('the passes of a contender are put together before their median is taken', () => {
  const [workload, ...others] = collect([line('a', 'peer', [1, 1, 9]), line('b', 'peer', [4]), line('a', 'peer', [9, 9])]);
  assert.deepEqual(others, []);
  assert.deepEqual(workload.cells.map(({ name, value }) => [name, value]), [['a', 9], ['b', 4]]);
});

test('itoden stands by its fastest way against the fastest peer', () => {
  const [workload] = collect([
    line('itoden-core', 'itoden', [20]),
    line('itoden-core, shared', 'itoden', [10]),
    line('slow', 'peer', [90]),
    line('fast', 'peer', [30]),
    line('bare loop', 'floor', [5]),
    line('memcpy', 'primitive', [1]),
  ]);
  const found = standing(workload);
  assert.equal(found?.itoden.name, 'itoden-core, shared');
  assert.equal(found?.peer.name, 'fast');
  assert.deepEqual([found?.timesFloor, found?.timesFaster], [2, 3]);
});

test('nobody stands anywhere without a peer', () => {
  const [workload] = collect([line('itoden-core', 'itoden', [20]), line('bare loop', 'floor', [5])]);
  assert.equal(standing(workload), undefined);
  assert.deepEqual(verdicts([workload]), []);
});

test('small binary messages have to be decoded four times as fast as by the best peer, and near the floor', () => {
  assert.deepEqual(verdicts(measured(7.5, 30, 5)).map(({ met }) => met), [true, true]);
  assert.deepEqual(verdicts(measured(7.6, 30, 5)).map(({ met }) => met), [false, false]);
});

test('large messages and text have to be decoded not slower than by the best peer', () => {
  assert.deepEqual(verdicts(measured(109, 109, 100, { size: 65536 })).map(({ met }) => met), [true, true]);
  assert.deepEqual(verdicts(measured(120, 110, 100, { size: 65536 })).map(({ met }) => met), [false, false]);
  assert.deepEqual(verdicts(measured(60, 60, 50, { kind: 'mixed' })).map(({ met }) => met), [true, true]);
});

test('what is sent has no bound but the best peer, give or take what equals differ by', () => {
  const task = 'encode-server';
  assert.deepEqual(verdicts(measured(10.2, 10, 1, { task })).map(({ met }) => met), [true]);
  assert.deepEqual(verdicts(measured(10.4, 10, 1, { task })), [
    { text: 'encode-server binary 16: not slower than the best peer', met: false, found: '0.96× a peer' },
  ]);
});

test('a table has sizes across, contenders down, and a dash where one takes no part', () => {
  const workloads = [...measured(15, 30, 5), ...collect([line('itoden-core', 'itoden', [1234.5], { size: 65536 })])];
  const [table, ...others] = tables(workloads, 'ns');
  assert.deepEqual(others, []);
  assert.deepEqual(table.head, ['', '16 B', '64 KiB']);
  assert.deepEqual(table.rows[0], ['itoden-core', '15', '1,235']);
  assert.deepEqual(table.rows[1], ['a peer', '30', '–']);
  assert.deepEqual(table.rows.slice(-2), [['itoden to the floor', '3.00×', '–'], ['best peer to itoden', '2.00×', '–']]);
  const text = asText(table).split('\n');
  assert.equal(text[0], 'decode, binary (ns)');
  assert.equal(new Set(text.slice(1).map((row) => row.length)).size, 1);
  assert.match(asMarkdown(table), /^\| itoden-core \| 15 \| 1,235 \|$/m);
});

test('sizes and figures are told as people tell them', () => {
  assert.deepEqual([16, 1024, 65536, 1 << 20].map(sizeName), ['16 B', '1 KiB', '64 KiB', '1 MiB']);
  assert.deepEqual([3.64, 15.2, 40701.4].map(figure), ['3.6', '15', '40,701']);
});

test('a chart has a bar for each contender but the primitives, the longer the slower, with its name and figure', () => {
  const svg = chart('decode <binary>', collect([
    line('slow & old', 'peer', [500]),
    line('itoden-core', 'itoden', [10]),
    line('bare loop', 'floor', [5]),
    line('memcpy', 'primitive', [1]),
  ]));
  const bars = [...svg.matchAll(/<rect class="(\w+)" .*? width="([\d.]+)"/g)].map(([, own, width]) => [own, Number(width)]);
  assert.deepEqual(bars.map(([own]) => own), ['floor', 'itoden', 'peer']);
  assert.ok(bars[0][1] < bars[1][1] && bars[1][1] < bars[2][1]);
  assert.match(svg, /slow &amp; old/);
  assert.match(svg, /decode &lt;binary&gt;/);
  assert.match(svg, /500 ns · 100\.0×/);
  assert.doesNotMatch(svg, /memcpy|NaN|Infinity/);
  assert.match(svg, /prefers-color-scheme: dark/);
});

test('an axis has few ticks', () => {
  assert.deepEqual(ticks(12), [1, 2, 5, 10]);
  assert.deepEqual(ticks(1000), [1, 10, 100, 1000]);
});
