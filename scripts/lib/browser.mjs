// The browser that the browser tests drive: any Chromium or Chrome that is there, or else Debian's.

import { existsSync } from 'node:fs';
import * as apt from './apt.mjs';
import { Failure } from './failure.mjs';
import { ask, commandLine } from './run.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const usualPlaces = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/usr/bin/chromium',
  '/snap/bin/chromium',
];

/**
 * @typedef {object} Probe what the search asks of the machine; replaced by tests
 * @property {string | undefined} chosen the environment's CHROMIUM_PATH
 * @property {(command: string) => string | undefined} locate a command's path
 * @property {(path: string) => string | undefined} version what the program says of itself, if it runs
 * @property {() => boolean} canInstall
 * @property {(packages: string[]) => Promise<void>} install
 */

/** @type {Probe} */
const machine = {
  chosen: process.env.CHROMIUM_PATH,
  locate: (command) => ask('sh', ['-c', 'command -v "$0"', command]).output || undefined,
  // Ubuntu's chromium-browser is a stub that only asks for a snap: so each candidate has to run.
  version(path) {
    if (!existsSync(path)) return undefined;
    const { code, output } = ask(path, ['--version'], { timeout: 60_000 });
    return code === 0 && /chrom/i.test(output) ? output : undefined;
  },
  canInstall: apt.canInstall,
  install: apt.install,
};

/**
 * @param {Probe} probe
 * @returns {Promise<string>} the path of a browser that runs
 */
export async function findBrowser(probe = machine) {
  if (probe.chosen) {
    if (probe.version(probe.chosen)) return probe.chosen;
    const asked = commandLine(probe.chosen, ['--version']);
    throw new Failure(`CHROMIUM_PATH is ${probe.chosen}, but no Chromium or Chrome answers to \`${asked}\`.`);
  }
  const found = search(probe);
  if (found) return found;
  if (probe.canInstall()) {
    await probe.install(['chromium']);
    const installed = search(probe);
    if (installed) return installed;
  }
  throw new Failure(
    'The browser test needs Chromium or Chrome: install it (Debian: apt install chromium; else https://www.chromium.org) ' +
      'or name its program in CHROMIUM_PATH.',
  );
}

/** @param {Probe} probe */
function search(probe) {
  const candidates = [...names.map((name) => probe.locate(name)), ...usualPlaces];
  return candidates.find((path) => path && probe.version(path));
}
