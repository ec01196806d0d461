// From the crate bindings-wasm to dist/: cargo, wasm-bindgen, wasm-opt.
//
// The compiler is the user's own with rustup's wasm32 target. Where that can't be had, Debian's rustc for the web comes in:
// it has no ready std for wasm32, so cargo builds std from its sources, which takes about 30 s more.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as apt from './apt.mjs';
import { Failure } from './failure.mjs';
import { kept, root } from './paths.mjs';
import { ask, run } from './run.mjs';
import { isAtLeast, leastRust, versionIn } from './tools.mjs';

const target = 'wasm32-unknown-unknown';
const crateOutput = join(kept, 'wasm', target, 'release', 'itoden_wasm.wasm');
const debianPackages = ['rustc-web', 'rust-web-src'];

/** What every browser of the last years has, and what rustc takes for granted for this target. */
const features = [
  'bulk-memory', 'multivalue', 'mutable-globals', 'nontrapping-float-to-int', 'reference-types', 'sign-ext',
].map((feature) => `--enable-${feature}`);

export const wasmOutputs = [
  'bindings-wasm/dist/itoden_wasm.js',
  'bindings-wasm/dist/itoden_wasm.d.ts',
  'bindings-wasm/dist/itoden_wasm_bg.wasm',
  'bindings-wasm/dist/itoden_wasm_bg.wasm.d.ts',
];

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
    args: ['-Zbuild-std=std,panic_abort'],
    env: {
      RUSTC: rustc,
      RUSTC_BOOTSTRAP: '1', // -Zbuild-std is a nightly option; the sources are those of this very rustc
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker,
    },
  };
}

/** The version of the wasm-bindgen crate; the tool of that name must be of the very same. */
export function bindgenVersion(lock = readFileSync(join(root, 'Cargo.lock'), 'utf8')) {
  const version = /^name = "wasm-bindgen"\nversion = "([^"]+)"$/m.exec(lock)?.[1];
  if (!version) throw new Failure('Cargo.lock names no wasm-bindgen, which bindings-wasm is built with.');
  return version;
}

/** @param {string} version */
const bindgenRoot = (version) => join('target', 'tools', `wasm-bindgen-${version}`);

/** @param {string} version @param {string} rust @returns {import('./stamp.mjs').Step} */
export function bindgenStep(version, rust) {
  const folder = bindgenRoot(version);
  return {
    name: 'wasm-bindgen',
    title: `wasm-bindgen ${version}`,
    firstRun: 'about 1 min',
    inputs: [],
    key: [version, rust],
    outputs: [join(folder, 'bin', 'wasm-bindgen')],
    async run() {
      const building = join(root, folder, 'building');
      // --debug builds in half the time, and a run takes 30 ms either way.
      const how = ['--debug', '--no-default-features', '--force', '--quiet', '--root', join(root, folder)];
      await run('cargo', ['install', 'wasm-bindgen-cli', '--version', `=${version}`, ...how], {
        env: { CARGO_TARGET_DIR: building, CARGO_PROFILE_DEV_DEBUG: '0', RUSTFLAGS: '' },
      });
      rmSync(building, { recursive: true, force: true });
    },
  };
}

/** @param {Toolchain} toolchain @param {string} bindgen @returns {import('./stamp.mjs').Step} */
export function wasmStep(toolchain, bindgen) {
  return {
    name: 'wasm',
    title: 'wasm module',
    firstRun: 'about 1 min',
    inputs: ['Cargo.toml', 'Cargo.lock', 'core', 'bindings-wasm/Cargo.toml', 'bindings-wasm/src'],
    key: [toolchain.identity, ...toolchain.args, bindgen, ...features, process.env.RUSTFLAGS ?? ''],
    after: ['npm', 'wasm-bindgen'],
    outputs: wasmOutputs,
    async run() {
      await run('cargo', ['build', '--release', '-p', 'itoden-wasm', '--target', target, ...toolchain.args], {
        env: { ...toolchain.env, CARGO_TARGET_DIR: join(kept, 'wasm') },
      });
      const dist = join(root, 'bindings-wasm', 'dist');
      mkdirSync(dist, { recursive: true });
      const tool = join(root, bindgenRoot(bindgen), 'bin', 'wasm-bindgen');
      await run(tool, ['--target', 'web', '--out-dir', dist, '--out-name', 'itoden_wasm', crateOutput]);
      const module = join(dist, 'itoden_wasm_bg.wasm');
      const optimized = `${module}.optimized`;
      const wasmOpt = join(root, 'node_modules', 'binaryen', 'bin', 'wasm-opt');
      await run(process.execPath, [wasmOpt, '-O3', ...features, module, '-o', optimized]);
      renameSync(optimized, module);
    },
  };
}
