import assert from 'node:assert/strict';
import { test } from 'node:test';
import init, { FrameDecoder, FrameEncoder, SendError } from 'itoden-wasm';
import { hex, key, randomBytes, thrownBy } from './support.mjs';

await init();

const client = new FrameEncoder('client');
const server = new FrameEncoder('server');

test('payloads of every length class come back as they went, from either end', () => {
  const around = (size) => [size - 1, size, size + 1];
  const sizes = [0, 1, 2, 3, 4, 5, ...around(16), ...around(126), ...around(4096), ...around(65536), 1 << 20];
  for (const [seed, size] of sizes.entries()) {
    const payload = randomBytes(size, seed);
    for (const [encoder, receiver] of [
      [client, 'server'],
      [server, 'client'],
    ]) {
      const bytes = encoder.encodeBinary(payload, { fin: size % 2 === 0 });
      const [frame, ...more] = new FrameDecoder(receiver).push(bytes);
      assert.deepEqual(more, []);
      assert.equal(frame.fin, size % 2 === 0);
      assert.equal(frame.headerLength + frame.payloadLength, bytes.length);
      assert.ok(Buffer.from(payload).equals(frame.payload), `${size} bytes`);
      assert.ok(Buffer.from(bytes.subarray(frame.headerLength)).equals(frame.maskedPayload), `${size} bytes, masked`);
    }
  }
});

test('text of any length and script comes back as it went', () => {
  for (const text of ['', 'a', 'ä', '糸電話', '😀', '\uFEFFmark', 'x'.repeat(16_384), '糸'.repeat(16_385), '😀'.repeat(70_000)]) {
    const [frame] = new FrameDecoder('server').push(client.encodeText(text));
    assert.ok(Buffer.from(text).equals(frame.payload), `${text.length} code units`);
  }
});

test('a surrogate without its pair becomes U+FFFD, in short text and in long', () => {
  for (const filler of ['', 'x'.repeat(20_000)]) {
    const [frame] = new FrameDecoder('client').push(server.encodeText(`${filler}\ud83d!\ude00`));
    assert.equal(hex(frame.payload.subarray(filler.length)), 'efbfbd21efbfbd');
  }
});

test('a client draws another masking key for each frame', () => {
  const decoder = new FrameDecoder('server');
  const keys = Array.from({ length: 600 }, () => hex(decoder.push(client.encodeText(''))[0].maskingKey));
  // Two equal ones among 600 of 2^32 come once in 24,000 runs; a source that repeats would have far more.
  assert.ok(new Set(keys).size >= 599);
  assert.notEqual(hex(client.encodePing().subarray(2)), hex(client.encodePing().subarray(2)));
});

test('each frame is in a buffer of its own', () => {
  const first = server.encodeText('first');
  const before = hex(first);
  server.encodeText('other');
  assert.equal(hex(first), before);
  assert.equal(first.buffer.byteLength, first.length);
});

test('the core says which control frames can be sent', () => {
  for (const [action, code, section] of [
    [() => server.encodePing(new Uint8Array(126)), 'control_payload_too_long', 'RFC 6455 §5.5'],
    [() => client.encodePong(new Uint8Array(1 << 20)), 'control_payload_too_long', 'RFC 6455 §5.5'],
    [() => server.encodeClose(1005), 'invalid_send_code', 'RFC 6455 §7.4'],
    [() => server.encodeClose(0), 'invalid_send_code', 'RFC 6455 §7.4'],
    [() => client.encodeClose(1000, 'é'.repeat(62)), 'reason_too_long', 'RFC 6455 §5.5'],
    [() => client.encodeClose(undefined, 'why'), 'reason_without_code', 'RFC 6455 §5.5.1'],
  ]) {
    const error = thrownBy(action);
    assert.ok(error instanceof SendError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.section], ['SendError', code, section]);
    assert.match(error.message, /\w/);
  }
  assert.equal(server.encodePing(new Uint8Array(125)).length, 127);
});

test('an error leaves the encoder usable', () => {
  assert.throws(() => server.encodeClose(1006));
  assert.equal(hex(server.encodeClose(1001)), '880203e9');
});

test('a server is not given a masking key', () => {
  const message = /must not mask its frames \(RFC 6455 §5\.1\)/;
  assert.throws(() => server.encodeText('x', { maskingKey: key }), { name: 'TypeError', message });
  assert.throws(() => server.encodePing(undefined, { maskingKey: key }), { name: 'TypeError', message });
});

test('arguments of another kind are named in the error', () => {
  for (const [action, message] of [
    [() => new FrameEncoder('any'), "the role is 'any', but must be 'client' or 'server'"],
    [() => client.encodeText(5), 'the text is 5, but must be a string'],
    [() => client.encodeBinary('text'), "the payload is 'text', but must be a Uint8Array"],
    [() => client.encodeBinary(new ArrayBuffer(2)), 'the payload is ArrayBuffer, but must be a Uint8Array'],
    [() => client.encodeContinuation(new Uint16Array(2)), 'the payload is Uint16Array, but must be a Uint8Array'],
    [() => client.encodeText('', { fin: 1 }), 'fin is 1, but must be true or false'],
    [() => client.encodeText('', { maskingKey: [1, 2, 3, 4] }), 'the masking key is Array, but must be a Uint8Array'],
    [
      () => client.encodeText('', { maskingKey: new Uint8Array(5) }),
      'the masking key has 5 bytes, but must have 4 (RFC 6455 §5.3)',
    ],
    [() => client.encodeClose(70_000), 'the close code is 70000, but must be an integer from 0 to 65535'],
    [() => client.encodeClose(1000.5), 'the close code is 1000.5, but must be an integer from 0 to 65535'],
    [() => client.encodeClose('1000'), "the close code is '1000', but must be an integer from 0 to 65535"],
    [() => client.encodeClose(1000, null), 'the close reason is null, but must be a string'],
  ]) {
    assert.throws(action, { message });
  }
});

test('an encoder that was freed says so', () => {
  const encoder = new FrameEncoder('client');
  encoder.free();
  encoder.free();
  assert.throws(() => encoder.encodeText(''), { message: "this FrameEncoder can't be used any more: free() was called" });
  assert.throws(() => encoder.encodePing(), { message: "this FrameEncoder can't be used any more: free() was called" });
});
