// The package as somebody installs it: packed, and installed into a folder of their own; and what they do with it.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** A project that has nothing but the packed package, which npm has installed. `remove()` it. */
export function consumer() {
  const home = mkdtempSync(join(tmpdir(), 'itoden-wasm-'));
  const npm = (args, cwd) => execFileSync('npm', [...args, '--silent', '--offline', '--no-audit', '--no-fund'], { cwd, encoding: 'utf8' });
  const told = JSON.parse(npm(['pack', '--json', '--pack-destination', home], folder));
  const [{ filename }] = Array.isArray(told) ? told : Object.values(told);
  writeFileSync(join(home, 'package.json'), '{"private":true,"type":"module"}\n');
  npm(['install', `./${filename}`], home);
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

/** The blocks of code under a heading of the README, as they stand there. @param {string} heading */
export function readmeBlocks(heading) {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  if (section === undefined) throw new Error(`the README has no heading '${heading}'`);
  return Array.from(section.matchAll(/^```(js|ts)\n([^]*?)^```$/gm), ([, language, code]) => ({ language, code }));
}

/** The client and the server that the README begins with. */
export const tenLines = readmeBlocks('A client and a server')[0].code;

/** The same in JavaScript. @param {string} [entry] @param {string} [handshake] what it imports instead */
export const tenLinesModule = (entry = 'itoden-wasm', handshake = 'itoden-wasm/handshake') =>
  transformSync(tenLines, { loader: 'ts' }).code.replace('"itoden-wasm"', JSON.stringify(entry)).replace('"itoden-wasm/handshake"', JSON.stringify(handshake));

/**
 * What every consumer does: the shared vectors, in every chunking if asked; a session with compression, handshake and all; and the README's
 * client and server with one another. From its imports alone: `lines` has the README's. It returns how many cases were run,
 * and throws at the first that goes wrong.
 */
export const program = (entry, handshake, lines = './ten-lines.js', load = 'await init(); await initHandshake();') => `
import init, { Connection, FrameEncoder, WebSocketSession } from '${entry}';
import initHandshake, { acceptOver, connectOver } from '${handshake}';
import { client, server } from '${lines}';
import { runVectors } from './vectors.js';

const pipe = () => {
  const [there, back] = [new TransformStream(), new TransformStream()];
  return [{ readable: back.readable, writable: there.writable }, { readable: there.readable, writable: back.writable }];
};
const next = (session, name) => new Promise((resolve) => session.addEventListener(name, resolve, { once: true }));

/** Three messages there and back, and the closing handshake, which both ends have to call clean. */
async function converse(near, far, answer) {
  await next(near, 'open');
  for (const text of ['Hello', 'h\\u00e9llo', 'a'.repeat(5000)]) {
    near.send(text);
    const { data } = await next(near, 'message');
    if (data !== answer(text)) throw new Error('the session answered ' + data);
  }
  const closes = [near, far].map((session) => next(session, 'close'));
  near.close(1000, 'done');
  for (const { code, reason, wasClean } of await Promise.all(closes)) {
    if (code !== 1000 || reason !== 'done' || !wasClean) throw new Error('the session ended with ' + code + ' ' + reason);
  }
}

export async function run(everyChunking = true) {
  ${load}
  const count = runVectors(Connection, everyChunking);
  let [here, there] = pipe();
  const [asked, accepted] = await Promise.all([connectOver(here, { host: 'example.com', deflate: true }), acceptOver(there, () => ({ deflate: true }))]);
  if (asked.extensions !== 'permessage-deflate') throw new Error('no compression was agreed on: ' + asked.extensions);
  const far = new WebSocketSession(accepted, { role: 'server' });
  far.onmessage = ({ data }) => far.send(data.toUpperCase());
  await converse(new WebSocketSession(asked), far, (text) => text.toUpperCase());
  [here, there] = pipe();
  await converse(...(await Promise.all([client(here), server(there)])), (text) => text);
  if (new FrameEncoder('server').encodeText('\\u00e9').length !== 4) throw new Error('the encoder went wrong');
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
export function runVectors(Connection, everyChunking) {
  for (const given of cases) {
    const chunks = given.chunks.map((chunk) => expand(chunk));
    const joined = join(chunks);
    const size = joined.length > 10_000 ? 1021 : 1;
    runChunks(Connection, given, chunks);
    if (!everyChunking) continue;
    runChunks(Connection, given, [joined]);
    runChunks(Connection, given, Array.from({ length: Math.ceil(joined.length / size) }, (_, index) => joined.slice(index * size, (index + 1) * size)));
  }
  return cases.length;
}
`;
