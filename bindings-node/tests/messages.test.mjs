// What is sent arrives: messages, control frames, fragments, backpressure.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { bothEnds, closed, matrix, messages } from './helpers.mjs';

bothEnds('text arrives as a Buffer of UTF-8 that is not binary', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 3);
  me.send('κόσμε 🎈');
  me.send('');
  me.send(42);
  assert.deepEqual((await got).map(([data, isBinary]) => [data.toString(), isBinary]), [
    ['κόσμε 🎈', false],
    ['', false],
    ['42', false],
  ]); // prettier-ignore
});

bothEnds('lone surrogates are sent as U+FFFD', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 1);
  me.send('a\ud800b');
  assert.equal((await got)[0][0].toString(), 'a\ufffdb');
});

bothEnds('binary data can be given as any kind of bytes', async (_t, open) => {
  const { me, other } = await open();
  const bytes = Uint8Array.of(9, 1, 2, 3, 4, 9);
  const kinds = [
    Buffer.from([1, 2, 3, 4]),
    bytes.subarray(1, 5),
    bytes.buffer.slice(1, 5),
    new DataView(bytes.buffer, 1, 4),
    Uint16Array.of(0x0201, 0x0403),
    [1, 2, 3, 4],
  ];
  const shared = new SharedArrayBuffer(4);
  new Uint8Array(shared).set([1, 2, 3, 4]);
  kinds.push(shared);
  const got = messages(other, kinds.length + 1);
  for (const kind of kinds) me.send(kind);
  me.send(Buffer.alloc(0));
  const all = await got;
  assert.deepEqual(all.pop(), [Buffer.alloc(0), true]);
  for (const [data, isBinary] of all) assert.deepEqual([data, isBinary], [Buffer.from([1, 2, 3, 4]), true]);
});

bothEnds('the option binary decides over the kind of a message', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 2);
  me.send(Buffer.from('text'), { binary: false });
  me.send('binary', { binary: true });
  assert.deepEqual(await got, [
    [Buffer.from('text'), false],
    [Buffer.from('binary'), true],
  ]);
});

bothEnds('bytes that are not UTF-8 are not sent as text', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 1);
  const [error] = await new Promise((resolve) => {
    me.send(Buffer.from([0xff]), { binary: false }, (...args) => resolve(args));
  });
  assert.equal(error.code, 'ITODEN_TEXT_NOT_UTF8');
  assert.equal(error.section, 'RFC 6455 §5.6');
  me.send('after');
  assert.equal((await got)[0][0].toString(), 'after');
});

bothEnds('without a callback such an error is emitted', async (_t, open) => {
  const { me } = await open();
  const failed = once(me, 'error');
  me.send(Buffer.from([0xff]), { binary: false });
  assert.equal((await failed)[0].code, 'ITODEN_TEXT_NOT_UTF8');
  assert.equal(me.readyState, me.OPEN);
});

bothEnds('fragments make one message', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 3);
  me.send('be', { fin: false });
  me.ping('between');
  me.send('gin', { fin: false });
  me.send('ning', { fin: true });
  me.send(Buffer.from([1]), { fin: false });
  me.send(Buffer.from([2]));
  me.send('whole');
  assert.deepEqual(await got, [
    [Buffer.from('beginning'), false],
    [Buffer.from([1, 2]), true],
    [Buffer.from('whole'), false],
  ]);
});

bothEnds('pings are answered, and both are told', async (_t, open) => {
  const { me, other } = await open();
  const [[ping], [pong]] = await Promise.all([once(other, 'ping'), once(me, 'pong'), me.ping('data')]);
  assert.deepEqual([ping, pong], [Buffer.from('data'), Buffer.from('data')]);
});

bothEnds('with autoPong false the answer is left to the user', async (_t, open) => {
  const { me, other } = await open({ autoPong: false });
  const pongs = [];
  other.on('pong', (data) => pongs.push(data.toString()));
  other.ping('no answer');
  await once(me, 'ping');
  me.pong('by hand');
  await once(other, 'pong');
  assert.deepEqual(pongs, ['by hand']);
});

bothEnds('a ping that is too long is refused at once', async (_t, open) => {
  const { me } = await open();
  for (const method of ['ping', 'pong']) {
    assert.throws(() => me[method](Buffer.alloc(126)), {
      name: 'ItodenError',
      code: 'ITODEN_CONTROL_PAYLOAD_TOO_LONG',
      message: /126 bytes long; at most 125/,
    });
    me[method](Buffer.alloc(125));
  }
});

bothEnds('callbacks come in order, when the data is written', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 3);
  const order = [];
  await new Promise((resolve) => {
    me.send('a', (error) => order.push(['a', error]));
    me.send(Buffer.alloc(1 << 20), {}, (error) => order.push(['b', error]));
    me.ping('p', undefined, (error) => order.push(['p', error]));
    me.pong((error) => order.push(['q', error]));
    me.send('', (error) => {
      order.push(['c', error]);
      resolve();
    });
  });
  assert.deepEqual(order.map(([name, error]) => [name, error ?? null]), [['a', null], ['b', null], ['p', null], ['q', null], ['c', null]]); // prettier-ignore
  await got;
});

matrix('10,000 messages each way keep their order', async (t, { server, client }) => {
  const { connect } = await import('./helpers.mjs');
  const { ws, peer } = await connect(t, { server, client });
  const count = 10_000;
  const [down, up] = [messages(ws, count), messages(peer, count)];
  for (let index = 0; index < count; index += 1) {
    ws.send(`up ${index}`);
    peer.send(`down ${index}`);
  }
  (await up).forEach(([data], index) => assert.equal(data.toString(), `up ${index}`));
  (await down).forEach(([data], index) => assert.equal(data.toString(), `down ${index}`));
});

bothEnds('messages of every size arrive whole, up to 8 MiB', async (_t, open) => {
  const { me, other } = await open();
  const sizes = [1, 125, 126, 16_384, 16_385, 65_535, 65_536, 65_537, 1 << 20, 8 << 20];
  const payload = (size) => Buffer.alloc(size, `size ${size}`);
  const echoed = messages(me, sizes.length);
  other.on('message', (data, isBinary) => other.send(data, { binary: isBinary }));
  for (const size of sizes) me.send(payload(size), { binary: size % 2 === 0 });
  for (const [index, [data, isBinary]] of (await echoed).entries()) {
    const size = sizes[index];
    assert.ok(data.equals(payload(size)), `${size} bytes`);
    assert.equal(isBinary, size % 2 === 0);
  }
});

bothEnds('data may be changed as soon as send has returned', async (_t, open) => {
  const { me, other } = await open();
  const got = messages(other, 3);
  for (const size of [10, 20_000, 1 << 20]) {
    const data = Buffer.alloc(size, 1);
    me.send(data);
    data.fill(2);
  }
  for (const [data] of await got) assert.ok(data.every((byte) => byte === 1), `${data.length} bytes`);
});

bothEnds('messages that are kept are not overwritten by later ones', async (_t, open) => {
  const { me, other } = await open();
  const count = 3000;
  const got = messages(other, count);
  for (let index = 0; index < count; index += 1) me.send(Buffer.alloc(100, index));
  (await got).forEach(([data], index) => assert.ok(data.equals(Buffer.alloc(100, index)), `message ${index}`));
});

bothEnds('binaryType decides what binary messages come as', async (_t, open) => {
  const { me, other } = await open();
  assert.equal(me.binaryType, 'nodebuffer');
  const get = async (type, data) => {
    me.binaryType = type;
    const got = messages(me, 1);
    other.send(data);
    return (await got)[0][0];
  };
  const buffer = await get('arraybuffer', Buffer.from([1, 2]));
  assert.ok(buffer instanceof ArrayBuffer);
  assert.deepEqual(new Uint8Array(buffer), Uint8Array.of(1, 2));
  assert.deepEqual(await get('fragments', Buffer.from([3])), [Buffer.from([3])]);
  assert.deepEqual(await get('arraybuffer', 'text'), Buffer.from('text'));
  me.binaryType = 'nonsense';
  assert.equal(me.binaryType, 'arraybuffer');
});

bothEnds('while paused nothing is told, and the sender is held back', async (_t, open) => {
  const { me, other } = await open();
  const size = 1 << 20;
  const count = 24;
  let told = 0;
  me.on('message', () => (told += 1));
  me.pause();
  assert.equal(me.isPaused, true);
  let written = 0;
  const all = new Promise((resolve) => {
    for (let index = 0; index < count; index += 1) {
      other.send(Buffer.alloc(size), () => (written += 1) === count && resolve());
    }
  });
  // Both ends are in this process: a pong that comes back over another connection's worth of turns proves that time
  // enough has passed for anything that would have been told.
  const probe = await open();
  for (let round = 0; round < 50; round += 1) {
    probe.me.ping();
    await once(probe.me, 'pong');
  }
  assert.equal(told, 0);
  assert.ok(written < count, 'the sender could write everything to a peer that does not read');
  assert.ok(other.bufferedAmount > 0);
  const rest = messages(me, count);
  me.resume();
  assert.equal(me.isPaused, false);
  await rest;
  await all;
  assert.equal(told, count);
  assert.equal(other.bufferedAmount, 0);
});

bothEnds('pausing inside a listener holds back what came in the same batch', async (_t, open) => {
  const { me, other } = await open();
  const told = [];
  me.on('message', (data) => {
    told.push(data.toString());
    if (told.length === 1) me.pause();
  });
  for (const text of ['one', 'two', 'three']) other.send(text);
  await once(me, 'message');
  await new Promise(setImmediate);
  assert.deepEqual(told, ['one']);
  const rest = messages(me, 2);
  me.resume();
  await rest;
  assert.deepEqual(told, ['one', 'two', 'three']);
});

bothEnds('the end of the connection ends a pause', async (_t, open) => {
  const { me, other } = await open({ closeTimeout: 100 });
  const told = [];
  me.on('message', (data) => told.push(data.toString()));
  other.send('before');
  await once(me, 'message');
  me.pause();
  me.close(1000);
  assert.deepEqual(await closed(me), [1006, '']);
  assert.equal(me.isPaused, false);
});

bothEnds('a listener that throws loses no other message', async (t, open) => {
  const { me, other } = await open();
  const thrown = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  const told = [];
  const done = new Promise((resolve) => {
    me.on('message', (data) => {
      const text = data.toString();
      told.push(text);
      me.send(`echo ${text}`);
      if (text === '3') resolve();
      if (text === '1') throw new Error('a bug of the user');
    });
  });
  const echoes = messages(other, 4);
  for (const text of ['0', '1', '2', '3']) other.send(text);
  await done;
  assert.deepEqual((await echoes).map(([data]) => data.toString()), ['echo 0', 'echo 1', 'echo 2', 'echo 3']);
  assert.deepEqual(told, ['0', '1', '2', '3']);
  assert.deepEqual(thrown, ['a bug of the user']);
});

bothEnds('handlers can be set as in a browser', async (_t, open) => {
  const { me, other } = await open();
  const events = [];
  const note = (event) => events.push(event);
  me.onmessage = note;
  assert.equal(me.onmessage, note);
  me.addEventListener('message', { handleEvent: note }, { once: true });
  me.addEventListener('close', note);
  me.addEventListener('close', note);
  const removed = () => assert.fail('it was removed');
  me.addEventListener('message', removed);
  me.removeEventListener('message', removed);
  other.send('text');
  other.send(Buffer.from([1]));
  await messages(me, 2);
  other.close(3001, 'done');
  await once(me, 'close');
  me.onmessage = null;
  assert.equal(me.onmessage, null);
  assert.deepEqual(events.map(({ type, data }) => [type, data]), [
    ['message', 'text'], ['message', 'text'], ['message', Buffer.from([1])], ['close', undefined],
  ]); // prettier-ignore
  const { code, reason, wasClean, target } = events[3];
  assert.deepEqual({ code, reason, wasClean }, { code: 3001, reason: 'done', wasClean: true });
  assert.equal(target, me);
});
