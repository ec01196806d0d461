// How the shared vectors are read and run: see core/vectors/README.md.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { concat, cut, hex, key, unhex } from './support.mjs';

const folder = new URL('../../core/vectors/', import.meta.url);
export const read = (file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8'));

/** What is written out, or made by repetition: see core/vectors/README.md. */
export function expand(written, read = unhex) {
  if (typeof written === 'string') return read(written);
  if (Array.isArray(written)) return concat(written.map((part) => expand(part, read)));
  const part = expand(written.repeat, read);
  return new Uint8Array(Buffer.alloc(part.length * written.times, part));
}

/** Every case over an open connection, by the name of its file. */
export const connections = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => [file, read(file).flatMap((entry) => entry.connections ?? entry)])
  .map(([file, cases]) => [file, cases.filter((entry) => 'chunks' in entry)])
  .filter(([, cases]) => cases.length > 0);

/** Every opening handshake over HTTP/1.1. */
export const openings = [...read('handshake.json'), ...read('adversaries.json').flatMap(({ handshakes = [] }) => handshakes)];

export const errors = new Map(read('errors.json').map((row) => [row.name, row]));

const fields = new Set(['name', 'section', 'role', 'extensions', 'limits', 'send', 'chunks', 'eof', 'events', 'sent', 'memory']);
const limitNames = { max_message_size: 'maxMessageSize', max_frame_size: 'maxFrameSize', max_fragments: 'maxFragments' };

function open(Connection, { role, limits = {}, extensions }) {
  const options = Object.entries(limits).map(([name, value]) => {
    assert.ok(name in limitNames, `the limit ${name} is known`);
    return [limitNames[name], value];
  });
  const compressed = extensions !== undefined && { extensions, compressionThreshold: 0 };
  return new Connection(role, { ...Object.fromEntries(options), ...(role === 'client' && { maskingKey: () => key }), ...compressed });
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

function runChunks({ Connection, FrameDecoder }, given, chunks, lend = false) {
  const connection = open(Connection, given);
  for (const each of given.send ?? []) command(connection, each);
  const sent = [connection.takeOutput()];
  const events = [];
  for (const chunk of chunks) {
    events.push(...connection.receive(chunk, { lend }).map(told));
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

/** Runs a case as it stands, joined, and cut small; the last two with bytes that are lent too. */
export function run(codec, given) {
  for (const field of Object.keys(given)) assert.ok(fields.has(field), `the field ${field} is known`);
  const chunks = given.chunks.map((chunk) => expand(chunk));
  const joined = concat(chunks);
  runChunks(codec, given, chunks);
  runChunks(codec, given, [joined]);
  runChunks(codec, given, [joined.slice()], true);
  const pieces = cut(joined, joined.length > 10_000 ? 1021 : 1);
  runChunks(codec, given, pieces);
  runChunks(codec, given, pieces, true);
}
