import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { snapshot, staleFiles } from '../lib/generated.mjs';

/** @type {string} */
let folder;

/** @param {string} name @param {string} content */
const put = (name, content) => writeFileSync(join(folder, name), content);
/** @param {...string} args */
const git = (...args) => execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: folder });

/** The complaints after the files were generated so. @param {() => void} generate */
function complaints(generate) {
  const before = snapshot(folder);
  generate();
  return staleFiles(before, folder, ['table']).map((text) => text.split('\n')[0]);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'itoden-generated-'));
  git('init', '--quiet');
  put('table', 'one\n');
  put('derived', 'one\n');
  put('source', 'written by hand\n');
  git('add', '.');
  git('commit', '--quiet', '-m', 'all');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('generated files that come out as committed are fine', () => {
  assert.deepEqual(complaints(() => put('table', 'one\n')), []);
});

test('an edit of a source that is not committed yet is no complaint', () => {
  put('source', 'edited\n');
  put('new', '');
  assert.deepEqual(complaints(() => {}), []);
});

test('a known file that comes out different is a complaint', () => {
  assert.deepEqual(complaints(() => put('table', 'two\n')), ['table is not up to date: run `npm run generate` and commit it.']);
});

test('a file that only a room knows and that comes out different is a complaint', () => {
  assert.deepEqual(complaints(() => put('derived', 'two\n')), ['derived is not up to date: run `npm run generate` and commit it.']);
});

test('a known file that was regenerated earlier and is not committed is a complaint', () => {
  put('table', 'two\n');
  assert.deepEqual(complaints(() => {}), ['table is not up to date: run `npm run generate` and commit it.']);
});

test('a generated file that git does not know is a complaint', () => {
  git('rm', '--quiet', '--cached', 'table');
  assert.deepEqual(
    complaints(() => put('further', '')),
    ['table', 'further'].map((name) => `${name} is not committed: run \`npm run generate\` and commit it.`),
  );
});
