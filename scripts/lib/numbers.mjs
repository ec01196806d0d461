// The one version number. Its source is [workspace.package] in the root Cargo.toml; everything else repeats it:
// the workspace's own dependencies and Cargo.lock, each package.json with the ranges between our npm packages, and
// package-lock.json. pyproject.toml doesn't: maturin takes the number from Cargo.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';

/** @typedef {{ name: string, version?: string, workspaces?: string[], [section: string]: any }} Manifest */

const sections = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'];
const semver = /^\d+\.\d+\.\d+(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

/** The number itself: [workspace.package] version. */
const workspaceVersion = /(\[workspace\.package\][^[]*?^version = ")([^"]+)(")/m;
/** A dependency on a crate of this tree: `name = { path = "core", version = "0.1.0" }`. */
const pathDependency = /^([\w-]+)( = \{[^}\n]*\bpath = "[^"]+"[^}\n]*\bversion = ")([^"]+)(")/gm;
/** The lock file of the workspace, and that of the fuzz targets, which names the core too. */
const cargoLocks = ['Cargo.lock', 'core/fuzz/Cargo.lock'];
/** A package of a Cargo.lock that has no source, so one of this tree; 0.0.0 is cargo's word for one that is never published. */
const ownLocked = /(\[\[package\]\]\nname = "([^"]+)"\nversion = ")(?!0\.0\.0")([^"]+)("\n(?!source = ))/g;

/** @param {string} root */
export function repository(root) {
  /** @param {string} path */
  const text = (path) => {
    if (!existsSync(join(root, path))) throw new Failure(`${path} is missing, so its version number can't be read.`);
    return readFileSync(join(root, path), 'utf8');
  };
  /** @param {string} path @param {string} content */
  const write = (path, content) => writeFileSync(join(root, path), content);
  /** @param {string} path @returns {Manifest} */
  const json = (path) => JSON.parse(text(path));

  const manifests = () => ['', ...(json('package.json').workspaces ?? [])].map((folder) => join(folder, 'package.json'));
  const crates = () => {
    const members = /^members = \[([^\]]*)\]/m.exec(text('Cargo.toml'))?.[1] ?? '';
    return [...members.matchAll(/"([^"]+)"/g)].map(([, folder]) => join(folder, 'Cargo.toml'));
  };

  /** The number that all others have to equal. */
  function version() {
    const found = workspaceVersion.exec(text('Cargo.toml'))?.[2];
    if (!found) throw new Failure('Cargo.toml has no version in [workspace.package].');
    return found;
  }

  /**
   * Each place that repeats the number in a manifest, as [what it is, the number there, a way to write it].
   * @param {Manifest} manifest
   * @param {Set<string>} ours
   * @returns {[string, unknown, (value: string) => void][]}
   */
  function placesIn(manifest, ours) {
    /** @type {[string, unknown, (value: string) => void][]} */
    const places = [['version', manifest.version, (value) => (manifest.version = value)]];
    for (const section of sections) {
      for (const name of Object.keys(manifest[section] ?? {}).filter((dependency) => ours.has(dependency))) {
        places.push([`${section} ${name}`, manifest[section][name], (value) => (manifest[section][name] = value)]);
      }
    }
    return places;
  }

  /**
   * Each place of package.json files and the lock file, file by file.
   * @param {(path: string, places: [string, unknown, (value: string) => void][]) => void} visit
   */
  function visitJson(visit) {
    const paths = manifests();
    const ours = new Set(paths.map((path) => json(path).name));
    for (const path of paths) {
      const manifest = json(path);
      visit(path, placesIn(manifest, ours));
      update(path, manifest);
    }
    const lock = json('package-lock.json');
    /** @type {[string, unknown, (value: string) => void][]} */
    const places = [['version', lock.version, (value) => (lock.version = value)]];
    for (const path of paths) {
      const folder = path.replace(/\/?package\.json$/, '');
      const entry = lock.packages?.[folder];
      if (!entry) throw new Failure(`package-lock.json doesn't know the workspace '${folder}': run \`npm install\`.`);
      for (const [what, value, set] of placesIn(entry, ours)) places.push([`packages['${folder}'] ${what}`, value, set]);
    }
    visit('package-lock.json', places);
    update('package-lock.json', lock);
  }

  /** @param {string} path @param {unknown} content */
  function update(path, content) {
    const before = text(path);
    const after = `${JSON.stringify(content, null, 2)}\n`;
    if (JSON.stringify(JSON.parse(before)) !== JSON.stringify(content)) write(path, after);
  }

  /** Writes the number everywhere. @param {string} wanted */
  function set(wanted) {
    if (!semver.test(wanted)) {
      throw new Failure(`'${wanted}' is no version number: wanted are three numbers, as in 1.2.3 or 1.2.3-rc.1.`);
    }
    version(); // there has to be one to replace
    const cargo = text('Cargo.toml');
    write(
      'Cargo.toml',
      cargo
        .replace(workspaceVersion, (_all, before, _old, after) => before + wanted + after)
        .replace(pathDependency, (_all, name, before, _old, after) => name + before + wanted + after),
    );
    for (const path of cargoLocks) {
      write(path, text(path).replace(ownLocked, (_all, before, _name, _old, after) => before + wanted + after));
    }
    visitJson((_path, places) => places.forEach(([, , write]) => write(wanted)));
  }

  /** What doesn't equal the number, one sentence each. */
  function check() {
    const wanted = version();
    /** @type {string[]} */
    const problems = [];
    /** @param {string} path @param {string} what @param {unknown} value */
    const compare = (path, what, value) => {
      if (value !== wanted) problems.push(`${path}: ${what} is ${value ?? 'not set'}, but Cargo.toml says ${wanted}.`);
    };
    for (const [, name, , value] of text('Cargo.toml').matchAll(pathDependency)) compare('Cargo.toml', `dependency ${name}`, value);
    for (const path of crates()) {
      if (!/^version\.workspace = true$/m.test(text(path))) problems.push(`${path} does not say \`version.workspace = true\`.`);
    }
    for (const path of cargoLocks) {
      for (const [, , name, value] of text(path).matchAll(ownLocked)) compare(path, name, value);
    }
    visitJson((path, places) => places.forEach(([what, value]) => compare(path, what, value)));
    const project = /^\[project\]\n([^]*?)(?=^\[|(?![^]))/m.exec(text('pyproject.toml'))?.[1] ?? '';
    if (!/^dynamic = \[[^\]]*"version"/m.test(project) || /^version\s*=/m.test(project)) {
      problems.push('pyproject.toml does not say `dynamic = ["version"]`, by which maturin takes the number from Cargo.');
    }
    return problems;
  }

  return { version, set, check };
}
