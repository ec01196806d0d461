// The examples of RFC 6455 §5.7, both ways.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import init, { FrameDecoder, FrameEncoder } from 'itoden-wasm';
import { concat, hex, key, unhex } from './support.mjs';

await init();

const client = new FrameEncoder('client');
const server = new FrameEncoder('server');
const hello = new TextEncoder().encode('Hello');

test('a single-frame unmasked text message', () => {
  const bytes = server.encodeText('Hello');
  assert.equal(hex(bytes), '810548656c6c6f');
  const [frame, ...more] = new FrameDecoder('client').push(bytes);
  assert.deepEqual(more, []);
  assert.deepEqual(frame.toObject(), {
    fin: true,
    rsv1: false,
    rsv2: false,
    rsv3: false,
    opcode: 1,
    opcodeName: 'text',
    masked: false,
    maskingKey: null,
    headerLength: 2,
    payloadLength: 5,
    payload: hello,
    maskedPayload: hello,
  });
});

test('a single-frame masked text message', () => {
  const bytes = client.encodeText('Hello', { maskingKey: key });
  assert.equal(hex(bytes), '818537fa213d7f9f4d5158');
  const [frame] = new FrameDecoder('server').push(bytes);
  assert.equal(frame.masked, true);
  assert.deepEqual(frame.maskingKey, key);
  assert.equal(frame.headerLength, 6);
  assert.deepEqual(frame.payload, hello);
  assert.deepEqual(frame.maskedPayload, unhex('7f9f4d5158'));
});

test('a fragmented unmasked text message', () => {
  const bytes = concat([
    server.encodeText('Hel', { fin: false }),
    server.encodeContinuation(new TextEncoder().encode('lo')),
  ]);
  assert.equal(hex(bytes), '010348656c80026c6f');
  const frames = new FrameDecoder('client').push(bytes);
  assert.deepEqual(
    frames.map(({ fin, opcodeName, payload }) => [fin, opcodeName, new TextDecoder().decode(payload)]),
    [
      [false, 'text', 'Hel'],
      [true, 'continuation', 'lo'],
    ],
  );
});

test('an unmasked ping and its masked answer', () => {
  assert.equal(hex(server.encodePing(hello)), '890548656c6c6f');
  assert.equal(hex(client.encodePong(hello, { maskingKey: key })), '8a8537fa213d7f9f4d5158');
  const [ping] = new FrameDecoder('client').push(unhex('890548656c6c6f'));
  const [pong] = new FrameDecoder('server').push(unhex('8a8537fa213d7f9f4d5158'));
  assert.deepEqual([ping.opcodeName, ping.opcode, ping.payload], ['ping', 9, hello]);
  assert.deepEqual([pong.opcodeName, pong.opcode, pong.payload], ['pong', 10, hello]);
});

test('256 bytes of binary data have a length of 16 bits, 64 KiB one of 64', () => {
  for (const [size, header] of [
    [256, '827e0100'],
    [65536, '827f0000000000010000'],
  ]) {
    const payload = new Uint8Array(size).fill(7);
    const bytes = server.encodeBinary(payload);
    assert.equal(hex(bytes.subarray(0, header.length / 2)), header);
    const [frame] = new FrameDecoder('client').push(bytes);
    assert.deepEqual([frame.opcodeName, frame.headerLength, frame.payload], ['binary', header.length / 2, payload]);
  }
});

test('a Close frame has a code of two bytes and a reason', () => {
  assert.equal(hex(server.encodeClose(1000, 'bye')), '880503e8627965');
  assert.equal(hex(server.encodeClose()), '8800');
  assert.equal(hex(client.encodeClose(4000, 'done', { maskingKey: key })), '888637fa213d385a4552599f');
});
