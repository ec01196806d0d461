// Looking on: captures that begin anywhere and have anything in them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameEncoder, Inspector } from 'itoden-wasm';
import { concat, cut, hex, numbers, randomBytes, unhex } from './support.mjs';

const [client, server] = [new FrameEncoder('client'), new FrameEncoder('server')];

function inspect(options, chunks) {
  const inspector = new Inspector(options);
  const seen = [...chunks.flatMap((chunk) => inspector.push(chunk)), ...inspector.end()];
  return seen.map((each) => (each.type === 'frame' ? [each.offset, hex(each.frame.payload)] : [each.offset, each.length, each.error?.code ?? null]));
}

test('both directions in one stream are told with their offsets, whatever the chunks', () => {
  const bytes = concat([client.encodeText('a'), server.encodePing(unhex('01')), client.encodeBinary(unhex('00ff'))]);
  for (const size of [1, 4, bytes.length]) {
    assert.deepEqual(inspect({}, cut(bytes, size)), [[0, '61'], [7, '01'], [10, '00ff']]);
  }
});

test('what is no frame is a gap with its error, and what follows is told', () => {
  const bytes = concat([server.encodeText('a'), unhex('83 83 83'), server.encodeText('b')]);
  assert.deepEqual(inspect({ role: 'client' }, [bytes]), [[0, '61'], [3, 3, 'reserved_opcode'], [6, '62']]);
});

test('a frame with an error in its first byte ends where it says, if frames follow there', () => {
  // Byte by byte the text would be taken for the beginning of a frame.
  const bytes = concat([unhex('83 03 010203'), server.encodeText('b')]);
  assert.deepEqual(inspect({}, [bytes]), [[0, 5, 'reserved_opcode'], [5, '62']]);
  assert.deepEqual(inspect({}, [unhex('83 03 010203')]), [[0, 5, 'reserved_opcode']]);
});

test('a gap that is longer than a chunk is one', () => {
  const chunks = [unhex('838383'), unhex('8383'), server.encodeText('b')];
  assert.deepEqual(inspect({ role: 'client' }, chunks), [[0, 5, 'reserved_opcode'], [5, '62']]);
});

test('a capture from midstream begins where frames do', () => {
  const bytes = concat([unhex('b3b3b3'), ...Array.from({ length: 5 }, () => client.encodeText('Hello'))]);
  const seen = inspect({ role: 'server', midstream: true }, [bytes]);
  assert.deepEqual(seen[0], [0, 3, null]);
  assert.deepEqual(seen.slice(1).map(([, payload]) => payload), Array(5).fill('48656c6c6f'));
});

test('a frame that is cut at the end is told as a gap without an error', () => {
  assert.deepEqual(inspect({}, [server.encodeText('abc').subarray(0, 4)]), [[0, 4, null]]);
});

test('every byte of any stream is told once, and nothing is thrown', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const next = numbers(seed);
    const bytes = concat([randomBytes(next(300), seed), client.encodeBinary(randomBytes(next(200), seed)), randomBytes(next(300), seed + 99)]);
    for (const size of [1 + next(7), 1 + next(400)]) {
      const inspector = new Inspector({ midstream: seed % 2 === 0 });
      const seen = [...cut(bytes, size).flatMap((chunk) => inspector.push(chunk)), ...inspector.end()];
      let at = 0;
      for (const each of seen) {
        assert.equal(each.offset, at);
        at += each.type === 'frame' ? each.frame.headerLength + each.frame.payloadLength : each.length;
      }
      assert.equal(at, bytes.length);
    }
  }
});

test('a gap ends at the first byte from which 2 KiB of frames follow, and not before', () => {
  // 83: no opcode. 82 7e 0900: a frame of 2,304 bytes, behind which another error is too far away to be seen.
  const bytes = concat([unhex('83 83'), unhex('82 7e 0900'), new Uint8Array(0x900), unhex('83')]);
  const seen = inspect({ role: 'client', midstream: true }, [bytes]);
  assert.deepEqual(seen.map(([offset]) => offset), [0, 2, 2310]);
  const near = concat([unhex('83 83'), unhex('82 01 00'), unhex('83 83'), server.encodeText('a')]);
  assert.deepEqual(inspect({ role: 'client', midstream: true }, [near]), [[0, 7, null], [7, '61']]);
});
