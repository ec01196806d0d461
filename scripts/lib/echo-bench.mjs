// Measuring echo servers in Node: each in a process of its own, loads from another process, all in turns.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Failure } from './failure.mjs';
import { built, root } from './paths.mjs';
import { ask } from './run.mjs';

/** @typedef {{ connections: number, size: number, inFlight: number, deflate?: boolean }} Shape of a load */
/** @typedef {{ name: string, port: number, mark(): Promise<Mark> }} Loaded what a load needs of a server */
/** @typedef {{ cpu: number, echoed: number }} Mark processor time in µs, and messages, since the server began */

/**
 * @typedef {object} Sample one run of a load on one server
 * @property {number} cpu µs of the server's process a message
 * @property {number} rate messages a second, each of which went both ways
 * @property {number} busy which part of the time the server had a processor; above 1 if it had several
 * @property {number | undefined} loadBusy which part of the time the load had a processor, if it polls and has one to itself; only Linux tells
 */

const serverProgram = join(root, 'bindings-node', 'tools', 'echo-servers.mjs');
const loadProgram = join(built, 'release', 'examples', 'echo_load');

/** With two processors or more, server and load have one each, where the system lets them be chosen. */
export const pins = ask('taskset', ['-c', '0,1', 'true']).code === 0;

/** @param {number} core @param {string[]} line @returns {[string, ...string[]]} */
export const on = (core, line) => /** @type {[string, ...string[]]} */ (pins ? ['taskset', '-c', String(core), ...line] : line);

/** How processors are shared, in words. */
export const placement = pins ? 'server and load pinned to one core each' : 'nothing is pinned to a core';

/** Nanoseconds that the main thread of a process has had a processor. @param {number | undefined} pid */
function threadTime(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
  } catch {
    return undefined;
  }
}

/** What makes a server another one. @type {Record<string, Record<string, string>>} */
const settings = {
  ws: { WS_NO_BUFFER_UTIL: '1' },
  'itoden native': { ITODEN_DATA_PLANE: '' },
  'itoden threads': { ITODEN_DATA_PLANE: 'threads' },
};

/** A server's process. */
export class Server {
  /** @type {import('node:child_process').ChildProcess} */
  #child;

  /** @param {string} name @param {import('node:child_process').ChildProcess} child @param {number} port */
  constructor(name, child, port) {
    this.name = name;
    this.#child = child;
    this.port = port;
  }

  /** @param {string} name @param {string} peers the folder with the packages that are installed for the benchmark */
  static async start(name, peers) {
    const [command, ...args] = on(0, [process.execPath, '--expose-gc', serverProgram, name]);
    const env = { ...process.env, PEERS: peers, ...settings[name] };
    const child = spawn(command, args, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const { port } = /** @type {{ port: number }} */ (await Server.#answer(name, child));
    return new Server(name, child, port);
  }

  /** @param {string} name @param {import('node:child_process').ChildProcess} child */
  static async #answer(name, child) {
    const abort = new AbortController();
    const gone = once(child, 'exit', abort).then(([code]) => {
      throw new Failure(`The server of ${name} ended with exit code ${code}; what it says is above.`);
    });
    gone.catch(() => {});
    const [answer] = await Promise.race([once(child, 'message', abort), gone]);
    abort.abort();
    return answer;
  }

  /** @param {'mark' | 'collect'} request */
  #ask(request) {
    const answer = Server.#answer(this.name, this.#child);
    this.#child.send(request);
    return answer;
  }

  /** @returns {Promise<Mark>} */
  mark() {
    return this.#ask('mark');
  }

  /** Bytes that it holds once its garbage is collected. @returns {Promise<number>} */
  async memory() {
    return (await this.#ask('collect')).memory;
  }

  async stop() {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

/** The process that loads one server. */
export class Load {
  #child;
  /** @type {AsyncIterator<string>} */
  #lines;
  #server;

  /** @param {Loaded} server @param {Shape} shape */
  constructor(server, { connections, size, inFlight, deflate = false }) {
    this.#server = server;
    // With a core of its own it polls: servers are not to pay for waking it.
    const words = [...[connections, size, inFlight].map(String), ...(deflate ? ['deflate'] : []), ...(pins ? ['poll'] : [])];
    const [command, ...args] = on(1, [loadProgram, `127.0.0.1:${server.port}`, ...words]);
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves once all connections are open. @param {Loaded} server @param {Shape} shape */
  static async start(server, shape) {
    const load = new Load(server, shape);
    await load.#line();
    return load;
  }

  async #line() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Failure(`The load on ${this.#server.name} has ended; why is above.`);
    return value;
  }

  /** Lets messages go to and fro. @param {number} milliseconds 0: as many as may be in flight, once @returns {Promise<Sample>} */
  async run(milliseconds) {
    const before = await this.#server.mark();
    const loadBefore = threadTime(this.#child.pid);
    this.#child.stdin.write(`${milliseconds}\n`);
    const [messages, seconds] = (await this.#line()).split(' ').map(Number);
    const loadAfter = threadTime(this.#child.pid);
    const after = await this.#server.mark();
    if (after.echoed - before.echoed !== messages) {
      throw new Failure(`${this.#server.name} echoed ${after.echoed - before.echoed} messages, and ${messages} came back.`);
    }
    const cpu = after.cpu - before.cpu;
    return {
      cpu: cpu / messages,
      rate: messages / seconds,
      busy: cpu / 1e6 / seconds,
      loadBusy: !pins || loadBefore === undefined || loadAfter === undefined ? undefined : (loadAfter - loadBefore) / 1e9 / seconds,
    };
  }

  async stop() {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }
}

/** In an order that is anew each time. @template T @param {T[]} items */
export function shuffled(items) {
  const left = [...items];
  /** @type {T[]} */
  const order = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(Math.random() * left.length), 1));
  return order;
}

/** @typedef {{ passes: number, rounds: number, milliseconds: number, warmUp: number }} Plan */

/**
 * One pass over all shapes: servers are started anew, and each shape is run on one after the other, round by round.
 * @param {string[]} names of servers
 * @param {Shape[]} shapes
 * @param {Plan} plan
 * @param {string} peers
 * @param {(shape: number, name: string, sample: Sample) => void} tell
 */
export async function pass(names, shapes, { rounds, milliseconds, warmUp }, peers, tell) {
  const servers = await Promise.all(names.map((name) => Server.start(name, peers)));
  try {
    // The compilers of JavaScript have seen the busiest code before anything counts.
    for (const server of servers) {
      const load = await Load.start(server, { connections: 16, size: 64, inFlight: 16 });
      await load.run(2 * warmUp);
      await load.stop();
    }
    for (const [index, shape] of shapes.entries()) {
      const loads = new Map();
      for (const server of servers) {
        const load = await Load.start(server, shape);
        loads.set(server.name, load);
        await load.run(warmUp);
      }
      for (let round = 0; round < rounds; round += 1) {
        for (const name of shuffled(names)) tell(index, name, await loads.get(name).run(milliseconds));
      }
      for (const load of loads.values()) await load.stop();
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

/**
 * Bytes of the server's memory for each connection that is open, has echoed one message of 64 bytes, and rests.
 * @param {string} name
 * @param {number} connections
 * @param {string} peers
 */
export async function idleMemory(name, connections, peers) {
  const server = await Server.start(name, peers);
  try {
    // What is made once, and code that is compiled, is not a connection's.
    const first = await Load.start(server, { connections: 100, size: 64, inFlight: 1 });
    await first.run(100);
    const before = await server.memory();
    const load = await Load.start(server, { connections, size: 64, inFlight: 1 });
    await load.run(0);
    const after = await server.memory();
    await load.stop();
    await first.stop();
    return (after - before) / connections;
  } finally {
    await server.stop();
  }
}
