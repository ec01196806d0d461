// WebSocketStream where a server sends without end. What Chromium does, too, is in the tests across rooms.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocketStream } from 'itoden/whatwg';
import { each, startServer } from './helpers.mjs';

const SIZE = 1 << 20;

/** A server that sends messages of 1 MiB, the next one when the last one is written, until its connection is not open any more. */
async function startFlood(t, transport) {
  const { wss, url } = await startServer(t, transport);
  const state = { url, sent: 0 };
  const message = Buffer.alloc(SIZE);
  wss.on('connection', (peer) => {
    const more = (error) => {
      if (error || peer.readyState !== peer.OPEN) return;
      state.sent += 1;
      peer.send(message, more);
    };
    more();
  });
  return state;
}

const open = async (url, transport) => {
  const stream = new WebSocketStream(url, { node: { transport } });
  return { stream, ...(await stream.opened) };
};

each('cancelling the readable in a flood closes the connection, and nothing more is kept', async (t, transport) => {
  const flood = await startFlood(t, transport);
  const { stream, readable } = await open(flood.url, transport);
  const reader = readable.getReader();
  for (let count = 0; count < 10; count += 1) assert.equal((await reader.read()).value.byteLength, SIZE);
  await reader.cancel();
  assert.deepEqual(await stream.closed, { closeCode: 1005, reason: '' });
  assert.deepEqual(await reader.read(), { done: true, value: undefined });
});

each('closing in a flood that nobody reads is clean, and what came can be read', async (t, transport) => {
  const flood = await startFlood(t, transport);
  const { stream, readable } = await open(flood.url, transport);
  const reader = readable.getReader();
  await reader.read();
  stream.close({ closeCode: 3000, reason: 'enough' });
  assert.deepEqual(await stream.closed, { closeCode: 3000, reason: 'enough' });
  let count = 1;
  for (let read = await reader.read(); !read.done; read = await reader.read()) count += 1;
  assert.ok(count <= flood.sent);
});

each('of messages that come while this end closes and nobody reads, 16 MiB are kept', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  wss.on('connection', (peer) => {
    for (let count = 0; count < 40; count += 1) peer.send(Buffer.alloc(SIZE));
    peer.close(1000);
  });
  const { stream, readable } = await open(url, transport);
  stream.close();
  await stream.closed;
  const reader = readable.getReader();
  let bytes = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) bytes += read.value.byteLength;
  assert.ok(bytes >= SIZE && bytes <= (16 << 20) + 2 * SIZE, `${bytes} bytes were kept`);
});

each('while nobody reads, a server that waits for its writes waits, and not for ever', async (t, transport) => {
  const flood = await startFlood(t, transport);
  const { stream, readable } = await open(flood.url, transport);
  let before = -1;
  while (flood.sent !== before) {
    before = flood.sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(flood.sent < 64, `${flood.sent} MiB were taken though nobody read`);
  const reader = readable.getReader();
  while (flood.sent < before + 20) await reader.read();
  await reader.cancel();
  await stream.closed;
});

each('an iteration of the readable ends with the connection', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  wss.on('connection', (peer) => {
    for (const text of ['1', '2', '3']) peer.send(text);
    peer.close(1000);
  });
  const { stream, readable } = await open(url, transport);
  const got = [];
  for await (const message of readable) got.push(message);
  assert.deepEqual(got, ['1', '2', '3']);
  assert.equal((await stream.closed).closeCode, 1000);
});

each('a pipe from one stream to another one carries everything', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  const received = [];
  const done = new Promise((resolve) => {
    wss.on('connection', (peer, request) => {
      if (request.url === '/source') {
        for (let index = 0; index < 100; index += 1) peer.send(`${index}`);
        peer.close(1000);
      } else {
        peer.on('message', (data) => received.push(Number(data)));
        peer.on('close', resolve);
      }
    });
  });
  const source = await open(`${url}/source`, transport);
  const sink = await open(`${url}/sink`, transport);
  await source.readable.pipeTo(sink.writable);
  await done;
  assert.deepEqual(received, Array.from({ length: 100 }, (_, index) => index));
  assert.deepEqual(await sink.stream.closed, { closeCode: 1005, reason: '' });
});

each('a server that stops while a write waits fails the write with the error of the connection', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { stream, writable } = await open(url, transport);
  const [peer] = await arrived;
  peer.pause();
  const writer = writable.getWriter();
  const write = writer.write(new Uint8Array(64 << 20));
  write.catch(() => {});
  writer.closed.catch(() => {});
  peer.terminate();
  const error = await stream.closed.then(() => assert.fail('it closed cleanly'), (reason) => reason);
  assert.deepEqual([error.name, error.closeCode, error.reason], ['WebSocketError', 1006, '']);
  await assert.rejects(write, (reason) => reason === error);
  await assert.rejects(writer.closed, (reason) => reason === error);
});
