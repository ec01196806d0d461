// The virtual environment and the extension module in it.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, venv, venvPython } from './paths.mjs';
import { run } from './run.mjs';

const requirements = 'scripts/requirements-dev.txt';
const packageFolder = 'bindings-python/itoden';

/** The environment of a program that belongs to the virtual environment. */
export const venvEnvironment = {
  VIRTUAL_ENV: venv,
  PATH: `${join(venv, 'bin')}:${process.env.PATH}`,
  PYTHONHOME: undefined,
};

/** @param {import('./tools.mjs').Tool} python @returns {import('./stamp.mjs').Step} */
export function venvStep(python) {
  return {
    name: 'venv',
    title: 'Python tools',
    firstRun: 'about 30 s',
    inputs: [requirements],
    key: [python.command, python.version],
    outputs: ['.venv/pyvenv.cfg', '.venv/bin/python', '.venv/bin/maturin'],
    async run() {
      await run(python.command, ['-m', 'venv', '--clear', venv]);
      await run(venvPython, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], {
        env: venvEnvironment,
      });
    },
  };
}

/** @param {string} rust @returns {import('./stamp.mjs').Step} */
export function extensionStep(rust) {
  return {
    name: 'python-extension',
    title: 'Python extension',
    firstRun: 'about 1 min',
    // Not the Python files: `maturin develop` links to them where they are.
    inputs: [
      'Cargo.toml', 'Cargo.lock', 'pyproject.toml', 'README.md', 'core', 'bindings-python/Cargo.toml', 'bindings-python/src',
    ],
    key: [rust, process.env.RUSTFLAGS ?? ''],
    after: ['venv'],
    outputs: () => extensionFiles(),
    run: () => run(join(venv, 'bin', 'maturin'), ['develop', '--release', '--quiet'], { env: venvEnvironment }),
  };
}

/** The built module, whose name has the ABI in it. */
function extensionFiles() {
  return readdirSync(join(root, packageFolder))
    .filter((name) => /^_native.*\.(so|pyd)$/.test(name))
    .map((name) => `${packageFolder}/${name}`);
}
