// @ts-check
// The page in Chromium, as a reader uses it. One of its captures is of that same Chromium: what its own WebSocket sent.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Connection } from 'itoden-wasm/deflate';
import { ServerHandshake } from 'itoden-wasm/handshake';
import { chromium } from 'playwright-core';
import { build } from '../build.js';
import { serve } from '../server.js';
import { pcapFile, pcapngFile, recordSession, tcpPackets, unhex, utf8 } from './support.js';

/** @typedef {import('./support.js').Piece} Piece */

const executablePath = process.env.CHROMIUM_PATH || '/usr/bin/chromium';
const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const folder = mkdtempSync(join(tmpdir(), 'itoden-inspector-'));
const web = serve(build(join(folder, 'dist')));

/** @type {import('playwright-core').Browser} */ let browser;
/** @type {import('playwright-core').BrowserContext} */ let context;
/** @type {import('playwright-core').Page} */ let page;
/** @type {string[]} */ const complaints = [];
let url = '';
let isShared = false;

before(async () => {
  await once(web.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (web.address()).port}/`;
  browser = await chromium.launch({ executablePath, args });
});

after(async () => {
  await browser?.close();
  web.closeAllConnections();
  web.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A window of its own for those who ask for one; the others share one. @param {import('playwright-core').BrowserContextOptions} [options] */
async function openPage(options) {
  if (context && page && !options && isShared) {
    complaints.length = 0;
    await page.goto(url);
    return ready();
  }
  await context?.close();
  isShared = !options;
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  page = await context.newPage();
  page.setDefaultTimeout(10_000);
  complaints.length = 0;
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(url);
  await ready();
}

const ready = () => page.locator('html[data-ready]').waitFor({ state: 'attached' });

beforeEach(() => openPage());

const at = (/** @type {string} */ id) => page.getByTestId(id);
const bits = async () => (await page.locator('[data-testid=bits] li').all()).length && page.locator('[data-testid=bits] .cells').evaluateAll((all) => all.map(({ textContent }) => textContent).join(' '));
const rows = () => page.locator('#list [role=option]').evaluateAll((all) => all.map((row) => row.getAttribute('aria-label')));

/** Drops a file on the page, as a hand does. @param {string} name @param {Uint8Array} bytes */
async function drop(name, bytes) {
  const data = await page.evaluateHandle(
    ([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(text ?? ''), (character) => character.charCodeAt(0))], name ?? ''));
      return transfer;
    },
    [name, Buffer.from(bytes).toString('base64')],
  );
  await page.dispatchEvent('body', 'dragover', { dataTransfer: data });
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
}

const untilStatus = (/** @type {RegExp} */ pattern) => at('status').filter({ hasText: pattern }).waitFor();

test('pasted bytes are drawn bit by bit, masked and unmasked', async () => {
  await at('pasted').fill('81 85 37 fa 21 3d 7f 9f 4d 51 58');
  await untilStatus(/hex digits, 11 bytes; 1 connection, 1 frame, no errors/);
  assert.equal(await bits(), '1 0 0 0 0001 1 0000101 0011011111111010 0010000100111101');
  assert.equal(await at('frame-title').textContent(), 'Frame 1: text from the client');
  assert.equal(await at('payload').textContent(), ['7f3748H', '9ffa65e', '4d216cl', '513d6cl', '58376fo'].join(''));
  assert.equal(await at('message').textContent(), 'Hello');
  assert.match((await at('size').textContent()) ?? '', /^11 bytes on the wire: 5 of payload and 6 of header, 55 %/);
  assert.deepEqual(complaints, []);
});

test('a dump with offsets, and base64, are the same bytes', async () => {
  for (const text of ['00000000: 8185 37fa 213d 7f9f 4d51 58              ..7.!=..MQX', 'gYU3+iE9f59NUVg=']) {
    await at('pasted').fill(text);
    await untilStatus(/11 bytes/);
    assert.equal(await at('message').textContent(), 'Hello');
    await at('pasted').fill('');
  }
  await at('pasted').fill('81 8');
  await at('problem').filter({ hasText: "Line 1 has '8'" }).waitFor();
  assert.equal(await at('detail').isVisible(), false);
});

test('an error is framed at its very bits, with section and sentence', async () => {
  await at('pasted').fill('a1 00');
  await at('error').waitFor();
  assert.match((await at('error').textContent()) ?? '', /^reserved_bits: the reserved bits of a frame are 010.*RFC 6455 §5.2: “MUST be 0 unless.*At bit 2 of the frame.*close code 1002/);
  const faulty = page.locator('[data-testid=bits] [data-faulty]');
  assert.equal(await faulty.count(), 1);
  assert.equal(await faulty.first().getAttribute('data-place'), '2');
  assert.equal(await at('error').locator('a').getAttribute('href'), 'https://www.rfc-editor.org/rfc/rfc6455#section-5.2');
  await at('pasted').fill('81 04 61 62 ff 63');
  await at('error').filter({ hasText: 'At byte 4 of the frame' }).waitFor();
  assert.equal(await page.locator('[data-testid=bytes] [data-faulty]').textContent(), 'ff');
  assert.match((await at('byte').textContent()) ?? '', /^Byte 4 at 0x0004: ff = 255.*here is the fault/);
});

test('the sender and the extensions can be said', async () => {
  await page.locator('#settings summary').click();
  await at('pasted').fill('c1 07 f2 48 cd c9 c9 07 00  c1 05 f2 00 11 00 00');
  await at('error').filter({ hasText: 'give it under “Extensions”' }).waitFor();
  await at('extensions').fill('permessage-deflate');
  await at('extensions').blur();
  await untilStatus(/2 frames, no errors/);
  assert.equal(await at('message').textContent(), 'Hello');
  assert.match((await at('message-facts').textContent()) ?? '', /7 bytes inflated to 5 bytes/);
  await at('sender').selectOption('client');
  await at('error').filter({ hasText: 'unmasked_frame' }).waitFor();
  assert.equal(await page.locator('[data-field=mask] [data-faulty]').count(), 1);
});

test('the keyboard goes through frames, into their bytes and back', async () => {
  await at('pasted').fill('01 03 48 65 6c 89 05 48 65 6c 6c 6f 80 02 6c 6f a1 00');
  await untilStatus(/4 frames, 1 error/);
  const list = at('list');
  await list.focus();
  const chosen = () => list.evaluate((root) => document.getElementById(root.getAttribute('aria-activedescendant') ?? '')?.getAttribute('aria-label'));
  assert.match((await chosen()) ?? '', /^4: text from the server FIN RSV2 0 bytes. Error: /); // the first error is what is looked for
  await page.keyboard.press('Home');
  assert.match((await chosen()) ?? '', /^1: text from the server 3 bytes. Hel/);
  await page.keyboard.press('ArrowDown');
  assert.match((await chosen()) ?? '', /^2: ping from the server FIN 5 bytes/);
  await page.keyboard.press('e');
  assert.match((await chosen()) ?? '', /^4: /);
  await page.keyboard.press('ArrowUp');
  assert.equal(await at('frame-title').textContent(), 'Frame 3: continuation from the server');
  assert.match((await at('message-facts').textContent()) ?? '', /text from the server, in 2 frames; 5 bytes/);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.match((await at('byte').textContent()) ?? '', /^Byte 2 at 0x000e: 6c = 108 = 01101100, payload, byte 0/);
  const outline = () => page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle);
  assert.equal(await outline(), 'solid');
  await page.keyboard.press('Escape');
  assert.equal(await list.evaluate((root) => root === document.activeElement), true);
  assert.equal(await outline(), 'solid');
});

test('the tabs obey the arrow keys, and a typed message is drawn', async () => {
  await page.locator('#tab-paste').focus();
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.locator('[role=tab][aria-selected=true]').textContent(), 'Type a message');
  await untilStatus(/Typed: 11 bytes; 1 connection, 1 frame, no errors/);
  assert.equal(await page.locator('[data-testid=bytes] [role=gridcell]').evaluateAll((all) => all.map(({ textContent }) => textContent).join(' ')), '81 85 37 fa 21 3d 7f 9f 4d 51 58');
  await at('compress').check();
  await at('typed').fill('a text, a text, a text, a text, a text');
  await at('send').click();
  await at('message-facts').filter({ hasText: 'inflated to 38 bytes' }).waitFor();
  const sizes = (await rows()).map((label) => Number(/ (\d+) bytes?\./.exec(label ?? '')?.[1]));
  assert.ok(sizes.length === 2 && Number(sizes[1]) < Number(sizes[0]), `the context of the first makes the second smaller: ${sizes}`);
  await at('key').fill('37');
  await at('problem').filter({ hasText: "The masking key is '37', but must be 8 hex digits" }).waitFor();
  await at('key').fill('37fa213d');
  await at('kind').selectOption('ping');
  await at('typed').fill('00'.repeat(126));
  await at('problem').filter({ hasText: 'at most 125 are allowed (RFC 6455 §5.5)' }).waitFor();
});

test('a dropped pcap file shows its handshake, messages of fragments, and times', async () => {
  await drop('room.pcap', pcapFile(tcpPackets(recordSession())));
  await untilStatus(/room.pcap: a packet capture; 1 connection, 9 frames, no errors/);
  assert.match((await page.locator('#opening summary').textContent()) ?? '', /^Opening handshake · 101, fine · extensions: permessage-deflate.* · subprotocol: chat$/);
  assert.match((await at('figures').textContent()) ?? '', /→ client.*← server/);
  assert.match((await at('byte').textContent()) ?? '', /came at 0.002000 s in packet 6/);
  await page.getByLabel('Messages', { exact: true }).check();
  assert.match((await rows())[3] ?? '', /^4: text from the client, 2 frames, 5 bytes. Hello/);
  await page.locator('#list [role=option]').nth(3).click();
  assert.equal(await at('message').textContent(), 'Hello');
  await page.locator('.fragments button').nth(1).click();
  assert.equal(await at('frame-title').textContent(), 'Frame 6: continuation from the client');
  await page.locator('#tab-paste').click();
  assert.equal(await at('detail').isVisible(), false);
  await page.locator('#tab-file').click();
  await untilStatus(/room.pcap: a packet capture/);
  assert.deepEqual(complaints, []);
});

test('a bad file is told and can be followed by a good one', async () => {
  await drop('empty.pcap', new Uint8Array());
  await at('problem').filter({ hasText: 'empty.pcap is empty.' }).waitFor();
  await drop('broken.har', utf8('{"log":'));
  await at('problem').filter({ hasText: "can't be read as such" }).waitFor();
  await at('file').setInputFiles({ name: 'good.pcapng', mimeType: '', buffer: Buffer.from(pcapngFile(tcpPackets(recordSession()))) });
  await untilStatus(/good.pcapng: a packet capture; 1 connection, 9 frames/);
  assert.equal(await at('problem').textContent(), '');
});

test('a file of 50 MB is read while the page stays awake', async () => {
  const frame = unhex('81 8c 00000000 68656c6c6f20776f726c6421');
  const path = `many-${frame.length}`;
  // Made in the page, since a driver's wire is slow; while it is read, the longest time between two frames of the screen counts.
  await page.evaluate(
    ([bytes, name]) => {
      const frame = /** @type {number[]} */ (bytes);
      const count = Math.floor(50_000_000 / frame.length);
      const all = new Uint8Array(count * frame.length);
      for (let index = 0; index < count; index += 1) all.set(frame, index * frame.length);
      const transfer = new DataTransfer();
      transfer.items.add(new File([all], String(name)));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));
    },
    [Array.from(frame), path],
  );
  await page.locator('#progress:not([hidden])').waitFor();
  await page.keyboard.press('Tab'); // heard while it reads
  await page.getByTestId('status').filter({ hasText: /2,000,000 frames/ }).waitFor({ timeout: 60_000 });
  assert.match((await at('figures').textContent()) ?? '', /Only the first 2,000,000 frames are shown/);
  assert.ok((await page.locator('#list [role=option]').count()) < 100, 'only the rows that are seen exist');
  await at('list').focus();
  await page.keyboard.press('End');
  await page.locator('#row-1999999').waitFor();
  assert.match((await rows()).at(-1) ?? '', /^2,000,000: text from the client FIN 12 bytes. hello world!/);
});

test('colours follow the scheme of the system, and nothing is wider than a telephone', async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await openPage({ colorScheme: 'dark', viewport: { width: 360, height: 740 } });
  assert.notEqual(await ground(), light);
  await drop('room.pcap', pcapFile(tcpPackets(recordSession())));
  await untilStatus(/9 frames/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.locator('#tab-type').click();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test('without a network the page comes back and works', async () => {
  await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active?.state === 'activated' || new Promise((resolve) => active?.addEventListener('statechange', resolve))));
  await page.reload();
  await ready();
  await context.setOffline(true);
  await page.reload();
  await ready();
  await at('pasted').fill('81 02 68 69');
  await untilStatus(/1 frame/);
  assert.equal(await at('message').textContent(), 'hi');
  await context.setOffline(false);
});

test("what this browser's own WebSocket sends is explained, from its packets and from its HAR", async () => {
  const { pieces, port, ended, close } = await recordingServer();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  /** @type {any[]} */
  const messages = [];
  const seen = (/** @type {string} */ type) => (/** @type {any} */ { timestamp, response }) =>
    messages.push({ type, time: timestamp, opcode: response.opcode, data: response.payloadData });
  devtools.on('Network.webSocketFrameSent', seen('send'));
  devtools.on('Network.webSocketFrameReceived', seen('receive'));
  /** @type {any} */
  const heads = {};
  devtools.on('Network.webSocketHandshakeResponseReceived', ({ response }) => Object.assign(heads, response));
  // The policy of the inspector lets it connect to nobody; a page of its own speaks.
  await page.goto(`http://127.0.0.1:${port}/`);
  const text = 'said by a browser, said by a browser, said by a browser';
  await page.evaluate(
    ([text, port]) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
        socket.onopen = () => socket.send(text ?? '');
        socket.onmessage = () => socket.close(1000, 'done');
        socket.onclose = resolve;
        socket.onerror = reject;
      }),
    [text, String(port)],
  );
  await ended;
  close();
  await page.goto(url);
  await ready();
  await drop('own.pcap', pcapFile(tcpPackets(pieces)));
  await untilStatus(/own.pcap: a packet capture; 1 connection, 4 frames, no errors/);
  assert.equal(await at('frame-title').textContent(), 'Frame 1: compressed text from the client');
  assert.equal(await at('message').textContent(), text);
  assert.deepEqual((await rows()).map((label) => /: (\w+) from the (\w+)/.exec(label ?? '')?.slice(1).join(' ')), ['text client', 'text server', 'close client', 'close server']);

  const list = (/** @type {Record<string, string>} */ headers) => Object.entries(headers).map(([name, value]) => ({ name, value }));
  const entry = {
    request: { method: 'GET', url: `ws://127.0.0.1:${port}/`, headers: list(heads.requestHeaders) },
    response: { status: heads.status, statusText: heads.statusText, headers: list(heads.headers) },
    _webSocketMessages: messages,
  };
  await drop('own.har', utf8(JSON.stringify({ log: { entries: [entry] } })));
  await untilStatus(/own.har: a HAR file; 1 connection, \d frames, no errors/);
  assert.match((await page.locator('#opening summary').textContent()) ?? '', /101, fine/);
  assert.equal(await at('message').textContent(), text);
});

/** A WebSocket server that echoes, and writes down each byte of its first WebSocket; anything else gets an empty page. */
async function recordingServer() {
  /** @type {Piece[]} */
  const pieces = [];
  let finish = () => {};
  /** @type {Promise<void>} */
  const ended = new Promise((resolve) => (finish = resolve));
  const server = createServer((socket) => {
    const handshake = new ServerHandshake();
    /** @type {Connection | undefined} */
    let connection;
    /** @type {Piece[]} */
    const own = [];
    const write = (/** @type {Uint8Array} */ bytes) => {
      own.push({ from: 'server', bytes });
      socket.write(bytes);
    };
    socket.on('error', () => {}); // the browser may be gone first
    socket.on('data', (chunk) => {
      const bytes = Uint8Array.from(chunk);
      own.push({ from: 'client', bytes });
      if (!connection) {
        if (!/upgrade: websocket/i.test(chunk.toString('latin1'))) {
          return socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        }
        handshake.receive(bytes);
        const accepted = handshake.accept({ deflate: true });
        connection = new Connection('server', { extensions: accepted.extensions, compressionThreshold: 0 });
        return write(accepted.bytes);
      }
      for (const event of connection.receive(bytes)) if (event.type === 'text') connection.sendText(event.text);
      const output = connection.takeOutput();
      if (output.length) write(output);
      if (connection.shutdown) {
        pieces.push(...own);
        socket.end();
        finish();
      }
      return undefined;
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return { pieces, port, ended, close: () => server.close() };
}
