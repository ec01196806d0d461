// The streams: shaped like TextDecoderStream, with backpressure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FrameDecoderStream, FrameEncoder, FrameEncoderStream, MessageDecoderStream, MessageEncoderStream,
} from 'itoden-wasm';
import { concat, cut, hex, thrownBy, unhex } from './support.mjs';

const from = (chunks) => new ReadableStream({ start: (controller) => (chunks.forEach((chunk) => controller.enqueue(chunk)), controller.close()) });
const collect = (stream) => Array.fromAsync?.(stream) ?? gather(stream);

async function gather(stream) {
  const all = [];
  for await (const each of stream) all.push(each);
  return all;
}

test('frames that go through both streams come out as they went in, whatever the chunks', async () => {
  const frames = [
    'Hello', unhex('00ff'), { type: 'text', text: 'a', fin: false }, { type: 'continuation', payload: unhex('62') },
    { type: 'ping', payload: unhex('01') }, { type: 'pong' }, { type: 'close', code: 1000, reason: 'bye' },
  ];
  const bytes = concat(await collect(from(frames).pipeThrough(new FrameEncoderStream('client'))));
  for (const size of [1, 7, bytes.length]) {
    const decoded = await collect(from(cut(bytes, size)).pipeThrough(new FrameDecoderStream('server')));
    assert.deepEqual(
      decoded.map(({ opcodeName, fin, masked, payload }) => [opcodeName, fin, masked, hex(payload)]),
      [
        ['text', true, true, '48656c6c6f'], ['binary', true, true, '00ff'], ['text', false, true, '61'],
        ['continuation', true, true, '62'], ['ping', true, true, '01'], ['pong', true, true, ''],
        ['close', true, true, '03e8627965'],
      ],
    );
  }
});

test('frames before a broken one come out, then the stream fails with the error', async () => {
  const reader = from([unhex('810161 ff')]).pipeThrough(new FrameDecoderStream('client')).getReader();
  assert.equal((await reader.read()).value.opcodeName, 'text');
  await assert.rejects(reader.read(), { name: 'ProtocolError', code: 'reserved_bits' });
});

test('a stream that ends inside a frame fails', async () => {
  await assert.rejects(collect(from([unhex('8105 61')]).pipeThrough(new FrameDecoderStream('client'))), {
    message: 'the stream ended inside a frame',
  });
});

test('a frame of no known type is refused', async () => {
  const message = 'a frame is of the type frame, but must be text, binary, continuation, ping, pong or close';
  await assert.rejects(collect(from([{ type: 'frame' }]).pipeThrough(new FrameEncoderStream('client'))), { name: 'TypeError', message });
});

test('messages that go through both streams come out as they went in, until the Close frame', async () => {
  const encoded = from(['Hello', unhex('00ff'), 'π'.repeat(70_000)]).pipeThrough(new MessageEncoderStream('client'));
  const bytes = concat(await collect(encoded));
  const control = [];
  const decoder = new MessageDecoderStream('server', { oncontrol: (event) => control.push(event) });
  const messages = await collect(from(cut(bytes, 1021)).pipeThrough(decoder));
  assert.deepEqual(messages, ['Hello', unhex('00ff'), 'π'.repeat(70_000)]);
  assert.deepEqual(control, [{ type: 'close', code: 1000, reason: '' }]);
});

test('messages without a Close frame behind them, or against the protocol, fail the stream', async () => {
  const decode = (...chunks) => collect(from(chunks.map(unhex)).pipeThrough(new MessageDecoderStream('client')));
  await assert.rejects(decode('810161'), { message: 'the stream ended without a Close frame' });
  await assert.rejects(decode('8101ff'), { name: 'ProtocolError', code: 'invalid_utf8', closeCode: 1007 });
});

test('a stream takes no more chunks while nobody reads', async () => {
  const chunk = new FrameEncoder('server').encodeText('x');
  let pulled = 0;
  const source = new ReadableStream(
    { pull: (controller) => ((pulled += 1), controller.enqueue(chunk)) },
    { highWaterMark: 0 },
  );
  const reader = source.pipeThrough(new FrameDecoderStream('client')).getReader();
  for (let read = 1; read <= 5; read += 1) {
    await reader.read();
    assert.ok(pulled <= read + 2, `${pulled} chunks were taken for ${read} that were read`);
  }
  await reader.cancel();
});

test('a role that is none is refused at once', () => {
  for (const Stream of [FrameDecoderStream, FrameEncoderStream, MessageDecoderStream, MessageEncoderStream]) {
    assert.match(thrownBy(() => new Stream('peer')).message, /^the role is 'peer', but must be 'client' or 'server'/);
  }
});
