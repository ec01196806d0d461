// How `npm start` lives with its programs, seen from outside: each test runs a household in a process of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { root } from '../lib/paths.mjs';

const module = pathToFileURL(join(root, 'scripts/lib/household.mjs')).href;

/** A program that ends politely. @param {string} name */
const polite = (name) => `process.on('SIGINT', () => { console.log('${name} ends'); process.exit(0); }); setInterval(() => {}, 1e6); console.log('${name} runs', process.pid);`;

/**
 * Runs a household of the two programs; it ends when its programs do.
 * @param {string} first
 * @param {string} second
 * @param {(output: string, send: (signal: NodeJS.Signals) => void) => void} [onOutput]
 * @returns {Promise<{ code: number | null, output: string }>}
 */
function household(first, second, onOutput) {
  const script = `
    import { Household } from '${module}';
    const household = new Household();
    const one = household.start('first', process.execPath, ['-e', process.argv[1]], {});
    await Promise.race([one.lineWith(/runs/), household.over]);
    if (!household.signal.aborted) household.start('second', process.execPath, ['-e', process.argv[2]], {});
    process.exitCode = await household.over;
    await household.stop();
    console.log('all gone');`;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, first, second]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        onOutput?.(output, (signal) => child.kill(signal));
      });
    }
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** @param {string} output */
function assertGone(output) {
  const ids = [...output.matchAll(/runs (\d+)/g)].map(([, id]) => Number(id));
  assert.ok(ids.length > 0);
  for (const id of ids) assert.throws(() => process.kill(id, 0), { code: 'ESRCH' });
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  test(`${signal} ends both programs, the last one first, with exit code 0`, async () => {
    let sent = false;
    const { code, output } = await household(polite('server'), polite('bot'), (text, send) => {
      if (sent || !text.includes('bot runs')) return;
      sent = true;
      send(signal);
    });
    assert.equal(code, 0);
    assert.match(output, /bot ends\n[^]*server ends\n[^]*all gone/);
    assertGone(output);
  });
}

test('a program that dies is reported, its exit code is passed on, and the other is ended', async () => {
  const { code, output } = await household(polite('server'), 'process.exit(7)');
  assert.equal(code, 7);
  assert.match(output, /The second ended by itself with exit code 7\.\n[^]*server ends/);
  assertGone(output);
});

test('a first program that dies before it is ready is reported, and the second is not started', async () => {
  const { code, output } = await household('process.exit(3)', polite('bot'));
  assert.equal(code, 3);
  assert.match(output, /The first ended by itself with exit code 3\./);
  assert.doesNotMatch(output, /bot runs/);
});

test('a program that ignores the request to end is cut off', async () => {
  const deaf = "process.on('SIGINT', () => {}); setInterval(() => {}, 1e6); console.log('deaf runs', process.pid);";
  let sent = false;
  const { code, output } = await household(polite('server'), deaf, (text, send) => {
    if (sent || !text.includes('deaf runs')) return;
    sent = true;
    send('SIGINT');
  });
  assert.equal(code, 0);
  assert.match(output, /The second did not end within 5 s and is cut off\.\n[^]*server ends/);
  assertGone(output);
});
