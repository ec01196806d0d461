import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import init, { Connection, FrameDecoder, FrameEncoder, ProtocolError } from 'itoden-wasm';
import { concat, cut, hex, key, numbers, randomBytes, thrownBy, unhex } from './support.mjs';
import { codec } from '../dist/module.js';

const memory = () => codec.get().exports.memory.buffer;

await init();

const MIB = 1 << 20;

/** Frames of many sizes and kinds, in one stream. */
function stream(role) {
  const encoder = new FrameEncoder(role);
  return concat([
    encoder.encodeText('Hello'),
    encoder.encodeBinary(randomBytes(0, 1)),
    encoder.encodeBinary(randomBytes(125, 2), { fin: false }),
    encoder.encodePing(randomBytes(125, 3)),
    encoder.encodeContinuation(randomBytes(126, 4), { fin: false }),
    encoder.encodePong(),
    encoder.encodeContinuation(randomBytes(300, 5)),
    encoder.encodeBinary(randomBytes(65_536, 6)),
    encoder.encodeText('糸電話'),
    encoder.encodeClose(1000, 'bye'),
  ]);
}

const plain = (frames) => frames.map((frame) => frame.toObject());

function decode(role, chunks) {
  const decoder = new FrameDecoder(role);
  return plain(chunks.flatMap((chunk) => decoder.push(chunk)));
}

for (const [sender, receiver] of [
  ['client', 'server'],
  ['server', 'client'],
]) {
  test(`every chunking of a stream from a ${sender} gives the same frames`, () => {
    const bytes = stream(sender);
    const whole = decode(receiver, [bytes]);
    assert.equal(whole.length, 10);
    for (const size of [1, 2, 3, 5, 7, 13, 64, 129, 1000, 65_535]) {
      assert.deepEqual(decode(receiver, cut(bytes, size)), whole, `chunks of ${size}`);
    }
    const next = numbers(6455);
    for (let run = 0; run < 50; run += 1) {
      const chunks = [];
      for (let at = 0; at < bytes.length; ) {
        const size = next(4) === 0 ? next(30_000) : next(20);
        chunks.push(bytes.slice(at, at + size));
        at += size;
      }
      assert.deepEqual(decode(receiver, chunks), whole, `run ${run}`);
    }
  });

  test(`a stream from a ${sender} cut in two anywhere gives the same frames`, () => {
    const bytes = stream(sender).subarray(0, 800);
    const whole = decode(receiver, [bytes]);
    for (let at = 0; at <= bytes.length; at += 1) {
      assert.deepEqual(decode(receiver, [bytes.slice(0, at), bytes.slice(at)]), whole, `cut at ${at}`);
    }
  });
}

test('an onlooker reads both directions and any reserved bits', () => {
  const frames = new FrameDecoder('any').push(unhex('f10161 c18137fa213d56 810162'));
  assert.deepEqual(
    frames.map(({ rsv1, rsv2, rsv3, masked, payload }) => [rsv1, rsv2, rsv3, masked, hex(payload)]),
    [
      [true, true, true, false, '61'],
      [true, false, false, true, '61'],
      [false, false, false, false, '62'],
    ],
  );
});

test('the chunk may be overwritten once it is pushed, and is not written to', () => {
  const chunk = unhex('818537fa213d7f9f4d5158');
  const before = hex(chunk);
  const [frame] = new FrameDecoder('server').push(chunk);
  assert.equal(hex(chunk), before);
  chunk.fill(0);
  assert.equal(hex(frame.payload), '48656c6c6f');
  assert.equal(hex(frame.maskedPayload), '7f9f4d5158');
});

test("Node's Buffer and a part of a larger buffer can be pushed", () => {
  const decoder = new FrameDecoder('client');
  assert.equal(decoder.push(Buffer.from('8101618101', 'hex')).length, 1);
  assert.equal(decoder.push(unhex('ffff62ffff').subarray(2, 3)).length, 1);
});

test('frames outlive the decoder and later pushes', () => {
  const decoder = new FrameDecoder('server');
  const [frame] = decoder.push(unhex('818537fa213d7f9f4d5158'));
  for (let run = 0; run < 20; run += 1) decoder.push(new FrameEncoder('client').encodeBinary(randomBytes(100_000, run)));
  decoder.free();
  assert.equal(hex(frame.payload), '48656c6c6f');
  assert.equal(hex(frame.maskedPayload), '7f9f4d5158');
  assert.throws(() => decoder.push(new Uint8Array()), { message: /^this FrameDecoder can't be used any more/ });
});

test('what toObject gives can be posted to another thread', () => {
  const [frame] = new FrameDecoder('server').push(unhex('818537fa213d7f9f4d5158'));
  assert.deepEqual(structuredClone(frame.toObject()), frame.toObject());
});

test('each misdeed of the peer has its code, close code and section', () => {
  for (const [role, bytes, code, section] of [
    ['client', '91', 'reserved_bits', 'RFC 6455 §5.2'],
    ['client', '83', 'reserved_opcode', 'RFC 6455 §5.2'],
    ['any', '8b', 'reserved_opcode', 'RFC 6455 §5.2'],
    ['server', '8100', 'unmasked_frame', 'RFC 6455 §5.1'],
    ['client', '8180', 'masked_frame', 'RFC 6455 §5.1'],
    ['client', '817e007d', 'non_minimal_length', 'RFC 6455 §5.2'],
    ['any', '827f000000000000ffff', 'non_minimal_length', 'RFC 6455 §5.2'],
    ['any', '827f8000000000010000', 'length_overflow', 'RFC 6455 §5.2'],
    ['any', '897e', 'control_too_long', 'RFC 6455 §5.5'],
    ['any', '09', 'fragmented_control', 'RFC 6455 §5.5'],
  ]) {
    for (const chunks of [[unhex(bytes)], cut(unhex(bytes), 1)]) {
      const decoder = new FrameDecoder(role);
      const error = thrownBy(() => chunks.forEach((chunk) => decoder.push(chunk)));
      assert.ok(error instanceof ProtocolError && error instanceof Error, bytes);
      assert.deepEqual([error.name, error.code, error.closeCode, error.section], ['ProtocolError', code, 1002, section]);
      assert.match(error.message, /\w/);
      assert.deepEqual(error.frames, []);
    }
  }
});

test('frames before an error come with it, and the error comes again at every push', () => {
  const decoder = new FrameDecoder('client');
  const error = thrownBy(() => decoder.push(unhex('810161 890162 810163 83 810164')));
  assert.equal(error.code, 'reserved_opcode');
  assert.deepEqual(error.frames.map(({ payload }) => hex(payload)), ['61', '62', '63']);
  for (const chunk of ['', '810161']) {
    const again = thrownBy(() => decoder.push(unhex(chunk)));
    assert.deepEqual([again.code, again.message, again.frames], [error.code, error.message, []]);
  }
});

test('a frame that is completed by the chunk with the error comes with it too', () => {
  const decoder = new FrameDecoder('client');
  assert.deepEqual(decoder.push(unhex('810361')), []);
  const error = thrownBy(() => decoder.push(unhex('6263 83')));
  assert.deepEqual(error.frames.map(({ payload }) => hex(payload)), ['616263']);
});

test('a frame larger than maxFrameSize is refused when its header declares it', () => {
  const decoder = new FrameDecoder('client', { maxFrameSize: 1000 });
  assert.equal(decoder.push(concat([unhex('827e03e8'), new Uint8Array(1000)])).length, 1);
  const error = thrownBy(() => decoder.push(unhex('827e03e9')));
  assert.deepEqual([error.code, error.closeCode], ['frame_too_big', 1009]);
  assert.equal(error.message, 'a frame declares a payload of 1001 bytes; max_frame_size is 1000');
  assert.equal(thrownBy(() => new FrameDecoder('client').push(unhex('827f0000000001000001'))).code, 'frame_too_big');
  assert.deepEqual(new FrameDecoder('client').push(unhex('827f0000000001000000')), []);
});

test('maxFrameSize and the role are checked', () => {
  for (const [role, maxFrameSize, message] of [
    ['peer', 1, "the role is 'peer', but must be 'client' or 'server' or 'any'"],
    ['any', -1, 'maxFrameSize is -1, but must be an integer from 0 to 536870912'],
    ['any', 512 * MIB + 1, 'maxFrameSize is 536870913, but must be an integer from 0 to 536870912'],
    ['any', NaN, 'maxFrameSize is NaN, but must be an integer from 0 to 536870912'],
    ['any', '5', "maxFrameSize is '5', but must be an integer from 0 to 536870912"],
  ]) {
    assert.throws(() => new FrameDecoder(role, { maxFrameSize }), { message });
  }
  assert.throws(() => new FrameDecoder('any').push('bytes'), { message: "the chunk is 'bytes', but must be a Uint8Array" });
});

test('memory grows with what arrived, not with what a header declares', () => {
  const before = memory().byteLength;
  const decoders = Array.from({ length: 50 }, () => new FrameDecoder('client', { maxFrameSize: 512 * MIB }));
  for (const decoder of decoders) {
    decoder.push(unhex('827f000000001fffffff'));
    decoder.push(new Uint8Array(1000));
  }
  assert.ok(memory().byteLength - before < MIB, `${memory().byteLength - before} bytes more`);
});

test('memory stays bounded over a long stream, in frames that lie in one chunk and in frames that are cut', () => {
  const frame = new FrameEncoder('client').encodeBinary(randomBytes(MIB, 1), { maskingKey: key });
  const decoder = new FrameDecoder('server');
  const round = () => {
    assert.equal(decoder.push(frame).length, 1);
    let frames = 0;
    for (const chunk of cut(frame, 100_000)) frames += decoder.push(chunk).length;
    assert.equal(frames, 1);
  };
  for (let run = 0; run < 5; run += 1) round();
  const before = memory().byteLength;
  for (let run = 0; run < 100; run += 1) round();
  assert.equal(memory().byteLength, before);
});

test('decoders and connections at rest hold no payload, whether the last frame ended well or in an error', () => {
  const frame = concat([unhex('827f0000000000100000'), new Uint8Array(MIB)]);
  const uses = {
    'a frame in two chunks': () => {
      const decoder = new FrameDecoder('client');
      decoder.push(frame.subarray(0, 1000));
      assert.equal(decoder.push(frame.subarray(1000)).length, 1);
      return decoder;
    },
    'an error behind half a frame': () => {
      const decoder = new FrameDecoder('client');
      decoder.push(frame.subarray(0, MIB));
      assert.throws(() => decoder.push(concat([new Uint8Array(10), unhex('83')])), { code: 'reserved_opcode' });
      return decoder;
    },
    'a message in two chunks': () => {
      const connection = new Connection('client');
      connection.receive(frame.subarray(0, 1000));
      assert.equal(connection.receive(frame.subarray(1000)).length, 1);
      return connection;
    },
  };
  for (const [name, use] of Object.entries(uses)) {
    const alive = [use()];
    const before = memory().byteLength;
    for (let run = 0; run < 50; run += 1) alive.push(use());
    assert.ok(memory().byteLength - before < 10 * MIB, `${name}: ${(memory().byteLength - before) / MIB} MiB more`);
    for (const each of alive) each.free();
  }
});

test('decoders give their memory back when freed, at the end of their use, and when collected', async () => {
  const cutFrame = concat([unhex('827f0000000000100000'), new Uint8Array(MIB - 1)]);
  const use = (end) => {
    const decoder = new FrameDecoder('client');
    decoder.push(cutFrame);
    end(decoder);
  };
  for (let run = 0; run < 5; run += 1) use((decoder) => decoder.free());
  const before = memory().byteLength;
  for (let run = 0; run < 200; run += 1) use((decoder) => decoder[run % 2 ? 'free' : Symbol.dispose]());
  assert.equal(memory().byteLength, before);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  for (let run = 0; run < 400; run += 1) {
    use(() => {});
    if (run % 4 === 0) {
      collect();
      // The registry's callbacks come after the collection, in a task of their own.
      await new Promise(setImmediate);
    }
  }
  assert.ok(memory().byteLength - before < 64 * MIB, `${(memory().byteLength - before) / MIB} MiB more`);
});
