// The rooms of the house and how each is tested.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { participants } from './autobahn-participants.mjs';
import { root, venvPython } from './paths.mjs';
import { venvEnvironment } from './python.mjs';
import { allParts } from './setup.mjs';

/**
 * @typedef {object} Command
 * @property {import('./summary.mjs').Runner} runner whose closing lines are counted
 * @property {string} command
 * @property {string[]} args
 * @property {Record<string, string | undefined>} [env]
 */

/**
 * @typedef {object} Room
 * @property {string} name
 * @property {import('./setup.mjs').Part[]} needs
 * @property {Command[]} commands
 * @property {boolean} [maySkip] whether it may skip all its tests, where what it needs can't be set up; never in CI
 */

/** @param {string} name @returns {Command} */
const cargo = (name) => ({ runner: 'cargo', command: 'cargo', args: ['test', '--no-fail-fast', '-p', name] });

/** @param {string} folder @returns {Command} */
const npm = (folder) => ({ runner: 'node', command: 'npm', args: ['run', '--silent', 'test', '-w', folder] });

/** Node 20 knows no patterns here, and Node 22 no folders. @param {string} folder */
const testFiles = (folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.test.mjs'))
    .map((name) => `${folder}/${name}`);

/**
 * What the native driver has a part in, once more with the threads that serve sockets where the event loop can't.
 * @type {Command}
 */
const overThreads = {
  runner: 'node',
  command: process.execPath,
  args: [
    '--test',
    ...['adversaries', 'beyond-connection', 'beyond-flow', 'client', 'closing', 'compression', 'data-plane', 'lifecycle', 'messages', 'server'].map(
      (name) => `bindings-node/tests/${name}.test.mjs`,
    ),
  ],
  env: { ITODEN_DATA_PLANE: 'threads' },
};

/** @type {Room[]} */
export const rooms = [
  {
    name: 'scripts',
    needs: [],
    commands: [{ runner: 'node', command: process.execPath, args: ['--test', ...testFiles('scripts/tests')] }],
  },
  { name: 'core', needs: [], commands: [cargo('itoden-core')] },
  { name: 'fuzz', needs: [], commands: [{ runner: 'fuzz', command: process.execPath, args: ['scripts/fuzz.mjs', '--quick'] }] },
  { name: 'net', needs: [], commands: [cargo('itoden-net')] },
  {
    name: 'autobahn',
    needs: allParts.filter((part) => participants.some(({ needs }) => needs.includes(part))),
    commands: [{ runner: 'autobahn', command: process.execPath, args: ['scripts/autobahn.mjs'] }],
    maySkip: true,
  },
  { name: 'node', needs: ['npm', 'node'], commands: [npm('bindings-node'), overThreads] },
  {
    name: 'python',
    needs: ['python'],
    commands: [
      { runner: 'pytest', command: venvPython, args: ['-m', 'pytest', 'bindings-python/tests'], env: venvEnvironment },
    ],
  },
  { name: 'wasm', needs: ['npm', 'wasm', 'browser', 'peers'], commands: [npm('bindings-wasm')] },
  { name: 'chat', needs: ['npm', 'node', 'wasm', 'python'], commands: [npm('examples/chat')] },
  { name: 'inspector', needs: ['npm', 'wasm', 'browser', 'peers'], commands: [npm('examples/inspector')] },
  { name: 'tests', needs: ['npm', 'node', 'wasm', 'python', 'browser', 'peers'], commands: [npm('tests')] },
];
