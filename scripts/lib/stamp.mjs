// Steps that are skipped when nothing they depend on has changed.
//
// A step's stamp holds a hash of its inputs as they were when it began and a hash of its outputs as it left them. The step
// runs unless both still hold: so an edited input, a lost or changed output, another tool version or a rerun of a step
// it builds on each lead to a rebuild. The inputs are read before the step runs, so an edit during it is seen next time.

import { createHash, randomUUID } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { kept, root as repository } from './paths.mjs';

/** Folders and files inside an input folder that other steps or tools write. An input named itself is always read. */
const derivedFolders = new Set([
  'node_modules', 'target', 'dist', 'data', '__pycache__', '.git', '.venv', '.pytest_cache', '.mypy_cache', '.ruff_cache',
]);
const derivedFiles = /\.(node|so|pyd|pyc|tsbuildinfo)$/;

/**
 * @typedef {object} Step
 * @property {string} name the stamp's file name
 * @property {string} title what the step does, as one reads it in the progress: 'Node addon'
 * @property {string} firstRun how long it takes the first time: 'about 2 min'
 * @property {string[]} inputs files and folders, relative to the root
 * @property {string[]} [except] files among the inputs that the step itself writes
 * @property {string[]} [key] what else it depends on: versions of tools, options
 * @property {string[]} [after] names of steps whose rerun makes this one stale
 * @property {string[] | (() => string[])} outputs files and folders that the step leaves, relative to the root
 * @property {() => Promise<void> | void} run
 */

/**
 * The hash of files' names and bytes.
 * @param {string} root
 * @param {string[]} paths
 * @param {{ skipDerived: boolean, except?: string[] }} options
 */
export function hashFiles(root, paths, { skipDerived, except = [] }) {
  const hash = createHash('sha256');
  const skipped = new Set(except);
  /** @param {string} path */
  const visit = (path) => {
    if (skipped.has(path)) return;
    const full = join(root, path);
    const stat = lstatSync(full);
    if (stat.isSymbolicLink()) {
      hash.update(`link ${path}\0${readlinkSync(full)}\0`);
    } else if (stat.isDirectory()) {
      hash.update(`folder ${path}\0`);
      for (const entry of readdirSync(full, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
        if (skipDerived && (entry.isDirectory() ? derivedFolders.has(entry.name) : derivedFiles.test(entry.name))) continue;
        visit(`${path}/${entry.name}`);
      }
    } else if (stat.isFile()) {
      const bytes = readFileSync(full);
      hash.update(`file ${path}\0${bytes.length}\0`).update(bytes);
    }
  };
  for (const path of paths) visit(path);
  return hash.digest('hex');
}

/**
 * @param {object} [options]
 * @param {string} [options.root] what paths are relative to
 * @param {string} [options.folder] where the stamps are kept
 * @param {(line: string) => void} [options.log]
 */
export function stamps({ root = repository, folder = join(kept, '.stamps'), log = console.log } = {}) {
  /** @param {string} name */
  const stampFile = (name) => join(folder, `${name}.json`);

  /** @param {string} name @returns {{ inputs?: string, outputs?: string, id?: string }} */
  function read(name) {
    try {
      return JSON.parse(readFileSync(stampFile(name), 'utf8')) ?? {};
    } catch {
      return {}; // none yet, or cut off half-way: the step runs
    }
  }

  /** @param {Step} step */
  function inputHash(step) {
    const missing = step.inputs.find((path) => !existsSync(join(root, path)));
    if (missing) throw new Failure(`${step.title} can't be built because ${missing} is missing from the tree.`);
    return createHash('sha256')
      .update(hashFiles(root, step.inputs, { skipDerived: true, except: step.except }))
      .update(JSON.stringify([step.key ?? [], (step.after ?? []).map((name) => read(name).id)]))
      .digest('hex');
  }

  /** The hash of what the step leaves; undefined where a part of it is not there. @param {Step} step */
  function outputHash(step) {
    const outputs = typeof step.outputs === 'function' ? step.outputs() : step.outputs;
    if (outputs.length === 0 || outputs.some((path) => !existsSync(join(root, path)))) return undefined;
    return hashFiles(root, outputs, { skipDerived: false });
  }

  /**
   * Runs the step unless its stamp holds.
   * @param {Step} step
   * @returns {Promise<boolean>} whether it ran
   */
  async function ensure(step) {
    const inputs = inputHash(step);
    const stamp = read(step.name);
    if (stamp.inputs === inputs && stamp.outputs !== undefined && stamp.outputs === outputHash(step)) {
      log(`✓ ${step.title}: up to date`);
      return false;
    }
    log(`… ${step.title}: building (${step.firstRun} on a first run)`);
    const began = Date.now();
    rmSync(stampFile(step.name), { force: true }); // a step cut off half-way has no stamp
    await step.run();
    const outputs = outputHash(step);
    if (outputs === undefined) {
      const expected = typeof step.outputs === 'function' ? 'what it should' : step.outputs.join(', ');
      throw new Failure(`${step.title} was built without an error, but did not leave ${expected}.`);
    }
    mkdirSync(folder, { recursive: true });
    writeFileSync(stampFile(step.name), JSON.stringify({ inputs, outputs, id: randomUUID() }));
    log(`✓ ${step.title}: done in ${seconds(began)}`);
    return true;
  }

  return { ensure };
}

/** @param {number} began a reading of Date.now() */
export function seconds(began) {
  const elapsed = (Date.now() - began) / 1000;
  return `${elapsed < 10 ? elapsed.toFixed(1) : Math.round(elapsed)} s`;
}
