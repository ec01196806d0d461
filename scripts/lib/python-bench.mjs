// Measuring the Python package: each client and each server in a process of its own, all in turns.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Load, on, pins, shuffled } from './echo-bench.mjs';
import { Failure } from './failure.mjs';
import { built, root, venvPython } from './paths.mjs';
import { peers } from './peers.mjs';
import { findProgram } from './program.mjs';

/** @typedef {import('./echo-bench.mjs').Sample} Sample */
/** @typedef {'asyncio' | 'uvloop' | 'threads'} Loop */
/** @typedef {'TCP' | 'TLS'} Transport */
/** @typedef {{ role: 'client' | 'server' | 'uvicorn', loop: Loop, transport: Transport, size: number, connections: number, inFlight: number }} Task */
/** @typedef {{ task: Task, names: string[] }} Job what is measured, and who takes part */
/** @typedef {{ passes: number, rounds: number, milliseconds: number, warmUp: number, idle: number, rest: number }} Plan */

const tools = join(root, 'bindings-python', 'tools');
const certificate = join(root, 'bindings-python', 'tests', 'localhost.pem');

/** A program that answers lines with lines. */
class Program {
  #child;
  /** @type {AsyncIterator<string>} */
  #lines;
  #what;

  /** @param {string} what @param {number} core @param {string[]} line */
  constructor(what, core, line) {
    this.#what = what;
    const [command, ...args] = on(core, line);
    this.#child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async line() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Failure(`${this.#what} has ended; why is above.`);
    return value;
  }

  /** @param {string} question @returns {Promise<number[]>} */
  async ask(question) {
    this.#child.stdin.write(`${question}\n`);
    return (await this.line()).split(' ').map(Number);
  }

  /** @param {'input' | 'signal'} how it is told */
  async stop(how = 'input') {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    if (how === 'input') this.#child.stdin.end();
    else this.#child.kill('SIGTERM');
    await ended;
  }
}

/** A server in Python, as loads want it. */
class Server {
  /** @param {string} name @param {Program} program @param {number[]} ports for TCP and TLS */
  constructor(name, program, ports) {
    this.name = name;
    this.program = program;
    this.ports = ports;
    this.port = ports[0];
  }

  /** @param {string} name @param {Loop} loop @param {string[]} more */
  static async start(name, loop, ...more) {
    const program = new Program(`The server ${name} on ${loop}`, 0, [venvPython, join(tools, 'bench_servers.py'), name, loop, certificate, ...more]);
    return new Server(name, program, (await program.line()).split(' ').map(Number));
  }

  async mark() {
    const [cpu, echoed] = await this.program.ask('mark');
    return { cpu, echoed };
  }

  /** The same server, reached by another port. @param {number} port */
  behind(port) {
    return { name: this.name, port, mark: () => this.mark() };
  }
}

/** Ports that nothing listens at. @param {number} count */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Waits until somebody listens at a port. @param {number} port */
async function untilOpen(port) {
  for (let tries = 0; tries < 500; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Failure(`HAProxy does not listen at port ${port}; what it says is above.`);
}

/**
 * The other end of servers' TLS: HAProxy as a mere translator of streams, so that the load in Rust needs none.
 * @param {string} haproxy its path
 * @param {number[]} secure ports of servers with TLS, to each of which a plain port leads
 * @returns {Promise<{ plain: Map<number, number>, stop: () => Promise<void> }>}
 */
async function translateTls(haproxy, secure) {
  const folder = mkdtempSync(join(tmpdir(), 'itoden-bench-'));
  const ports = await freePorts(secure.length);
  const configuration = [
    'global\n  nbthread 1\n  maxconn 4000',
    'defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 30m\n  timeout server 30m',
    ...secure.map((one, index) => `listen server${index}\n  bind 127.0.0.1:${ports[index]}\n  server peer 127.0.0.1:${one} ssl verify none`),
  ];
  const file = join(folder, 'configuration');
  writeFileSync(file, `${configuration.join('\n')}\n`);
  const program = new Program('HAProxy', 1, [haproxy, '-db', '-q', '-f', file]);
  const stop = async () => {
    await program.stop('signal');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const one of ports) await untilOpen(one);
  } catch (error) {
    await stop();
    throw error;
  }
  return { plain: new Map(secure.map((one, index) => [one, ports[index]])), stop };
}

/** HAProxy's path. */
export function findHaproxy() {
  const program = peers.find(({ title }) => title === 'HAProxy');
  if (program === undefined) throw new Error('HAProxy is not among the peers');
  return findProgram({ ...program, purpose: 'The benchmark of TLS' });
}

/**
 * Everybody on one loop who has one of these roles, started together.
 * @param {Job[]} jobs
 * @param {string} haproxy
 * @param {Plan} plan
 * @param {(task: Task, name: string, sample: Sample) => void} tell
 */
async function turns(jobs, haproxy, { rounds, milliseconds, warmUp }, tell) {
  const [{ task: { role, loop } }] = jobs;
  const names = [...new Set(jobs.flatMap((job) => job.names))];
  /** @type {(() => Promise<void>)[]} */
  const ends = [];
  try {
    /** @type {(task: Task, name: string) => Promise<{ run: (milliseconds: number) => Promise<Sample>, stop: () => Promise<void> }>} */
    let open;
    if (role === 'client') {
      // With a core of its own it polls: clients are not to pay for waking it, which costs more than all else that they do.
      const line = [join(built, 'release', 'examples', 'echo_server'), '127.0.0.1:0', '--tls', certificate, ...(pins ? ['--poll'] : [])];
      const echo = new Program('The echo server', 1, line);
      ends.push(() => echo.stop('signal'));
      const uris = [await echo.line(), await echo.line()];
      /** @type {Map<string, Program>} */
      const clients = new Map();
      for (const name of names) {
        const client = new Program(`The client ${name} on ${loop}`, 0, [venvPython, join(tools, 'bench_clients.py'), name, loop, certificate, ...uris]);
        ends.push(() => client.stop());
        clients.set(name, client);
        await client.line();
      }
      open = async ({ transport, size }, name) => ({
        run: async (time) => {
          const [trips, cpu, seconds] = await /** @type {Program} */ (clients.get(name)).ask(`${transport} ${size} ${time}`);
          return { cpu: cpu / trips, rate: trips / seconds, busy: cpu / 1e6 / seconds, loadBusy: undefined };
        },
        stop: async () => {},
      });
    } else {
      const servers = await Promise.all(names.map((name) => Server.start(name, loop)));
      ends.push(...servers.map(({ program }) => () => program.stop()));
      const tls = await translateTls(haproxy, servers.flatMap(({ ports }) => ports.slice(1)));
      ends.push(tls.stop);
      open = async (task, name) => {
        const server = /** @type {Server} */ (servers.find((one) => one.name === name));
        const port = task.transport === 'TLS' ? /** @type {number} */ (tls.plain.get(server.ports[1])) : server.port;
        return Load.start(server.behind(port), task);
      };
    }
    for (const { task, names: present } of jobs) {
      const runs = new Map();
      for (const name of present) {
        const run = await open(task, name);
        runs.set(name, run);
        await run.run(warmUp);
      }
      for (let round = 0; round < rounds; round += 1) {
        for (const name of shuffled(present)) tell(task, name, await runs.get(name).run(milliseconds));
      }
      for (const run of runs.values()) await run.stop();
    }
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/**
 * One pass over all jobs, with processes of its own.
 * @param {Job[]} jobs
 * @param {string} haproxy
 * @param {Plan} plan
 * @param {(task: Task, name: string, sample: Sample) => void} tell
 */
export async function pass(jobs, haproxy, plan, tell) {
  for (const key of new Set(jobs.map(({ task: { role, loop } }) => `${role} ${loop}`))) {
    await turns(jobs.filter(({ task: { role, loop } }) => `${role} ${loop}` === key), haproxy, plan, tell);
  }
}

/**
 * Bytes of the server's memory for each connection that is open, agreed on permessage-deflate, has echoed one message of
 * 2 KiB, compressed both ways, and rests.
 * @param {string} name
 * @param {{ idle: number, rest: number }} plan connections, and milliseconds at rest
 * @returns {Promise<number>}
 */
export async function idleMemory(name, { idle: connections, rest }) {
  const server = await Server.start(name, 'uvloop', 'deflate');
  /** @type {Load[]} */
  const loads = [];
  try {
    const shape = { size: 2048, inFlight: 1, deflate: true };
    loads.push(await Load.start(server, { ...shape, connections: 50 }));
    await loads[0].run(100);
    // What is kept for a message that may follow soon is not what a connection at rest holds.
    const resting = () => new Promise((resolve) => setTimeout(resolve, rest));
    await resting();
    const [before] = await server.program.ask('memory');
    loads.push(await Load.start(server, { ...shape, connections }));
    await loads[1].run(0);
    await resting();
    const [after] = await server.program.ask('memory');
    return (after - before) / connections;
  } finally {
    for (const load of loads) await load.stop();
    await server.program.stop();
  }
}
