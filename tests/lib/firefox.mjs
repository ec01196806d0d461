// @ts-check
// Firefox with an empty profile, driven by WebDriver BiDi: Firefox serves it over a WebSocket, and this package's is the
// client.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'itoden';

// Firefox looks nothing up by itself: the tests need no network.
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.proxy.type': 0,
  'services.settings.server': 'data:,#remote-settings-dummy/v1',
  'toolkit.telemetry.unified': false,
};

/** One that takes any certificate; with a page of its own. */
export async function launchFirefox() {
  const home = mkdtempSync(join(tmpdir(), 'itoden-firefox-'));
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`);
  writeFileSync(join(home, 'user.js'), lines.join(''));
  const path = process.env.FIREFOX_PATH || 'firefox-esr';
  const child = spawn(path, ['--headless', '--no-remote', '--profile', home, '--remote-debugging-port', '0', 'about:blank'], {
    env: { ...process.env, HOME: home, MOZ_CRASHREPORTER_DISABLE: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const failed = Promise.race([once(child, 'error'), exited]).then((why) => Promise.reject(new Error(`${path} ended: ${why}`)));
  failed.catch(() => {});
  const stop = async () => {
    child.kill();
    await exited;
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const address = await Promise.race([addressIn(child.stderr), failed]);
    return { ...(await session(address)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where it serves BiDi, which it says once. @param {import('node:stream').Readable} output @returns {Promise<string>} */
function addressIn(output) {
  return new Promise((resolve) => {
    createInterface({ input: output }).on('line', (line) => {
      const found = /^WebDriver BiDi listening on (ws:\S+)/.exec(line);
      if (found) resolve(/** @type {string} */ (found[1]));
    });
  });
}

/** @param {string} address */
async function session(address) {
  const ws = new WebSocket(`${address}/session`, { perMessageDeflate: false });
  /** @type {Map<number, (answer: { type: string, result: any, message?: string }) => void>} */
  const waiting = new Map();
  ws.on('message', (data) => {
    const answer = JSON.parse(data.toString());
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const lost = once(ws, 'close').then(([code]) => Promise.reject(new Error(`Firefox closed its connection with ${code}`)));
  lost.catch(() => {});
  let commands = 0;
  /** @param {string} method @param {object} params @returns {Promise<any>} */
  const command = async (method, params) => {
    commands += 1;
    const id = commands;
    ws.send(JSON.stringify({ id, method, params }));
    const answer = await Promise.race([new Promise((resolve) => waiting.set(id, resolve)), lost]);
    if (answer.type === 'error') throw new Error(`${method}: ${answer.message}`);
    return answer.result;
  };
  await Promise.race([once(ws, 'open'), lost]);
  const { capabilities } = await command('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
  const { contexts } = await command('browsingContext.getTree', {});
  const { context } = contexts[0];
  return {
    /** @type {string} */
    version: capabilities.browserVersion,
    /** @param {string} url */
    goto: (url) => command('browsingContext.navigate', { context, url, wait: 'complete' }),
    /** The value of an expression in the page, of a promise if it is one. It has to be JSON. @param {string} expression */
    async evaluate(expression) {
      const { type, result, exceptionDetails } = await command('script.evaluate', {
        expression: `(async () => JSON.stringify(await (${expression})))()`,
        target: { context },
        awaitPromise: true,
      });
      if (type === 'exception') throw new Error(exceptionDetails.text);
      return JSON.parse(result.value);
    },
  };
}
