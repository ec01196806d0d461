// The WebSocket of itoden/whatwg beside Chromium's own: the same scenarios against the same server give the same logs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as itoden from 'itoden/whatwg';
import { launchBrowser, openWindow } from './lib/browser.mjs';
import { startScenarioServer } from './whatwg/server.mjs';

/** Each is a file of scenarios by that name. */
const SUBJECTS = ['construction', 'handshake', 'closing', 'sending', 'events', 'streams'];

const modules = Object.fromEntries(await Promise.all(SUBJECTS.map(async (name) => [name, await import(`./whatwg/${name}.mjs`)])));

const file = (name) => fileURLToPath(new URL(`whatwg/${name}`, import.meta.url));

/** Chromium holds back connections behind those that failed, for seconds; nothing waits for this in vain. */
const DEADLINE = { timeout: 60_000 };

let browser;
let server;

before(async () => {
  server = await startScenarioServer({
    '/': file('page.html'),
    ...Object.fromEntries(['tools', 'stream-tools', ...SUBJECTS].map((name) => [`/${name}.mjs`, file(`${name}.mjs`)])),
  });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  server?.stop();
});

const plain = (log) => JSON.parse(JSON.stringify(log ?? null));

/** The log of a scenario in a page of its own. */
async function inChromium(path, name) {
  const { page, close } = await openWindow(browser);
  try {
    await page.goto(server.origin);
    return await page.evaluate(
      async ([module, scenario, url]) => {
        const { scenarios } = await import(module);
        return JSON.parse(JSON.stringify((await scenarios[scenario](globalThis, url)) ?? null));
      },
      [path, name, server.url],
    );
  } finally {
    await close();
  }
}

/** The classes, with all connections made by Node's http. */
const overStreams = {
  ...itoden,
  WebSocket: new Proxy(itoden.WebSocket, {
    construct: (WebSocket, [url, protocols], target) => {
      const bag = typeof protocols === 'object' && !Array.isArray(protocols) ? protocols : { protocols };
      return Reflect.construct(WebSocket, [url, { ...bag, node: { transport: 'stream' } }], target);
    },
  }),
  WebSocketStream: new Proxy(itoden.WebSocketStream, {
    construct: (Stream, [url, options], target) => Reflect.construct(Stream, [url, { ...options, node: { transport: 'stream' } }], target),
  }),
};

describe('as in Chromium', { concurrency: 6 }, () => {
  for (const subject of SUBJECTS) {
    const path = `/${subject}.mjs`;
    const { scenarios, deviations = {} } = modules[subject];
    for (const [name, run] of Object.entries(scenarios)) {
      test(`${subject}: ${name}`, DEADLINE, async (t) => {
        const mine = plain(await run(itoden, server.url));
        if (name in deviations) {
          assert.deepEqual(mine, deviations[name].expected);
          t.diagnostic(`not as in Chromium: ${deviations[name].standard}`);
        } else {
          assert.deepEqual(mine, await inChromium(path, name));
        }
      });

      // What only looks at the interface or its arguments makes no connection.
      if (run.constructor.name === 'AsyncFunction') {
        test(`${subject}: ${name} (over Node's http)`, DEADLINE, async () => {
          assert.deepEqual(plain(await run(overStreams, server.url)), plain(await run(itoden, server.url)));
        });
      }
    }
  }
});

// Chromium's order depends on whose socket was connected first, so it is not compared.
for (const [by, { WebSocket }] of Object.entries({ 'native sockets': itoden, "Node's http": overStreams })) {
  test(`connections to one host and port are made in the order in which they were asked for, by ${by}`, DEADLINE, async () => {
    const all = Array.from({ length: 5 }, () => new WebSocket(`${server.url}/echo?wait=a-moment`));
    const order = [];
    await Promise.all(
      all.map((ws, index) => new Promise((resolve, reject) => {
        ws.onopen = () => resolve(order.push(index));
        ws.onerror = () => reject(new Error(`connection ${index} failed`));
      })),
    );
    const closed = all.map((ws) => new Promise((resolve) => { ws.onclose = resolve; }));
    for (const ws of all) ws.close();
    await Promise.all(closed);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });
}
