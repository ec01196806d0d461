// @ts-check
// The page in Chromium and in Firefox, as a reader uses it. One of its captures is of that same browser: what its own
// WebSocket sent.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Connection } from 'itoden-wasm/deflate';
import { ServerHandshake } from 'itoden-wasm/handshake';
import { build } from '../build.js';
import { serve } from '../server.js';
import { Elements, missing, names, start } from './browsers.js';
import { pcapFile, pcapngFile, recordSession, tcpPackets, unhex, utf8 } from './support.js';

/** @typedef {import('./support.js').Piece} Piece */

const folder = mkdtempSync(join(tmpdir(), 'itoden-inspector-'));
const built = build(join(folder, 'dist'));
let web = serve(built);
let port = 0;

before(async () => {
  await once(web.listen(0, '127.0.0.1'), 'listening');
  port = /** @type {import('node:net').AddressInfo} */ (web.address()).port;
});

after(() => {
  web.closeAllConnections();
  web.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const name of names) describe(name, { skip: missing(name) }, () => inBrowser(name));

/** @param {import('./browsers.js').Name} name */
function inBrowser(name) {
  /** @type {Map<'light' | 'dark', import('puppeteer-core').Browser>} */ const browsers = new Map();
  /** @type {import('puppeteer-core').Page} */ let page;
  /** @type {string[]} */ const complaints = [];

  after(async () => {
    for (const browser of browsers.values()) await browser.close();
  });

  const url = () => `http://127.0.0.1:${port}/`;
  const all = (/** @type {string} */ selector) => new Elements(page, selector);
  const at = (/** @type {string} */ id) => all(`[data-testid=${id}]`);
  const ready = () => all('html[data-ready]').there();

  /** The page in a window of its own. @param {{ scheme?: 'light' | 'dark', width?: number, height?: number }} [options] */
  async function openPage({ scheme = 'light', width = 1280, height = 900 } = {}) {
    await page?.close();
    const browser = browsers.get(scheme) ?? (await start(name, scheme));
    browsers.set(scheme, browser);
    page = await browser.newPage();
    await page.setViewport({ width, height });
    complaints.length = 0;
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(url());
    await ready();
  }

  beforeEach(() => openPage());

  const bits = async () => (await all('[data-testid=bits] .cells').texts()).join(' ');
  const rows = () => all('#list [role=option]').attributes('aria-label');
  /** By how much the page is wider than what is seen of it, less its scrollbar. */
  const excess = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

  /** Drops a file on the page, as a hand does. @param {string} name @param {Uint8Array} bytes */
  const drop = (name, bytes) =>
    page.evaluate(
      (name, text) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))], name));
        for (const type of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      },
      name,
      Buffer.from(bytes).toString('base64'),
    );

  const untilStatus = (/** @type {RegExp} */ pattern, timeout = 20_000) => at('status').saying(pattern).there({ timeout });

  test('who comes sees a frame at once, and pastes over it', async () => {
    await untilStatus(/^An example: hex digits, 11 bytes; 1 connection, 1 frame, no errors/);
    assert.equal(await at('message').text(), 'Hello');
    await at('pasted').click();
    await page.keyboard.type('81 01 21');
    await untilStatus(/^Pasted: hex digits, 3 bytes/);
    assert.equal(await at('message').text(), '!');
    assert.deepEqual(complaints, []);
  });

  test('pasted bytes are drawn bit by bit, masked and unmasked', async () => {
    await at('pasted').paste('81 85 37 fa 21 3d 7f 9f 4d 51 58');
    await untilStatus(/^An example: hex digits, 11 bytes; 1 connection, 1 frame, no errors/);
    assert.equal(await bits(), '1 0 0 0 0001 1 0000101 0011011111111010 0010000100111101');
    assert.equal(await at('frame-title').text(), 'Frame 1: text from the client');
    assert.equal(await at('payload').text(), ['7f3748H', '9ffa65e', '4d216cl', '513d6cl', '58376fo'].join(''));
    assert.equal(await at('message').text(), 'Hello');
    assert.match(await at('size').text(), /^11 bytes on the wire: 5 of payload and 6 of header, 55 %/);
    assert.deepEqual(complaints, []);
  });

  test('a dump with offsets, and base64, are the same bytes', async () => {
    for (const text of ['00000000: 8185 37fa 213d 7f9f 4d51 58              ..7.!=..MQX', 'gYU3+iE9f59NUVg=']) {
      await at('pasted').paste(text);
      await untilStatus(/11 bytes/);
      assert.equal(await at('message').text(), 'Hello');
      await at('pasted').paste('');
    }
    await at('pasted').paste('81 8');
    await at('problem').saying("Line 1 has '8'").there();
    assert.equal(await at('detail').isSeen(), false);
  });

  test('an error is framed at its very bits, with section and sentence', async () => {
    await at('pasted').paste('a1 00');
    await at('error').there();
    assert.match(await at('error').text(), /^reserved_bits: the reserved bits of a frame are 010.*RFC 6455 §5.2: “MUST be 0 unless.*At bit 2 of the frame.*close code 1002/);
    const faulty = all('[data-testid=bits] [data-faulty]');
    assert.equal(await faulty.count(), 1);
    assert.equal(await faulty.nth(0).attribute('data-place'), '2');
    assert.equal(await all('[data-testid=error] a').attribute('href'), 'https://www.rfc-editor.org/rfc/rfc6455#section-5.2');
    await at('pasted').paste('81 04 61 62 ff 63');
    await at('error').saying('At byte 4 of the frame').there();
    assert.equal(await all('[data-testid=bytes] [data-faulty]').text(), 'ff');
    assert.match(await at('byte').text(), /^Byte 4 at 0x0004: ff = 255.*here is the fault/);
  });

  test('the sender and the extensions can be said', async () => {
    await all('#settings summary').click();
    await at('pasted').paste('c1 07 f2 48 cd c9 c9 07 00  c1 05 f2 00 11 00 00');
    await at('error').saying('give it under “Extensions”').there();
    await at('extensions').paste('permessage-deflate');
    await at('extensions').leave();
    await untilStatus(/2 frames, no errors/);
    assert.equal(await at('message').text(), 'Hello');
    assert.match(await at('message-facts').text(), /7 bytes inflated to 5 bytes/);
    await at('sender').choose('client');
    await at('error').saying('unmasked_frame').there();
    assert.equal(await all('[data-field=mask] [data-faulty]').count(), 1);
  });

  test('the keyboard goes through frames, into their bytes and back', async () => {
    await at('pasted').paste('01 03 48 65 6c 89 05 48 65 6c 6c 6f 80 02 6c 6f a1 00');
    await untilStatus(/4 frames, 1 error/);
    const list = at('list');
    await list.focus();
    const chosen = async () => all(`#${await list.attribute('aria-activedescendant')}`).attribute('aria-label');
    assert.match((await chosen()) ?? '', /^4: text from the server FIN RSV2 0 bytes. Error: /); // the first error is what is looked for
    await page.keyboard.press('Home');
    assert.match((await chosen()) ?? '', /^1: text from the server 3 bytes. Hel/);
    await page.keyboard.press('ArrowDown');
    assert.match((await chosen()) ?? '', /^2: ping from the server FIN 5 bytes/);
    await page.keyboard.press('e');
    assert.match((await chosen()) ?? '', /^4: /);
    await page.keyboard.press('ArrowUp');
    assert.equal(await at('frame-title').text(), 'Frame 3: continuation from the server');
    assert.match(await at('message-facts').text(), /text from the server, in 2 frames; 5 bytes/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.match(await at('byte').text(), /^Byte 2 at 0x000e: 6c = 108 = 01101100, payload, byte 0/);
    const outline = () => page.evaluate(() => getComputedStyle(/** @type {Element} */ (document.activeElement)).outlineStyle);
    assert.equal(await outline(), 'solid');
    await page.keyboard.press('Escape');
    assert.equal(await list.hasFocus(), true);
    assert.equal(await outline(), 'solid');
  });

  test('the tabs obey the arrow keys, and a typed message is drawn', async () => {
    await all('#tab-paste').focus();
    await page.keyboard.press('ArrowLeft');
    assert.equal(await all('[role=tab][aria-selected=true]').text(), 'Type a message');
    await untilStatus(/Typed: 11 bytes; 1 connection, 1 frame, no errors/);
    assert.equal((await all('[data-testid=bytes] [role=gridcell]').texts()).join(' '), '81 85 37 fa 21 3d 7f 9f 4d 51 58');
    await at('compress').tick();
    await at('typed').paste('a text, a text, a text, a text, a text');
    await at('send').click();
    await at('message-facts').saying('inflated to 38 bytes').there();
    const sizes = (await rows()).map((label) => Number(/ (\d+) bytes?\./.exec(label ?? '')?.[1]));
    assert.ok(sizes.length === 2 && Number(sizes[1]) < Number(sizes[0]), `the context of the first makes the second smaller: ${sizes}`);
    await at('key').paste('37');
    await at('problem').saying("The masking key is '37', but must be 8 hex digits").there();
    await at('key').paste('37fa213d');
    await at('kind').choose('ping');
    await at('typed').paste('00'.repeat(126));
    await at('problem').saying('at most 125 are allowed (RFC 6455 §5.5)').there();
  });

  test('a dropped pcap file shows its handshake, messages of fragments, and times', async () => {
    await drop('room.pcap', pcapFile(tcpPackets(recordSession())));
    await untilStatus(/room.pcap: a packet capture; 1 connection, 9 frames, no errors/);
    assert.match(await all('#opening summary').text(), /^Opening handshake · 101, fine · extensions: permessage-deflate.* · subprotocol: chat$/);
    assert.match(await at('figures').text(), /→ client.*← server/);
    assert.equal(await page.evaluate(() => document.querySelector('input')?.files?.[0]?.name), 'room.pcap');
    assert.match(await at('byte').text(), /came at 0.002000 s in packet 6/);
    await all('input[name=list][value=messages]').tick();
    assert.match((await rows())[3] ?? '', /^4: text from the client, 2 frames, 5 bytes. Hello/);
    await all('#list [role=option]').nth(3).click();
    assert.equal(await at('message').text(), 'Hello');
    await all('.fragments button').nth(1).click();
    assert.equal(await at('frame-title').text(), 'Frame 6: continuation from the client');
    await all('#tab-paste').click();
    await untilStatus(/^An example: hex digits, 11 bytes/);
    assert.equal(await all('#opening').isSeen(), false);
    await all('#tab-file').click();
    await untilStatus(/room.pcap: a packet capture/);
    assert.deepEqual(complaints, []);
  });

  test('a bad file is told and can be followed by a good one', async () => {
    await drop('empty.pcap', new Uint8Array());
    await at('problem').saying('empty.pcap is empty.').there();
    await drop('broken.har', utf8('{"log":'));
    await at('problem').saying("can't be read as such").there();
    const good = join(folder, 'good.pcapng');
    writeFileSync(good, pcapngFile(tcpPackets(recordSession())));
    await at('file').open(good);
    await untilStatus(/good.pcapng: a packet capture; 1 connection, 9 frames/);
    assert.equal(await at('problem').text(), '');
  });

  test('a file of 50 MB is read while the page stays awake', async () => {
    const frame = unhex('81 8c 00000000 68656c6c6f20776f726c6421');
    const path = `many-${frame.length}`;
    // Made in the page, since a driver's wire is slow.
    await page.evaluate(
      (bytes, name) => {
        const count = Math.floor(50_000_000 / bytes.length);
        const all = new Uint8Array(count * bytes.length);
        for (let index = 0; index < count; index += 1) all.set(bytes, index * bytes.length);
        const transfer = new DataTransfer();
        transfer.items.add(new File([all], name));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));
      },
      Array.from(frame),
      path,
    );
    await all('#progress:not([hidden])').there();
    await page.keyboard.press('Tab'); // heard while it reads
    await at('status').saying(/2,000,000 frames/).there({ timeout: 60_000 });
    assert.match(await at('figures').text(), /Only the first 2,000,000 frames are shown/);
    assert.ok((await all('#list [role=option]').count()) < 100, 'only the rows that are seen exist');
    await at('list').focus();
    await page.keyboard.press('End');
    await all('#row-1999999').there();
    assert.match((await rows()).at(-1) ?? '', /^2,000,000: text from the client FIN 12 bytes. hello world!/);
  });

  test('a capture of 10,000 frames is gone through frame by frame, and the strip is not drawn anew for each', async () => {
    const [request, response] = recordSession();
    const client = new Connection('client');
    const pieces = Array.from({ length: 10_000 }, (_, index) => {
      client.sendText(`message ${index}`);
      return { from: /** @type {const} */ ('client'), bytes: client.takeOutput() };
    });
    await drop('many.pcap', pcapFile(tcpPackets([/** @type {Piece} */ (request), /** @type {Piece} */ (response), ...pieces])));
    await untilStatus(/many.pcap: a packet capture; 1 connection, 10,000 frames, no errors/);
    await page.evaluate(() => {
      const { fillRect } = CanvasRenderingContext2D.prototype;
      document.body.dataset.drawn = '0';
      CanvasRenderingContext2D.prototype.fillRect = function (...where) {
        document.body.dataset.drawn = String(Number(document.body.dataset.drawn) + 1);
        fillRect.apply(this, where);
      };
    });
    await at('list').focus();
    for (let index = 0; index < 20; index += 1) await page.keyboard.press('ArrowDown');
    assert.equal(await at('message').text(), 'message 20');
    await page.keyboard.press('End');
    assert.equal(await at('message').text(), 'message 9999');
    await all('#row-9999').there();
    assert.ok((await all('#list [role=option]').count()) < 100, 'only the rows that are seen exist');
    assert.equal(await page.evaluate(() => document.body.dataset.drawn), '0');
    await all('#strip').click();
    assert.match(await at('message').text(), /^message (49|50)\d\d$/);
    await all('input[name=list][value=messages]').tick();
    await page.keyboard.press('Home');
    assert.deepEqual(complaints, []);
  });

  test('colours follow the scheme of the system, and nothing is wider than a telephone', async () => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await openPage({ scheme: 'dark', width: 360, height: 740 });
    assert.equal(await page.evaluate(() => innerWidth), 360);
    assert.equal(await excess(), 0);
    assert.notEqual(await ground(), light);
    await drop('room.pcap', pcapFile(tcpPackets(recordSession())));
    await untilStatus(/9 frames/);
    assert.equal(await excess(), 0);
    await all('#tab-type').click();
    assert.equal(await excess(), 0);
  });

  test('without a network the page comes back and works', async () => {
    await page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      while (active?.state !== 'activated') await new Promise((resolve) => active?.addEventListener('statechange', resolve, { once: true }));
    });
    await page.reload();
    await ready();
    web.closeAllConnections();
    await new Promise((resolve) => web.close(resolve));
    try {
      await page.reload();
      await ready();
      await at('pasted').paste('81 02 68 69');
      await untilStatus(/1 frame/);
      assert.equal(await at('message').text(), 'hi');
    } finally {
      web = serve(built);
      await once(web.listen(port, '127.0.0.1'), 'listening');
    }
  });

  test('a dropped HAR file shows its messages, in both directions', async () => {
    const messages = [
      { type: 'send', time: 1700000000.5, opcode: 1, data: 'héllo' },
      { type: 'receive', time: 1700000000.75, opcode: 2, data: 'AP+A' },
    ];
    await drop('room.har', utf8(JSON.stringify({ log: { entries: [{ request: { url: 'ws://example.com/room' }, _webSocketMessages: messages }] } })));
    await untilStatus(/room.har: a HAR file; 1 connection, 2 frames, no errors/);
    assert.equal(await at('message').text(), 'héllo');
    assert.match((await rows())[1] ?? '', /^2: binary from the server FIN 3 bytes/);
    assert.deepEqual(complaints, []);
  });

  test("what this browser's own WebSocket sends is explained, from its packets", async () => {
    const { pieces, text } = await ownSession();
    await drop('own.pcap', pcapFile(tcpPackets(pieces)));
    await untilStatus(/own.pcap: a packet capture; 1 connection, 4 frames, no errors/);
    assert.equal(await at('frame-title').text(), 'Frame 1: compressed text from the client');
    assert.equal(await at('message').text(), text);
    assert.deepEqual((await rows()).map((label) => /: (\w+) from the (\w+)/.exec(label)?.slice(1).join(' ')), ['text client', 'text server', 'close client', 'close server']);
  });

  /** A page of its own speaks, since the policy of the inspector lets it connect to nobody. */
  async function ownSession() {
    const { pieces, port, ended, close } = await recordingServer();
    await page.goto(`http://127.0.0.1:${port}/`);
    const text = 'said by a browser, said by a browser, said by a browser';
    await page.evaluate(
      (text, port) =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
          socket.onopen = () => socket.send(text);
          socket.onmessage = () => socket.close(1000, 'done');
          socket.onclose = () => resolve(undefined);
          socket.onerror = () => reject(new Error('the WebSocket failed'));
        }),
      text,
      port,
    );
    await ended;
    close();
    await page.goto(url());
    await ready();
    return { pieces, port, text };
  }

  // Firefox tells the same to its own tools only.
  if (name !== 'Chromium') return;

  test("what Chromium's own WebSocket sends is explained, from what its tools write into a HAR file", async () => {
    const devtools = await page.createCDPSession();
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
    const { port, text } = await ownSession();
    const list = (/** @type {Record<string, string>} */ headers) => Object.entries(headers).map(([name, value]) => ({ name, value }));
    const entry = {
      request: { method: 'GET', url: `ws://127.0.0.1:${port}/`, headers: list(heads.requestHeaders) },
      response: { status: heads.status, statusText: heads.statusText, headers: list(heads.headers) },
      _webSocketMessages: messages,
    };
    await drop('own.har', utf8(JSON.stringify({ log: { entries: [entry] } })));
    await untilStatus(/own.har: a HAR file; 1 connection, \d frames, no errors/);
    assert.match(await all('#opening summary').text(), /101, fine/);
    assert.equal(await at('message').text(), text);
  });
}

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
