// The shared vectors, through the addon: each case as it stands, with its chunks joined, and byte by byte.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { WebSocket } from 'itoden';
import { fromRecord } from '../dist/errors.js';
import { native } from '../dist/addon.js';
import { border } from '../dist/border.js';
import { Session } from '../dist/session.js';
import { readTable, render } from '../tools/generate-errors.mjs';
import { plain, raw, rawClient, startServer } from './helpers.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(`../../core/vectors/${name}.json`, import.meta.url), 'utf8'));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (text) => Buffer.from(text ?? '', 'hex');

/** What is written out, or made by repetition: see core/vectors/README.md. */
function expand(written, encoding) {
  if (typeof written === 'string') return Buffer.from(written, encoding);
  if (Array.isArray(written)) return Buffer.concat(written.map((part) => expand(part, encoding)));
  const part = expand(written.repeat, encoding);
  return Buffer.alloc(part.length * written.times, part);
}

const adversaries = read('adversaries');
const cases = {
  ...Object.fromEntries(['frames', 'messages', 'close', 'send'].map((file) => [file, read(file)])),
  adversaries: adversaries.flatMap(({ connections = [] }) => connections),
  deflate: read('deflate'),
};

/**
 * What the file `deflate` and some cases of others need. The sessions of this file begin on an open connection, where nothing was
 * negotiated: these cases are the core's; `compression.test.mjs` shows that this package negotiates and compresses.
 */
const COMPRESSED = ({ extensions, role }) => extensions !== undefined || role === undefined;

const KEY = unhex('37fa213d');
const stable = (error) => error.rule;

function makeSession({ role, limits = {} }) {
  const events = [];
  const errors = [];
  const session = new Session(
    {
      message: (data, isBinary) =>
        events.push(isBinary ? { type: 'binary', hex: hex(data) } : { type: 'text', text: data.toString() }),
      ping: (data) => events.push({ type: 'ping', hex: hex(data) }),
      pong: (data) => events.push({ type: 'pong', hex: hex(data) }),
      closing: (code, reason) => events.push({ type: 'close', code, reason: reason.toString() }),
      failed: (error) =>
        error.closeCode ? events.push({ type: 'failed', error: stable(error) }) : errors.push(stable(error)),
      closed: ({ code, reason, wasClean }) => events.push({ type: 'closed', code, reason, clean: wasClean }),
    },
    {
      ...(role === 'client' && { maskingKey: KEY }),
      ...(limits.max_message_size !== undefined && { maxPayload: limits.max_message_size }),
      ...(limits.max_frame_size !== undefined && { maxFrame: limits.max_frame_size }),
      ...(limits.max_fragments !== undefined && { maxFragments: limits.max_fragments }),
    },
  );
  return { session, events, errors };
}

function command(session, { type, text, hex: bytes, kind, fin, code, reason }) {
  switch (type) {
    case 'text':
      return session.send({ data: text, isBinary: false });
    case 'binary':
      return session.send({ data: unhex(bytes), isBinary: true });
    case 'fragment':
      return session.send({ data: unhex(bytes), isBinary: kind === 'binary', fin });
    case 'ping':
      return session.ping(unhex(bytes));
    case 'pong':
      return session.pong(unhex(bytes));
    case 'close':
      return session.close(code ?? undefined, reason ?? '');
    default:
      throw new Error(`unknown command ${type}`);
  }
}

function run(given, chunks) {
  const { session, events, errors } = makeSession(given);
  const sent = [];
  for (const one of given.send ?? []) {
    command(session, one);
    sent.push(session.takeSent());
    const refused = errors.splice(0);
    assert.deepEqual(refused, one.error && one.error !== 'not_open' ? [one.error] : []);
  }
  for (const chunk of chunks) {
    // The chunk is decoded in place.
    session.receive(Buffer.from(chunk));
    sent.push(session.takeSent());
  }
  if (given.eof) {
    session.end();
    sent.push(session.takeSent());
  }
  const expected = given.events.map(({ text, hex: payload, ...event }) => ({
    ...event,
    ...(text !== undefined && { text: typeof text === 'string' ? text : expand(text, 'utf8').toString() }),
    ...(payload !== undefined && { hex: hex(expand(payload, 'hex')) }),
  }));
  assert.deepEqual(events, expected);
  const all = Buffer.concat(sent);
  if (typeof given.sent === 'string') {
    assert.equal(hex(all), given.sent);
  } else {
    const [header, key] = given.role === 'client' ? [6, KEY] : [2, Buffer.alloc(4)];
    assert.equal(all[0], 0x88);
    assert.equal(all.length, header + (all[1] & 0x7f), 'one frame');
    assert.equal(((all[header] ^ key[0]) << 8) | (all[header + 1] ^ key[1]), given.sent.close);
  }
}

function cut(bytes) {
  const size = bytes.length > 10_000 ? 1021 : 1;
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

for (const [file, all] of Object.entries(cases)) {
  for (const given of all.filter((given) => !COMPRESSED(given))) {
    test(`${file}: ${given.name} (${given.role})`, () => {
      const chunks = given.chunks.map((chunk) => expand(chunk, 'hex'));
      const joined = Buffer.concat(chunks);
      run(given, chunks);
      run(given, [joined]);
      run(given, cut(joined));
    });
  }
}

const misdeeds = adversaries.flatMap(({ handshakes = [] }) => handshakes);
const handshakes = [...read('handshake'), ...misdeeds];

/** The longest head that is read: what is behind it finds the socket closed. */
const MAX_HEAD = 16_384;

for (const given of handshakes.filter(({ side }) => side === 'server')) {
  plain(`handshake: ${given.name} (server)`, async (t) => {
    const { wss, port } = await startServer(t, 'native');
    const failed = once(wss, 'wsClientError');
    const { socket, until } = await raw(t, port);
    socket.write(expand(given.request, 'latin1').subarray(0, MAX_HEAD));
    const answer = await until((bytes) => {
      const end = bytes.indexOf('\r\n\r\n');
      return end < 0 ? undefined : bytes.subarray(0, end + 4).toString('latin1');
    });
    if (given.response !== undefined) {
      assert.equal(answer, given.response);
    } else {
      const [error] = await failed;
      assert.equal(stable(error), given.error);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${error.statusCode} `));
    }
  });
}

function parseHead(head) {
  const [first, ...lines] = head.trimEnd().split('\r\n');
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), rawHeaders };
}

for (const given of read('handshake').filter(({ side }) => side === 'client')) {
  test(`handshake: ${given.name} (client)`, () => {
    const nonce = Buffer.from('the sample nonce');
    const upgrade = new native.ClientUpgrade('example.com', '/chat', given.subprotocols ?? [], [], nonce);
    const config = new native.ConnectionConfig({ maxPayload: 0, closeTimeout: 1000, autoPong: true });
    const { status, rawHeaders } = parseHead(given.response);
    const open = () => border.hub.openStream(upgrade, status, 1, rawHeaders, config);
    if (given.error !== undefined) assert.throws(open, { code: given.error });
    else assert.equal(open().subprotocol ?? null, given.subprotocol ?? null);
  });
}

/** Over a socket, since some heads never get past the reader of heads. Their accept belongs to the sample nonce. */
for (const given of misdeeds.filter(({ side }) => side === 'client')) {
  plain(`handshake: ${given.name} (client)`, async (t) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (request) => {
        const key = /^Sec-WebSocket-Key: (.*)\r$/im.exec(request.toString('latin1'))[1];
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        const head = expand(given.response, 'latin1').subarray(0, MAX_HEAD).toString('latin1');
        socket.write(head.replaceAll('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', accept), 'latin1');
      });
    });
    t.after(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const ws = new WebSocket(`ws://127.0.0.1:${server.address().port}/chat`, given.subprotocols, { transport: 'native' });
    t.after(() => ws.terminate());
    const outcome = await new Promise((resolve) => {
      ws.once('open', () => resolve({ subprotocol: ws.protocol || null }));
      ws.once('error', (error) => resolve({ error: stable(error) }));
    });
    assert.deepEqual(outcome, given.error === undefined ? { subprotocol: given.subprotocol } : { error: given.error });
  });
}

test('the generated table of errors is up to date', () => {
  const generated = readFileSync(new URL('../lib/errors.generated.ts', import.meta.url), 'utf8');
  assert.equal(generated, render(readTable()));
});

test('every error of the table has its code, section and status', () => {
  const { errorTable } = createRequire(import.meta.url)('../dist/errors.generated.js');
  const rows = readTable();
  assert.deepEqual(Object.keys(errorTable), rows.map(({ name }) => name));
  for (const { name, fault, status, section } of rows) {
    const error = fromRecord({ name, message: 'a sentence' });
    assert.equal(error.rule, name);
    assert.ok(error.code === `ITODEN_${name.toUpperCase()}` || /^WS_ERR_[A-Z0-9_]+$/.test(error.code), error.code);
    assert.equal(error.section, section);
    assert.equal(error.closeCode, fault === 'protocol' ? status : undefined);
    assert.equal(error.statusCode, fault === 'handshake' && status ? status : undefined);
    assert.match(String(error), /^ItodenError: (.+: )?a sentence$/);
  }
});
