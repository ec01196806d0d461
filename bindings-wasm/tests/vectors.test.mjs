// The shared vectors, which every binding runs: see core/vectors/README.md.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import init, { Connection, FrameDecoder } from 'itoden-wasm';
import { concat, cut, hex, key, unhex } from './support.mjs';

await init();

const folder = new URL('../../core/vectors/', import.meta.url);
const read = (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8'));

/** What is written out, or made by repetition: see core/vectors/README.md. */
function expand(written, read = unhex) {
  if (typeof written === 'string') return read(written);
  if (Array.isArray(written)) return concat(written.map((part) => expand(part, read)));
  const part = expand(written.repeat, read);
  return new Uint8Array(Buffer.alloc(part.length * written.times, part));
}

/**
 * Over an open connection: everything but tables and opening handshakes, which have no chunks.
 *
 * There is no handshake here, and the module is built without compression, so what needs either is left to the core:
 * `handshake.json`, `deflate.json`, and the cases of `adversaries.json` that are handshakes or have `extensions`.
 */
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => [file, read(file).flatMap((entry) => entry.connections ?? entry)])
  .map(([file, cases]) => [file, cases.filter((entry) => 'chunks' in entry && !('extensions' in entry))])
  .filter(([, cases]) => cases.length > 0);

const errors = new Map(read('errors.json').map((row) => [row.name, row]));

const fields = new Set(['name', 'section', 'role', 'limits', 'send', 'chunks', 'eof', 'events', 'sent', 'memory']);
const limitNames = { max_message_size: 'maxMessageSize', max_frame_size: 'maxFrameSize', max_fragments: 'maxFragments' };

function open({ role, limits = {} }) {
  const options = Object.entries(limits).map(([name, value]) => {
    assert.ok(name in limitNames, `the limit ${name} is known`);
    return [limitNames[name], value];
  });
  return new Connection(role, { ...Object.fromEntries(options), ...(role === 'client' && { maskingKey: () => key }) });
}

const commands = {
  text: (connection, { text }) => connection.sendText(text),
  binary: (connection, { hex }) => connection.sendBinary(unhex(hex)),
  fragment: (connection, { kind, hex, fin }) =>
    kind === 'text'
      ? connection.sendTextFragment(unhex(hex), { fin })
      : connection.sendBinaryFragment(unhex(hex), { fin }),
  ping: (connection, { hex }) => connection.ping(unhex(hex)),
  pong: (connection, { hex }) => connection.pong(unhex(hex)),
  close: (connection, { code, reason }) => connection.close(code ?? undefined, reason),
};

function command(connection, given) {
  const action = () => commands[given.type](connection, given);
  if (given.error === undefined) action();
  else assert.throws(action, { name: 'SendError', code: given.error, section: errors.get(given.error).section });
}

function told(event) {
  const { type } = event;
  switch (type) {
    case 'text':
      return { type, text: event.text };
    case 'binary':
    case 'ping':
    case 'pong':
      return { type, hex: hex(event.payload) };
    case 'close':
      return { type, code: event.code, reason: event.reason };
    case 'failed': {
      const { code, closeCode, section } = event.error;
      assert.deepEqual({ closeCode, section }, { closeCode: errors.get(code).status, section: errors.get(code).section });
      return { type, error: code };
    }
    case 'closed':
      return { type, code: event.code, reason: event.reason, clean: event.wasClean };
    default:
      return assert.fail(`an event of the type ${type}`);
  }
}

function run(given, chunks) {
  const connection = open(given);
  for (const each of given.send ?? []) command(connection, each);
  const sent = [connection.takeOutput()];
  const events = [];
  for (const chunk of chunks) {
    events.push(...connection.receive(chunk).map(told));
    sent.push(connection.takeOutput());
  }
  if (given.eof) {
    events.push(...connection.eof().map(told));
    sent.push(connection.takeOutput());
  }
  const expected = given.events.map(({ text, hex: payload, ...event }) => ({
    ...event,
    ...(text !== undefined && { text: Buffer.from(expand(text, (part) => Buffer.from(part))).toString() }),
    ...(payload !== undefined && { hex: hex(expand(payload)) }),
  }));
  assert.deepEqual(events, expected);
  const bytes = concat(sent);
  if (typeof given.sent === 'string') return assert.equal(hex(bytes), given.sent);
  const [close, ...more] = new FrameDecoder(given.role === 'client' ? 'server' : 'client').push(bytes);
  assert.deepEqual([more, close.opcodeName], [[], 'close']);
  assert.equal(bytes.length, close.headerLength + close.payloadLength, 'exactly one frame');
  assert.deepEqual({ close: new DataView(close.payload.slice().buffer).getUint16(0) }, given.sent);
}

test('there are vectors', () => {
  const names = files.map(([file]) => file);
  const expected = ['adversaries.json', 'close.json', 'frames.json', 'messages.json', 'send.json'];
  assert.deepEqual(names.sort(), expected);
});

test('RSV1 is refused, so the vectors that need compression are left to the core', () => {
  const [event] = new Connection('client').receive(unhex('c107f248cdc9c90700'));
  assert.equal(event.error.code, 'reserved_bits', 'compression is there: run those vectors');
});

for (const [file, cases] of files) {
  describe(file, () => {
    assert.ok(cases.length > 0);
    for (const given of cases) {
      test(given.name, () => {
        for (const field of Object.keys(given)) assert.ok(fields.has(field), `the field ${field} is known`);
        const chunks = given.chunks.map((chunk) => expand(chunk));
        const joined = concat(chunks);
        run(given, chunks);
        run(given, [joined]);
        run(given, cut(joined, joined.length > 10_000 ? 1021 : 1));
      });
    }
  });
}
