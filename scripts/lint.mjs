// npm run lint: every check that is not a test. All of them run, even if one fails.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, runMain } from './lib/failure.mjs';
import { cargo as fuzzCargo } from './lib/fuzz.mjs';
import { generate, snapshot, staleFiles } from './lib/generated.mjs';
import { repository } from './lib/numbers.mjs';
import { benchManifest, built, kept, root, venvPython, workspaces } from './lib/paths.mjs';
import { venvEnvironment } from './lib/python.mjs';
import { ask, run } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';
import { seconds } from './lib/stamp.mjs';
import { breaches, treeArguments, walls } from './lib/walls.mjs';

/** @typedef {{ name: string, check: () => Promise<void> | void }} Lint */

/** @param {string} name @param {string} command @param {...string} args @returns {Lint} */
const program = (name, command, ...args) => ({ name, check: () => run(command, args) });

/** @param {string} name @param {...string} args @returns {Lint} */
const python = (name, ...args) => ({ name, check: () => run(venvPython, ['-m', ...args], { env: venvEnvironment }) });

/** The benchmark is a workspace of its own, but needs no folder of its own for what is built. */
const benchWorkspace = ['--locked', '--manifest-path', benchManifest, '--target-dir', process.env.CARGO_TARGET_DIR ?? kept];

/**
 * The Python module for a CPython without a global interpreter lock, which need not be there: PyO3 reads what it would ask it. In a
 * folder of its own, or PyO3 would be built anew for each of the two.
 */
const freeThreaded = {
  args: ['clippy', '--locked', '-p', 'itoden-python', '--target-dir', join(built, 'free-threaded'), '--', '-D', 'warnings'],
  env: { PYO3_CONFIG_FILE: join(root, 'scripts', 'lib', 'cpython-3.14t.txt') },
};

/** @param {string[]} problems */
function none(problems) {
  if (problems.length > 0) throw new Failure(problems.join('\n'));
}

function checkWalls() {
  none(
    walls.flatMap(({ crate, forbidden }) => {
      const { code, output } = ask('cargo', treeArguments(crate));
      if (code !== 0 || !output.startsWith(crate)) return [`\`cargo tree -p ${crate}\` failed:\n${output}`];
      const names = breaches(output, forbidden);
      return names.length === 0 ? [] : [`${crate} must not depend on ${names.join(', ')}.`];
    }),
  );
}

/** Every link in the documentation leads somewhere. */
function checkDocs() {
  const args = ['doc', '--quiet', '--locked', '--no-deps', '-p', 'itoden-core', '-p', 'itoden-net'];
  return run('cargo', args, { env: { RUSTDOCFLAGS: '-D warnings' } });
}

/** With the flags that the targets are run with, so that libFuzzer is not built a second time. */
function checkFuzz() {
  const { args, env } = fuzzCargo('clippy', '--bins', '--', '-D', 'warnings');
  return run('cargo', args, { env });
}

/** What uses the Python package: examples, and the programs that tests across rooms run. */
function pythonPrograms() {
  return ['examples', 'tests']
    .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`))
    .filter((path) => path.endsWith('.py') && !path.includes('node_modules/'));
}

/** Node has to be able to read each script before anything is installed. */
async function checkScriptsParse() {
  for (const folder of ['scripts', 'scripts/lib', 'scripts/tests']) {
    for (const name of readdirSync(join(root, folder)).filter((file) => file.endsWith('.mjs'))) {
      await run(process.execPath, ['--check', `${folder}/${name}`]);
    }
  }
}

/** @type {Lint[]} */
const lints = [
  program('rustfmt', 'cargo', 'fmt', '--all', '--check'),
  // --locked here and in the walls also proves that Cargo.lock is up to date.
  program('clippy', 'cargo', 'clippy', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings'),
  { name: 'clippy for free-threaded Python', check: () => run('cargo', freeThreaded.args, { env: freeThreaded.env }) },
  program('clippy without compression', 'cargo', 'clippy', '--locked', '-p', 'itoden-core', '--no-default-features', '--', '-D', 'warnings'),
  program('rustfmt of the benchmark', 'cargo', 'fmt', '--manifest-path', benchManifest, '--check'),
  program('clippy of the benchmark', 'cargo', 'clippy', ...benchWorkspace, '--all-targets', '--', '-D', 'warnings'),
  program('rustfmt of the fuzz targets', 'cargo', 'fmt', '--manifest-path', 'core/fuzz/Cargo.toml', '--check'),
  { name: 'clippy of the fuzz targets', check: checkFuzz },
  { name: 'docs of the crates', check: checkDocs },
  { name: 'walls between the crates', check: checkWalls },
  { name: 'scripts parse', check: checkScriptsParse },
  program('types of scripts', 'npm', 'run', '--silent', 'typecheck'),
  ...workspaces.map((folder) => program(`types of ${folder}`, 'npm', 'run', '--silent', 'typecheck', '-w', folder)),
  python('ruff check', 'ruff', 'check', '.'),
  python('ruff format', 'ruff', 'format', '--check', '.'),
  python('mypy of the package', 'mypy', '--strict'), // pyproject.toml names its files
  { name: 'mypy of the programs', check: () => python('', 'mypy', '--strict', ...pythonPrograms()).check() },
  python('mypy.stubtest of the package', 'mypy.stubtest', 'itoden'),
  python('pyright of the package', 'pyright'),
  { name: 'one version number', check: () => none(repository(root).check()) },
  {
    name: 'generated files are up to date',
    async check() {
      const before = snapshot();
      await generate();
      none(staleFiles(before));
    },
  },
];

await runMain(async () => {
  await setUp(['npm', 'node', 'python', 'wasm']); // the type checks read what the builds declare
  /** @type {string[]} */
  const results = [];
  let failed = 0;
  for (const { name, check } of lints) {
    console.log(`\n=== ${name}`);
    const began = Date.now();
    try {
      await check();
      results.push(`✓ ${name} (${seconds(began)})`);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.error(error.message);
      results.push(`✗ ${name} (${seconds(began)})`);
      failed += 1;
    }
  }
  console.log(`\n${results.join('\n')}`);
  console.log(failed === 0 ? `All ${lints.length} checks are fine.` : `Of ${lints.length} checks, ${failed} found something.`);
  return failed === 0 ? 0 : 1;
});
