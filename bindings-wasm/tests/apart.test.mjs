// Large binary messages that are not brought into the module, as they come to a client that lends its chunks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from 'itoden-wasm';
import { concat, cut, hex, key, numbers, randomBytes, unhex } from './support.mjs';

/** What a server sends that sends these. */
function sent(...messages) {
  const server = new Connection('server');
  for (const message of messages) {
    if (typeof message === 'string') server.sendText(message);
    else server.sendBinary(message);
  }
  return server.takeOutput();
}

const large = randomBytes(20_000, 1);

test('a message that is whole in a chunk is a view of it', () => {
  const client = new Connection('client');
  const chunk = sent('first', large, large, 'last');
  for (let round = 0; round < 3; round += 1) {
    const events = client.receive(chunk, { lend: true });
    assert.deepEqual(events.map(({ type }) => type), ['text', 'binary', 'binary', 'text']);
    assert.deepEqual([events[1].payload, events[2].payload], [large, large]);
    for (const { payload } of events.slice(1, 3)) assert.equal(payload.buffer, chunk.buffer);
  }
});

test('a message of several chunks is put together from them', () => {
  const client = new Connection('client');
  const bytes = sent(large, large);
  for (const size of [1, 7, 999, 19_999, 20_000, 20_004, 30_000]) {
    const events = cut(bytes, size).flatMap((chunk) => client.receive(chunk, { lend: true }));
    assert.deepEqual(events, [{ type: 'binary', payload: large }, { type: 'binary', payload: large }]);
  }
});

test('what is not lent is copied, also of a message that began in a chunk that was', () => {
  const bytes = sent(large);
  for (const lends of [[false, false], [true, false], [false, true]]) {
    const client = new Connection('client');
    const chunks = [bytes.slice(0, 9000), bytes.slice(9000)];
    assert.deepEqual(client.receive(chunks[0], { lend: lends[0] }), []);
    if (!lends[0]) chunks[0].fill(0);
    const [{ payload }] = client.receive(chunks[1], { lend: lends[1] });
    chunks[1].fill(0);
    assert.deepEqual(payload, large);
  }
  assert.throws(() => new Connection('client').receive(bytes, { lend: 1 }), { name: 'TypeError' });
});

test('Node\'s buffers are bytes as all others, and what is not lent of them is copied', () => {
  const [server, client] = [new Connection('server'), new Connection('client')];
  const message = Buffer.from(large);
  server.sendBinary(message);
  message.fill(0);
  const [payload] = client.receive(Buffer.from(server.takeOutput()), { lend: true }).map((event) => event.payload);
  assert.equal(hex(payload), hex(large));
});

test('any stream means the same, lent or not, whatever the chunks', () => {
  const next = numbers(7);
  for (let round = 0; round < 60; round += 1) {
    const lengths = [next(100), 8191 + next(3), 8192 + next(5000), 65_534 + next(4)];
    const messages = Array.from({ length: 8 }, () => {
      const length = lengths[next(4)];
      return next(3) === 0 ? 'x'.repeat(length) : randomBytes(length, round);
    });
    const bytes = sent(...messages);
    // Some streams are broken.
    if (next(2) === 0) bytes[next(bytes.length)] = next(256);
    const maxMessageSize = next(3) === 0 ? 10_000 : 1 << 20;
    const options = { maxMessageSize, maskingKey: () => key };
    const [plain, lending] = [new Connection('client', options), new Connection('client', options)];
    const told = [[], []];
    for (let at = 0; at < bytes.length; ) {
      const end = at + (next(2) === 0 ? next(30) : next(80_000));
      told[0].push(...plain.receive(bytes.slice(at, end)));
      told[1].push(...lending.receive(bytes.slice(at, end), { lend: next(8) > 0 }));
      at = end;
    }
    assert.deepEqual(told[1], told[0]);
    assert.equal(hex(lending.takeOutput()), hex(plain.takeOutput()));
    assert.deepEqual(lending.eof(), plain.eof());
  }
});

test('a message that is too large is refused at its header', () => {
  const client = new Connection('client', { maxMessageSize: 19_999 });
  const [event, ...more] = client.receive(sent(large).subarray(0, 4), { lend: true });
  assert.deepEqual([event.type, event.error.code, more], ['failed', 'message_too_big', []]);
});

test('an end that comes before the message leaves nothing of it', () => {
  let now = 0;
  const client = new Connection('client', { now: () => now, closeTimeout: 10 });
  client.close();
  assert.deepEqual(client.receive(sent(large).subarray(0, 9000), { lend: true }), []);
  now = 10;
  assert.deepEqual(client.handleTimeout().map(({ type, code }) => [type, code]), [['closed', 1006]]);
  assert.deepEqual(client.receive(sent(large).subarray(9000), { lend: true }), []);
});

test('what is masked or compressed is not lent, but the same', () => {
  const [client, server] = [new Connection('client'), new Connection('server')];
  client.sendBinary(large);
  const chunk = client.takeOutput();
  const [{ payload }] = server.receive(chunk, { lend: true });
  assert.deepEqual(payload, large);
  assert.notEqual(payload.buffer, chunk.buffer);
  // A fragment, and a reserved opcode behind it.
  assert.deepEqual(new Connection('client').receive(concat([unhex('027e2000'), new Uint8Array(8192)]), { lend: true }), []);
});
