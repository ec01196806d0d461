// The Autobahn suite: how it is installed, which of its cases are played, and what is expected of them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { kept } from './paths.mjs';
import { ask, run } from './run.mjs';

/** @typedef {import('./autobahn-participants.mjs').CommandLine} CommandLine */
/** @typedef {import('./autobahn-participants.mjs').Participant} Participant */
/** @typedef {import('./autobahn-participants.mjs').Role} Role */
/** @typedef {{ cases: string[], count: number }} Selection patterns of cases, and how many cases that is */
/** @typedef {Record<string, { behavior: string, behaviorClose: string }>} Results by case */

const folder = join(kept, 'autobahn');
const wstest = join(folder, 'venv', 'bin', 'wstest');
const agent = 'itoden';

/** Cases for which the suite has no right or wrong. */
export const informational = ['7.1.6', '7.13.1', '7.13.2'];

const basic = { cases: ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '9.*', '10.*'], count: 301 };

/** All there are. @type {Selection} */
export const whole = { cases: [...basic.cases, '12.*', '13.*'], count: 517 };

// The parts of 12 and 13 differ in the text that is compressed and in the parameters agreed on; within one, from the 1st
// to the 18th, messages and fragments grow: the 3rd takes a tenth of the time of the 9th.
const parts = ['12.1', '12.2', '12.3', '12.4', '12.5', '13.1', '13.2', '13.3', '13.4', '13.5', '13.6', '13.7'];
const samples = [3, 9];

/** So many cases of each part of 12 and 13, everything else whole. @param {1 | 2} most @returns {Selection} */
export function quick(most) {
  const sampled = samples.slice(0, most).flatMap((number) => parts.map((part) => `${part}.${number}`));
  return { cases: [...basic.cases, ...sampled], count: basic.count + sampled.length };
}

/** The suite is a program for Python 2.7; undefined if there is none. */
function python2() {
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions', '2.7.18', 'bin', 'python2.7');
  return [process.env.PYTHON2, 'python2.7', 'python2', pyenv].find(
    (command) => command !== undefined && ask(command, ['-m', 'pip', '--version']).code === 0,
  );
}

/** Whether the suite is there now. */
export async function install() {
  if (existsSync(wstest)) return true;
  const python = python2();
  if (python === undefined) return false;
  console.log('… the Autobahn suite: installing it (about a minute)');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await run(python, ['-m', 'pip', 'install', '--quiet', '--target', join(folder, 'virtualenv'), 'virtualenv<20.22']);
  await run(python, ['-m', 'virtualenv', '--quiet', join(folder, 'venv')], { env: { PYTHONPATH: join(folder, 'virtualenv') } });
  await run(join(folder, 'venv', 'bin', 'pip'), ['install', '--quiet', 'autobahntestsuite==25.10.1']);
  return true;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until something listens. @param {number} port @param {import('node:child_process').ChildProcess} owner */
async function listening(port, owner) {
  while (owner.exitCode === null && owner.signalCode === null) {
    const socket = connect(port, '127.0.0.1');
    const answered = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
    socket.destroy();
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Failure(`The program that should listen on port ${port} has ended.`);
}

/**
 * Plays the cases with one program of a participant.
 * @param {Participant} participant
 * @param {Role} role
 * @param {(address: string) => CommandLine} program
 * @param {Selection} selection
 * @returns {Promise<Results>}
 */
export async function play({ name }, role, program, { cases }) {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}`;
  const place = join(folder, name, role);
  const reports = join(place, 'reports');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  const mode = role === 'server' ? 'fuzzingclient' : 'fuzzingserver';
  const where = role === 'server' ? { servers: [{ agent, url }] } : { url };
  const spec = join(place, `${mode}.json`);
  writeFileSync(spec, JSON.stringify({ outdir: reports, ...where, cases, 'exclude-cases': [], 'exclude-agent-cases': {} }));
  // As a server the suite would have web pages too, at port 8080, which may be somebody's: 0 is none.
  const suite = /** @type {CommandLine} */ ([wstest, '-m', mode, '-s', spec, '-w', '0']);
  const itoden = program(`127.0.0.1:${port}`);
  const [waits, runs] = role === 'server' ? [itoden, suite] : [suite, itoden];
  // What both say goes into a file: each connection that the suite breaks is worth a line to some.
  const log = join(place, 'output.log');
  const output = openSync(log, 'w');
  /** @param {CommandLine} line @returns {import('node:child_process').ChildProcess} */
  const start = ([command, ...args]) => spawn(command, args, { cwd: place, stdio: ['ignore', output, output] });
  const background = start(waits);
  const ended = once(background, 'exit');
  try {
    await listening(port, background);
    const [code] = await once(start(runs), 'exit');
    if (code !== 0) throw new Failure(`\`${runs.join(' ')}\` ended with exit code ${code}.`);
  } catch (error) {
    throw error instanceof Failure ? new Failure(`${error.message} What was said:\n${readFileSync(log, 'utf8')}`) : error;
  } finally {
    closeSync(output);
    background.kill();
    await ended;
  }
  return JSON.parse(readFileSync(join(reports, 'index.json'), 'utf8'))[agent] ?? {};
}

/**
 * Cases to be played again: right in all they did, but the suite, as client, broke the connection before the server had.
 * It does so half a second after its last frame, and on a busy machine half a second is no fault of a server.
 * @param {Role} role
 * @param {Results} results
 * @returns {string[]}
 */
export function interrupted(role, results) {
  if (role !== 'server') return [];
  return Object.keys(results).filter((name) => results[name].behavior === 'OK' && results[name].behaviorClose === 'FAILED BY CLIENT');
}

/**
 * What is not as it must be: every case is OK, in what it does and in how it closes, but those that are informational.
 * @param {Results} results
 * @param {number} count how many cases there must be
 * @returns {{ passed: number, failed: number, complaints: string[] }}
 */
export function judge(results, count) {
  const names = Object.keys(results);
  const complaints = names.flatMap((name) => {
    const expected = informational.includes(name) ? 'INFORMATIONAL' : 'OK';
    const { behavior, behaviorClose } = results[name];
    if (behavior === expected && behaviorClose === expected) return [];
    return [`${name}: ${behavior}, closing ${behaviorClose}; ${expected} is expected`];
  });
  const passed = names.length - complaints.length;
  if (names.length !== count) complaints.push(`${names.length} cases were played; ${count} are expected`);
  return { passed, failed: complaints.length, complaints };
}
