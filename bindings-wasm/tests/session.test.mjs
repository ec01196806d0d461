// Sessions over any transport: the shape of WebSocket, and that of WebSocketStream.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { WebSocketSession, WebSocketSessionStream } from 'itoden-wasm/deflate';
import { ClientHandshake, ServerHandshake } from 'itoden-wasm/handshake';
import { hex, unhex } from './support.mjs';

/** Two ends of a pipe. */
function pipe(shared = {}) {
  const [there, back] = [new TransformStream(), new TransformStream()];
  return [
    { readable: back.readable, writable: there.writable, ...shared },
    { readable: there.readable, writable: back.writable, ...shared },
  ];
}

/** The next event of a name. */
const next = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

function pair(options = {}, shared = {}) {
  const [near, far] = pipe(shared);
  const sessions = [new WebSocketSession(near, options), new WebSocketSession(far, { ...options, role: 'server' })];
  return Promise.all([...sessions.map((session) => next(session, 'open'))]).then(() => sessions);
}

test('a client and a server talk and close as WHATWG says', async () => {
  const [client, server] = await pair({}, { subprotocol: 'chat' });
  assert.deepEqual([client.protocol, client.extensions, client.readyState, client.url], ['chat', '', WebSocketSession.OPEN, undefined]);
  server.onmessage = ({ data }) => server.send(data);
  client.send('Hello');
  assert.equal((await next(client, 'message')).data, 'Hello');
  client.send(Uint8Array.of(1, 2));
  const { data } = await next(client, 'message');
  assert.ok(data instanceof Blob);
  assert.equal(hex(new Uint8Array(await data.arrayBuffer())), '0102');
  client.binaryType = 'arraybuffer';
  client.send(new Blob([Uint8Array.of(3)]));
  assert.equal(hex(new Uint8Array((await next(client, 'message')).data)), '03');
  const closed = [next(client, 'close'), next(server, 'close')];
  client.close(3001, 'enough');
  assert.equal(client.readyState, WebSocketSession.CLOSING);
  for (const { code, reason, wasClean } of await Promise.all(closed)) {
    assert.deepEqual({ code, reason, wasClean }, { code: 3001, reason: 'enough', wasClean: true });
  }
  assert.equal(client.readyState, WebSocketSession.CLOSED);
});

test('messages keep their order also where a Blob is read first, and close comes behind them', async () => {
  const [client, server] = await pair();
  const got = [];
  server.binaryType = 'arraybuffer';
  server.onmessage = ({ data }) => got.push(typeof data === 'string' ? data : data.byteLength);
  const closed = next(server, 'close');
  client.send(new Blob(['abc']));
  client.send('behind');
  client.send(Uint8Array.of(1));
  assert.ok(client.bufferedAmount >= 10);
  client.close();
  assert.equal((await closed).code, 1005);
  assert.deepEqual(got, [3, 'behind', 1]);
});

test('compression that the opening agreed on is used', async () => {
  const [client, server] = await pair({ compressionThreshold: 0 }, { extensions: 'permessage-deflate' });
  assert.equal(client.extensions, 'permessage-deflate');
  client.send('a'.repeat(100_000));
  assert.equal((await next(server, 'message')).data.length, 100_000);
  client.close();
  await next(server, 'close');
});

test('a peer that breaks the protocol is an error and an end that is not clean', async () => {
  const [near, far] = pipe();
  const session = new WebSocketSession(near);
  const [error, close] = [next(session, 'error'), next(session, 'close')];
  const writer = far.writable.getWriter();
  await next(session, 'open');
  writer.write(unhex('8185 37fa213d 7f9f4d5158'));
  assert.equal((await error).error.code, 'masked_frame');
  const { value } = await far.readable.getReader().read();
  assert.equal(value[0], 0x88);
  writer.close();
  const { code, wasClean } = await close;
  assert.deepEqual([code, wasClean], [1006, false]);
});

test('a transport that ends without a Close frame closes with 1006', async () => {
  const [near, far] = pipe();
  const session = new WebSocketSession(near);
  await next(session, 'open');
  const close = next(session, 'close');
  far.writable.close();
  const { code, wasClean } = await close;
  assert.deepEqual([code, wasClean], [1006, false]);
});

test('what the transport does not take counts as buffered', async () => {
  const [near, far] = pipe();
  const session = new WebSocketSession(near);
  await next(session, 'open');
  session.send('x'.repeat(1000));
  session.send('y'.repeat(500));
  assert.equal(session.bufferedAmount, 1500);
  const reader = far.readable.getReader();
  for (let bytes = 0; bytes < 1500; ) bytes += (await reader.read()).value.length;
  while (session.bufferedAmount > 0) await new Promise(setImmediate);
  far.writable.close();
  await next(session, 'close');
});

test('what can not be is refused as in browsers', async () => {
  const [near, far] = pipe();
  const session = new WebSocketSession(near);
  assert.throws(() => session.send('early'), { name: 'InvalidStateError' });
  assert.throws(() => session.close(1001), { name: 'InvalidAccessError' });
  assert.throws(() => session.close(1000, 'x'.repeat(124)), { name: 'SyntaxError' });
  assert.throws(() => new WebSocketSession(pipe()[0], { role: 'any' }), { name: 'TypeError' });
  far.writable.close();
  await next(session, 'close');
});

test('a stream reads and writes messages and tells how it was closed', async () => {
  const [near, far] = pipe({ subprotocol: 'chat' });
  const [client, server] = [new WebSocketSessionStream(near), new WebSocketSessionStream(far, { role: 'server' })];
  const { readable, writable, protocol } = await client.opened;
  assert.equal(protocol, 'chat');
  const served = server.opened.then(async (session) => {
    const writer = session.writable.getWriter();
    for await (const message of session.readable) await writer.write(message);
  });
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  for (const message of ['Hello', Uint8Array.of(1, 2, 3)]) {
    await writer.write(message);
    assert.deepEqual((await reader.read()).value, message);
  }
  client.close({ closeCode: 4000, reason: 'done' });
  assert.deepEqual(await client.closed, { closeCode: 4000, reason: 'done' });
  assert.deepEqual(await server.closed, { closeCode: 4000, reason: 'done' });
  assert.deepEqual(await reader.read(), { value: undefined, done: true });
  await served;
});

test('a stream that ends without a closing handshake rejects', async () => {
  const [near, far] = pipe();
  const session = new WebSocketSessionStream(near);
  const { readable } = await session.opened;
  far.writable.close();
  const message = 'the session ended with the code 1006 and without a closing handshake';
  await assert.rejects(session.closed, { message });
  await assert.rejects(readable.getReader().read(), { message });
});

test('a stream is not read further than its reader reads', async () => {
  const [near, far] = pipe();
  const session = new WebSocketSessionStream(near);
  const { readable } = await session.opened;
  const writer = far.writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (; written < 50; written += 1) await writer.write(unhex('810161'));
  })();
  const reader = readable.getReader();
  await reader.read();
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  assert.ok(written < 10, `${written} chunks were taken though one message was read`);
  for (let read = 1; read < 50; read += 1) await reader.read();
  await writing;
  writer.close();
  await assert.rejects(session.closed);
});

/** Opens a session on a raw TCP socket, handshake and all, as a newcomer would. */
test('a client and a server over raw TCP open, talk and close', async () => {
  const listener = createServer(async (socket) => {
    const { readable, writable } = Duplex.toWeb(socket);
    const handshake = new ServerHandshake();
    const reader = readable.getReader();
    let request = null;
    while (!request) request = handshake.receive((await reader.read()).value);
    reader.releaseLock();
    const accepted = handshake.accept({ subprotocol: request.subprotocols[0], deflate: true });
    const writer = writable.getWriter();
    await writer.write(accepted.bytes);
    writer.releaseLock();
    const server = new WebSocketSession({ readable, writable, ...accepted }, { role: 'server' });
    server.onmessage = ({ data }) => server.send(`${request.path}: ${data}`);
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const socket = createConnection(listener.address().port, '127.0.0.1');
  const { readable, writable } = Duplex.toWeb(socket);
  const handshake = new ClientHandshake({ host: '127.0.0.1', path: '/echo', subprotocols: ['chat'], deflate: true });
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  await writer.write(handshake.request);
  while (!handshake.receive((await reader.read()).value));
  const agreed = handshake.open();
  assert.deepEqual(agreed, { subprotocol: 'chat', extensions: 'permessage-deflate' });
  writer.releaseLock();
  reader.releaseLock();
  const client = new WebSocketSession({ readable, writable, ...agreed });
  await next(client, 'open');
  client.send('hi');
  assert.equal((await next(client, 'message')).data, '/echo: hi');
  client.close(1000);
  const { code, wasClean } = await next(client, 'close');
  assert.deepEqual([code, wasClean], [1000, true]);
  listener.close();
});
