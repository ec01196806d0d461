// @ts-check
// Starts the server and the bot as a user would, and visits the room. Every wait ends by itself: with what is waited for,
// or after DEADLINE with an error that says what was missing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'itoden';

/** @typedef {import('../events.js').ChatEvent} ChatEvent */

const DEADLINE = 20_000;
const CHAT = fileURLToPath(new URL('..', import.meta.url));
const PYTHON = process.env.PYTHON ?? fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url));

/**
 * @template T
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(what, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${DEADLINE / 1000} s in vain for ${what}`)), DEADLINE);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}

/** A program that runs until it is stopped, and the lines that it prints. */
export class Program {
  /** @type {string[]} */ lines = [];
  #process;
  #exit;

  /**
   * @param {string} command
   * @param {string[]} args
   * @param {Record<string, string>} [environment]
   */
  constructor(command, args, environment) {
    this.#process = spawn(command, args, { cwd: CHAT, env: { ...process.env, ...environment } });
    this.#exit = once(this.#process, 'close');
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      createInterface(output).on('line', (line) => {
        this.lines.push(line);
        this.#process.emit('line');
      });
    }
  }

  /**
   * The first line that matches, printed already or to come.
   * @param {RegExp} pattern
   */
  async line(pattern) {
    const found = async () => {
      for (;;) {
        const line = this.lines.find((candidate) => pattern.test(candidate));
        if (line !== undefined) return line;
        const ended = await Promise.race([once(this.#process, 'line'), this.#exit.then(() => 'ended')]);
        if (ended === 'ended') throw new Error(`It ended without a line like ${pattern}:\n${this.lines.join('\n')}`);
      }
    };
    return within(`a line like ${pattern}`, found());
  }

  /** The exit code, once it has ended. */
  async exitCode() {
    const [code] = await within('the end of the program', this.#exit);
    return code;
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGTERM') {
    this.#process.kill(signal);
    return this.exitCode();
  }
}

/**
 * @param {{ port?: number, database?: string }} [options]
 */
export async function startServer({ port = 0, database = ':memory:' } = {}) {
  const program = new Program(process.execPath, ['server.js'], { PORT: String(port), CHAT_DB: database });
  const line = await program.line(/^The chat is open at http:/);
  const url = new URL(line.slice(line.indexOf('http:')));
  return { program, url, port: Number(url.port), stop: () => program.stop() };
}

/**
 * Echo-san, once it is in the room.
 * @param {URL} pageUrl
 */
export async function startBot(pageUrl) {
  const bot = new Program(PYTHON, ['bot.py', roomUrl(pageUrl).href]);
  await bot.line(/^In the room as Echo-san/);
  return bot;
}

/**
 * @param {URL} pageUrl
 * @param {string} [name]
 */
export function roomUrl(pageUrl, name) {
  const url = new URL('/chat', pageUrl);
  url.protocol = 'ws:';
  if (name !== undefined) url.searchParams.set('name', name);
  return url;
}

/** Someone in the room. Their events are read in order, by next(). */
export class Visitor {
  /** @type {ChatEvent[]} */ #events = [];
  /** @type {(() => void) | undefined} */ #wake;
  #ended = false;

  /**
   * @param {URL} pageUrl
   * @param {string} name
   */
  constructor(pageUrl, name) {
    this.ws = new WebSocket(roomUrl(pageUrl, name).href);
    this.ws.on('error', () => {}); // 'close' follows, and is what the tests look at
    this.ws.on('message', (data) => {
      this.#events.push(JSON.parse(data.toString()));
      this.#wake?.();
    });
    /** @type {Promise<{ code: number, reason: string }>} */
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => {
        this.#ended = true;
        this.#wake?.();
        resolve({ code, reason: reason.toString() });
      });
    });
  }

  /**
   * Someone who has been welcomed.
   * @param {URL} pageUrl
   * @param {string} name
   */
  static async join(pageUrl, name) {
    const visitor = new Visitor(pageUrl, name);
    return { visitor, welcome: await visitor.next('welcome') };
  }

  /**
   * The next event of this type; events of other types before it are skipped.
   * @template {ChatEvent['type']} T
   * @param {T} type
   * @returns {Promise<Extract<ChatEvent, { type: T }>>}
   */
  async next(type) {
    const found = async () => {
      for (;;) {
        const event = this.#events.shift();
        if (event?.type === type) return /** @type {Extract<ChatEvent, { type: T }>} */ (event);
        if (event) continue;
        if (this.#ended) throw new Error(`The connection ended without an event '${type}'`);
        await new Promise((resolve) => (this.#wake = () => resolve(undefined)));
      }
    };
    return within(`an event '${type}'`, found());
  }

  async leave() {
    this.ws.close(1000);
    return within('the end of the connection', this.closed);
  }
}

/** A new folder, and what removes it. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'itoden-chat-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
