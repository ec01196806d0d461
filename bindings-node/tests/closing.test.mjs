// How connections end.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'itoden';
import { bothEnds, closed, each, frame, messages, rawClient, startServer } from './helpers.mjs';

bothEnds('a close with a code and a reason is told to both', async (_t, open) => {
  const { me, other } = await open();
  me.close(4321, 'that is all');
  assert.equal(me.readyState, WebSocket.CLOSING);
  assert.deepEqual(await Promise.all([closed(me), closed(other)]), [
    [4321, 'that is all'],
    [4321, 'that is all'],
  ]);
  assert.deepEqual([me.readyState, other.readyState], [WebSocket.CLOSED, WebSocket.CLOSED]);
  assert.deepEqual([me.wasClean, other.wasClean], [true, true]);
});

bothEnds('a close without a code is told as 1005', async (_t, open) => {
  const { me, other } = await open();
  me.close();
  assert.deepEqual(await Promise.all([closed(me), closed(other)]), [
    [1005, ''],
    [1005, ''],
  ]);
});

bothEnds('a reason can be a Buffer', async (_t, open) => {
  const { me, other } = await open();
  me.close(1000, Buffer.from('ende'));
  assert.deepEqual(await closed(other), [1000, 'ende']);
});

bothEnds('what was sent before a close still arrives', async (_t, open) => {
  const { me, other } = await open();
  const [got, end] = [messages(other, 2), closed(other)];
  me.send('first');
  me.send(Buffer.alloc(1 << 20));
  me.close(1000);
  assert.equal((await got)[0][0].toString(), 'first');
  assert.deepEqual(await end, [1000, '']);
});

each('messages of the peer are still told after close()', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { socket, until } = await rawClient(t, port);
  const [ws] = await arrived;
  const [got, end] = [messages(ws, 1), closed(ws)];
  ws.close(1000);
  await until(closeCode);
  socket.write(Buffer.concat([frame(1, 'on its way'), frame(8, Buffer.from([3, 232]))]));
  assert.deepEqual(await got, [[Buffer.from('on its way'), false]]);
  socket.end();
  assert.deepEqual(await end, [1000, '']);
});

for (const [what, last, code] of [
  ['a Close frame', frame(8, Buffer.from([3, 232])), '03e8'],
  ['a frame that breaks the protocol', frame(3), '03ea'],
]) {
  each(`the echo of a message goes out though ${what} lay right behind it`, async (t, transport) => {
    const { wss, port } = await startServer(t, transport);
    wss.on('connection', (ws) => {
      ws.on('error', () => {});
      ws.on('message', (data) => {
        ws.send(`1 ${data}`);
        ws.send(`2 ${data}`);
      });
    });
    const { socket, ended } = await rawClient(t, port);
    socket.write(Buffer.concat([frame(1, 'a'), frame(1, 'b'), last]));
    const received = (await ended()).toString('latin1');
    const echoes = ['1 a', '2 a', '1 b', '2 b'].map((text) => `\x81\x03${text}`).join('');
    assert.equal(received.slice(0, echoes.length), echoes);
    const close = Buffer.from(received.slice(echoes.length), 'latin1').toString('hex');
    assert.match(close, new RegExp(`^88..${code}`));
  });
}

bothEnds('a close that is not allowed throws, and changes nothing', async (_t, open) => {
  const { me, other } = await open();
  const cases = [
    [[1006], 'ITODEN_INVALID_SEND_CODE', /1006; 1000-1003/],
    [[999], 'ITODEN_INVALID_SEND_CODE', /999/],
    [[5000], 'ITODEN_INVALID_SEND_CODE', /5000/],
    [[1000, 'é'.repeat(62)], 'ITODEN_REASON_TOO_LONG', /124 bytes/],
  ];
  for (const [args, code, message] of cases) assert.throws(() => me.close(...args), { code, message });
  for (const code of ['1000', 1000.5, -1, 70000, null]) {
    assert.throws(() => me.close(code), { name: 'TypeError', message: /The close code is .*must be an integer/ });
  }
  assert.throws(() => me.close(1000, 7), { name: 'TypeError', message: /The close reason is 7; it must be a string/ });
  assert.equal(me.readyState, WebSocket.OPEN);
  me.close(1000, 'x'.repeat(123));
  assert.deepEqual(await closed(other), [1000, 'x'.repeat(123)]);
});

bothEnds('sending too late is told to the callback, and counted', async (_t, open) => {
  const { me } = await open();
  me.close(1000);
  const before = me.bufferedAmount;
  const error = await new Promise((resolve) => me.send('late', resolve));
  assert.equal(error.code, 'ITODEN_NOT_OPEN');
  assert.equal(error.message, 'WebSocket is not open: readyState 2 (CLOSING)');
  assert.equal(me.bufferedAmount, before + 4);
  await once(me, 'close');
  const after = await new Promise((resolve) => me.ping('', undefined, resolve));
  assert.equal(after.message, 'WebSocket is not open: readyState 3 (CLOSED)');
  me.send('without a callback nothing is thrown');
  me.close();
  me.terminate();
});

bothEnds('terminate() ends without a handshake: 1006 at both ends', async (_t, open) => {
  const { me, other } = await open();
  me.terminate();
  assert.equal(me.readyState, WebSocket.CLOSING);
  assert.deepEqual(await Promise.all([closed(me), closed(other)]), [
    [1006, ''],
    [1006, ''],
  ]);
  assert.equal(me.wasClean, false);
});

bothEnds('terminate() works while paused', async (_t, open) => {
  const { me, other } = await open();
  const got = once(me, 'message');
  other.send('one');
  await got;
  me.pause();
  other.send('two');
  me.on('message', () => assert.fail('a message was told after terminate()'));
  me.terminate();
  assert.deepEqual(await closed(me), [1006, '']);
});

bothEnds('a callback whose data could not be written gets an error', async (_t, open) => {
  const { me, other } = await open();
  other.pause();
  const failed = new Promise((resolve) => me.send(Buffer.alloc(32 << 20), resolve));
  me.terminate();
  assert.ok((await failed) instanceof Error);
});

bothEnds('a peer that does not answer a Close frame is given up after closeTimeout', async (_t, open) => {
  const { me, other } = await open({ closeTimeout: 50 });
  other.pause();
  me.close(1000);
  assert.deepEqual(await closed(me), [1006, '']);
});

each('an end of file without a Close frame is 1006', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { socket } = await rawClient(t, port);
  const [ws] = await arrived;
  ws.on('error', () => assert.fail('a lost connection is no error of the protocol'));
  socket.end();
  assert.deepEqual(await closed(ws), [1006, '']);
  assert.equal(ws.wasClean, false);
});

each('a reset connection is 1006', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { socket } = await rawClient(t, port);
  const [ws] = await arrived;
  socket.resetAndDestroy();
  assert.deepEqual(await closed(ws), [1006, '']);
});

function closeCode(bytes) {
  return bytes[0] === 0x88 && bytes.length >= 2 + bytes[1] ? bytes.readUInt16BE(2) : undefined;
}

bothEnds('a reason without a code is not sent, as in ws', async (_t, open) => {
  const { me, other } = await open();
  me.close(undefined, 'why');
  assert.deepEqual(await closed(other), [1005, '']);
});

const MISDEEDS = [
  ['a frame without a mask', [frame(1, 'x', { masked: false })], 'unmasked_frame', 'EXPECTED_MASK', 1002],
  ['another reserved bit', [frame(1, 'x', { rsv: 6 })], 'reserved_bits', 'UNEXPECTED_RSV_2_3', 1002],
  ['reserved bits', [frame(1, 'x', { rsv: 4 })], 'reserved_bits', 'UNEXPECTED_RSV_1', 1002],
  ['a reserved opcode', [frame(3)], 'reserved_opcode', 'INVALID_OPCODE', 1002],
  ['a fragmented control frame', [frame(9, '', { fin: false })], 'fragmented_control', 'EXPECTED_FIN', 1002],
  ['a long control frame', [frame(9, 'x'.repeat(126))], 'control_too_long', 'INVALID_CONTROL_PAYLOAD_LENGTH', 1002],
  ['a continuation of nothing', [frame(0)], 'unexpected_continuation', 'INVALID_OPCODE', 1002],
  ['a message inside another', [frame(1, 'a', { fin: false }), frame(1, 'b')], 'expected_continuation', 'INVALID_OPCODE', 1002],
  ['a Close frame of one byte', [frame(8, 'x')], 'truncated_close_code', 'INVALID_CONTROL_PAYLOAD_LENGTH', 1002],
  ['a close code that is not allowed', [frame(8, Buffer.from([3, 238]))], 'invalid_close_code', 'INVALID_CLOSE_CODE', 1002],
  ['text that is not UTF-8', [frame(1, Buffer.from([0xc0, 0xaf]))], 'invalid_utf8', 'INVALID_UTF8', 1007],
  ['a reason that is not UTF-8', [frame(8, Buffer.from([3, 232, 0xff]))], 'invalid_close_reason', 'INVALID_UTF8', 1007],
  ['a message that is too big', [frame(2, Buffer.alloc(1001))], 'message_too_big', 'UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['fragments that are too big together', [frame(2, Buffer.alloc(999), { fin: false }), frame(0, 'ab')], 'message_too_big', 'UNSUPPORTED_MESSAGE_LENGTH', 1009],
  ['too many fragments', Array.from({ length: 4 }, (_, index) => frame(index ? 0 : 2, 'x', { fin: false })), 'too_many_fragments', 'TOO_MANY_BUFFERED_PARTS', 1008],
]; // prettier-ignore

for (const [what, frames, name, inWs, code] of MISDEEDS) {
  each(`${what} fails the connection with ${code}`, async (t, transport) => {
    const { wss, port } = await startServer(t, transport, { maxPayload: 1000, maxFragments: 3 });
    const arrived = once(wss, 'connection');
    const { socket, until, ended } = await rawClient(t, port);
    const [ws] = await arrived;
    const failed = once(ws, 'error');
    const end = closed(ws);
    socket.write(Buffer.concat([frame(1, 'fine'), ...frames]));
    const [error] = await failed;
    assert.equal(error.name, 'ItodenError');
    assert.equal(error.rule, name);
    assert.equal(error.code, `WS_ERR_${inWs}`);
    assert.equal(error.closeCode, code);
    assert.match(error.section, /^RFC 6455 §/);
    assert.equal(ws.readyState, WebSocket.CLOSING);
    assert.equal(await until(closeCode), code);
    await ended();
    socket.end();
    assert.deepEqual(await end, [1006, '']);
  });
}

each('a message of exactly maxPayload passes', async (t, transport) => {
  const { wss, port } = await startServer(t, transport, { maxPayload: 1000 });
  const arrived = once(wss, 'connection');
  const { socket } = await rawClient(t, port);
  const [ws] = await arrived;
  const got = messages(ws, 1);
  socket.write(frame(2, Buffer.alloc(1000, 7)));
  assert.deepEqual(await got, [[Buffer.alloc(1000, 7), true]]);
});

each('frames that come with the request are read', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(`echo ${data}`)));
  const { raw, REQUEST } = await import('./helpers.mjs');
  const { socket, until } = await raw(t, port);
  socket.write(Buffer.concat([Buffer.from(`${REQUEST.join('\r\n')}\r\n\r\n`), frame(1, 'early')]));
  await until((bytes) => bytes.includes(Buffer.from('\x81\x0aecho early', 'latin1')));
});
