// npm run autobahn [-- --all]: the Autobahn test suite against itoden-core over itoden-net, as server and as client.
// Sections 1 to 7, 9 and 10 whole and of 12 and 13, compression, two cases from each part: a minute. With --all those are
// whole too: a quarter of an hour more. The counts are asserted: every case OK but three, which the suite itself calls
// informational. Without Python 2.7 all is skipped, but not in CI.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure, runMain } from './lib/failure.mjs';
import { kept, root } from './lib/paths.mjs';
import { ask, run } from './lib/run.mjs';

const folder = join(kept, 'autobahn');
const wstest = join(folder, 'venv', 'bin', 'wstest');
const informational = ['7.1.6', '7.13.1', '7.13.2'];
const basic = { cases: ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '9.*', '10.*'], count: 301 };
const whole = { cases: [...basic.cases, '12.*', '13.*'], count: 517 };
// The parts of 12 and 13 differ in the text that is compressed and in the parameters agreed on; within one, from the 1st
// to the 18th, messages and fragments grow.
const parts = ['12.1', '12.2', '12.3', '12.4', '12.5', '13.1', '13.2', '13.3', '13.4', '13.5', '13.6', '13.7'];
const sampled = [...parts.map((part) => `${part}.3`), ...parts.map((part) => `${part}.9`)];
const quick = { cases: [...basic.cases, ...sampled], count: basic.count + sampled.length };

/** The suite is a program for Python 2.7; undefined if there is none. */
function python2() {
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions', '2.7.18', 'bin', 'python2.7');
  return [process.env.PYTHON2, 'python2.7', 'python2', pyenv].find(
    (command) => command !== undefined && ask(command, ['-m', 'pip', '--version']).code === 0,
  );
}

/** Whether the suite is there now. */
async function install() {
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
  while (owner.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const answered = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
    socket.destroy();
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Failure(`The program that should listen on port ${port} has ended.`);
}

/**
 * @param {'server' | 'client'} role of itoden
 * @param {typeof quick} selection
 */
async function test(role, { cases, count }) {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}`;
  const reports = join(folder, role);
  rmSync(reports, { recursive: true, force: true });
  const mode = role === 'server' ? 'fuzzingclient' : 'fuzzingserver';
  const where = role === 'server' ? { servers: [{ agent: 'itoden', url }] } : { url };
  const spec = join(folder, `${mode}.json`);
  writeFileSync(spec, JSON.stringify({ outdir: reports, ...where, cases, 'exclude-cases': [], 'exclude-agent-cases': {} }));
  const example = (/** @type {string} */ name) => join(kept, 'release', 'examples', name);
  const suite = () => [wstest, ['-m', mode, '-s', spec]];
  const itoden = () => [example(role === 'server' ? 'echo_server' : 'autobahn_client'), [`127.0.0.1:${port}`]];
  const [[waits, waitsArgs], [runs, runsArgs]] = /** @type {[string, string[]][]} */ (
    role === 'server' ? [itoden(), suite()] : [suite(), itoden()]
  );
  console.log(`… itoden as ${role}: ${count} cases`);
  const background = spawn(waits, waitsArgs, { cwd: folder, stdio: 'ignore' });
  const ended = once(background, 'exit');
  try {
    await listening(port, background);
    const foreground = spawn(runs, runsArgs, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = await once(foreground, 'exit');
    if (code !== 0) throw new Failure(`${runs} ended with exit code ${code}.`);
  } finally {
    background.kill();
    await ended;
  }
  return check(role, join(reports, 'index.json'), count);
}

/** @param {string} role @param {string} report @param {number} count */
function check(role, report, count) {
  /** @type {Record<string, { behavior: string, behaviorClose: string }>} */
  const results = JSON.parse(readFileSync(report, 'utf8')).itoden;
  const names = Object.keys(results);
  const wrong = names.filter((name) => {
    const expected = informational.includes(name) ? 'INFORMATIONAL' : 'OK';
    return results[name].behavior !== expected || results[name].behaviorClose !== expected;
  });
  for (const name of wrong) console.log(`  ${name}: ${results[name].behavior}, closing ${results[name].behaviorClose}`);
  if (names.length !== count) throw new Failure(`The suite ran ${names.length} cases with itoden as ${role}; ${count} were expected.`);
  return { passed: count - wrong.length, failed: wrong.length };
}

/** For people and for `npm test`. @param {string} what @param {{ passed?: number, failed?: number, skipped?: number }} counts */
const tell = (what, { passed = 0, failed = 0, skipped = 0 }) =>
  console.log(`autobahn, ${what}: ${passed} passed, ${failed} failed, ${skipped} skipped`);

await runMain(async () => {
  const [argument, ...rest] = process.argv.slice(2);
  if (rest.length > 0 || (argument !== undefined && argument !== '--all')) throw new Failure('The only argument is --all.');
  const selection = argument === '--all' ? whole : quick;
  if (!(await install())) {
    const advice = 'The Autobahn suite needs Python 2.7 with pip: `pyenv install 2.7.18`, or name one in $PYTHON2.';
    if (process.env.CI || argument === '--all') throw new Failure(advice);
    console.log(advice);
    tell('both roles', { skipped: 2 * selection.count });
    return 0;
  }
  await run('cargo', ['build', '--quiet', '--release', '-p', 'itoden-net', '--examples'], { cwd: root });
  let failed = 0;
  for (const role of /** @type {const} */ (['server', 'client'])) {
    const counts = await test(role, selection);
    tell(`itoden as ${role}`, counts);
    failed += counts.failed;
  }
  return failed === 0 ? 0 : 1;
});
