// From the crate bindings-wasm to dist/: cargo once for each module, then `wasm-shrink.mjs`.
//
// The compiler is the user's own with rustup's wasm32 target. Where that can't be had, Debian's rustc for the web comes in:
// it has nothing ready for wasm32, so cargo builds core and alloc from their sources, which takes about 20 s more.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as apt from './apt.mjs';
import { Failure } from './failure.mjs';
import { kept, root } from './paths.mjs';
import { ask, run } from './run.mjs';
import { isAtLeast, leastRust, versionIn } from './tools.mjs';

const target = 'wasm32-unknown-unknown';
const crateOutput = join(kept, 'wasm', target, 'wasm', 'itoden_wasm.wasm');
const debianPackages = ['rustc-web', 'rust-web-src'];

/** The modules of the package, by the cargo feature that each is built with, and whether it makes sentences itself. */
const modules = [
  { name: 'frames', sentences: false },
  { name: 'codec', sentences: false },
  { name: 'deflate', sentences: false },
  { name: 'handshake', sentences: true },
];

export const wasmOutputs = modules.map(({ name }) => `bindings-wasm/dist/${name}.wasm`);

/**
 * @typedef {object} Toolchain
 * @property {string} identity of the compiler, for the stamp
 * @property {string[]} args what cargo needs besides --target
 * @property {Record<string, string>} env
 */

/**
 * @typedef {object} Machine what the search asks for and may change; replaced by tests
 * @property {string | undefined} wish 'rustup' or 'debian', to leave the other way untried
 * @property {() => boolean} hasTarget
 * @property {() => boolean} addTarget
 * @property {() => string | undefined} debianRustc the path, where the packages are installed
 * @property {() => boolean} canInstall
 * @property {(packages: string[]) => Promise<void>} install
 * @property {() => string | undefined} linker
 * @property {(rustc: string) => string} identity
 */

const sysroot = () => ask('rustc', ['--print', 'sysroot']).output;

/** @type {Machine} */
const machine = {
  wish: process.env.ITODEN_WASM_TOOLCHAIN,
  hasTarget: () => existsSync(join(sysroot(), 'lib', 'rustlib', target, 'lib')),
  addTarget: () => ask('rustup', ['target', 'add', target], { timeout: 120_000 }).code === 0 && machine.hasTarget(),
  debianRustc() {
    const listing = debianPackages.map((name) => ask('dpkg', ['-L', name]));
    if (listing.some(({ code }) => code !== 0)) return undefined;
    return listing[0].output.split('\n').find((path) => path.endsWith('/bin/rustc'));
  },
  canInstall: apt.canInstall,
  install: apt.install,
  linker() {
    const host = /^host: (.*)$/m.exec(ask('rustc', ['-vV']).output)?.[1] ?? '';
    const path = join(sysroot(), 'lib', 'rustlib', host, 'bin', 'rust-lld');
    return existsSync(path) ? path : undefined;
  },
  identity: (rustc) => ask(rustc, ['-vV']).output,
};

/**
 * Finds a compiler for wasm32, or installs one.
 * @param {Machine} probe
 * @returns {Promise<Toolchain>}
 */
export async function findToolchain(probe = machine) {
  if (probe.wish !== undefined && !['rustup', 'debian'].includes(probe.wish)) {
    throw new Failure(`ITODEN_WASM_TOOLCHAIN is '${probe.wish}', but must be 'rustup', 'debian' or not set.`);
  }
  if (probe.wish !== 'debian' && (probe.hasTarget() || probe.addTarget())) {
    return { identity: probe.identity('rustc'), args: [], env: {} };
  }
  if (probe.wish !== 'rustup') {
    const debian = await findDebianToolchain(probe);
    if (debian) return debian;
  }
  throw new Failure(
    `The wasm build needs Rust's ${target} target: run \`rustup target add ${target}\` ` +
      `(or, on Debian, \`apt install ${debianPackages.join(' ')}\`).`,
  );
}

/** @param {Machine} probe @returns {Promise<Toolchain | undefined>} */
async function findDebianToolchain(probe) {
  const linker = probe.linker();
  if (!linker) return undefined;
  if (!probe.debianRustc() && probe.canInstall()) await probe.install(debianPackages);
  const rustc = probe.debianRustc();
  if (!rustc) return undefined;
  const identity = probe.identity(rustc);
  if (!isAtLeast(versionIn(identity) ?? '0', leastRust())) return undefined;
  return {
    identity,
    args: ['-Zbuild-std=core,alloc'],
    env: {
      RUSTC: rustc,
      RUSTC_BOOTSTRAP: '1', // -Zbuild-std is a nightly option; the sources are those of this very rustc
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker,
    },
  };
}

/** @param {Toolchain} toolchain @returns {import('./stamp.mjs').Step} */
export function wasmStep(toolchain) {
  return {
    name: 'wasm',
    title: 'wasm modules',
    firstRun: 'about 1 min',
    inputs: ['Cargo.toml', 'Cargo.lock', 'core', 'bindings-wasm/Cargo.toml', 'bindings-wasm/src', 'scripts/lib/wasm-shrink.mjs', 'scripts/lib/wasm-data.mjs'],
    key: [toolchain.identity, ...toolchain.args, process.env.RUSTFLAGS ?? ''],
    after: ['npm'],
    outputs: wasmOutputs,
    async run() {
      // Only now, since it needs what npm installs.
      const { shrink } = await import('./wasm-shrink.mjs');
      mkdirSync(join(root, 'bindings-wasm', 'dist'), { recursive: true });
      const args = ['rustc', '--profile', 'wasm', '-p', 'itoden-wasm', '--lib', '--target', target, '--no-default-features'];
      for (const { name, sentences } of modules) {
        await run('cargo', [...args, '--features', name, ...toolchain.args, '--', '-C', 'link-arg=--emit-relocs'], {
          env: { ...toolchain.env, CARGO_TARGET_DIR: join(kept, 'wasm') },
        });
        const shrunk = shrink(readFileSync(crateOutput), { sentences });
        writeFileSync(join(root, 'bindings-wasm', 'dist', `${name}.wasm`), shrunk);
      }
    },
  };
}
