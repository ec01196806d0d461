import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../lib/failure.mjs';
import { repository } from '../lib/numbers.mjs';

/** @type {string} */
let root;

/** @param {string} path @param {string | object} content */
function put(path, content) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`);
}

/** @param {string} path */
const get = (path) => readFileSync(join(root, path), 'utf8');

const chat = { name: 'chat', version: '0.1.0', dependencies: { itoden: '0.1.0', other: '^0.1.0' } };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'itoden-version-'));
  put(
    'Cargo.toml',
    `[workspace]
members = ["core", "net"]

[workspace.package]
edition = "2024"
version = "0.1.0"

[workspace.dependencies]
itoden-core = { path = "core", version = "0.1.0" }
bytes = { version = "0.1.0", features = [] }
`,
  );
  for (const name of ['core', 'net']) put(`${name}/Cargo.toml`, `[package]\nname = "itoden-${name}"\nversion.workspace = true\n`);
  put(
    'Cargo.lock',
    `[[package]]
name = "bytes"
version = "0.1.0"
source = "registry"

[[package]]
name = "itoden-core"
version = "0.1.0"
dependencies = [
 "bytes",
]

[[package]]
name = "itoden-net"
version = "0.1.0"
`,
  );
  put(
    'core/fuzz/Cargo.lock',
    `[[package]]
name = "itoden-core"
version = "0.1.0"

[[package]]
name = "itoden-fuzz"
version = "0.0.0"
`,
  );
  put('package.json', { name: 'root', version: '0.1.0', workspaces: ['node', 'examples/chat'] });
  put('node/package.json', { name: 'itoden', version: '0.1.0' });
  put('examples/chat/package.json', chat);
  put('package-lock.json', {
    name: 'root',
    version: '0.1.0',
    packages: {
      '': { name: 'root', version: '0.1.0' },
      node: { name: 'itoden', version: '0.1.0' },
      'examples/chat': chat,
      'node_modules/other': { version: '0.1.0' },
    },
  });
  put('pyproject.toml', '[project]\nname = "itoden"\ndynamic = ["version"]\n\n[tool.x]\nversion = "9"\n');
});
afterEach(() => rmSync(root, { recursive: true }));

test('a tree with one number has no problems', () => {
  assert.equal(repository(root).version(), '0.1.0');
  assert.deepEqual(repository(root).check(), []);
});

for (const wanted of ['0.2.0', '12.3.4', '1.0.0-rc.1']) {
  test(`setting ${wanted} writes it everywhere`, () => {
    repository(root).set(wanted);
    assert.equal(repository(root).version(), wanted);
    assert.deepEqual(repository(root).check(), []);
    assert.equal(JSON.parse(get('examples/chat/package.json')).dependencies.itoden, wanted);
  });
}

test('setting a number leaves the numbers of others alone', () => {
  repository(root).set('2.0.0');
  assert.match(get('Cargo.toml'), /bytes = \{ version = "0\.1\.0"/);
  assert.match(get('Cargo.lock'), /name = "bytes"\nversion = "0\.1\.0"/);
  assert.match(get('core/fuzz/Cargo.lock'), /name = "itoden-fuzz"\nversion = "0\.0\.0"/);
  assert.equal(JSON.parse(get('examples/chat/package.json')).dependencies.other, '^0.1.0');
  assert.equal(JSON.parse(get('package-lock.json')).packages['node_modules/other'].version, '0.1.0');
  assert.match(get('pyproject.toml'), /version = "9"/);
});

test('checking changes no file', () => {
  put('node/package.json', '{ "name": "itoden",\n\n "version": "0.0.9" }');
  repository(root).check();
  assert.equal(get('node/package.json'), '{ "name": "itoden",\n\n "version": "0.0.9" }');
});

/** @type {[string, RegExp | string, string, string][]} */
const differences = [
  ['Cargo.toml', 'path = "core", version = "0.1.0"', 'path = "core", version = "0.0.9"', 'Cargo.toml: dependency itoden-core is 0.0.9, but Cargo.toml says 0.1.0.'],
  ['net/Cargo.toml', 'version.workspace = true', 'version = "0.1.0"', 'net/Cargo.toml does not say `version.workspace = true`.'],
  ['Cargo.lock', /"itoden-net"\nversion = "0.1.0"/, '"itoden-net"\nversion = "0.0.9"', 'Cargo.lock: itoden-net is 0.0.9, but Cargo.toml says 0.1.0.'],
  ['core/fuzz/Cargo.lock', '"0.1.0"', '"0.0.9"', 'core/fuzz/Cargo.lock: itoden-core is 0.0.9, but Cargo.toml says 0.1.0.'],
  ['package.json', '"version": "0.1.0"', '"version": "0.0.9"', 'package.json: version is 0.0.9, but Cargo.toml says 0.1.0.'],
  ['node/package.json', /,\s*"version": "0.1.0"/, '', 'node/package.json: version is not set, but Cargo.toml says 0.1.0.'],
  ['examples/chat/package.json', '"itoden": "0.1.0"', '"itoden": "*"', 'examples/chat/package.json: dependencies itoden is *, but Cargo.toml says 0.1.0.'],
  ['package-lock.json', '"itoden": "0.1.0"', '"itoden": "0.0.9"', "package-lock.json: packages['examples/chat'] dependencies itoden is 0.0.9, but Cargo.toml says 0.1.0."],
  ['pyproject.toml', 'dynamic = ["version"]', 'version = "0.1.0"', 'pyproject.toml does not say `dynamic = ["version"]`, by which maturin takes the number from Cargo.'],
];
for (const [path, from, to, problem] of differences) {
  test(`the check finds: ${problem}`, () => {
    const before = get(path);
    put(path, before.replace(from, to));
    assert.notEqual(get(path), before);
    assert.deepEqual(repository(root).check(), [problem]);
  });
}

for (const wanted of ['1.2', 'v1.2.3', '1.2.3.4', '']) {
  test(`'${wanted}' is refused as a version number, and nothing is written`, () => {
    assert.throws(() => repository(root).set(wanted), Failure);
    assert.equal(repository(root).version(), '0.1.0');
  });
}

test('a lost file is told in one sentence', () => {
  rmSync(join(root, 'Cargo.lock'));
  assert.throws(() => repository(root).check(), new Failure("Cargo.lock is missing, so its version number can't be read."));
});
