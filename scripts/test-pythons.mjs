// npm run test:pythons [-- VERSION...]: the tests of the Python room with other versions of CPython than that of `.venv`; by default
// with each from 3.12 on that is there, by name or in pyenv. Each has an environment of its own in target/pythons, into which a wheel
// for it is installed. It takes three minutes for each version the first time, so that `npm test` does not run it.

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure, runMain } from './lib/failure.mjs';
import { kept, root } from './lib/paths.mjs';
import { ask, run, stream } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';
import { countTests } from './lib/summary.mjs';
import { venv } from './lib/paths.mjs';

const known = ['3.12', '3.13', '3.13t', '3.14', '3.14t'];
const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');

/** A CPython of this version, if there is one. @param {string} version as in 3.13 or 3.14t */
function find(version) {
  const [number, threaded] = [version.replace('t', ''), version.endsWith('t')];
  const installed = existsSync(pyenv) ? readdirSync(pyenv).filter((name) => name.startsWith(`${number}.`) && name.endsWith('t') === threaded) : [];
  const code = 'import sys; print("%d.%d%s" % (*sys.version_info[:2], sys.abiflags))';
  return [`python${version}`, ...installed.map((name) => join(pyenv, name, 'bin', 'python'))].find(
    (command) => ask(command, ['-c', code]).output === version,
  );
}

/** @param {string} version @param {string} command */
async function test(version, command) {
  const folder = join(kept, 'pythons', version);
  const python = join(folder, 'venv', 'bin', 'python');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  if (!existsSync(python)) await run(command, ['-m', 'venv', '--clear', join(folder, 'venv')]);
  await run(python, [...pip, '-r', 'scripts/requirements-dev.txt']);
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
  await run(join(venv, 'bin', 'maturin'), ['build', '--release', '--quiet', '--interpreter', python, '--out', join(folder, 'dist')]);
  const [wheel] = readdirSync(join(folder, 'dist'));
  await run(python, [...pip, '--force-reinstall', '--no-deps', join(folder, 'dist', wheel)]);
  /** @type {string[]} */
  const lines = [];
  // test_consumer.py is about building; it was run with the one Python.
  const args = ['-m', 'pytest', 'bindings-python/tests', '--ignore', 'bindings-python/tests/test_consumer.py'];
  const code = await stream(python, args, { cwd: root, onLine: (line) => lines.push(line) });
  return { version, code, counts: countTests('pytest', lines) };
}

await runMain(async () => {
  const named = process.argv.slice(2);
  const unknown = named.find((version) => !known.includes(version));
  if (unknown !== undefined) throw new Failure(`'${unknown}' is none of the versions; there are ${known.join(', ')}.`);
  const found = (named.length > 0 ? named : known).map((version) => ({ version, command: find(version) }));
  const absent = found.filter(({ command }) => command === undefined).map(({ version }) => version);
  if (named.length > 0 && absent.length > 0) throw new Failure(`There is no CPython ${absent.join(', ')} here: install it, perhaps with pyenv.`);
  if (absent.length > 0) console.log(`Not here, so not tested: CPython ${absent.join(', ')}.`);
  await setUp(['python']);
  const results = [];
  for (const { version, command } of found) if (command !== undefined) results.push(await test(version, command));
  console.log();
  for (const { version, counts: { passed, failed, skipped } } of results) {
    console.log(`CPython ${version}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
  return results.length > 0 && results.every(({ code }) => code === 0) ? 0 : 1;
});
