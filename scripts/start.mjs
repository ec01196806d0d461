// npm start [-- inspector] [-- --port N]: builds what is missing, starts the chat and the Python bot in it, or the inspector
// instead, and stays until Ctrl-C.

import { parseArgs } from 'node:util';
import { Failure, runMain } from './lib/failure.mjs';
import { venvPython } from './lib/paths.mjs';
import { venvEnvironment } from './lib/python.mjs';
import { setUp } from './lib/setup.mjs';
import { Household } from './lib/household.mjs';

const answerWithin = 30_000;

const usage = 'Usage: npm start -- [chat | inspector] [--port NUMBER]';

/** What to start, and on which port. */
function readArguments() {
  let port;
  let names;
  try {
    ({ values: { port }, positionals: names } = parseArgs({ options: { port: { type: 'string' } }, allowPositionals: true }));
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : error}. ${usage}`);
  }
  const [name = 'chat', ...more] = names;
  if ((name !== 'chat' && name !== 'inspector') || more.length > 0) {
    throw new Failure(`'${names.join(' ')}' can't be started; there are chat and inspector. ${usage}`);
  }
  port ??= process.env.PORT ?? '8080';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new Failure(`The port is '${port}', but must be a number from 0 (any free port) to 65535.`);
  }
  return { name, port };
}

/** Waits until the page is there. @param {string} url @param {AbortSignal} signal */
async function untilItAnswers(url, signal) {
  const deadline = Date.now() + answerWithin;
  let last = 'no answer';
  while (Date.now() < deadline && !signal.aborted) {
    try {
      const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
      await response.body?.cancel();
      if (response.ok) return;
      last = `HTTP status ${response.status}`;
    } catch (error) {
      last = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (!signal.aborted) throw new Failure(`${url} did not answer within ${answerWithin / 1000} s (${last}).`);
}

await runMain(async () => {
  const { name, port } = readArguments();
  await setUp(name === 'inspector' ? ['npm', 'wasm'] : ['npm', 'node', 'python', 'wasm']);

  const household = new Household();
  try {
    if (name === 'inspector') {
      household.start('inspector', process.execPath, ['examples/inspector/server.js'], { PORT: port });
      return await household.over;
    }
    const server = household.start('chat server', process.execPath, ['examples/chat/server.js'], { PORT: port });
    const url = await Promise.race([server.lineWith(/http:\/\/[^\s]+/), household.over]);
    if (typeof url === 'string') {
      await untilItAnswers(url, household.signal);
      if (!household.signal.aborted) {
        console.log(`\nThe chat is at ${url}\nPress Ctrl-C to stop it.\n`);
        const room = new URL('chat', url.replace(/^http/, 'ws')).href;
        household.start('bot', venvPython, ['-u', 'examples/chat/bot.py', room], venvEnvironment);
      }
    }
    return await household.over;
  } finally {
    await household.stop();
  }
});
