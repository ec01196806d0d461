// Who takes the Autobahn suite's test. One entry here is a participant everywhere: in `npm test`, on the command line of
// `npm run autobahn` and in the counts.

import { join } from 'node:path';
import { built, root, venvPython } from './paths.mjs';
import { run } from './run.mjs';

/** @typedef {'server' | 'client'} Role what itoden is */
/** @typedef {[command: string, ...args: string[]]} CommandLine */

/**
 * A participant's programs. Each gets the address `127.0.0.1:PORT`, echoes every message, and agrees on
 * permessage-deflate with every message compressed. A server listens there until it is ended. A client asks for
 * `/getCaseCount`, plays each `/runCase?case=N&agent=itoden`, asks for `/updateReports?agent=itoden`, and ends.
 *
 * @typedef {object} Participant
 * @property {string} name as on the command line
 * @property {string} title
 * @property {import('./setup.mjs').Part[]} needs what is built for it beforehand
 * @property {() => Promise<void>} [build] what else is
 * @property {1 | 2} samples how many cases of each part of 12 and 13 are played where not all are; 1 where the compression is
 *   that of the core, which plays two
 * @property {Partial<Record<Role, (address: string) => CommandLine>>} programs
 */

/** @param {string} name */
const example = (name) => (/** @type {string} */ address) => /** @type {CommandLine} */ ([join(built, 'release', 'examples', name), address]);

/** @param {Role} role @param {string} driver */
const node = (role, driver) => (/** @type {string} */ address) =>
  /** @type {CommandLine} */ ([process.execPath, join(root, 'tests', 'programs', `autobahn_${role}.mjs`), address, driver]);

/** @param {Role} role */
const wasm = (role) => (/** @type {string} */ address) =>
  /** @type {CommandLine} */ ([process.execPath, join(root, 'tests', 'programs', `autobahn_wasm_${role}.mjs`), address]);

/** @param {Role} role */
const python = (role) => (/** @type {string} */ address) =>
  /** @type {CommandLine} */ ([venvPython, join(root, 'tests', 'programs', `autobahn_${role}.py`), address]);

/** @type {Participant[]} */
export const participants = [
  {
    name: 'core',
    title: 'itoden-core over itoden-net',
    needs: [],
    build: () => run('cargo', ['build', '--quiet', '--release', '-p', 'itoden-net', '--examples']),
    samples: 2,
    programs: { server: example('echo_server'), client: example('autobahn_client') },
  },
  {
    name: 'node',
    title: 'Node, native driver',
    needs: ['npm', 'node'],
    samples: 1,
    programs: { server: node('server', 'native'), client: node('client', 'native') },
  },
  {
    name: 'node-stream',
    title: 'Node, stream driver',
    needs: ['npm', 'node'],
    samples: 1,
    programs: { server: node('server', 'stream'), client: node('client', 'stream') },
  },
  {
    name: 'python',
    title: 'Python, asyncio',
    needs: ['python'],
    samples: 1,
    programs: { server: python('server'), client: python('client') },
  },
  {
    name: 'wasm',
    title: 'WebAssembly over a socket of Node',
    needs: ['npm', 'wasm'],
    samples: 1,
    programs: { server: wasm('server'), client: wasm('client') },
  },
];
