// What went wrong, told to a person: one sentence and exit code 1, no stack trace. Anything else that is thrown is a bug
// in these scripts and keeps its trace.

import { constants } from 'node:os';

export class Failure extends Error {
  /**
   * @param {string} message one sentence: what is wrong and what to do about it
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * The exit code that a shell gives for a process that ended so.
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
export function exitCodeOf(code, signal) {
  return signal ? 128 + constants.signals[signal] : (code ?? 1);
}

/**
 * Runs a script's main function; its result, if a number, is the exit code.
 * @param {() => Promise<number | void> | number | void} main
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`\nitoden: ${error.message}`);
    process.exitCode = error.exitCode;
  }
}
