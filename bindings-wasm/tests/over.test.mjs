// The opening handshake over a transport: what comes behind the head, refusals, ends and times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocketSession } from 'itoden-wasm/deflate';
import { ClientHandshake, ServerHandshake, acceptOver, connectOver } from 'itoden-wasm/handshake';
import { concat, cut, unhex } from './support.mjs';

/** Two ends of a pipe. */
function pipe() {
  const [there, back] = [new TransformStream(), new TransformStream()];
  return [
    { readable: back.readable, writable: there.writable },
    { readable: there.readable, writable: back.writable },
  ];
}

const next = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
const text = (bytes) => Buffer.from(bytes).toString('latin1');
const bytes = (written) => new TextEncoder().encode(written);

/** A transport that reads these chunks and keeps what is written. */
function recorded(chunks, { ends = true } = {}) {
  const written = [];
  const state = { cancelled: false, closed: false };
  const readable = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      if (ends) controller.close();
    },
    cancel: () => void (state.cancelled = true),
  });
  const writable = new WritableStream({ write: (chunk) => void written.push(chunk), close: () => void (state.closed = true) });
  return { readable, writable, state, text: () => text(concat(written)) };
}

const REQUEST = 'GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';

test('both ends open over a pipe, agree, talk and close', async () => {
  const [near, far] = pipe();
  const [client, server] = await Promise.all([
    connectOver(near, { host: 'example.com', path: '/chat', subprotocols: ['a', 'chat'], deflate: true }),
    acceptOver(far, async ({ path, host, subprotocols }) => {
      assert.deepEqual([path, host, subprotocols], ['/chat', 'example.com', ['a', 'chat']]);
      return { subprotocol: 'chat', deflate: true, headers: [['X-Greeting', 'hello']] };
    }),
  ]);
  assert.deepEqual([client.subprotocol, client.extensions], ['chat', 'permessage-deflate']);
  assert.deepEqual([server.subprotocol, server.extensions, server.request.path], ['chat', 'permessage-deflate', '/chat']);
  assert.deepEqual([client.response.status, client.response.headers.some(([name, value]) => name === 'X-Greeting' && value === 'hello')], [101, true]);
  const sessions = [new WebSocketSession(client), new WebSocketSession(server, { role: 'server' })];
  sessions[1].onmessage = ({ data }) => sessions[1].send(data.toUpperCase());
  await Promise.all(sessions.map((session) => next(session, 'open')));
  sessions[0].send('hello');
  assert.equal((await next(sessions[0], 'message')).data, 'HELLO');
  const closes = sessions.map((session) => next(session, 'close'));
  sessions[0].close(1000, 'done');
  for (const { code, reason, wasClean } of await Promise.all(closes)) assert.deepEqual([code, reason, wasClean], [1000, 'done', true]);
});

test('frames that come with the request are read first, wherever the chunks are cut', async () => {
  const sent = concat([bytes(`${REQUEST}\r\n`), unhex('818537fa213d7f9f4d5158'), unhex('818100000000 21')]);
  for (const size of [1, 7, 150, sent.length - 5, sent.length]) {
    const session = new WebSocketSession(await acceptOver(recorded(cut(sent, size))), { role: 'server' });
    const heard = [];
    session.onmessage = ({ data }) => heard.push(data);
    const { code } = await next(session, 'close');
    assert.deepEqual([heard, code], [['Hello', '!'], 1006], `in chunks of ${size}`);
  }
});

test('frames that come with the response are read first', async () => {
  const nonce = unhex('000102030405060708090a0b0c0d0e0f');
  const asking = new ClientHandshake({ host: 'example.com', nonce });
  const answering = new ServerHandshake();
  answering.receive(asking.request);
  const transport = recorded([concat([answering.accept().bytes, unhex('8105 48656c6c6f 8802 03e8')])]);
  const session = new WebSocketSession(await connectOver(transport, { host: 'example.com', nonce }));
  const message = next(session, 'message');
  const close = next(session, 'close');
  assert.deepEqual([(await message).data, (await close).code, (await close).wasClean], ['Hello', 1000, true]);
  assert.equal(transport.text().slice(0, asking.request.length), text(asking.request));
});

test('what came with the head can be cancelled with the rest of the transport', async () => {
  const transport = recorded([bytes(`${REQUEST}\r\nbehind`)], { ends: false });
  const { readable } = await acceptOver(transport);
  const reader = readable.getReader();
  assert.equal(text((await reader.read()).value), 'behind');
  await reader.cancel();
  assert.equal(transport.state.cancelled, true);
});

test('a request can be refused, and the client is told why', async () => {
  const [near, far] = pipe();
  const results = await Promise.allSettled([
    connectOver(near, { host: 'example.com' }),
    acceptOver(far, () => ({ status: 403, body: 'members only', headers: [['X-Why', 'no ticket']] })),
  ]);
  assert.equal(results[0].status, 'rejected');
  assert.equal(results[0].reason.name, 'HandshakeError');
  assert.match(results[0].reason.message, /403/);
  assert.deepEqual(results[1], { status: 'fulfilled', value: null });
  const transport = recorded([bytes(`${REQUEST}\r\n`)]);
  await acceptOver(transport, () => ({ status: 403, body: 'members only' }));
  assert.match(transport.text(), /^HTTP\/1.1 403 Forbidden\r\n[^]*\r\n\r\nmembers only$/);
});

test('what is no WebSocket request is answered, and the transport ended', async () => {
  const transport = recorded([bytes('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n')], { ends: false });
  await assert.rejects(acceptOver(transport), ({ name, answer }) => name === 'HandshakeError' && answer !== null);
  while (!transport.state.cancelled) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.match(transport.text(), /^HTTP\/1.1 4\d\d /);
  assert.equal(transport.state.closed, true);
});

test('a decision that throws, or can\'t be sent, is answered with 500 and ends the transport', async () => {
  for (const [decide, expected] of [
    [() => { throw new TypeError('no idea'); }, { name: 'TypeError', message: 'no idea' }],
    [async () => { throw new TypeError('no idea'); }, { name: 'TypeError', message: 'no idea' }],
    [async () => ({ subprotocol: 'chat' }), { name: 'HandshakeError' }],
    [() => ({ status: 200 }), { name: 'HandshakeError' }],
    [() => ({ headers: [['X-Bad', 'a\r\nb']] }), { name: 'HandshakeError' }],
  ]) {
    const transport = recorded([bytes(`${REQUEST}\r\n`)], { ends: false });
    await assert.rejects(acceptOver(transport, decide), expected);
    while (!transport.state.cancelled) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.match(transport.text(), /^HTTP\/1.1 500 /);
    assert.equal(transport.text().match(/HTTP\/1.1/g).length, 1);
  }
});

test('a transport that ends or fails before the head is whole is an error', async () => {
  for (const open of [(transport) => acceptOver(transport), (transport) => connectOver(transport, { host: 'example.com' })]) {
    await assert.rejects(open(recorded([bytes('GET / HT')])), /(the transport ended before the opening handshake was done|status)/);
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error('unplugged')) });
    await assert.rejects(open({ ...recorded([]), readable: broken }), /unplugged/);
  }
  const writable = new WritableStream({ write: () => Promise.reject(new Error('unplugged')) });
  await assert.rejects(connectOver({ ...recorded([], { ends: false }), writable }, { host: 'example.com' }), /unplugged/);
});

test('a peer that is silent, and one that reads nothing, are given up in time', async () => {
  const silent = () => recorded([], { ends: false });
  const stuck = () => ({ ...silent(), writable: new WritableStream({ write: () => new Promise(() => {}) }) });
  for (const transport of [silent(), stuck()]) {
    await assert.rejects(connectOver(transport, { host: 'example.com', openTimeout: 5 }), { name: 'HandshakeError', code: 'open_timeout' });
  }
  for (const transport of [recorded([bytes('GET')], { ends: false }), stuck()]) {
    await assert.rejects(acceptOver(transport, undefined, { openTimeout: 5 }), { name: 'HandshakeError', code: 'open_timeout' });
  }
});

test('a transport that somebody else reads is refused at once', async () => {
  const transport = recorded([]);
  transport.readable.getReader();
  await assert.rejects(connectOver(transport, { host: 'example.com' }), TypeError);
});
