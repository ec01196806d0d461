// In Chromium, without a bundler: a page imports the package's files, and so does a module worker of that page.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const dist = new URL('../dist/', import.meta.url);
const types = { js: 'text/javascript', wasm: 'application/wasm' };

/** What both the page and the worker do: the examples of RFC 6455 §5.7, both ways, and a session. */
const codec = `
  import init, { Connection, FrameDecoder, FrameEncoder } from '/itoden-wasm/index.js';

  export async function run() {
    await init();
    const maskingKey = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
    const bytes = new FrameEncoder('client').encodeText('Hello', { maskingKey });
    const frames = new FrameDecoder('server').push(bytes).map((frame) => frame.toObject());
    const client = new Connection('client');
    client.sendText('by a random key');
    const events = new Connection('server').receive(client.takeOutput());
    return { bytes, frames, events };
  }`;

const files = {
  '/': ['text/html', '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>itoden-wasm</title>'],
  '/codec.js': [types.js, codec],
  '/shared.js': [types.js, "import { run } from '/codec.js'; onconnect = async ({ ports: [port] }) => port.postMessage(await run());"],
  '/service.js': [types.js, "import { run } from '/codec.js'; onmessage = async ({ ports: [port] }) => port.postMessage(await run());"],
  '/session.js': [
    types.js,
    `import { WebSocketSession } from '/itoden-wasm/deflate.js';
    import { ClientHandshake, ServerHandshake } from '/itoden-wasm/handshake.js';
    import loadHandshakes from '/itoden-wasm/handshake.js';

    /** A client and a server in one page, handshake and all, over a pair of streams. */
    export async function run() {
      await loadHandshakes();
      const client = new ClientHandshake({ host: 'example.com', deflate: true });
      const server = new ServerHandshake();
      server.receive(client.request);
      const accepted = server.accept({ deflate: true });
      client.receive(accepted.bytes);
      const [there, back] = [new TransformStream(), new TransformStream()];
      const near = new WebSocketSession({ readable: back.readable, writable: there.writable, ...client.open() });
      const far = new WebSocketSession({ readable: there.readable, writable: back.writable, ...accepted }, { role: 'server' });
      far.onmessage = ({ data }) => far.send(data.toUpperCase());
      near.onopen = () => near.send('a'.repeat(5000));
      const text = await new Promise((resolve) => (near.onmessage = ({ data }) => resolve(data)));
      near.close(1000, 'done');
      const { code, reason, wasClean } = await new Promise((resolve) => (near.onclose = resolve));
      return [text === 'A'.repeat(5000), near.extensions, code, reason, wasClean];
    }`,
  ],
  '/worker.js': [types.js, "import { run } from '/codec.js'; postMessage(await run());"],
};

async function find(path) {
  if (files[path]) return files[path];
  const [, name, extension] = /^\/itoden-wasm\/([\w.-]+\.(js|wasm))$/.exec(path) ?? [];
  return name === undefined ? undefined : [types[extension], await readFile(new URL(name, dist))];
}

const server = createServer(async ({ url }, response) => {
  const [type, body] = (await find(url)) ?? [];
  response.writeHead(type ? 200 : 404, { 'Content-Type': type ?? 'text/plain' }).end(body ?? 'not found');
});

let browser;
let page;
const complaints = [];

before(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // A launch makes a user-data folder of its own, and removes it afterwards.
  browser = await chromium.launch({ executablePath, args });
  page = await browser.newPage();
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
});

after(async () => {
  await browser?.close();
  server.close();
});

/** Typed arrays reach this process as plain objects with the keys 0, 1, …; here they are hex. */
const readable = `(result) => JSON.parse(JSON.stringify(result, (key, value) => value instanceof Uint8Array
  ? Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('') : value))`;

const expected = {
  bytes: '818537fa213d7f9f4d5158',
  frames: [
    {
      fin: true,
      rsv1: false,
      rsv2: false,
      rsv3: false,
      opcode: 1,
      opcodeName: 'text',
      masked: true,
      maskingKey: '37fa213d',
      headerLength: 6,
      payloadLength: 5,
      payload: '48656c6c6f',
      maskedPayload: '7f9f4d5158',
    },
  ],
  events: [{ type: 'text', text: 'by a random key' }],
};

test('a page encodes and decodes', async () => {
  const result = await page.evaluate(`import('/codec.js').then(({ run }) => run()).then(${readable})`);
  assert.deepEqual(result, expected);
  assert.deepEqual(complaints, []);
});

test('a module worker encodes and decodes, and posts frames to its page', async () => {
  const result = await page.evaluate(`new Promise((resolve, reject) => {
    const worker = new Worker('/worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message || 'the worker could not be started'));
  }).then(${readable})`);
  assert.deepEqual(result, expected);
  assert.deepEqual(complaints, []);
});

test('a shared worker encodes and decodes', async () => {
  const result = await page.evaluate(`new Promise((resolve, reject) => {
    const worker = new SharedWorker('/shared.js', { type: 'module' });
    worker.port.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => reject(new Error('the worker could not be started'));
  }).then(${readable})`);
  assert.deepEqual(result, expected);
  assert.deepEqual(complaints, []);
});

test('a service worker encodes and decodes', async () => {
  const result = await page.evaluate(`(async () => {
    await navigator.serviceWorker.register('/service.js', { type: 'module' });
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    active.postMessage('run', [port2]);
    return new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  })().then(${readable})`);
  assert.deepEqual(result, expected);
  assert.deepEqual(complaints, []);
});

test('a page is client and server, opens, compresses and closes', async () => {
  // A page has one module of the codec: this one loads that with compression.
  await page.reload();
  const result = await page.evaluate("import('/session.js').then(({ run }) => run())");
  assert.deepEqual(result, [true, 'permessage-deflate', 1000, 'done', true]);
  assert.deepEqual(complaints, []);
});
