// The choice of a wasm compiler, of a browser and of the peers, on machines of all kinds; and the walls between the crates.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBrowser } from '../lib/browser.mjs';
import { Failure } from '../lib/failure.mjs';
import { findPeers } from '../lib/peers.mjs';
import { breaches } from '../lib/walls.mjs';
import { findToolchain } from '../lib/wasm.mjs';

/** @param {object} changes */
function wasmMachine(changes) {
  /** @type {string[]} */
  const did = [];
  const machine = {
    wish: undefined,
    hasTarget: () => false,
    addTarget: () => (did.push('rustup'), false),
    /** @returns {string | undefined} */
    debianRustc: () => (did.includes('apt') ? '/usr/bin/rustc' : undefined),
    canInstall: () => true,
    install: async () => void did.push('apt'),
    /** @returns {string | undefined} */
    linker: () => '/sysroot/rust-lld',
    identity: (/** @type {string} */ rustc) => `rustc 1.96.0 at ${rustc}`,
    ...changes,
  };
  return { did, machine };
}

test("rustup's wasm32 target is used where it is installed, and nothing is installed", async () => {
  const { did, machine } = wasmMachine({ hasTarget: () => true });
  assert.deepEqual(await findToolchain(machine), { identity: 'rustc 1.96.0 at rustc', args: [], env: {} });
  assert.deepEqual(did, []);
});

test('a missing target is added with rustup before Debian is asked', async () => {
  const { did, machine } = wasmMachine({ addTarget: () => true });
  assert.deepEqual((await findToolchain(machine)).args, []);
  assert.deepEqual(did, []);
});

test("where rustup can't add it, Debian's rustc builds core and alloc with the linker of rustup's toolchain", async () => {
  const { did, machine } = wasmMachine({});
  assert.deepEqual(await findToolchain(machine), {
    identity: 'rustc 1.96.0 at /usr/bin/rustc',
    args: ['-Zbuild-std=core,alloc'],
    env: { RUSTC: '/usr/bin/rustc', RUSTC_BOOTSTRAP: '1', CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: '/sysroot/rust-lld' },
  });
  assert.deepEqual(did, ['rustup', 'apt']);
});

test("Debian's packages are not installed again where they are", async () => {
  const { did, machine } = wasmMachine({ debianRustc: () => '/usr/bin/rustc', wish: 'debian', hasTarget: () => true });
  assert.equal((await findToolchain(machine)).env.RUSTC, '/usr/bin/rustc');
  assert.deepEqual(did, []);
});

/** @type {[string, object][]} */
const withoutCompiler = [
  ['not on Debian, or not root', { canInstall: () => false }],
  ["with a Debian whose rustc is too old", { identity: () => 'rustc 1.63.0' }],
  ['without a linker for wasm', { linker: () => undefined }],
  ['where only rustup is wanted', { wish: 'rustup' }],
];
for (const [what, changes] of withoutCompiler) {
  test(`${what}, one sentence says how to get the target`, async () => {
    await assert.rejects(
      findToolchain(wasmMachine(changes).machine),
      new Failure(
        "The wasm build needs Rust's wasm32-unknown-unknown target: run `rustup target add wasm32-unknown-unknown` " +
          '(or, on Debian, `apt install rustc-web rust-web-src`).',
      ),
    );
  });
}

test('an unknown wish for a compiler is refused', async () => {
  await assert.rejects(findToolchain(wasmMachine({ wish: 'nightly' }).machine), /is 'nightly', but must be 'rustup', 'debian'/);
});

/** @param {Record<string, string>} programs name to path @param {object} changes */
function browserMachine(programs, changes = {}) {
  const installed = { ...programs };
  return {
    chosen: undefined,
    locate: (/** @type {string} */ name) => installed[name],
    version: (/** @type {string} */ path) => (Object.values(installed).includes(path) ? 'Chromium 1' : undefined),
    canInstall: () => false,
    install: async () => void (installed.chromium = '/usr/bin/chromium'),
    ...changes,
  };
}

test('the browser that CHROMIUM_PATH names is taken before any other', async () => {
  const machine = browserMachine({ chromium: '/usr/bin/chromium', own: '/opt/chrome' }, { chosen: '/opt/chrome' });
  assert.equal(await findBrowser(machine), '/opt/chrome');
});

test("a CHROMIUM_PATH that names no browser is an error, not a reason to look elsewhere", async () => {
  const machine = browserMachine({ chromium: '/usr/bin/chromium' }, { chosen: '/opt/gone' });
  await assert.rejects(findBrowser(machine), /CHROMIUM_PATH is \/opt\/gone, but no Chromium or Chrome answers/);
});

test('a stub that does not run is passed over', async () => {
  const machine = browserMachine({ 'google-chrome': '/usr/bin/google-chrome' });
  const { locate } = machine;
  machine.locate = (name) => (name === 'chromium-browser' ? '/usr/bin/chromium-browser' : locate(name));
  assert.equal(await findBrowser(machine), '/usr/bin/google-chrome');
});

test('a browser is installed where there is none and it can be', async () => {
  assert.equal(await findBrowser(browserMachine({}, { canInstall: () => true })), '/usr/bin/chromium');
});

test('without a browser one sentence says what to install', async () => {
  await assert.rejects(findBrowser(browserMachine({})), /The browser test needs Chromium or Chrome: install it/);
});

/** @param {string[]} titles of the programs that are there */
const finder = (titles) => async (/** @type {import('../lib/program.mjs').Program} */ { title }) => {
  if (titles.includes(title)) return `/usr/bin/${title}`;
  throw new Failure(`The interop tests need ${title}.`);
};

test('the peers are told to the tests by their paths', async () => {
  /** @type {string[]} */
  const said = [];
  const env = await findPeers({ find: finder(['Firefox', 'nginx', 'HAProxy']), ci: true, say: (line) => said.push(line) });
  assert.deepEqual(env, { FIREFOX_PATH: '/usr/bin/Firefox', NGINX_PATH: '/usr/bin/nginx', HAPROXY_PATH: '/usr/bin/HAProxy' });
  assert.deepEqual(said, ['✓ Firefox: /usr/bin/Firefox', '✓ nginx: /usr/bin/nginx', '✓ HAProxy: /usr/bin/HAProxy']);
});

test('a peer that can not be had is said to be skipped, and fails in CI', async () => {
  /** @type {string[]} */
  const said = [];
  const find = finder(['Firefox', 'HAProxy']);
  const env = await findPeers({ find, ci: false, say: (line) => said.push(line) });
  assert.equal(env.NGINX_PATH, '');
  assert.equal(said[1], '✗ nginx: not here, so its tests are SKIPPED. The interop tests need nginx.');
  await assert.rejects(findPeers({ find, ci: true, say() {} }), new Failure('The interop tests need nginx.'));
});

test('a wall is breached by a forbidden crate and its family, and by nothing that only looks like it', () => {
  const tree = 'itoden-core v0.1.0 (core)\nbytes v1.12.0\ntokio-util v0.7.0\nmiow v0.6.0\nh2 v0.4.0\nh2 v0.4.0\nhyperbole v1.0.0\n';
  assert.deepEqual(breaches(tree, ['tokio', 'mio', 'hyper', 'h2']), ['h2', 'tokio-util']);
  assert.deepEqual(breaches('itoden-core v0.1.0\nbytes v1.12.0', ['tokio', 'mio']), []);
});
