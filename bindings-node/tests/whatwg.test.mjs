// itoden/whatwg in Node: what a browser has no part in. That it behaves as Chromium's WebSocket does is shown in the tests
// across rooms, by one table of scenarios for both.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { openAsBlob, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import https from 'node:https';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import Default, { CloseEvent, WebSocket, WebSocketError, WebSocketStream } from 'itoden/whatwg';
import { WebSocketServer } from 'itoden';
import { closed as peerClosed, each, plain, startServer, TRANSPORTS } from './helpers.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

const next = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

/** The types of the events until the close event, which comes last. */
function events(ws) {
  const log = [];
  return new Promise((resolve) => {
    for (const type of ['open', 'message', 'error', 'close']) {
      ws.addEventListener(type, (event) => {
        log.push(type === 'close' ? [type, event.code, event.reason, event.wasClean] : type);
        if (type === 'close') resolve(log);
      });
    }
  });
}

/** A server on a plain socket: `hold(request, answer)` gets each handshake, and the connections that wait are counted. */
async function startHolding(t, hold) {
  const state = { waiting: 0, most: 0, port: 0 };
  const sockets = new Set();
  const http = await import('node:http');
  const server = http.createServer();
  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    state.waiting += 1;
    state.most = Math.max(state.most, state.waiting);
    hold(request, () => {
      state.waiting -= 1;
      wss.handleUpgrade(request, socket, head, () => {});
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  state.port = server.address().port;
  return state;
}

// URLs.

plain('a relative URL is resolved where there is a location, and is a SyntaxError where there is none', async (t) => {
  const { port, url } = await startServer(t, 'native');
  for (const relative of ['/path', 'path', '', '?query', '//127.0.0.1/']) {
    assert.throws(() => new WebSocket(relative), (error) => error instanceof DOMException && error.name === 'SyntaxError' && error.code === 12);
  }
  globalThis.location = { href: `http://127.0.0.1:${port}/folder/page?x#y` };
  t.after(() => delete globalThis.location);
  for (const [relative, absolute] of [['/path', '/path'], ['path', '/folder/path'], ['', '/folder/page?x'], ['?query', '/folder/page?query']]) {
    const ws = new WebSocket(relative);
    assert.equal(ws.url, `${url}${absolute}`);
    await next(ws, 'open');
    ws.close();
    await next(ws, 'close');
  }
  assert.throws(() => new WebSocket('#fragment'), { name: 'SyntaxError' });
});

plain('errors say what came and what is allowed', () => {
  assert.throws(() => new WebSocket('ftp://host/'), { message: "The URL 'ftp://host/' has the scheme 'ftp:'; ws:, wss:, http: and https: are allowed" });
  assert.throws(() => new WebSocket('ws://host/#x'), { message: /'ws:\/\/host\/#x' has a fragment/ });
  assert.throws(() => new WebSocket('ws://127.0.0.1:9', 'a b'), { message: /subprotocol 'a b' is not a token; letters, digits/ });
  assert.throws(() => new WebSocket('ws://127.0.0.1:9', ['a', 'A']), { message: /'A' is asked for twice/ });
  const ws = new WebSocket('ws://127.0.0.1:9');
  assert.throws(() => ws.close(1005), { message: 'The close code is 1005; 1000 and 3000 to 4999 are allowed' });
  assert.throws(() => ws.close(1000, 'x'.repeat(124)), { message: 'The reason has 124 bytes of UTF-8; at most 123 are allowed' });
  assert.throws(() => ws.send('early'), { name: 'InvalidStateError', message: /CONNECTING; wait for its open event/ });
  assert.throws(() => WebSocket.prototype.readyState, { name: 'TypeError', message: 'Illegal invocation: this is not a WebSocket' });
  ws.close();
});

// Options for Node.

each('node: takes what Node can be asked for, as header fields and the driver', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(url, { protocols: [], node: { transport, origin: 'http://example.test', headers: { 'X-Own': 'yes', Cookie: 'a=b' } } });
  const [peer, request] = await arrived;
  assert.equal(request.headers.origin, 'http://example.test');
  assert.equal(request.headers['x-own'], 'yes');
  assert.equal(request.headers.cookie, 'a=b');
  await next(ws, 'open');
  assert.equal(ws.extensions, peer.extensions);
  ws.close();
  await next(ws, 'close');
});

plain('wrong options for Node are refused at once', () => {
  const make = (node) => () => new WebSocket('ws://127.0.0.1:9', { node });
  assert.throws(make('x'), { name: 'TypeError', message: /node is x; it must be an object/ });
  assert.throws(make({ maxPayload: 'much' }), { name: 'TypeError', message: /maxPayload/ });
  for (const name of ['protocols', 'followRedirects', 'protocolVersion', 'finishRequest', 'maxRedirects']) {
    assert.throws(make({ [name]: 1 }), { name: 'TypeError', message: new RegExp(`node\\.${name} is not possible here`) });
  }
  assert.throws(() => new WebSocketStream('ws://127.0.0.1:9', { node: 1 }), { name: 'TypeError' });
});

plain('the user name and the password of a URL are sent', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(`ws://user:p%20w@127.0.0.1:${port}/`);
  const [, request] = await arrived;
  assert.equal(request.headers.authorization, `Basic ${Buffer.from('user:p w').toString('base64')}`);
  assert.equal(ws.url, `ws://user:p%20w@127.0.0.1:${port}/`);
  await next(ws, 'open');
  ws.close();
  await next(ws, 'close');
});

plain('wss: works with a certificate that is trusted, and fails with one that is not', async (t) => {
  const read = (name) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
  const server = https.createServer({ key: read('key.pem'), cert: read('cert.pem') });
  const wss = new WebSocketServer({ server });
  wss.on('connection', (peer) => peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary })));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `https://localhost:${server.address().port}/`;
  assert.deepEqual(await events(new WebSocket(url)), ['error', ['close', 1006, '', false]]);
  const ws = new WebSocket(url, { node: { ca: read('cert.pem'), lookup: lookupOf({ localhost: '127.0.0.1' }) } });
  await next(ws, 'open');
  ws.send('safe');
  const { data, origin } = await next(ws, 'message');
  assert.deepEqual([data, origin], ['safe', url.replace('https:', 'wss:').slice(0, -1)]);
  ws.close(1000);
  assert.equal((await next(ws, 'close')).wasClean, true);
});

/** A `lookup` that knows these names only. */
function lookupOf(addresses) {
  return (name, options, callback) => {
    const address = addresses[name];
    const error = address ? null : Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
    process.nextTick(callback, error, options.all && address ? [{ address, family: 4 }] : address, 4);
  };
}

each('a message beyond maxPayload fails the connection, and the server hears 1009', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(url, { node: { transport, maxPayload: 10 } });
  const log = events(ws);
  const [peer] = await arrived;
  const ended = peerClosed(peer);
  peer.on('error', () => {});
  peer.send('x'.repeat(11));
  assert.deepEqual(await log, ['open', 'error', ['close', 1006, '', false]]);
  assert.equal((await ended)[0], 1009);
});

// One at a time.

plain('two names of one host wait for each other, whichever the interface', async (t) => {
  const answers = [];
  const state = await startHolding(t, (_request, answer) => answers.push(answer));
  const node = { lookup: lookupOf({ 'a.test': '127.0.0.1', 'b.test': '127.0.0.1' }) };
  const first = new WebSocket(`ws://a.test:${state.port}/`, { node });
  const second = new WebSocketStream(`ws://b.test:${state.port}/`, { node });
  const third = new WebSocket(`ws://127.0.0.1:${state.port}/`);
  const fourth = new WebSocket(`ws://[::ffff:127.0.0.1]:${state.port}/`);
  const order = [];
  const done = Promise.all([
    next(first, 'open').then(() => order.push('first')),
    second.opened.then(() => order.push('second')),
    next(third, 'open').then(() => order.push('third')),
    next(fourth, 'open').then(() => order.push('fourth')),
  ]);
  const answering = setInterval(() => answers.shift()?.(), 5);
  await done;
  clearInterval(answering);
  assert.equal(state.most, 1);
  assert.equal(order.length, 4);
  first.close();
  second.close();
  third.close();
  fourth.close();
});

plain('connections to different ports do not wait for each other', async (t) => {
  const answers = [];
  const hold = (_request, answer) => answers.push(answer);
  const [one, other] = [await startHolding(t, hold), await startHolding(t, hold)];
  const sockets = [new WebSocket(`ws://127.0.0.1:${one.port}/`), new WebSocket(`ws://127.0.0.1:${other.port}/`)];
  const opened = Promise.all(sockets.map((ws) => next(ws, 'open')));
  // Both handshakes are there before either is answered.
  const both = setInterval(() => {
    if (answers.length < 2) return;
    clearInterval(both);
    for (const answer of answers) answer();
  }, 5);
  await opened;
  for (const ws of sockets) ws.close();
});

plain('one that is closed while it waits never connects', async (t) => {
  const answers = [];
  const state = await startHolding(t, (request, answer) => answers.push([request.url, answer]));
  const url = `ws://127.0.0.1:${state.port}`;
  const [first, second, third] = ['/1', '/2', '/3'].map((target) => new WebSocket(`${url}${target}`));
  const given = events(second);
  second.close();
  assert.deepEqual(await given, ['error', ['close', 1006, '', false]]);
  const answering = setInterval(() => answers.shift()?.[1](), 5);
  const seen = [];
  const { push } = answers;
  answers.push = (entry) => (seen.push(entry[0]), push.call(answers, entry));
  await next(third, 'open');
  clearInterval(answering);
  assert.ok(!seen.includes('/2'));
  first.close();
  third.close();
});

plain('a host that has no address fails, and holds nobody up', async () => {
  const ws = new WebSocket('ws://nowhere.test/', { node: { lookup: lookupOf({}) } });
  assert.deepEqual(await events(ws), ['error', ['close', 1006, '', false]]);
});

// Sending.

each('a Blob that can not be read fails the connection, and what is behind it is not sent', async (t, transport) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'itoden-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'data');
  writeFileSync(file, 'before');
  const blob = await openAsBlob(file);
  writeFileSync(file, 'changed in the meantime');
  const { wss, url } = await startServer(t, transport);
  const got = [];
  wss.on('connection', (peer) => peer.on('message', (data) => got.push(String(data))));
  const ws = new WebSocket(url, { node: { transport } });
  const log = events(ws);
  await next(ws, 'open');
  ws.send('first');
  ws.send(blob);
  ws.send('never');
  ws.close();
  assert.equal(ws.bufferedAmount, 5 + 6 + 5);
  assert.deepEqual(await log, ['open', 'error', ['close', 1006, '', false]]);
  assert.ok(!got.includes('never'));
});

each('bufferedAmount stays up while the server does not read', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(url, { node: { transport } });
  const [peer] = await arrived;
  peer.pause();
  await next(ws, 'open');
  const size = 32 << 20;
  ws.send(new Uint8Array(size));
  assert.equal(ws.bufferedAmount, size);
  let bytes = 0;
  const all = new Promise((resolve) => peer.on('message', (data) => (bytes += data.length) === size && resolve()));
  peer.resume();
  await all;
  while (ws.bufferedAmount > 0) await new Promise((resolve) => setImmediate(resolve));
  ws.close();
  assert.equal((await next(ws, 'close')).wasClean, true);
});

plain('a listener that throws does not keep others from their events', async (t) => {
  const { wss, url } = await startServer(t, 'native');
  wss.on('connection', (peer) => {
    peer.send('1');
    peer.send('2');
  });
  const source = `
    import { WebSocket } from 'itoden/whatwg';
    process.on('uncaughtException', (error) => console.log(error.message));
    const ws = new WebSocket('${url}');
    ws.onmessage = ({ data }) => { throw new Error('thrown at ' + data); };
    ws.addEventListener('message', ({ data }) => { console.log('heard', data); if (data === '2') ws.close(); });
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', source], { cwd: root });
  assert.deepEqual(stdout.trim().split('\n').toSorted(), ['heard 1', 'heard 2', 'thrown at 1', 'thrown at 2']);
});

// Objects.

plain('objects can not be cloned where Node can be told so, and lose everything where not', () => {
  const ws = new WebSocket('ws://127.0.0.1:9/');
  const stream = new WebSocketStream('ws://127.0.0.1:9/');
  const [major, minor] = process.versions.node.split('.').map(Number);
  for (const object of [ws, stream]) {
    if (major > 22 || (major === 22 && minor >= 10)) assert.throws(() => structuredClone(object), { name: 'DataCloneError' });
    else assert.deepEqual(Reflect.ownKeys(structuredClone(object)), []);
  }
  ws.close();
  stream.close();
});

plain('CloseEvent is the global one, or one that is as it', () => {
  const event = new CloseEvent('close', { code: 65536 + 1000, reason: '\ud800', wasClean: 1, cancelable: true });
  assert.ok(event instanceof Event);
  assert.equal(Object.prototype.toString.call(event), '[object CloseEvent]');
  assert.deepEqual([event.type, event.code, event.reason, event.wasClean, event.cancelable], ['close', 1000, '\ufffd', true, true]);
  const empty = new CloseEvent('x');
  assert.deepEqual([empty.code, empty.reason, empty.wasClean], [0, '', false]);
  assert.throws(() => new CloseEvent(), TypeError);
  assert.equal(CloseEvent.name, 'CloseEvent');
  assert.deepEqual(Object.keys(CloseEvent.prototype).toSorted(), ['code', 'reason', 'wasClean']);
});

plain('CommonJS, ES modules and the default export give the same classes', () => {
  const required = createRequire(import.meta.url)('itoden/whatwg');
  assert.equal(required.WebSocket, WebSocket);
  assert.equal(required.WebSocketStream, WebSocketStream);
  assert.equal(required.WebSocketError, WebSocketError);
  assert.equal(required.CloseEvent, CloseEvent);
  assert.equal(Default, WebSocket);
});

for (const name of ['itoden', 'itoden/whatwg']) {
  plain(`in a browser ${name} is the platform's own WebSocket`, async () => {
    const source = `
      globalThis.WebSocket = class WebSocket {};
      globalThis.WebSocketStream = class WebSocketStream {};
      const all = await import('${name}');
      console.log(JSON.stringify([all.WebSocket === globalThis.WebSocket, all.default === globalThis.WebSocket, all.WebSocketStream === globalThis.WebSocketStream, typeof all.WebSocketError]));
      if (all.WebSocketServer) try { new all.WebSocketServer({ port: 0 }); } catch (error) { console.log(error.message); }
    `;
    const { stdout } = await run(process.execPath, ['--conditions=browser', '--input-type=module', '--eval', source], { cwd: root });
    const [found, complaint] = stdout.trim().split('\n');
    assert.deepEqual(JSON.parse(found), [true, true, true, 'undefined']);
    if (name === 'itoden') assert.match(complaint, /WebSocketServer is for Node/);
  });
}

plain('the types are strict and say what can be done', async () => {
  const tsc = path.join(path.dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');
  const args = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
  const file = fileURLToPath(new URL('fixtures/whatwg-consumer.mts', import.meta.url));
  const project = fileURLToPath(new URL('fixtures/', import.meta.url));
  for (const lib of ['es2023', 'es2023,dom,dom.iterable']) {
    await run(process.execPath, [tsc, ...args, '--lib', lib, '--ignoreConfig', file], { cwd: project }).catch(({ stdout }) => assert.fail(`${lib}:\n${stdout}`));
  }
});

// Threads.

plain('a worker has its own, and can be ended in the middle of traffic', async (t) => {
  const { wss, url } = await startServer(t, 'native');
  wss.on('connection', (peer) => peer.on('message', (data) => peer.send(data, { binary: false })));
  const source = `
    const { parentPort } = require('node:worker_threads');
    const { WebSocket } = require('itoden/whatwg');
    const ws = new WebSocket('${url}');
    ws.onopen = () => ws.send('x');
    let count = 0;
    ws.onmessage = ({ data }) => { ws.send(data); if (++count === 100) parentPort.postMessage(count); };
  `;
  const worker = new Worker(source, { eval: true, filename: path.join(root, 'worker.cjs') });
  assert.deepEqual(await once(worker, 'message'), [100]);
  await worker.terminate();
});

plain('a server that is not one fails the connection', async (t) => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end('SSH-2.0-OpenSSH\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  for (const transport of TRANSPORTS) {
    const ws = new WebSocket(`ws://127.0.0.1:${server.address().port}/`, { node: { transport } });
    assert.deepEqual(await events(ws), ['error', ['close', 1006, '', false]]);
  }
});
