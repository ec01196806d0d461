// The package as somebody installs it: packed, and unpacked into a folder of their own.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** A project that depends on the packed package. `remove()` it. */
export function consumer() {
  const home = mkdtempSync(join(tmpdir(), 'itoden-wasm-'));
  const own = join(home, 'node_modules', 'itoden-wasm');
  mkdirSync(own, { recursive: true });
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', home], { cwd: folder, encoding: 'utf8' }));
  execFileSync('tar', ['-xzf', join(home, filename), '--strip-components=1', '-C', own]);
  writeFileSync(join(home, 'package.json'), '{"private":true,"type":"module"}\n');
  return {
    home,
    /** @param {string} name @param {string} text */
    write(name, text) {
      mkdirSync(join(home, name, '..'), { recursive: true });
      writeFileSync(join(home, name), text);
      return join(home, name);
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/**
 * What every consumer does: the shared vectors, every chunking, and a session, from its imports alone. It returns how many
 * cases were run, and throws at the first that goes wrong.
 */
export const program = (entry, handshake, load = 'await init(); await initHandshake();') => `
import init, { Connection, FrameDecoder, FrameEncoder, WebSocketSession } from '${entry}';
import initHandshake, { ClientHandshake, ServerHandshake } from '${handshake}';
import { runVectors } from './vectors.js';

export async function run() {
  ${load}
  const count = runVectors(Connection, FrameDecoder);
  const client = new ClientHandshake({ host: 'example.com', deflate: true });
  const server = new ServerHandshake();
  server.receive(client.request);
  const accepted = server.accept({ deflate: true });
  client.receive(accepted.bytes);
  const [there, back] = [new TransformStream(), new TransformStream()];
  const near = new WebSocketSession({ readable: back.readable, writable: there.writable, ...client.open() });
  const far = new WebSocketSession({ readable: there.readable, writable: back.writable, ...accepted }, { role: 'server' });
  far.onmessage = ({ data }) => far.send(data.toUpperCase());
  near.onopen = () => near.send('a'.repeat(5000));
  const text = await new Promise((resolve) => (near.onmessage = ({ data }) => resolve(data)));
  near.close(1000, 'done');
  const { code, wasClean } = await new Promise((resolve) => (near.onclose = resolve));
  if (text !== 'A'.repeat(5000) || code !== 1000 || !wasClean) throw new Error('the session went wrong');
  if (new FrameEncoder('server').encodeText('é').length !== 4) throw new Error('the encoder went wrong');
  return count;
}`;

const vectors = new URL('../../core/vectors/', import.meta.url);
const files = ['frames', 'messages', 'close', 'send', 'deflate', 'adversaries'];

/** The vectors in a module that needs nothing, and the loop over them. */
export function vectorsModule() {
  const cases = files
    .flatMap((name) => JSON.parse(readFileSync(new URL(`${name}.json`, vectors), 'utf8')))
    .flatMap((entry) => entry.connections ?? entry)
    .filter((entry) => 'chunks' in entry);
  return { count: cases.length, source: `const cases = ${JSON.stringify(cases)};\n${runVectors}` };
}

// Plain JavaScript for every host; tests/cases.mjs has the same with all its checks.
const runVectors = `
const bytesOf = (digits) => Uint8Array.from(digits.replaceAll(' ', '').match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
function join(parts) {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}
function expand(written, read = bytesOf) {
  if (typeof written === 'string') return read(written);
  if (Array.isArray(written)) return join(written.map((part) => expand(part, read)));
  const part = expand(written.repeat, read);
  const all = new Uint8Array(part.length * written.times);
  if (part.length === 1) return all.fill(part[0]);
  for (let at = 0; at < all.length; at += part.length) all.set(part, at);
  return all;
}
const names = { max_message_size: 'maxMessageSize', max_frame_size: 'maxFrameSize', max_fragments: 'maxFragments' };
const send = {
  text: (connection, { text }) => connection.sendText(text),
  binary: (connection, { hex }) => connection.sendBinary(bytesOf(hex)),
  fragment: (connection, { kind, hex, fin }) => kind === 'text' ? connection.sendTextFragment(bytesOf(hex), { fin }) : connection.sendBinaryFragment(bytesOf(hex), { fin }),
  ping: (connection, { hex }) => connection.ping(bytesOf(hex)),
  pong: (connection, { hex }) => connection.pong(bytesOf(hex)),
  close: (connection, { code, reason }) => connection.close(code ?? undefined, reason),
};
function told(event) {
  if (event.type === 'failed') return { type: 'failed', error: event.error.code };
  if (event.type === 'closed') return { type: 'closed', code: event.code, reason: event.reason, clean: event.wasClean };
  if (event.payload) return { type: event.type, hex: hexOf(event.payload) };
  return event;
}
const same = (found) => JSON.stringify(found, (_, value) => value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value);
function check(found, wanted, what) {
  const [a, b] = [same(found), same(wanted)];
  if (a !== b) throw new Error(what + ': ' + a.slice(0, 300) + ' instead of ' + b.slice(0, 300));
}
function runChunks(Connection, given, chunks) {
  const limits = Object.fromEntries(Object.entries(given.limits ?? {}).map(([name, value]) => [names[name], value]));
  const connection = new Connection(given.role, {
    ...limits,
    ...(given.role === 'client' && { maskingKey: () => Uint8Array.of(0x37, 0xfa, 0x21, 0x3d) }),
    ...(given.extensions !== undefined && { extensions: given.extensions, compressionThreshold: 0 }),
  });
  for (const each of given.send ?? []) {
    let error;
    try { send[each.type](connection, each); } catch (thrown) { error = thrown.code; }
    check(error, each.error, given.name);
  }
  const sent = [connection.takeOutput()];
  const events = [];
  for (const chunk of chunks) { events.push(...connection.receive(chunk).map(told)); sent.push(connection.takeOutput()); }
  if (given.eof) { events.push(...connection.eof().map(told)); sent.push(connection.takeOutput()); }
  connection.free();
  const wanted = given.events.map(({ text, hex, ...event }) => ({
    ...event,
    ...(text !== undefined && { text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(expand(text, (part) => new TextEncoder().encode(part))) }),
    ...(hex !== undefined && { hex: hexOf(expand(hex)) }),
  }));
  check(events, wanted, given.name);
  if (typeof given.sent === 'string') check(hexOf(join(sent)), given.sent, given.name);
}
export function runVectors(Connection) {
  for (const given of cases) {
    const chunks = given.chunks.map((chunk) => expand(chunk));
    const joined = join(chunks);
    const size = joined.length > 10_000 ? 1021 : 1;
    runChunks(Connection, given, chunks);
    runChunks(Connection, given, [joined]);
    runChunks(Connection, given, Array.from({ length: Math.ceil(joined.length / size) }, (_, index) => joined.slice(index * size, (index + 1) * size)));
  }
  return cases.length;
}
`;
