// @ts-check
// Bytes to frames and messages, and errors to bits.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FrameEncoder } from 'itoden-wasm/deflate';
import { fieldsOf } from '../page/fields.js';
import { faultOf } from '../page/locate.js';
import { readBytes, readFile } from '../page/readers/file.js';
import { STEP } from '../page/session.js';
import { addressOf, rules } from '../page/rules.js';
import { anything, concat, finished, recordSession, texts, told, unhex, utf8 } from './support.js';

/** @param {string | Uint8Array} bytes @param {Partial<import('../page/readers/file.js').Settings>} [settings] */
function session(bytes, settings = {}) {
  const { sessions } = finished(readBytes('test', typeof bytes === 'string' ? unhex(bytes) : bytes, { ...anything, ...settings }, ''));
  return /** @type {import('../page/session.js').Session} */ (sessions[0]);
}

/** Kept apart from what was tested: the errors by which the core fails a connection over frames. */
const misdeeds = JSON.parse(readFileSync(new URL('../../../core/vectors/errors.json', import.meta.url), 'utf8'))
  .filter((/** @type {any} */ row) => row.status >= 1000 && row.status < 5000)
  .map((/** @type {any} */ row) => row.name);

test('every error of the core has its place in a frame and its sentence', () => {
  assert.deepEqual(Object.keys(rules).sort(), [...misdeeds].sort());
  assert.equal(addressOf('RFC 6455 §5.5.1'), 'https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1');
});

// Each with the bits at which the eye has to look: those of the field, of all that are wrong in it the very ones.
for (const [name, bytes, settings, code, bits] of /** @type {[string, string, object, string, [number, number]][]} */ ([
  ['RSV2 alone', 'a1 00', {}, 'reserved_bits', [2, 3]],
  ['RSV1 without an extension', 'c1 00', {}, 'reserved_bits', [1, 2]],
  ['RSV1 and RSV3 with compression', 'd1 00', { extensions: 'permessage-deflate' }, 'reserved_bits', [3, 4]],
  ['an opcode that is reserved', '83 00', {}, 'reserved_opcode', [4, 8]],
  ['a client that does not mask', '81 00', { sender: 'client' }, 'unmasked_frame', [8, 9]],
  ['a server that masks', '81 80 00000000', { sender: 'server' }, 'masked_frame', [8, 9]],
  ['a length of 5 in 16 bits', '82 7e 0005 0102030405', {}, 'non_minimal_length', [16, 32]],
  ['a length of 5 in 64 bits', '82 7f 0000000000000005 0102030405', {}, 'non_minimal_length', [16, 80]],
  ['a length with its highest bit set', '82 7f 8000000000000000', {}, 'length_overflow', [16, 80]],
  ['a ping that is too long', '89 7e 0080', {}, 'control_too_long', [9, 16]],
  ['a ping in fragments', '09 00', {}, 'fragmented_control', [0, 1]],
  ['a continuation of nothing', '80 00', {}, 'unexpected_continuation', [4, 8]],
  ['a byte that is no UTF-8', '81 04 61 62 ff 63', {}, 'invalid_utf8', [32, 40]],
  ['a byte that breaks a character off', '81 0a 63616663c3a9 20e28228', {}, 'invalid_utf8', [88, 96]],
  ['a masked byte that is no UTF-8', '81 84 01020304 60 60 fc 67', {}, 'invalid_utf8', [64, 72]],
  ['a Close frame with half a code', '88 01 03', {}, 'truncated_close_code', [16, 24]],
  ['a close code that is reserved', '88 02 03ed', {}, 'invalid_close_code', [16, 32]],
  ['a reason that is not UTF-8', '88 04 03e8 61 ff', {}, 'invalid_close_reason', [40, 48]],
  ['what can not be inflated', 'c1 02 0707', { extensions: 'permessage-deflate' }, 'invalid_deflate', [16, 32]],
])) {
  test(`the error of ${name} points at its bits`, () => {
    const seen = session(bytes, settings);
    assert.equal(seen.item(0).error?.code, code);
    assert.deepEqual(faultOf(seen, 0), bits);
  });
}

test('a data frame within a fragmented message points at its opcode', () => {
  const seen = session('01 01 61  81 01 62');
  assert.deepEqual(told(seen), ['server text', 'server text expected_continuation']);
  assert.deepEqual(faultOf(seen, 1), [4, 8]);
});

test('a byte is found in the fragment that it is in, where a character begins in the one before', () => {
  const seen = session('01 02 61 e2  89 00  00 01 82  80 02 28 62');
  assert.equal(seen.item(3).error?.code, 'invalid_utf8');
  assert.deepEqual(faultOf(seen, 3), [16, 24]);
  assert.equal(faultOf(seen, 0), undefined);
});

test('a byte is found in a long text', () => {
  const text = utf8('x'.repeat(100_000));
  const frame = new FrameEncoder('server').encodeText('x'.repeat(100_000));
  const header = frame.length - text.length;
  frame[header + 70_001] = 0xff;
  assert.deepEqual(faultOf(session(frame), 0), [(header + 70_001) * 8, (header + 70_002) * 8]);
});

test('the fields of every length lie side by side and reach to the end', () => {
  for (const role of /** @type {const} */ (['client', 'server'])) {
    for (const length of [0, 1, 125, 126, 65535, 65536]) {
      const bytes = new FrameEncoder(role).encodeBinary(new Uint8Array(length));
      const fields = fieldsOf(bytes.subarray(0, 14), bytes.length);
      let at = 0;
      for (const { from, to } of fields) {
        assert.equal(from, at);
        at = to;
      }
      assert.equal(at, bytes.length * 8);
      assert.equal(fields.some(({ name }) => name === 'key'), role === 'client');
      assert.equal(fields.some(({ name }) => name === 'payload'), length > 0);
    }
  }
});

test('a frame that is cut has the fields that came', () => {
  const seen = session('82 fe 01');
  assert.deepEqual(told(seen), ['client gap']);
  assert.deepEqual(fieldsOf(seen.bytesOf(0), 3).map(({ name, to }) => [name, to]).at(-1), ['extended', 24]);
});

test('both directions in one stream are told apart by MASK, each with its own messages', () => {
  const client = new FrameEncoder('client');
  const part = client.encodeText('Hel', { fin: false });
  const seen = session(concat([part, unhex('01 01 61'), client.encodePing(), client.encodeContinuation(utf8('lo')), unhex('80 01 62')]));
  assert.deepEqual(told(seen), ['client text', 'server text', 'client ping', 'client continuation', 'server continuation']);
  assert.deepEqual(texts(seen), ['Hello', 'ab', '']);
  assert.deepEqual([seen.itemsOf(0), seen.itemsOf(1)], [[0, 3], [1, 4]]);
});

test('a handshake before the frames is read with them, and what it agreed on holds', () => {
  const bytes = concat(recordSession().map((piece) => piece.bytes));
  const seen = session(bytes);
  assert.deepEqual([seen.opening.opened, seen.opening.problems], [true, []]);
  assert.deepEqual([seen.errors.size, seen.messageCount], [0, 8]);
  const file = finished(readFile('raw', bytes, anything));
  assert.equal(file.sessions[0]?.messageCount, 8);
});

test('the examples of RFC 7692 are inflated with the context of the message before', () => {
  const seen = session('c1 07 f248cdc9c90700  c1 05 f200110000  41 03 f248cd  80 04 c9c90700', { extensions: 'permessage-deflate' });
  assert.deepEqual(texts(seen), ['Hello', 'Hello', 'Hello']);
  assert.deepEqual([seen.message(1).payload, seen.message(1).length, seen.sums.server.inflated], [5, 5, 15]);
});

test('behind an error a message without its context says so', () => {
  const seen = session('c1 07 f248cdc9c90700  80 00  c1 05 f200110000', { extensions: 'permessage-deflate' });
  assert.deepEqual(told(seen), ['server text', 'server continuation unexpected_continuation', 'server text invalid_deflate']);
  assert.deepEqual([seen.item(1).isContextLost, seen.item(2).isContextLost], [false, true]);
});

test('extensions that nobody knows are said, and frames read without them', () => {
  const seen = session('81 01 61', { extensions: 'x-unheard-of' });
  assert.deepEqual(told(seen), ['server text']);
  assert.match(seen.notes[0] ?? '', /'x-unheard-of' are unknown/);
});

test('what follows a Close frame is ignored, in its own direction', () => {
  const seen = session('88 00  81 01 61  81 81 00000000 61');
  assert.deepEqual([0, 1, 2].map((index) => seen.item(index).isIgnored), [false, true, false]);
});

test('a capture from within a frame begins where frames do', () => {
  const frames = Array.from({ length: 40 }, () => unhex('81 05 48656c6c6f'));
  const seen = session(concat([unhex('b3b3b3'), ...frames]), { midstream: true });
  assert.deepEqual([seen.item(0).size, seen.item(0).error, seen.itemCount], [3, undefined, 41]);
});

test('every byte of a file of frames, text or noise is in one item', () => {
  let seed = 1;
  const noise = Uint8Array.from({ length: 30_000 }, () => (seed = (Math.imul(seed, 48271) >>> 0) % 2147483647) & 255);
  const seen = session(noise);
  let at = 0;
  for (let index = 0; index < seen.itemCount; index += 1) {
    assert.equal(seen.item(index).offset, at);
    at += seen.item(index).size;
  }
  assert.equal(at, noise.length);
});

test('20 MB of small frames are read, with a pause after each 4 KiB, and what is not shown is told', () => {
  const frame = new FrameEncoder('client').encodeText('hello');
  const bytes = new Uint8Array(Math.floor(20_000_000 / frame.length) * frame.length);
  for (let at = 0; at < bytes.length; at += frame.length) bytes.set(frame, at);
  const steps = readBytes('many', bytes, anything, '');
  let pauses = 0;
  let step = steps.next();
  for (; !step.done; step = steps.next()) pauses += 1;
  assert.equal(pauses, Math.ceil(bytes.length / STEP));
  assert.equal(step.value.sessions[0]?.itemCount, bytes.length / frame.length);
  assert.equal(step.value.sessions[0]?.isFull, false);
});
