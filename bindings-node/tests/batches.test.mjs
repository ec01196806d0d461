// Several frames in one chunk: what handlers do in the middle of it, and in which order answers go out.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { each, frame, plain, rawClient, startServer } from './helpers.mjs';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;

/** What a server sent: unmasked, short frames, as [opcode, payload]. */
function parse(bytes) {
  const frames = [];
  for (let at = 0; at + 2 <= bytes.length && at + 2 + bytes[at + 1] <= bytes.length; at += 2 + bytes[at + 1]) {
    frames.push([bytes[at] & 0x0f, bytes.subarray(at + 2, at + 2 + bytes[at + 1])]);
  }
  return frames;
}

const texts = (bytes) => parse(bytes).flatMap(([opcode, payload]) => (opcode === TEXT ? [payload.toString()] : []));

/** A raw client, and the server's end of it. */
async function open(t, transport) {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const client = await rawClient(t, port);
  const [ws, request] = await arrived;
  return { client, ws, request };
}

const close = (code) => frame(CLOSE, Buffer.from([code >> 8, code & 0xff]));

each('what the handlers of one chunk send goes out in the order of its frames, before the Close frame', async (t, transport) => {
  const { client, ws } = await open(t, transport);
  ws.on('message', (data) => {
    ws.send(`${data} 1`);
    ws.send(`${data} 2`);
  });
  ws.on('ping', (data) => ws.send(`ping ${data}`));
  const ended = new Promise((resolve) => {
    ws.on('close', () => ws.send('too late', resolve));
  });
  client.socket.write(Buffer.concat([frame(TEXT, 'a'), frame(PING, 'p'), frame(TEXT, 'b'), close(1000)]));
  const bytes = await client.ended();
  assert.deepEqual(texts(bytes), ['a 1', 'a 2', 'ping p', 'b 1', 'b 2']);
  assert.deepEqual(parse(bytes).at(-1), [CLOSE, Buffer.from([0x03, 0xe8])]);
  assert.match((await ended).message, /CLOSED/);
});

each('a handler that closes in the middle of a chunk sends its Close frame behind what was sent before', async (t, transport) => {
  const { client, ws } = await open(t, transport);
  const told = [];
  ws.on('message', (data) => {
    told.push(data.toString());
    ws.send(`echo ${data}`);
    if (told.length === 2) ws.close(4000, 'enough');
  });
  client.socket.write(Buffer.concat(['a', 'b', 'c'].map((text) => frame(TEXT, text))));
  const bytes = await client.until((got) => (parse(got).at(-1)?.[0] === CLOSE ? got : undefined));
  assert.deepEqual(texts(bytes), ['echo a', 'echo b']);
  assert.deepEqual(parse(bytes).at(-1)[1], Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from('enough')]));
  // The messages behind it came before the peer could know.
  assert.deepEqual(told, ['a', 'b', 'c']);
});

each('a handler that pauses in the middle of a chunk hears of the rest when it resumes', async (t, transport) => {
  const { client, ws } = await open(t, transport);
  const told = [];
  ws.on('message', (data) => {
    told.push(data.toString());
    ws.send(`echo ${data}`);
    if (told.length === 2) ws.pause();
  });
  client.socket.write(Buffer.concat(['a', 'b', 'c', 'd'].map((text) => frame(TEXT, text))));
  await client.until((got) => texts(got).length >= 2);
  assert.deepEqual(told, ['a', 'b']);
  ws.resume();
  const bytes = await client.until((got) => (texts(got).length >= 4 ? got : undefined));
  assert.deepEqual(told, ['a', 'b', 'c', 'd']);
  // Events are told without a queue again.
  client.socket.write(frame(TEXT, 'e'));
  assert.deepEqual(texts(bytes), ['echo a', 'echo b', 'echo c', 'echo d']);
  await client.until((got) => texts(got).at(-1) === 'echo e');
});

each('a handler that terminates in the middle of a chunk hears of what had come, and of the end', async (t, transport) => {
  const { client, ws } = await open(t, transport);
  const told = [];
  const ended = once(ws, 'close');
  ws.on('message', (data) => {
    told.push(data.toString());
    if (told.length === 2) ws.terminate();
  });
  client.socket.write(Buffer.concat(['a', 'b', 'c', 'd'].map((text) => frame(TEXT, text))));
  assert.equal((await ended)[0], 1006);
  await client.ended();
  assert.deepEqual(told, ['a', 'b', 'c', 'd']);
});

plain('all answers to the messages of one chunk are one write of the socket', async (t) => {
  const { client, ws, request } = await open(t, 'stream');
  const writes = [];
  const { write } = request.socket;
  request.socket.write = function (chunk, ...rest) {
    writes.push(parse(chunk).length);
    return write.call(this, chunk, ...rest);
  };
  ws.on('message', (data) => {
    ws.send(data.toString());
    if (data.toString() === 'b') throw new Error('thrown in the middle');
  });
  const thrown = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  // One write of so few bytes comes as one chunk over the loopback.
  client.socket.write(Buffer.concat(['a', 'b', 'c'].map((text) => frame(TEXT, text))));
  const bytes = await client.until((got) => (texts(got).length === 3 ? got : undefined));
  assert.deepEqual(texts(bytes), ['a', 'b', 'c']);
  assert.deepEqual(writes, [3]);
  assert.deepEqual(thrown, ['thrown in the middle']);
});

each('whoever detaches the memory of a message hurts no message that comes later', async (t, transport) => {
  setFlagsFromString('--allow-natives-syntax');
  const detach = runInThisContext('(memory) => %ArrayBufferDetach(memory)');
  const { client, ws } = await open(t, transport);
  ws.on('message', (data) => {
    ws.send(`echo ${data}`);
    detach(data.buffer);
  });
  for (const [index, text] of ['a', 'b', 'c', 'd'].entries()) {
    // In fragments, so that the addon puts it together, in the memory that it shares with JavaScript.
    client.socket.write(Buffer.concat([frame(TEXT, text, { fin: false }), frame(0, text)]));
    await client.until((got) => texts(got).length === index + 1);
  }
  const bytes = await client.until((got) => got);
  assert.deepEqual(texts(bytes), ['echo aa', 'echo bb', 'echo cc', 'echo dd']);
});
