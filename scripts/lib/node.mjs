// npm's packages, the Node addon and the TypeScript of both npm packages.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, workspaces } from './paths.mjs';
import { run } from './run.mjs';
import { wasmOutputs } from './wasm.mjs';

const manifests = ['package.json', 'package-lock.json', ...workspaces.map((folder) => `${folder}/package.json`)];

/** What napi writes beside the addon; both files are committed. */
export const nativeGenerated = ['bindings-node/native.js', 'bindings-node/native.d.ts'];

/** @param {string} script @param {string} workspace */
const npmRun = (script, workspace) => run('npm', ['run', '--silent', script, '-w', workspace]);

/** @returns {import('./stamp.mjs').Step} */
export function npmStep() {
  return {
    name: 'npm',
    title: 'npm packages',
    firstRun: 'about 20 s',
    inputs: manifests,
    key: [process.version],
    outputs: ['node_modules/.package-lock.json'],
    run: () => run('npm', ['ci', '--no-audit', '--no-fund']),
  };
}

/** @param {string} rust @returns {import('./stamp.mjs').Step} */
export function addonStep(rust) {
  return {
    name: 'node-addon',
    title: 'Node addon',
    firstRun: 'about 2 min',
    inputs: [
      'Cargo.toml', 'Cargo.lock', 'core',
      'bindings-node/Cargo.toml', 'bindings-node/build.rs', 'bindings-node/src', 'bindings-node/package.json',
    ],
    key: [rust, process.version, process.env.RUSTFLAGS ?? ''],
    after: ['npm'],
    outputs: () => [...nativeGenerated, ...addonFiles()],
    run: () => npmRun('build:native', 'bindings-node'),
  };
}

/** The built addon, whose name has the platform in it. */
function addonFiles() {
  const folder = 'bindings-node';
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith('.node'));
  return files.length > 0 ? files.map((name) => `${folder}/${name}`) : [`${folder}/*.node`];
}

/** @returns {import('./stamp.mjs').Step} */
export function nodeTypeScriptStep() {
  return {
    name: 'node-typescript',
    title: 'TypeScript of itoden',
    firstRun: 'about 5 s',
    inputs: ['bindings-node'],
    after: ['npm'],
    outputs: ['bindings-node/dist'],
    run: () => npmRun('build:ts', 'bindings-node'),
  };
}

/** @returns {import('./stamp.mjs').Step} */
export function wasmTypeScriptStep() {
  return {
    name: 'wasm-typescript',
    title: 'TypeScript of itoden-wasm',
    firstRun: 'about 5 s',
    inputs: ['bindings-wasm', ...wasmOutputs.filter((path) => path.endsWith('.d.ts'))],
    after: ['npm'],
    // The wasm step shares the folder, so a rerun of it makes this output differ and runs this again, which is cheap.
    outputs: ['bindings-wasm/dist'],
    run: () => npmRun('build:ts', 'bindings-wasm'),
  };
}
