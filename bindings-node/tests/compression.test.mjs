// permessage-deflate on the wire: with ws at the other end, in both roles, and by the frames themselves.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import zlib from 'node:zlib';
import * as itoden from 'itoden';
import * as ws from 'ws';
import { closed, each, frame, matrix, messages, plain, rawClient, startServer } from './helpers.mjs';
import { parity } from './parity.mjs';

const OPTIONS = [
  true,
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
  { serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
  { serverMaxWindowBits: 8 },
  { zlibDeflateOptions: { level: 1 } },
  { zlibDeflateOptions: { level: 0, memLevel: 3 }, zlibInflateOptions: { chunkSize: 1024 }, concurrencyLimit: 2 },
  { zlibDeflateOptions: { level: -1 }, threshold: 10 },
];

const TEXTS = ['', 'short', 'x'.repeat(2000), 'κόσμε '.repeat(5000), 'short', JSON.stringify(OPTIONS).repeat(300)];

async function exchange(client, server) {
  assert.equal(client.extensions, 'permessage-deflate');
  assert.equal(server.extensions, 'permessage-deflate');
  server.on('message', (data, isBinary) => server.send(data, { binary: isBinary }));
  const got = messages(client, 2 * TEXTS.length + 2);
  for (const text of TEXTS) {
    client.send(text);
    client.send(Buffer.from(text), { compress: text.length % 2 === 0 });
  }
  client.send('in ', { fin: false });
  client.send('fragments '.repeat(300), { fin: true });
  client.send('and whole', { compress: false });
  const texts = (await got).map(([data, isBinary]) => [data.toString(), isBinary]);
  const expected = TEXTS.flatMap((text) => [[text, false], [text, true]]); // prettier-ignore
  assert.deepEqual(texts, [...expected, [`in ${'fragments '.repeat(300)}`, false], ['and whole', false]]);
  const ends = [closed(client), closed(server)];
  client.close(1000);
  await Promise.all(ends);
}

for (const perMessageDeflate of OPTIONS) {
  const title = JSON.stringify(perMessageDeflate);
  each(`a client of ws and this server compress with ${title}`, async (t, transport) => {
    const { wss, url } = await startServer(t, transport, { perMessageDeflate });
    const client = new ws.WebSocket(url);
    const [[server]] = await Promise.all([once(wss, 'connection'), once(client, 'open')]);
    await exchange(client, server);
  });

  each(`this client and a server of ws compress with ${title}`, async (t, transport) => {
    const wss = new ws.WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
    t.after(() => wss.close());
    await once(wss, 'listening');
    const client = new itoden.WebSocket(`ws://127.0.0.1:${wss.address().port}`, { transport, perMessageDeflate });
    const [[server]] = await Promise.all([once(wss, 'connection'), once(client, 'open')]);
    await exchange(client, server);
  });

  matrix(`both ends compress with ${title}`, async (t, { server: kind, client: transport }) => {
    const { wss, url } = await startServer(t, kind, { perMessageDeflate });
    const client = new itoden.WebSocket(url, { transport, perMessageDeflate });
    const [[server]] = await Promise.all([once(wss, 'connection'), once(client, 'open')]);
    await exchange(client, server);
  });
}

parity('who compresses if who wants to', async (stage) => {
  for (const server of [undefined, false, true, {}]) {
    for (const client of [undefined, false, true, {}]) {
      const option = (value) => (value === undefined ? {} : { perMessageDeflate: value });
      const pair = await stage.pair({ server: option(server), client: option(client) });
      stage.note(server, client, pair.client.extensions, pair.server.extensions);
    }
  }
});

/** The first two bytes of each frame that comes, and its payload. */
function framesOf(bytes, count) {
  const frames = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    let [start, length] = [at + 2, bytes[at + 1] & 0x7f];
    if (length === 126 && at + 4 <= bytes.length) [start, length] = [at + 4, bytes.readUInt16BE(at + 2)];
    if (start + length > bytes.length) break;
    frames.push({ rsv1: (bytes[at] & 0x40) !== 0, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames.length >= count ? frames : undefined;
}

const inflate = (payload) =>
  zlib.inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 255, 255])]), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString(); // prettier-ignore

const DECISIONS = [
  // With a window that is kept, all messages are compressed, as in ws.
  [{}, [true, true, false]],
  // Without, those that reach the threshold.
  [{ serverNoContextTakeover: true }, [false, true, false]],
  [{ serverNoContextTakeover: true, threshold: 5 }, [true, true, false]],
  [{ serverNoContextTakeover: true, threshold: 5000 }, [false, false, false]],
];

for (const [options, expected] of DECISIONS) {
  each(`which messages are compressed with ${JSON.stringify(options)}`, async (t, transport) => {
    const { wss, port } = await startServer(t, transport, { perMessageDeflate: options });
    const arrived = once(wss, 'connection');
    const { head, until } = await rawClient(t, port, ['Sec-WebSocket-Extensions: permessage-deflate']);
    assert.match(head, /\r\nSec-WebSocket-Extensions: permessage-deflate/);
    const [server] = await arrived;
    const sent = ['small', 'é'.repeat(600), 'not compressed '.repeat(100)];
    server.send(sent[0]);
    server.send(sent[1]);
    server.send(sent[2], { compress: false });
    const got = await until((bytes) => framesOf(bytes, 3));
    assert.deepEqual(got.map(({ rsv1 }) => rsv1), expected);
    assert.equal(got[2].payload.toString(), sent[2]);
    if (options.serverNoContextTakeover) assert.equal(got[1].rsv1 ? inflate(got[1].payload) : sent[1], sent[1]);
    else assert.equal(inflate(Buffer.concat([got[0].payload, Buffer.from([0, 0, 255, 255]), got[1].payload])), sent[0] + sent[1]);
  });
}

const NEGOTIATIONS = [
  ['permessage-deflate', true, 'permessage-deflate'],
  ['permessage-deflate; client_max_window_bits', { clientMaxWindowBits: 10 }, 'permessage-deflate; client_max_window_bits=10'],
  ['permessage-deflate', { clientMaxWindowBits: 10 }, null],
  ['permessage-deflate; server_max_window_bits=10', true, 'permessage-deflate; server_max_window_bits=10'],
  ['permessage-deflate; server_max_window_bits=10', { serverMaxWindowBits: 12 }, 'permessage-deflate; server_max_window_bits=10'],
  ['permessage-deflate', { serverNoContextTakeover: true, clientNoContextTakeover: true }, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
  ['permessage-deflate; x=1, permessage-deflate; server_no_context_takeover', true, 'permessage-deflate; server_no_context_takeover'],
  ['something-else', true, null],
  ['permessage-deflate', false, null],
]; // prettier-ignore

for (const [offer, perMessageDeflate, answer] of NEGOTIATIONS) {
  each(`the offer "${offer}" to ${JSON.stringify(perMessageDeflate)} is answered with ${answer}`, async (t, transport) => {
    const { wss, port } = await startServer(t, transport, { perMessageDeflate });
    const arrived = once(wss, 'connection');
    const { head, socket } = await rawClient(t, port, [`Sec-WebSocket-Extensions: ${offer}`]);
    const [server] = await arrived;
    assert.equal(/\r\nSec-WebSocket-Extensions: (.*)\r\n/.exec(head)?.[1] ?? null, answer);
    assert.equal(server.extensions, answer === null ? '' : 'permessage-deflate');
    socket.write(frame(8));
  });
}

each('a message that becomes too big fails with 1009, and what is not DEFLATE with 1007', async (t, transport) => {
  const bomb = zlib.deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
  const cases = [
    [bomb, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'message_too_big', 1009],
    [Buffer.from([0xff, 0xff, 0xff]), 'ITODEN_INVALID_DEFLATE', 'invalid_deflate', 1007],
  ];
  for (const [payload, code, rule, closeCode] of cases) {
    const { wss, port } = await startServer(t, transport, { perMessageDeflate: true, maxPayload: 10_000 });
    const arrived = once(wss, 'connection');
    const { socket } = await rawClient(t, port, ['Sec-WebSocket-Extensions: permessage-deflate']);
    const [server] = await arrived;
    const failed = once(server, 'error');
    socket.write(frame(2, payload, { rsv: 4 }));
    const [error] = await failed;
    assert.deepEqual([error.code, error.rule, error.closeCode], [code, rule, closeCode]);
    socket.destroy();
    await once(server, 'close');
  }
});

plain('a client that gets an extension it did not ask for fails', async (t) => {
  const answer = 'permessage-deflate; server_max_window_bits=10';
  const server = new ws.WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.after(() => server.close());
  server.on('headers', (lines) => lines.push(`Sec-WebSocket-Extensions: ${answer}`));
  await once(server, 'listening');
  for (const [transport, perMessageDeflate, code] of [
    ['native', false, 'ITODEN_UNOFFERED_EXTENSION'],
    ['stream', false, 'ITODEN_UNOFFERED_EXTENSION'],
    ['native', { serverMaxWindowBits: 9 }, 'ITODEN_INVALID_EXTENSION'],
    ['stream', { serverMaxWindowBits: 9 }, 'ITODEN_INVALID_EXTENSION'],
  ]) {
    const client = new itoden.WebSocket(`ws://127.0.0.1:${server.address().port}`, { transport, perMessageDeflate });
    const end = closed(client);
    const [error] = await new Promise((resolve) => client.once('error', (...args) => resolve(args)));
    assert.equal(error.code, code);
    assert.deepEqual(await end, [1006, '']);
  }
});
