// Programs of the system that tests need: looked for, and on Debian installed.

import { existsSync } from 'node:fs';
import * as apt from './apt.mjs';
import { Failure } from './failure.mjs';
import { ask, commandLine } from './run.mjs';

/**
 * @typedef {object} Program
 * @property {string} title for people: 'Chromium or Chrome'
 * @property {string} purpose who needs it: 'The browser test'
 * @property {string} variable of the environment, which may name its path
 * @property {string[]} names of the command
 * @property {string[]} places where else it may be
 * @property {string[]} ask the arguments that it answers with its version
 * @property {RegExp} says what its answer has in it
 * @property {string} debian the package
 * @property {string} home where others get it
 */

/**
 * @typedef {object} Probe what the search asks of the machine; replaced by tests
 * @property {string | undefined} chosen what the environment's variable says
 * @property {(command: string) => string | undefined} locate a command's path
 * @property {(path: string) => string | undefined} version what the program says of itself, if it runs
 * @property {() => boolean} canInstall
 * @property {(packages: string[]) => Promise<void>} install
 */

/** @param {Program} program @returns {Probe} */
const machine = ({ variable, ask: args, says }) => ({
  chosen: process.env[variable],
  locate: (command) => ask('sh', ['-c', 'command -v "$0"', command]).output || undefined,
  // Ubuntu's chromium-browser is a stub that only asks for a snap: so each candidate has to run.
  version(path) {
    if (!existsSync(path)) return undefined;
    const { code, output } = ask(path, args, { timeout: 60_000 });
    return code === 0 && says.test(output) ? output : undefined;
  },
  canInstall: apt.canInstall,
  install: apt.install,
});

/**
 * @param {Program} program
 * @param {Probe} [probe]
 * @returns {Promise<string>} the path of one that runs
 */
export async function findProgram(program, probe = machine(program)) {
  const { title, purpose, variable, debian, home } = program;
  if (probe.chosen) {
    if (probe.version(probe.chosen)) return probe.chosen;
    throw new Failure(`${variable} is ${probe.chosen}, but no ${title} answers to \`${commandLine(probe.chosen, program.ask)}\`.`);
  }
  const found = search(program, probe);
  if (found) return found;
  if (probe.canInstall()) {
    await probe.install([debian]);
    const installed = search(program, probe);
    if (installed) return installed;
  }
  throw new Failure(
    `${purpose} needs ${title}: install it (Debian: apt install ${debian}; else ${home}) or name its program in ${variable}.`,
  );
}

/** @param {Program} program @param {Probe} probe */
function search({ names, places }, probe) {
  const candidates = [...names.map((name) => probe.locate(name)), ...places];
  return candidates.find((path) => path && probe.version(path));
}
