// Packages that make their WebSockets out of `ws` by themselves, in a project whose manifest puts the packed tarball of
// itoden in the place of `ws` ("overrides"). What a program sees there is what it sees with ws.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const npm = (args, cwd) =>
  run('npm', [...args, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], { cwd, maxBuffer: 1 << 26 });

/** What is installed beside it, in the versions that the tests here use. */
const installed = ['express', 'express-ws', 'fastify', '@fastify/websocket', 'puppeteer-core'];
const { packages } = require('../../package-lock.json');

let folder;

before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'itoden-renamed-')));
  const { stdout } = await npm(['pack', '--json', '--pack-destination', folder], file('../../bindings-node'));
  const packed = JSON.parse(stdout);
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  const versions = installed.map((name) => [name, packages[`node_modules/${name}`].version]);
  const manifest = {
    name: 'renamed',
    private: true,
    dependencies: { ws: `file:./${filename}`, ...Object.fromEntries(versions) },
    overrides: { ws: '$ws' },
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await npm(['install'], folder);
  await cp(file('../programs/renamed'), folder, { recursive: true });
});

after(() => rm(folder, { recursive: true, force: true }));

test('every package finds itoden where it asks for ws', () => {
  for (const name of ['express-ws', '@fastify/websocket', 'puppeteer-core']) {
    const from = createRequire(join(folder, 'node_modules', name, 'package.json'));
    assert.equal(from('ws/package.json').name, 'itoden', name);
  }
});

for (const name of ['express-ws', 'fastify-websocket', 'puppeteer']) {
  test(`${name} does with itoden what it does with ws`, { timeout: 120_000 }, async () => {
    const see = async (path) => {
      const { stdout } = await run(process.execPath, [path], { timeout: 60_000 });
      return JSON.parse(stdout);
    };
    const expected = await see(file(`../programs/renamed/${name}.mjs`));
    assert.ok(Object.keys(expected).length > 5);
    assert.deepEqual(await see(join(folder, `${name}.mjs`)), expected);
  });
}
