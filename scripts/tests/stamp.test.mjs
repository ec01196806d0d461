import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../lib/failure.mjs';
import { stamps } from '../lib/stamp.mjs';

/** @type {string} */
let root;
/** @type {string[]} */
let log;

/** @param {string} path @param {string} content */
function put(path, content) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

/** Copies source/ into the output, as a build would. @param {Partial<import('../lib/stamp.mjs').Step>} [changes] */
function step(changes) {
  return {
    name: 'step',
    title: 'The step',
    firstRun: 'no time',
    inputs: ['source'],
    outputs: ['built/out'],
    run: () => put('built/out', readFileSync(join(root, 'source/a'), 'utf8')),
    ...changes,
  };
}

const ensure = (/** @type {Partial<import('../lib/stamp.mjs').Step>} */ changes = {}) =>
  stamps({ root, folder: join(root, 'stamps'), log: (line) => log.push(line) }).ensure(step(changes));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'itoden-stamp-'));
  log = [];
  put('source/a', 'one');
  put('source/deep/b', 'two');
});
afterEach(() => rmSync(root, { recursive: true }));

test('a step runs once, and not again while nothing has changed', async () => {
  assert.equal(await ensure(), true);
  assert.equal(await ensure(), false);
  assert.match(log[0], /The step: building \(no time on a first run\)/);
  assert.match(log[1], /The step: done in/);
  assert.match(log[2], /The step: up to date/);
});

/** @type {[string, () => void][]} */
const edits = [
  ['an edited file', () => put('source/a', 'ONE')],
  ['a file edited deep inside', () => put('source/deep/b', 'TWO')],
  ['a new file', () => put('source/new', '')],
  ['a removed file', () => rmSync(join(root, 'source/deep/b'))],
  ['a renamed file', () => (rmSync(join(root, 'source/deep/b')), put('source/deep/c', 'two'))],
  ['bytes moved from one file to the next', () => (put('source/a', 'onet'), put('source/deep/b', 'wo'))],
  ['a lost output', () => rmSync(join(root, 'built/out'))],
  ['an output that something else has changed', () => put('built/out', 'other')],
  ['a damaged stamp', () => put('stamps/step.json', '{"inputs":')],
  ['a lost stamp', () => rmSync(join(root, 'stamps'), { recursive: true })],
];
for (const [what, edit] of edits) {
  test(`${what} leads to a rebuild, once`, async () => {
    await ensure();
    edit();
    assert.equal(await ensure(), true);
    assert.equal(await ensure(), false);
    assert.equal(readFileSync(join(root, 'built/out'), 'utf8'), readFileSync(join(root, 'source/a'), 'utf8'));
  });
}

test('another tool version leads to a rebuild', async () => {
  await ensure({ key: ['rustc 1.95'] });
  assert.equal(await ensure({ key: ['rustc 1.95'] }), false);
  assert.equal(await ensure({ key: ['rustc 1.96'] }), true);
});

test('a rerun of a step leads to a rebuild of what builds on it', async () => {
  const above = { name: 'above', outputs: ['built/above'], after: ['step'], run: () => put('built/above', '') };
  await ensure();
  await ensure(above);
  assert.equal(await ensure(above), false);
  rmSync(join(root, 'built/out'));
  await ensure();
  assert.equal(await ensure(above), true);
});

test('an input edited while the step runs leads to a rebuild on the next run', async () => {
  await ensure({ run: () => (put('built/out', 'one'), put('source/a', 'edited meanwhile')) });
  assert.equal(await ensure(), true);
});

test('a step that failed runs again, even after it had once succeeded', async () => {
  await ensure();
  put('source/a', 'broken');
  await assert.rejects(ensure({ run: () => Promise.reject(new Error('does not compile')) }), /does not compile/);
  put('source/a', 'one');
  assert.equal(await ensure(), true);
});

test('what builds write inside an input folder is no input', async () => {
  await ensure();
  for (const path of ['source/node_modules/x', 'source/dist/x', 'source/__pycache__/x', 'source/addon.node']) put(path, '');
  assert.equal(await ensure(), false);
});

test('a generated file is an input where it is named itself', async () => {
  put('source/dist/types.d.ts', 'old');
  const inputs = ['source', 'source/dist/types.d.ts'];
  await ensure({ inputs });
  put('source/dist/types.d.ts', 'new');
  assert.equal(await ensure({ inputs }), true);
});

test('a missing input is told in one sentence and not skipped', async () => {
  await assert.rejects(
    ensure({ inputs: ['source', 'gone'] }),
    new Failure("The step can't be built because gone is missing from the tree."),
  );
});

test('a step that leaves no output fails and leaves no stamp', async () => {
  await assert.rejects(ensure({ run: () => {} }), /did not leave built\/out/);
  assert.equal(existsSync(join(root, 'stamps/step.json')), false);
});
