// Beyond ws, what flows: iteration over messages, promises of sending, 'drain'.

import assert from 'node:assert/strict';
import { Blob } from 'node:buffer';
import { once } from 'node:events';
import { WebSocket } from 'itoden';
import { bothEnds, closed, each, frame, matrix, plain, rawClient, startServer } from './helpers.mjs';

const turn = () => new Promise(setImmediate);

bothEnds('for await takes messages, text as strings and binary as Buffers, and ends with a closing handshake', async (_t, open) => {
  const { me, other } = await open();
  const iterator = me[Symbol.asyncIterator]();
  other.send('text');
  other.send(Buffer.from([1, 2]));
  other.send('');
  other.close(4000, 'enough');
  const got = [];
  for await (const message of iterator) got.push(message);
  assert.deepEqual(got, ['text', Buffer.from([1, 2]), '']);
  assert.deepEqual([me.closeCode, me.closeReason, me.wasClean], [4000, 'enough', true]);
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

bothEnds('an echo needs nothing but a loop, and keeps the kind of each message', async (_t, open) => {
  const { me, other } = await open();
  const echoing = (async () => {
    for await (const message of me) me.send(message);
  })();
  const got = [];
  other.on('message', (data, isBinary) => {
    got.push([data.toString(), isBinary]);
    if (got.length === 2) other.close();
  });
  other.send('text');
  other.send(Buffer.from('binary'));
  await echoing;
  assert.deepEqual(got, [['text', false], ['binary', true]]); // prettier-ignore
});

each('an iteration that begins while connecting misses nothing', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  wss.on('connection', (ws) => {
    ws.send('at once');
    ws.close(1000);
  });
  const ws = new WebSocket(url, { transport });
  const got = [];
  for await (const message of ws) got.push(message);
  assert.deepEqual(got, ['at once']);
});

bothEnds('messages that came before the iteration began are not in it', async (_t, open) => {
  const { me, other } = await open();
  const first = once(me, 'message');
  other.send('before');
  await first;
  const iterator = me[Symbol.asyncIterator]();
  other.send('after');
  assert.deepEqual(await iterator.next(), { done: false, value: 'after' });
});

bothEnds('binaryType decides what the loop gets', async (_t, open) => {
  const { me, other } = await open();
  const iterator = me[Symbol.asyncIterator]();
  for (const type of ['arraybuffer', 'blob', 'fragments', 'nodebuffer']) {
    me.binaryType = type;
    // What was asked for by an order is obeyed from the next message on.
    const pong = once(me, 'pong');
    me.ping();
    await pong;
    other.send(Buffer.from(type));
    const { value } = await iterator.next();
    const kinds = { arraybuffer: ArrayBuffer, blob: Blob, fragments: Array, nodebuffer: Buffer };
    assert.ok(value instanceof kinds[type], type);
  }
});

bothEnds('break closes the connection with 1000', async (_t, open) => {
  const { me, other } = await open();
  const ends = Promise.all([closed(me), closed(other)]);
  const iterator = me[Symbol.asyncIterator]();
  other.send('one');
  other.send('two');
  for await (const message of iterator) {
    assert.equal(message, 'one');
    break;
  }
  assert.equal(me.readyState, WebSocket.CLOSING);
  assert.deepEqual(await ends, [[1000, ''], [1000, '']]); // prettier-ignore
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

bothEnds('break closes the connection too while the peer is held back', async (_t, open) => {
  const { me, other } = await open();
  const iterator = me[Symbol.asyncIterator]();
  for (let index = 0; index < 1000; index += 1) other.send(Buffer.alloc(1000));
  await iterator.next();
  while (!me.isPaused) await turn();
  const ends = Promise.all([closed(me), closed(other)]);
  await iterator.return();
  assert.deepEqual(await ends, [[1000, ''], [1000, '']]); // prettier-ignore
});

bothEnds('an error that is thrown in the loop leaves it, and closes the connection', async (_t, open) => {
  const { me, other } = await open();
  const end = closed(other);
  const loop = (async () => {
    for await (const message of me) throw new Error(`no ${message}`);
  })();
  other.send('more');
  await assert.rejects(loop, { message: 'no more' });
  assert.deepEqual(await end, [1000, '']);
});

each('the loop throws what the connection fails with, behind the messages that came before', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { socket } = await rawClient(t, port);
  const [ws] = await arrived;
  const iterator = ws[Symbol.asyncIterator]();
  socket.write(Buffer.concat([frame(1, 'fine'), frame(3)]));
  assert.deepEqual(await iterator.next(), { done: false, value: 'fine' });
  await assert.rejects(iterator.next(), { rule: 'reserved_opcode', closeCode: 1002 });
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

each('the loop throws when the connection breaks off', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { socket } = await rawClient(t, port);
  const [ws] = await arrived;
  const next = ws[Symbol.asyncIterator]().next();
  socket.destroy();
  await assert.rejects(next, { message: 'The connection has ended with 1006, without a closing handshake' });
  // Whoever begins now is told the same.
  await assert.rejects(ws[Symbol.asyncIterator]().next(), { message: /1006/ });
});

each('the loop throws when there is no connection', async (_t, transport) => {
  const ws = new WebSocket('ws://127.0.0.1:1', { transport });
  await assert.rejects(ws[Symbol.asyncIterator]().next(), { code: 'ECONNREFUSED' });
});

each('leaving an iteration while connecting gives up without an uncaught error', async (t, transport) => {
  const { url } = await startServer(t, transport);
  const ws = new WebSocket(url, { transport });
  const end = closed(ws);
  await ws[Symbol.asyncIterator]().return();
  assert.deepEqual(await end, [1006, '']);
});

bothEnds('an iteration over a closed connection is at its end', async (_t, open) => {
  const { me, other } = await open();
  const end = closed(me);
  other.close(1000);
  await end;
  assert.deepEqual(await me[Symbol.asyncIterator]().next(), { done: true, value: undefined });
});

bothEnds('a slow loop holds the peer back, and loses nothing', async (_t, open) => {
  const { me, other } = await open();
  const iterator = me[Symbol.asyncIterator]();
  const count = 3000;
  const size = 16 << 10;
  let written = 0;
  for (let index = 0; index < count; index += 1) other.send(Buffer.alloc(size, index & 0xff), () => (written += 1));
  await iterator.next();
  while (!me.isPaused) await turn();
  // What the sockets and buffers between them take is far less than 48 MB.
  let [before, still] = [-1, 0];
  while (still < 50) {
    await turn();
    still = written === before ? still + 1 : 0;
    before = written;
  }
  assert.ok(written < count, `${written} of ${count} messages left though nobody took them`);
  for (let index = 1; index < count; index += 1) {
    const { value } = await iterator.next();
    assert.equal(value.length, size);
    assert.equal(value[0], index & 0xff);
  }
  assert.equal(me.isPaused, false);
});

bothEnds('several next() at once are answered in order', async (_t, open) => {
  const { me, other } = await open();
  const iterator = me[Symbol.asyncIterator]();
  const asked = [iterator.next(), iterator.next(), iterator.next()];
  other.send('a');
  other.send('b');
  other.close();
  assert.deepEqual((await Promise.all(asked)).map(({ value }) => value), ['a', 'b', undefined]);
});

bothEnds('sendAsync is resolved when the data are written', async (_t, open) => {
  const { me, other } = await open();
  const got = [];
  other.on('message', (data, isBinary) => got.push([data.length, isBinary]));
  assert.equal(await me.sendAsync('text'), undefined);
  await me.sendAsync(Buffer.alloc(1 << 20), { compress: false });
  await me.sendAsync('as bytes', { binary: true });
  await me.sendAsync(new Blob(['blob']));
  assert.equal(me.bufferedAmount, 0);
  while (got.length < 4) await once(other, 'message');
  assert.deepEqual(got, [[4, false], [1 << 20, true], [8, true], [4, true]]); // prettier-ignore
});

bothEnds('sendAsync is rejected where send would throw, and where its callback would hear an error', async (_t, open) => {
  const { me } = await open();
  await assert.rejects(me.sendAsync(Symbol('x')), { name: 'TypeError', message: /^The data to send is Symbol\(x\)/ });
  me.terminate();
  await assert.rejects(me.sendAsync('late'), { code: 'ITODEN_NOT_OPEN', message: /^WebSocket is not open: readyState [23] / });
  const ws = new WebSocket('ws://127.0.0.1:1');
  ws.on('error', () => {});
  await assert.rejects(ws.sendAsync('early'), { code: 'ITODEN_NOT_OPEN', message: 'WebSocket is not open: readyState 0 (CONNECTING)' });
});

bothEnds('what was not written when the connection ended rejects sendAsync', async (_t, open) => {
  const { me, other } = await open();
  other.pause();
  await me.sendAsync('first');
  const settled = Promise.allSettled(Array.from({ length: 40 }, () => me.sendAsync(Buffer.alloc(1 << 20))));
  await turn();
  me.terminate();
  const results = await settled;
  assert.equal(results.at(-1).status, 'rejected');
  assert.match(results.at(-1).reason.message, /closed before the data was written/);
});

bothEnds('drain follows once all is written, when as much waited as highWaterMark says', async (_t, open) => {
  const { me, other } = await open({ highWaterMark: 1000 });
  let drains = 0;
  me.on('drain', () => (drains += 1));
  assert.equal(me.writableNeedDrain, false);
  await me.sendAsync(Buffer.alloc(999));
  assert.equal(me.writableNeedDrain, false);
  const drained = once(me, 'drain');
  me.send(Buffer.alloc(600));
  assert.equal(me.writableNeedDrain, false);
  me.send('x'.repeat(400));
  assert.equal(me.writableNeedDrain, true);
  me.send('more');
  await drained;
  assert.equal(me.writableNeedDrain, false);
  assert.equal(me.bufferedAmount, 0);
  const pong = once(me, 'pong');
  me.ping();
  await pong;
  assert.equal(drains, 1);
  assert.equal(other.readyState, WebSocket.OPEN);
});

bothEnds('a sender that obeys writableNeedDrain holds no more than highWaterMark and one message', async (_t, open) => {
  const { me, other } = await open({ highWaterMark: 256 << 10 });
  const [count, size] = [600, 16 << 10];
  let most = 0;
  let received = 0;
  const all = new Promise((resolve) => other.on('message', () => (received += 1) === count && resolve()));
  // A receiver that stops now and then.
  let paused = 0;
  other.on('message', () => {
    if (received % 100 !== 0) return;
    other.pause();
    paused += 1;
    setImmediate(() => other.resume());
  });
  for (let index = 0; index < count; index += 1) {
    me.send(Buffer.alloc(size));
    most = Math.max(most, me.bufferedAmount);
    if (me.writableNeedDrain) await once(me, 'drain');
  }
  await all;
  // On a stream the headers of frames count too.
  assert.ok(most <= (256 << 10) + size + 20 * 14, `${most} bytes waited`);
  assert.ok(most >= 200 << 10);
  assert.ok(paused > 0);
});

bothEnds('without the option, who asks writableNeedDrain is obeyed from then on, with 64 KiB', async (_t, open) => {
  const { me } = await open();
  me.send(Buffer.alloc(1 << 20));
  assert.equal(me.writableNeedDrain, false);
  me.send(Buffer.alloc(64 << 10));
  assert.equal(me.writableNeedDrain, true);
  await once(me, 'drain');
});

bothEnds('a Blob that is being read counts', async (_t, open) => {
  const { me, other } = await open({ highWaterMark: 1000 });
  const got = once(other, 'message');
  me.send(new Blob(['x'.repeat(2000)]));
  assert.equal(me.writableNeedDrain, true);
  await once(me, 'drain');
  assert.equal((await got)[0].length, 2000);
});

bothEnds('no drain comes from a connection that has ended', async (_t, open) => {
  const { me, other } = await open({ highWaterMark: 1 });
  other.pause();
  let drained = false;
  me.on('drain', () => (drained = true));
  me.send(Buffer.alloc(40 << 20));
  assert.equal(me.writableNeedDrain, true);
  const end = closed(me);
  me.terminate();
  await end;
  await turn();
  assert.equal(drained, false);
  assert.equal(me.writableNeedDrain, false);
});

matrix('without new options no drain is emitted', async (t, { server, client }) => {
  const { wss, url } = await startServer(t, server);
  const ws = new WebSocket(url, { transport: client });
  const [[peer]] = await Promise.all([once(wss, 'connection'), once(ws, 'open')]);
  const drained = () => assert.fail('drain was emitted');
  for (const end of [ws, peer]) {
    end.on('drain', drained);
    await new Promise((resolve) => end.send(Buffer.alloc(1 << 20), resolve));
  }
});

plain('a callback that is none is refused by name', async (t) => {
  const { url } = await startServer(t, 'native');
  const ws = new WebSocket(url);
  await once(ws, 'open');
  assert.throws(() => ws.send('x', {}, 'done'), { name: 'TypeError', message: "The callback is 'done'; it must be a function" });
  ws.terminate();
});
