// Options where this package goes its own way, or further than ws.

import assert from 'node:assert/strict';
import { Blob } from 'node:buffer';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { WebSocket, WebSocketServer } from 'itoden';
import { bothEnds, closed, each, frame, matrix, messages, plain, rawClient, startServer } from './helpers.mjs';

const fixture = (name) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

async function rawPair(t, transport, options, extra) {
  const { wss, port } = await startServer(t, transport, options);
  const arrived = once(wss, 'connection');
  const client = await rawClient(t, port, extra);
  const [server] = await arrived;
  server.on('error', () => {});
  return { server, ...client };
}

plain('wss+unix: URLs are TLS over a socket in the file system', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'itoden-'));
  t.after(() => rm(folder, { recursive: true }));
  const socketPath = path.join(folder, 'socket');
  const server = https.createServer({ key: fixture('key.pem'), cert: fixture('cert.pem') });
  const wss = new WebSocketServer({ server });
  t.after(() => server.close());
  server.listen(socketPath);
  await once(server, 'listening');
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(`wss+unix:${socketPath}:/chat`, { ca: fixture('cert.pem'), servername: 'localhost' });
  const [, request] = await arrived;
  assert.equal(request.url, '/chat');
  assert.equal(request.socket.encrypted, true);
  await once(ws, 'open');
  ws.terminate();
});

plain('an option that http.request refuses is an error event, and not the end of the process', async () => {
  const ws = new WebSocket('ws://127.0.0.1:1', { agent: 'none' });
  const end = closed(ws);
  const [error] = await new Promise((resolve) => ws.once('error', (...args) => resolve(args)));
  assert.equal(error.code, 'ERR_INVALID_ARG_TYPE');
  assert.deepEqual(await end, [1006, '']);
});

each('maxFragments 0 and maxPayload 0 are no limits', async (t, transport) => {
  const { server, socket } = await rawPair(t, transport, { maxFragments: 0, maxPayload: 0 });
  const got = messages(server, 1);
  const count = 140_000;
  const piece = frame(0, '', { fin: false });
  socket.write(Buffer.concat([frame(1, 'a', { fin: false }), ...Array.from({ length: count }, () => piece), frame(0, 'b')]));
  assert.equal((await got)[0][0].toString(), 'ab');
});

plain('maxPendingAutoPongs bounds the answers to a peer that does not read', async (t) => {
  const { server, socket, until } = await rawPair(t, 'stream', { maxPendingAutoPongs: 2, autoPong: true });
  let pings = 0;
  const all = new Promise((resolve) => server.on('ping', () => (pings += 1) === 100 && resolve()));
  socket.write(Buffer.concat(Array.from({ length: 100 }, (_, index) => frame(9, String(index)))));
  await all;
  // The newest is always answered, the others as long as there is room.
  const got = await until((bytes) => (bytes.includes(Buffer.from([0x8a, 2, 0x39, 0x39])) ? bytes : undefined));
  assert.ok(got.length < 100 * 3, `${got.length} bytes of pongs`);
});

bothEnds('a Blob that can not be read is an error, and ends the connection', async (_t, open) => {
  const { me, other } = await open();
  class Broken extends Blob {
    arrayBuffer() {
      return Promise.reject(new Error('the disk is gone'));
    }
  }
  const told = [];
  const failed = new Promise((resolve) => me.once('error', resolve));
  const ends = Promise.all([closed(me), closed(other)]);
  me.send(new Broken(['x']), (error) => told.push(error.message));
  me.send('behind it', (error) => told.push(error.message));
  assert.equal((await failed).message, 'the disk is gone');
  assert.deepEqual(await ends, [[1006, ''], [1006, '']]); // prettier-ignore
  assert.deepEqual(told, ['the disk is gone', 'the disk is gone']);
});

bothEnds('data that waits behind a Blob may be changed', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 2);
  me.send(new Blob(['first']));
  const data = Buffer.from('second');
  me.send(data);
  data.fill(0);
  assert.deepEqual((await got).map(([bytes]) => bytes.toString()), ['first', 'second']);
});

bothEnds('a close behind a Blob waits for it', async (_t, open) => {
  const { me, other } = await open();
  const [got, end] = [messages(other, 1), closed(other)];
  me.send(new Blob(['x'.repeat(100_000)]));
  me.close(1000, 'done');
  assert.equal(me.readyState, WebSocket.CLOSING);
  assert.equal((await got)[0][0].length, 100_000);
  assert.deepEqual(await end, [1000, 'done']);
});

matrix('fragments of a compressed message are told as they were sent', async (t, { server: kind, client: transport }) => {
  const { wss, url } = await startServer(t, kind, { perMessageDeflate: true });
  const client = new WebSocket(url, { transport });
  client.binaryType = 'fragments';
  const [[server]] = await Promise.all([once(wss, 'connection'), once(client, 'open')]);
  const pong = once(server, 'pong');
  server.ping();
  await pong;
  const parts = [Buffer.alloc(50_000, 1), Buffer.from('two'), Buffer.alloc(3, 3)];
  const got = messages(client, 2);
  parts.forEach((part, index) => server.send(part, { fin: index === 2 }));
  server.send('text '.repeat(9000));
  const [[fragments, isBinary], [text]] = await got;
  assert.equal(isBinary, true);
  assert.deepEqual(Buffer.concat(fragments), Buffer.concat(parts));
  assert.equal(text.toString(), 'text '.repeat(9000));
  client.terminate();
});

each('with allowSynchronousEvents false a flood is held back and arrives in order', async (t, transport) => {
  const { server, socket } = await rawPair(t, transport, { allowSynchronousEvents: false });
  const count = 1000;
  const got = messages(server, count);
  socket.write(Buffer.concat(Array.from({ length: count }, (_, index) => frame(1, String(index)))));
  assert.deepEqual((await got).map(([data]) => Number(data)), Array.from({ length: count }, (_, index) => index));
  const end = closed(server);
  socket.write(frame(8, Buffer.from([3, 232])));
  socket.on('end', () => socket.end());
  assert.deepEqual(await end, [1000, '']);
});

each('with allowSynchronousEvents false one can pause between two events', async (t, transport) => {
  const { server, socket } = await rawPair(t, transport, { allowSynchronousEvents: false });
  const told = [];
  server.on('message', (data) => {
    told.push(data.toString());
    if (told.length === 1) server.pause();
  });
  const first = once(server, 'message');
  socket.write(Buffer.concat([frame(1, 'one'), frame(1, 'two'), frame(1, 'three')]));
  await first;
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  assert.deepEqual(told, ['one']);
  const rest = messages(server, 2);
  server.resume();
  await rest;
  assert.deepEqual(told, ['one', 'two', 'three']);
});

plain('a mask function that throws is heard by who sends', async (t) => {
  const { url } = await startServer(t, 'stream');
  let broken = false;
  const generateMask = () => {
    if (broken) throw new Error('no more numbers');
  };
  const ws = new WebSocket(url, { generateMask });
  await once(ws, 'open');
  broken = true;
  assert.throws(() => ws.send('x'), { message: 'no more numbers' });
  ws.terminate();
});

each('an error names the rule, the section and what came', async (t, transport) => {
  const { server, socket } = await rawPair(t, transport, {});
  const failed = once(server, 'error');
  socket.write(frame(3));
  const [error] = await failed;
  assert.equal(error.rule, 'reserved_opcode');
  assert.equal(error.section, 'RFC 6455 §5.2');
  assert.equal(
    error.message,
    'Invalid WebSocket frame: a frame has the reserved opcode 0x3; 0x0, 0x1, 0x2, 0x8, 0x9 and 0xa are allowed',
  );
});
