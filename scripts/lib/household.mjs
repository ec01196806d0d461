// Programs that live together: when one ends, or on Ctrl-C, all are asked to end, and none is left behind.

import { spawn } from 'node:child_process';
import { exitCodeOf } from './failure.mjs';
import { root } from './paths.mjs';

/** How long a program may take to end after it was asked to. */
const graceMs = 5_000;

class Member {
  /** @type {string[]} */
  #lines = [];
  /** @type {((line: string) => void)[]} */
  #listeners = [];

  /**
   * @param {string} name
   * @param {import('node:child_process').ChildProcess} child
   */
  constructor(name, child) {
    this.name = name;
    this.child = child;
    /** @type {Promise<number>} */
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        console.error(`The ${name} could not be started: ${error.message}.`);
        resolve(1);
      });
      child.once('exit', (code, signal) => resolve(exitCodeOf(code, signal)));
    });
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      process.stdout.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        this.#lines.push(line);
        for (const listener of this.#listeners) listener(line);
      }
      if (this.#lines.length > 100) this.#lines.splice(0, this.#lines.length - 100);
    });
  }

  /** The first match of the pattern in what the program prints. @param {RegExp} pattern @returns {Promise<string>} */
  lineWith(pattern) {
    return new Promise((resolve) => {
      /** @param {string} line */
      const look = (line) => {
        const found = pattern.exec(line)?.[0];
        if (found) resolve(found);
      };
      this.#lines.forEach(look);
      this.#listeners.push(look);
    });
  }
}

export class Household {
  /** @type {Member[]} */
  #members = [];
  #abort = new AbortController();
  /** @type {(code: number) => void} */
  #finish = () => {};

  constructor() {
    /**
     * The exit code: that of the first program that ended by itself, or 0 after Ctrl-C.
     * @type {Promise<number>}
     */
    this.over = new Promise((resolve) => (this.#finish = resolve));
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => this.#end(0));
  }

  /** Aborted as soon as the programs are to end. */
  get signal() {
    return this.#abort.signal;
  }

  /** @param {number} code */
  #end(code) {
    this.#abort.abort();
    this.#finish(code);
  }

  /**
   * @param {string} name
   * @param {string} command
   * @param {string[]} args
   * @param {Record<string, string | undefined>} env
   */
  start(name, command, args, env) {
    // A process group of its own: the terminal sends Ctrl-C to this script alone, and this script ends the programs in order.
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const member = new Member(name, child);
    this.#members.push(member);
    void member.ended.then((code) => {
      if (this.signal.aborted) return;
      console.error(`The ${name} ended by itself with exit code ${code}.`);
      this.#end(code);
    });
    return member;
  }

  /** Ends all programs, the last started first, and waits until they are gone. */
  async stop() {
    this.#end(0);
    for (const { name, child, ended } of this.#members.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
      child.kill('SIGINT'); // what both programs know as Ctrl-C
      const timer = setTimeout(() => {
        console.error(`The ${name} did not end within ${graceMs / 1000} s and is cut off.`);
        child.kill('SIGKILL');
      }, graceMs);
      await ended;
      clearTimeout(timer);
    }
  }
}
