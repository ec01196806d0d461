// Starting other programs.

import { spawn, spawnSync } from 'node:child_process';
import { Failure, exitCodeOf } from './failure.mjs';
import { root } from './paths.mjs';

/**
 * @typedef {object} Options
 * @property {string} [cwd] default: the root of the repository
 * @property {Record<string, string | undefined>} [env] added to this process's environment
 * @property {number} [timeout] in milliseconds, after which the program is ended
 */

/** @typedef {{ code: number, output: string, found: boolean }} Result */

/** @param {Record<string, string | undefined>} [env] */
function environment(env) {
  return { ...process.env, ...env };
}

/** @param {string} command @param {string[]} args */
export function commandLine(command, args) {
  return [command, ...args].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ');
}

/**
 * Asks a program something: its output is returned and not shown, and it may fail.
 * @param {string} command
 * @param {string[]} args
 * @param {Options} [options]
 * @returns {Result} output is stdout, or stderr where stdout is empty
 */
export function ask(command, args, { cwd = root, env, timeout } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: environment(env),
    encoding: 'utf8',
    timeout,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  });
  const found = !(result.error && 'code' in result.error && ['ENOENT', 'EACCES'].includes(String(result.error.code)));
  return {
    code: result.error ? 1 : exitCodeOf(result.status, result.signal),
    output: (result.stdout || result.stderr || '').trim(),
    found,
  };
}

/**
 * Runs a program to its end with its output shown; `onLine` also gets each line of its standard output.
 * @param {string} command
 * @param {string[]} args
 * @param {Options & { onLine?: (line: string) => void }} [options]
 * @returns {Promise<number>} the exit code
 */
export function stream(command, args, { cwd = root, env, onLine } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: environment(env),
      stdio: ['ignore', onLine ? 'pipe' : 'inherit', 'inherit'],
    });
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      process.stdout.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    });
    child.on('error', (error) => reject(new Failure(`${command} could not be started: ${error.message}.`)));
    child.on('close', (code, signal) => {
      if (rest) onLine?.(rest);
      resolve(exitCodeOf(code, signal));
    });
  });
}

/**
 * Runs a program that has to succeed.
 * @param {string} command
 * @param {string[]} args
 * @param {Options} [options]
 */
export async function run(command, args, options = {}) {
  const code = await stream(command, args, options);
  if (code !== 0) {
    throw new Failure(`\`${commandLine(command, args)}\` failed with exit code ${code}; its output is above.`);
  }
}
