// The tools that a machine has to bring: Rust, Node, Python and a C compiler. Everything else is installed by the scripts.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { root } from './paths.mjs';
import { ask } from './run.mjs';

const leastNode = '20.0.0';
const leastPython = '3.11.0';
const pythonNames = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python'];

/** @typedef {(command: string, args: string[]) => import('./run.mjs').Result} Ask */
/** @typedef {{ command: string, version: string }} Tool */
/** @typedef {{ rustc: Tool, cargo: Tool, python: Tool }} Tools */

/**
 * The first version number in a text: '1.95.0' of 'rustc 1.95.0 (59807616e 2026-04-14)'.
 * @param {string} text
 */
export function versionIn(text) {
  return /\d+\.\d+(\.\d+)?/.exec(text)?.[0];
}

/** @param {string} version @param {string} least */
export function isAtLeast(version, least) {
  const parts = version.split('.').map(Number);
  for (const [i, wanted] of least.split('.').map(Number).entries()) {
    const had = parts[i] ?? 0;
    if (had !== wanted) return had > wanted;
  }
  return true;
}

/** The oldest Rust that the workspace allows. */
export function leastRust(manifest = readFileSync(join(root, 'Cargo.toml'), 'utf8')) {
  const version = /^rust-version\s*=\s*"([\d.]+)"/m.exec(manifest)?.[1];
  if (!version) throw new Failure('Cargo.toml names no rust-version in [workspace.package].');
  return version;
}

/**
 * Checks all tools that every build needs.
 * @param {object} [probe] replaced by tests
 * @param {Ask} [probe.ask]
 * @param {string} [probe.node]
 * @param {string} [probe.rust]
 * @param {string} [probe.platform]
 * @returns {Tools}
 */
export function checkTools({
  ask: probe = ask,
  node = process.versions.node,
  rust = leastRust(),
  platform = process.platform,
} = {}) {
  checkNode(node);
  const rustc = checkRust(probe, 'rustc', rust);
  const cargo = checkRust(probe, 'cargo', rust);
  const python = findPython(probe);
  checkCompiler(probe, platform);
  return { rustc, cargo, python };
}

/** @param {string} version */
function checkNode(version) {
  if (!isAtLeast(version, leastNode)) {
    throw new Failure(`Node is version ${version}, but 20 or newer is needed: install it from https://nodejs.org.`);
  }
}

/** @param {Ask} probe @param {'rustc' | 'cargo'} command @param {string} least @returns {Tool} */
function checkRust(probe, command, least) {
  const { code, output, found } = probe(command, ['--version']);
  if (!found) {
    throw new Failure(`Rust is missing (no ${command} on the PATH): install ${least} or newer from https://rustup.rs.`);
  }
  const version = versionIn(output);
  if (code !== 0 || !version) {
    throw new Failure(
      `\`${command} --version\` failed ('${firstLine(output)}'): install Rust ${least} or newer from https://rustup.rs.`,
    );
  }
  if (!isAtLeast(version, least)) {
    throw new Failure(`${command} is version ${version}, but ${least} or newer is needed: run \`rustup update stable\`.`);
  }
  return { command, version };
}

/** @param {Ask} probe @returns {Tool} */
function findPython(probe) {
  let old = '';
  let bare = '';
  for (const command of pythonNames) {
    const { code, output, found } = probe(command, ['-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])']);
    const version = versionIn(output);
    if (!found || code !== 0 || !version) continue;
    if (!isAtLeast(version, leastPython)) old ||= version;
    // Debian keeps ensurepip, without which no venv gets a pip, in a package of its own.
    else if (probe(command, ['-c', 'import venv, ensurepip']).code !== 0) bare ||= `${command} (${version})`;
    else return { command, version };
  }
  if (bare) {
    throw new Failure(`${bare} has no venv module: install it with the system's packages (Debian: apt install python3-venv).`);
  }
  if (old) throw new Failure(`Python is version ${old}, but 3.11 or newer is needed: install it from https://www.python.org.`);
  throw new Failure('Python is missing (no python3 on the PATH): install 3.11 or newer from https://www.python.org.');
}

/** @param {Ask} probe @param {string} platform */
function checkCompiler(probe, platform) {
  if (platform === 'win32') return; // Rust's own installer sees to Microsoft's linker
  if (probe('cc', ['--version']).code === 0) return;
  const how = platform === 'darwin' ? 'xcode-select --install' : "the system's packages (Debian: apt install build-essential)";
  throw new Failure(`A C compiler is missing (no working cc on the PATH): install one with ${how}.`);
}

/** @param {string} text */
function firstLine(text) {
  return text.split('\n', 1)[0];
}
