import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { countTests, summaryLines, verdict } from '../lib/summary.mjs';

test("cargo's counts are the sum over its test binaries", () => {
  const lines = [
    '     Running tests/frames.rs (target/debug/deps/frames-0)',
    'test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s',
    '   Doc-tests itoden_core',
    'test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.51s',
  ];
  assert.deepEqual(countTests('cargo', lines), { passed: 15, failed: 2, skipped: 1 });
});

for (const mark of ['#', 'ℹ']) {
  test(`node's counts are read where its lines begin with ${mark}`, () => {
    const lines = ['tests 9', 'suites 2', 'pass 5', 'fail 1', 'cancelled 1', 'skipped 2', 'todo 0', 'duration_ms 83.2'];
    const marked = lines.map((line) => `${mark} ${line}`);
    assert.deepEqual(countTests('node', marked), { passed: 5, failed: 2, skipped: 2 });
  });
}

test("node's counts are read through colours", () => {
  assert.equal(countTests('node', ['\x1b[34mℹ pass 7\x1b[39m']).passed, 7);
});

test("a line that a test prints itself does not stand for node's closing lines", () => {
  assert.deepEqual(countTests('node', ['# pass 99', '# pass 4', '# fail 0']), { passed: 4, failed: 0, skipped: 0 });
});

test('this very Node prints closing lines that are understood', () => {
  const folder = mkdtempSync(join(tmpdir(), 'itoden-summary-'));
  try {
    writeFileSync(
      join(folder, 'some.test.mjs'),
      "import { test } from 'node:test'; test('a', () => {}); test('b', () => {}); test('c', () => { throw 1; });",
    );
    for (const reporter of ['tap', 'spec']) {
      const { stdout } = spawnSync(process.execPath, ['--test', `--test-reporter=${reporter}`, folder + '/some.test.mjs'], {
        encoding: 'utf8',
        env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      });
      assert.deepEqual(countTests('node', stdout.split('\n')), { passed: 2, failed: 1, skipped: 0 }, reporter);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('each fuzz target counts as a test', () => {
  const lines = ['✓ header: 300000 runs in 1.0 s, 400 edges', 'fuzz: 6 passed, 1 failed'];
  assert.deepEqual(countTests('fuzz', lines), { passed: 6, failed: 1, skipped: 0 });
  assert.deepEqual(countTests('fuzz', ['itoden: A C++ compiler is missing']), { passed: 0, failed: 0, skipped: 0 });
});

/** @type {[string, import('../lib/summary.mjs').Counts][]} */
const pytestLines = [
  ['============ 12 passed in 0.34s ============', { passed: 12, failed: 0, skipped: 0 }],
  ['12 passed in 0.34s', { passed: 12, failed: 0, skipped: 0 }],
  ['= 1 failed, 12 passed, 2 skipped, 1 xfailed, 3 warnings in 61.20s (0:01:01) =', { passed: 12, failed: 1, skipped: 3 }],
  ['===== 2 errors in 0.10s =====', { passed: 0, failed: 2, skipped: 0 }],
  ['===== 4 passed, 1 error in 0.10s =====', { passed: 4, failed: 1, skipped: 0 }],
  ['===== no tests ran in 0.01s =====', { passed: 0, failed: 0, skipped: 0 }],
];
for (const [line, counts] of pytestLines) {
  test(`pytest's closing line is understood: ${line.replaceAll('=', '').trim()}`, () => {
    assert.deepEqual(countTests('pytest', ['collected some items', '', line]), counts);
  });
}

test('the counts of the Autobahn suite are the sum over both roles', () => {
  const lines = [
    '… itoden as server: 325 cases',
    'autobahn, itoden as server: 325 passed, 0 failed, 0 skipped',
    '  12.1.3: FAILED, closing OK',
    'autobahn, itoden as client: 324 passed, 1 failed, 0 skipped',
  ];
  assert.deepEqual(countTests('autobahn', lines), { passed: 649, failed: 1, skipped: 0 });
});

test('a room that ran no test has failed', () => {
  assert.deepEqual(verdict({ passed: 0, failed: 0, skipped: 3 }, false), { passed: 0, failed: 1, skipped: 3 });
  assert.deepEqual(verdict({ passed: 0, failed: 0, skipped: 3 }, false, true), { passed: 0, failed: 0, skipped: 3 });
  assert.deepEqual(verdict({ passed: 0, failed: 0, skipped: 0 }, false, true), { passed: 0, failed: 1, skipped: 0 });
});

test('a room whose runner stopped with an error has failed, even if all counted tests passed', () => {
  assert.equal(verdict({ passed: 8, failed: 0, skipped: 0 }, true).failed, 1);
});

test('failures that were counted are not counted twice', () => {
  assert.equal(verdict({ passed: 8, failed: 2, skipped: 0 }, true).failed, 2);
});

test('a room with only passed tests has passed', () => {
  assert.deepEqual(verdict({ passed: 8, failed: 0, skipped: 0 }, false), { passed: 8, failed: 0, skipped: 0 });
});

test('the summary has a line for each room and ends with the sum alone on its line', () => {
  const lines = summaryLines([
    { room: 'core', passed: 120, failed: 0, skipped: 0, seconds: 3.21 },
    { room: 'python', passed: 7, failed: 2, skipped: 1, seconds: 0.5 },
  ]);
  assert.deepEqual(lines, [
    '✓ core     120 passed, 0 failed, 3.2 s',
    '✗ python     7 passed, 2 failed, 1 skipped, 0.5 s',
    '127 passed, 2 failed, 1 skipped',
  ]);
  assert.equal(summaryLines([{ room: 'core', passed: 3, failed: 0, skipped: 0, seconds: 1 }]).at(-1), '3 passed, 0 failed');
});
