// A server of the Python package, besides what peers.mjs has it do: with a page in Chromium, and behind reverse proxies with the
// Node package's clients.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { launchBrowser, openWindow } from '../lib/browser.mjs';
import { makeCertificate } from '../lib/certificate.mjs';
import { proxies, startProxy } from '../lib/proxies.mjs';
import { clients } from './clients.mjs';
import { testExchanges } from './exchanges.mjs';
import { peers, startPeer } from './peers.mjs';

/** A failure guard: nothing waits for this. */
const DEADLINE = { timeout: 60_000 };

const kind = peers['itoden for Python'];
const certificate = makeCertificate();
/** @type {Awaited<ReturnType<typeof startPeer>>} */ let server;
before(async () => {
  server = await startPeer(kind, certificate);
}, DEADLINE);
after(async () => {
  await server?.stop();
});

let connections = 0;

/** The report of a connection to come, and what its URL ends with. */
function expected() {
  connections += 1;
  return { report: server.report(connections), query: `?id=${connections}` };
}

/** What a page does: it sends messages, compares what comes back, and is closed by the other end or closes. */
async function visit({ url, order }) {
  const socket = new WebSocket(url, ['chat']);
  socket.binaryType = 'arraybuffer';
  const arrived = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    arrived.push(data);
    wake();
  };
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('no connection'));
  });
  const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20];
  const sent = [...sizes.map((size) => 'ü'.repeat(size / 2)), ...sizes.map((size) => Uint8Array.from({ length: size }, (_, at) => at % 251)), '糸電話 👋🏽'];
  for (const message of sent) socket.send(message);
  while (arrived.length < sent.length) await new Promise((resolve) => (wake = resolve));
  const same = sent.every((message, index) => {
    const back = arrived[index];
    if (typeof message === 'string') return message === back;
    const bytes = new Uint8Array(back);
    return bytes.length === message.length && bytes.every((byte, at) => byte === message[at]);
  });
  if (order === undefined) socket.close(4001, 'from the page');
  else socket.send(order);
  return { same, protocol: socket.protocol, extensions: socket.extensions, ...(await closed) };
}

describe('a page in Chromium at a server of the Python package', () => {
  let browser;
  let page;
  let site;
  before(async () => {
    browser = await launchBrowser();
    ({ page } = await openWindow(browser, { ignoreHTTPSErrors: true }));
    site = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>itoden</title>')).listen(0, '127.0.0.1');
    await once(site, 'listening');
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
  }, DEADLINE);
  after(async () => {
    await browser?.close();
    site?.close();
  });

  for (const scheme of ['ws', 'wss']) {
    for (const [who, order, ending] of [
      ['the page', undefined, { code: 4001, reason: 'from the page' }],
      ['the server', '!{"close":[4002,"from the server"]}', { code: 4002, reason: 'from the server' }],
    ]) {
      test(`messages come back compressed over ${scheme}:, and ${who} closes`, DEADLINE, async () => {
        const { report, query } = expected();
        const found = await page.evaluate(visit, { url: `${server.urls[scheme]}/${query}`, order });
        const { extensions, ...rest } = found;
        assert.deepEqual(rest, { same: true, protocol: 'chat', ...ending, wasClean: true });
        assert.match(extensions, /^permessage-deflate/);
        const { code, protocol } = await report;
        assert.deepEqual({ code, protocol }, { code: ending.code, protocol: 'chat' });
      });
    }
  }
});

for (const name of Object.keys(proxies)) {
  const skip = proxies[name].path() === '' && `npm test found no ${name}`;
  describe(`a server of the Python package behind ${name}`, { skip }, () => {
    /** @type {Awaited<ReturnType<typeof startProxy>>} */ let proxy;
    before(async () => {
      const backends = { python: Number(new URL(server.urls.ws).port) };
      proxy = await startProxy(name, { ...certificate, backends });
    }, DEADLINE);
    after(() => proxy?.stop());

    for (const [what, { own, scheme, connect, deflate }] of Object.entries(clients)) {
      describe(`and ${what}`, () => {
        const open = async ({ protocols = [], headers = {} } = {}) => {
          const { report, query } = expected();
          const end = connect(`${proxy[scheme]}/python/${query}`, protocols, { headers, ca: certificate.ca });
          await end.opened;
          return { end, report };
        };
        testExchanges(test, { peer: kind.server, own }, () => ({ open, deflate }));
      });
    }
  });
}
