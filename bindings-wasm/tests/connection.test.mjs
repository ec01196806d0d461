import assert from 'node:assert/strict';
import { test } from 'node:test';
import init, { Connection, FrameDecoder, FrameEncoder } from 'itoden-wasm';
import { concat, cut, hex, key, randomBytes, unhex } from './support.mjs';

await init();

/** Carries bytes between two ends until neither has any, and ends the transport as they ask. All events, by end. */
function converse(client, server) {
  const events = { client: [], server: [] };
  const ends = [
    ['client', client, server],
    ['server', server, client],
  ];
  const ended = new Set();
  for (let busy = true; busy; ) {
    busy = false;
    for (const [name, from, to] of ends) {
      const other = name === 'client' ? 'server' : 'client';
      const bytes = from.takeOutput();
      if (bytes.length > 0) events[other].push(...to.receive(bytes));
      const ends = from.shutdown && !ended.has(name);
      if (ends) {
        ended.add(name);
        events[other].push(...to.eof());
      }
      busy ||= bytes.length > 0 || ends;
    }
  }
  return events;
}

test('two ends talk, ping and close cleanly', () => {
  const client = new Connection('client');
  const server = new Connection('server');
  client.sendText('\uFEFF糸電話');
  client.ping(Uint8Array.of(1));
  server.sendBinary(Uint8Array.of(2, 3));
  assert.equal(client.bufferedAmount, 12);
  const talk = converse(client, server);
  assert.equal(client.bufferedAmount, 0);
  assert.deepEqual(talk.server, [
    { type: 'text', text: '\uFEFF糸電話' },
    { type: 'ping', payload: Uint8Array.of(1) },
  ]);
  assert.deepEqual(talk.client, [
    { type: 'binary', payload: Uint8Array.of(2, 3) },
    { type: 'pong', payload: Uint8Array.of(1) },
  ]);
  client.close(1000, 'done');
  assert.deepEqual([client.readyState, client.closeSent, client.closeReceived], ['closing', true, false]);
  const closed = { type: 'closed', code: 1000, reason: 'done', wasClean: true, cause: null };
  const end = converse(client, server);
  assert.deepEqual(end.client, [{ type: 'close', code: 1000, reason: 'done' }, closed]);
  assert.deepEqual(end.server, [{ type: 'close', code: 1000, reason: 'done' }, closed]);
  assert.deepEqual([client.readyState, server.readyState], ['closed', 'closed']);
});

test('a text message is the same in one chunk, in many, and in fragments', () => {
  const text = '糸電話 😀 '.repeat(3000);
  const bytes = new TextEncoder().encode(text);
  const client = new Connection('client');
  client.sendText(text);
  const one = client.takeOutput();
  for (const part of cut(bytes, 1001)) client.sendTextFragment(part, { fin: false });
  client.sendTextFragment('');
  const many = client.takeOutput();
  const expected = [{ type: 'text', text }];
  for (const chunks of [[one], cut(one, 100), [many], cut(many, 77)]) {
    const server = new Connection('server');
    assert.deepEqual(chunks.flatMap((chunk) => server.receive(chunk)), expected);
  }
});

test('a burst of messages comes in one call; small payloads share a buffer, and no later call touches it', () => {
  const encoder = new FrameEncoder('client');
  const payloads = Array.from({ length: 500 }, (_, index) => randomBytes(index, index)).concat(randomBytes(1025, 1));
  const server = new Connection('server');
  const events = server.receive(concat(payloads.map((payload) => encoder.encodeBinary(payload))));
  server.receive(encoder.encodeBinary(new Uint8Array(100_000)));
  assert.deepEqual(events, payloads.map((payload) => ({ type: 'binary', payload })));
  assert.equal(events[5].payload.buffer, events[499].payload.buffer);
  assert.equal(events[500].payload.buffer.byteLength, 1025, 'a payload above 1 KiB has a buffer of its own');
});

test('a failure is an event after those before it, and its Close frame is in the output', () => {
  const server = new Connection('server');
  const [text, failed, ...more] = server.receive(unhex('818100000000 61 8100 818100000000 62'));
  assert.deepEqual(text, { type: 'text', text: 'a' });
  assert.deepEqual([failed.type, failed.error.code, failed.error.closeCode], ['failed', 'unmasked_frame', 1002]);
  assert.deepEqual(more, []);
  const [close] = new FrameDecoder('client').push(server.takeOutput());
  assert.deepEqual([close.opcodeName, hex(close.payload.subarray(0, 2))], ['close', '03ea']);
  assert.equal(server.shutdown, true);
  assert.deepEqual(server.receive(unhex('818100000000 62')), []);
  const [closed] = server.eof();
  assert.deepEqual(closed, { type: 'closed', code: 1006, reason: '', wasClean: false, cause: 'protocol' });
});

test('a transport that ends without a Close frame is told apart', () => {
  const [closed, ...more] = new Connection('client').eof();
  assert.deepEqual(closed, { type: 'closed', code: 1006, reason: '', wasClean: false, cause: 'eof' });
  assert.deepEqual(more, []);
});

test('a peer that does not answer a Close frame is given up at the timeout', () => {
  let time = 100;
  const server = new Connection('server', { closeTimeout: 50, now: () => time });
  assert.equal(server.timeout, null);
  server.close();
  assert.equal(server.timeout, 150);
  assert.deepEqual(server.handleTimeout(), []);
  time = 150;
  assert.deepEqual(server.handleTimeout(), [
    { type: 'closed', code: 1006, reason: '', wasClean: false, cause: 'close_timeout' },
  ]);
  assert.equal(server.timeout, null);
});

test('with autoPong off a ping is only told', () => {
  const server = new Connection('server', { autoPong: false });
  assert.equal(server.receive(unhex('898000000000'))[0].type, 'ping');
  assert.equal(server.takeOutput().length, 0);
  server.pong();
  assert.equal(hex(server.takeOutput()), '8a00');
});

test('at most maxPendingPongs pings of a burst are answered, and then the newest', () => {
  const server = new Connection('server', { maxPendingPongs: 2 });
  const encoder = new FrameEncoder('client');
  server.receive(concat([1, 2, 3, 4].map((number) => encoder.encodePing(Uint8Array.of(number)))));
  assert.equal(hex(server.takeOutput()), '8a01018a01028a0104');
});

test('sending beyond maxBufferedAmount fails until the output is taken', () => {
  const server = new Connection('server', { maxBufferedAmount: 10 });
  server.sendBinary(new Uint8Array(11));
  assert.throws(() => server.sendText('x'), { name: 'SendError', code: 'buffer_full' });
  server.takeOutput();
  server.sendText('x');
});

test('a client masks with keys of its own unless it is given some', () => {
  const keys = [key, unhex('00000000')];
  const client = new Connection('client', { maskingKey: () => keys.shift() });
  client.sendText('Hello');
  client.ping();
  assert.equal(hex(client.takeOutput()), '818537fa213d7f9f4d51588980' + '00000000');
  const other = new Connection('client');
  other.ping();
  other.ping();
  const [first, second] = new FrameDecoder('server').push(other.takeOutput());
  assert.notDeepEqual(first.maskingKey, second.maskingKey);
});

test('a source of keys that fails is told, and nothing of its connection is sent any more', () => {
  for (const [maskingKey, message] of [
    [() => new Uint8Array(3), /^the masking key has 3 bytes, but must have 4/],
    [() => null, /^the masking key is null, but must be a Uint8Array$/],
    [() => { throw new Error('no entropy'); }, /^no entropy$/],
  ]) {
    const client = new Connection('client', { maskingKey });
    assert.throws(() => client.sendText('secret'), { message });
    assert.throws(() => client.takeOutput(), { message });
    assert.throws(() => client.receive(unhex('8900')), { message });
  }
});

test('a source of keys may use the codec itself', () => {
  const encoder = new FrameEncoder('server');
  const client = new Connection('client', {
    maskingKey: () => encoder.encodeBinary(randomBytes(200_000, 1)).slice(-4),
  });
  client.sendText('Hello');
  assert.equal(new TextDecoder().decode(new FrameDecoder('server').push(client.takeOutput())[0].payload), 'Hello');
  const events = client.receive(unhex('890548656c6c6f 810161'));
  assert.deepEqual(events, [
    { type: 'ping', payload: unhex('48656c6c6f') },
    { type: 'text', text: 'a' },
  ]);
});

test('options of another kind are named in the error', () => {
  for (const [role, options, message] of [
    ['any', {}, "the role is 'any', but must be 'client' or 'server'"],
    ['server', { maskingKey: () => key }, 'a masking key was given, but a server must not mask its frames (RFC 6455 §5.1)'],
    ['server', { maxMessageSize: Infinity }, 'maxMessageSize is Infinity, but must be an integer from 0 to 536870912'],
    ['server', { closeTimeout: -1 }, 'closeTimeout is -1, but must be an integer from 0 to Infinity'],
    ['server', { autoPong: 'no' }, "autoPong is 'no', but must be true or false"],
  ]) {
    assert.throws(() => new Connection(role, options), { message });
  }
  new Connection('server', { maxFrameSize: Infinity, maxFragments: Infinity });
});

test('a connection that was freed says so', () => {
  const server = new Connection('server');
  server.free();
  assert.throws(() => server.takeOutput(), { message: "this Connection can't be used any more: free() was called" });
});

test('a large message of a server is a buffer of its own in takeOutputs, in its place', () => {
  const [server, alike, client] = [new Connection('server'), new Connection('server'), new Connection('client')];
  const [bytes, text] = [randomBytes(70_000, 1), 'é'.repeat(20_000)];
  for (const end of [server, alike]) {
    end.ping(Uint8Array.of(1));
    end.sendBinary(bytes, { lend: end === server });
    end.sendText(text);
    end.sendText('behind');
  }
  assert.equal(server.bufferedAmount, 110_006);
  const parts = server.takeOutputs();
  assert.equal(server.bufferedAmount, 0);
  assert.equal(parts[1], bytes);
  assert.equal(parts.length, 5);
  assert.deepEqual(concat(parts), alike.takeOutput());
  const events = parts.flatMap((part) => client.receive(part));
  assert.deepEqual(events.map(({ type }) => type), ['ping', 'binary', 'text', 'text']);
  assert.deepEqual([events[1].payload, events[2].text, events[3].text], [bytes, text, 'behind']);
  assert.deepEqual(server.takeOutputs(), []);
});

test('what is not lent may be changed once it is sent', () => {
  const server = new Connection('server');
  const bytes = new Uint8Array(5000);
  server.sendBinary(bytes);
  bytes.fill(1);
  assert.deepEqual(server.takeOutput().subarray(4), new Uint8Array(5000));
});

test('a large message is refused as a small one is, and then nothing of it is written', () => {
  const server = new Connection('server', { maxBufferedAmount: 1999 });
  server.sendBinary(new Uint8Array(2000));
  assert.throws(() => server.sendBinary(new Uint8Array(2000)), { name: 'SendError', code: 'buffer_full' });
  assert.throws(() => server.sendText('a'.repeat(20_000)), { name: 'SendError', code: 'buffer_full' });
  assert.equal(server.takeOutput().length, 2004);
  server.close();
  assert.throws(() => server.sendBinary(new Uint8Array(2000)), { code: 'not_open' });
  assert.throws(() => server.sendBinary(new Uint8Array(2000), { lend: 1 }), { name: 'TypeError' });
  assert.equal(hex(server.takeOutput()), '8800');
});
