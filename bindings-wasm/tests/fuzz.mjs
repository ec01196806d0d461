// Random bytes and broken vectors, in random chunks, with random options and calls, through all that the package exports.
//
//   node tests/fuzz.mjs [--rounds N] [--seed N]    500 rounds from the seed 1 by default; each round has a seed of its own
//
// Nothing may be thrown but what is declared, no call may trap, and memory stays bounded.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Connection, FrameDecoder, FrameEncoder, Inspector, ProtocolError, SendError, WebSocketSession } from 'itoden-wasm/deflate';
import { FrameDecoderStream, FrameEncoderStream, MessageDecoderStream, MessageEncoderStream } from 'itoden-wasm/deflate';
import { ClientHandshake, ConnectHandshake, HandshakeError, ServerHandshake } from 'itoden-wasm/handshake';
import { codec } from '../dist/module.js';
import { connections, expand, openings } from './cases.mjs';
import { concat, numbers, unhex } from './support.mjs';

const declared = [ProtocolError, SendError, HandshakeError, TypeError, RangeError];
/** What is told by a plain Error: use after free, calls that come too early, streams that end too early. */
const misuse = /can't be used|there is no (request|answer)|not loaded|ended without a Close frame|ended in the midst|ended inside/;

/** What may be thrown is swallowed, anything else is a find. */
function tolerate(work) {
  try {
    return work();
  } catch (error) {
    const isTrap = error instanceof WebAssembly.RuntimeError;
    // A trap is a find, and so is a TypeError of JavaScript's own, which speaks of no argument.
    const isOwn = declared.some((type) => error instanceof type) || misuse.test(error?.message);
    if (isTrap || !isOwn || /of (undefined|null)|not a function|detached/.test(error.message)) throw error;
    return undefined;
  }
}

const corpus = [
  ...connections.flatMap(([, cases]) => cases.map(({ chunks }) => concat(chunks.map((chunk) => expand(chunk))))),
].filter(({ length }) => length < 100_000);
const heads = openings.flatMap((entry) => Object.values(entry).filter((value) => typeof value === 'string' && value.includes('\r\n')))
  .concat('GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n')
  .map((text) => new Uint8Array(Buffer.from(text, 'latin1')));

function mutated(bytes, next) {
  const out = bytes.slice();
  for (let left = next(6); left > 0 && out.length > 0; left -= 1) {
    const at = next(out.length);
    if (next(2)) out[at] ^= 1 << next(8);
    else out[at] = [0, 0x7e, 0x7f, 0x80, 0xfe, 0xff][next(6)];
  }
  return next(4) ? out : out.subarray(0, next(out.length + 1));
}

/** A stream of bytes that has something of everything. */
function stream(next, pool) {
  const parts = Array.from({ length: 1 + next(5) }, () =>
    next(5) ? mutated(pool[next(pool.length)], next) : Uint8Array.from({ length: next(200) }, () => next(256)));
  return concat(parts);
}

function* chunksOf(bytes, next) {
  for (let at = 0; at < bytes.length; ) {
    const size = next(8) ? 1 + next(300) : next(3) ? 1 : bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const pick = (next, ...values) => values[next(values.length)];
const size = (next) => pick(next, undefined, 0, 1, 125, 126, 65_536, 16 << 20, -1, 1.5, NaN, Infinity, 2 ** 32, 'x');
const text = (next) => pick(next, '', 'a', 'é'.repeat(next(100)), '\ud800', 'x'.repeat(next(70_000)), undefined, 5);
const data = (next) => pick(next, new Uint8Array(), new Uint8Array(next(200)), new Uint8Array(next(70_000)), 'text', null, new Uint16Array(3));
const extensions = (next) =>
  pick(next, undefined, '', 'permessage-deflate', 'permessage-deflate; client_no_context_takeover; server_max_window_bits=9', 'nonsense', ';;', 'permessage-deflate; x=1', 7);

const targets = {
  connection(next) {
    const role = pick(next, 'client', 'server', 'server', 'nobody');
    const options = {
      maxMessageSize: size(next), maxFrameSize: size(next), maxFragments: size(next), maxBufferedAmount: size(next), maxPendingPongs: size(next),
      closeTimeout: size(next), autoPong: pick(next, undefined, true, false), compressionLevel: pick(next, undefined, 1, 9, 10),
      compressionThreshold: pick(next, undefined, 0), extensions: extensions(next),
      ...(next(4) === 0 && { maskingKey: () => pick(next, new Uint8Array(4), new Uint8Array(3), null) }),
    };
    // Most options of one connection are to be right, or none would open.
    for (const name of Object.keys(options)) if (next(4)) delete options[name];
    const connection = tolerate(() => new Connection(role, options));
    if (!connection) return;
    for (const chunk of chunksOf(stream(next, corpus), next)) {
      const events = tolerate(() => connection.receive(chunk, { lend: next(2) === 0 })) ?? [];
      for (const event of events) assert.ok(['text', 'binary', 'ping', 'pong', 'close', 'failed', 'closed'].includes(event.type), event.type);
      tolerate(() => pick(next,
        () => connection.sendText(text(next), { compress: pick(next, true, false, 1) }), () => connection.sendBinary(data(next)),
        () => connection.sendTextFragment(next(2) ? text(next) : data(next), { fin: next(2) === 0 }), () => connection.sendBinaryFragment(data(next), { fin: next(2) === 0 }),
        () => connection.ping(data(next)), () => connection.pong(data(next)), () => connection.close(pick(next, undefined, 1000, 1005, 70_000, 4000), text(next)),
        () => connection.handleTimeout(), () => connection.eof(), () => connection.takeOutput(), () => connection.bufferedAmount,
      )());
    }
    tolerate(() => connection.eof());
    tolerate(() => connection.takeOutput());
    connection.free();
    assert.throws(() => connection.receive(new Uint8Array(1)), 'after free() nothing goes on');
  },

  decoder(next) {
    const decoder = tolerate(() => new FrameDecoder(pick(next, 'client', 'server', 'any'), { maxFrameSize: size(next), allowedRsv: pick(next, 0, 4, 7, 8) }));
    if (!decoder) return;
    for (const chunk of chunksOf(stream(next, corpus), next)) {
      for (const frame of tolerate(() => decoder.push(chunk)) ?? []) assert.equal(frame.toObject().payload.length, frame.payloadLength);
    }
    decoder.free();
  },

  inspector(next) {
    const inspector = new Inspector({ role: pick(next, 'client', 'server', 'any'), midstream: next(2) === 0 });
    const bytes = stream(next, corpus).subarray(0, 6000);
    const seen = [];
    // It never throws, and what it tells is the whole capture without a hole.
    for (const chunk of chunksOf(bytes, next)) seen.push(...inspector.push(chunk));
    seen.push(...inspector.end());
    let at = 0;
    for (const each of seen) {
      assert.equal(each.offset, at);
      at += each.type === 'frame' ? each.frame.headerLength + each.frame.payloadLength : each.length;
    }
    assert.equal(at, bytes.length);
  },

  encoder(next) {
    const encoder = new FrameEncoder(pick(next, 'client', 'server'));
    for (let calls = 0; calls < 20; calls += 1) {
      const maskingKey = pick(next, undefined, undefined, new Uint8Array(4), new Uint8Array(5), 'key');
      const frame = { fin: pick(next, true, false, 0), rsv: pick(next, 0, 7, 8), ...(maskingKey && { maskingKey }) };
      tolerate(() => pick(next,
        () => encoder.encodeText(text(next), frame), () => encoder.encodeBinary(data(next), frame), () => encoder.encodeContinuation(data(next), frame),
        () => encoder.encodePing(data(next)), () => encoder.encodePong(data(next)), () => encoder.encodeClose(pick(next, undefined, 1000, 1006, -1), text(next)),
      )());
    }
  },

  handshake(next) {
    const server = tolerate(() => new ServerHandshake({ maxHeadSize: pick(next, undefined, 100, 0), maxHeaders: pick(next, undefined, 3) }));
    const client = tolerate(() => new ClientHandshake({ host: pick(next, 'a', 'a b', '', 'a\r\nb'), path: pick(next, '/', 'x', '/ü'), subprotocols: pick(next, [], ['a', 'a'], ['a,b']), deflate: pick(next, true, false, { serverMaxWindowBits: next(20) }) }));
    for (const handshake of [server, client]) {
      if (!handshake) continue;
      for (const chunk of chunksOf(stream(next, heads), next)) tolerate(() => handshake.receive(chunk));
    }
    tolerate(() => pick(next, () => server?.accept({ subprotocol: pick(next, null, 'x'), deflate: true }), () => server?.refuse(pick(next, 404, 5, 700), { body: 'x' }), () => client?.open())());
    const http2 = tolerate(() => new ConnectHandshake({ host: 'a', secure: true }));
    const name = pick(next, ':status', 'sec-websocket-extensions', 'é', '', 'X-A');
    tolerate(() => http2?.receive([[name, pick(next, '200', '404', 'x'.repeat(next(9000)), '\n')]]));
    for (const handshake of [server, client, http2]) handshake?.free();
  },

  async streams(next) {
    const make = pick(next, () => new FrameDecoderStream('any'), () => new MessageDecoderStream('server'), () => new MessageDecoderStream('client', { extensions: 'permessage-deflate' }));
    const { readable, writable } = make();
    const writer = writable.getWriter();
    const writing = (async () => {
      for (const chunk of chunksOf(stream(next, corpus), next)) await writer.write(chunk);
      await writer.close();
    })().catch((error) => tolerate(() => { throw error; }));
    try {
      for await (const value of readable) assert.ok(value !== undefined);
    } catch (error) {
      tolerate(() => { throw error; });
    }
    await writing;
    const encoder = pick(next, () => new FrameEncoderStream('client'), () => new MessageEncoderStream('server'))();
    const into = encoder.writable.getWriter();
    const wrote = into.write(pick(next, 'a', new Uint8Array(3), 5, { opcode: 3 }, null, { opcode: 1, payload: new Uint8Array(2) })).then(() => into.close());
    wrote.catch(() => {});
    try {
      for await (const value of encoder.readable) assert.ok(value instanceof Uint8Array);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw error;
    }
  },

  /** A session is told of whatever comes by events alone, and ends. */
  async session(next) {
    const source = new TransformStream();
    const sink = new WritableStream();
    const session = new WebSocketSession({ readable: source.readable, writable: sink }, { role: pick(next, 'client', 'server') });
    const closed = new Promise((resolve) => (session.onclose = resolve));
    session.onmessage = ({ data: message }) => session.send(message);
    const writer = source.writable.getWriter();
    (async () => {
      for (const chunk of chunksOf(stream(next, corpus), next)) await writer.write(chunk);
      await writer.close();
    })().catch(() => {});
    const { code } = await closed;
    assert.ok(code >= 1000 && code < 5000, `the code ${code}`);
  },
};

/** Most memory that a module may have grown to: a few messages of the largest size that a vector has. */
const MOST = 96 << 20;

/** @param {{ rounds: number, seed: number }} options */
export async function fuzz({ rounds, seed }) {
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, target] of Object.entries(targets)) {
      const own = seed + round;
      try {
        await target(numbers(own));
      } catch (error) {
        throw new Error(`${name} with the seed ${own} (--rounds 1 --seed ${own}): ${error?.message}`, { cause: error });
      }
    }
    const { byteLength } = codec.get().exports.memory.buffer;
    assert.ok(byteLength <= MOST, `the memory has grown to ${byteLength} bytes in round ${round}`);
  }
  return codec.get().exports.memory.buffer.byteLength;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '500' }, seed: { type: 'string', default: '1' } } });
  const bytes = await fuzz({ rounds: Number(values.rounds), seed: Number(values.seed) });
  console.log(`fuzz: ${values.rounds} rounds of ${Object.keys(targets).length} targets; ${bytes} bytes of memory`);
}
