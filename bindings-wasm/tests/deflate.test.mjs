// The shared vectors again, all of them, by the module with compression (RFC 7692), and how it is agreed on.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Connection, FrameDecoder } from 'itoden-wasm/deflate';
import { ClientHandshake, ServerHandshake } from 'itoden-wasm/handshake';
import { connections, read, run } from './cases.mjs';

for (const [file, cases] of connections) {
  describe(file, () => {
    for (const given of cases) test(given.name, () => run({ Connection, FrameDecoder }, given));
  });
}

const ascii = (text) => new TextEncoder().encode(text);
const optionNames = {
  server_no_context_takeover: 'serverNoContextTakeover',
  client_no_context_takeover: 'clientNoContextTakeover',
  server_max_window_bits: 'serverMaxWindowBits',
  client_max_window_bits: 'clientMaxWindowBits',
};
const wanted = ({ config = {} }) => Object.fromEntries(Object.entries(config).map(([name, value]) => [optionNames[name], value]));
const fieldsOf = (values) => values.map((value) => `Sec-WebSocket-Extensions: ${value}\r\n`).join('');
const head = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';

/** What a server answers, or the name of the error. */
function answered(given) {
  const server = new ServerHandshake();
  const request =
    `GET / HTTP/1.1\r\nHost: example.com\r\n${head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
    `Sec-WebSocket-Version: 13\r\n${fieldsOf(given.offer)}\r\n`;
  assert.notEqual(server.receive(ascii(request)), null);
  const accepted = server.accept({ deflate: wanted(given) });
  const response = new TextDecoder().decode(accepted.bytes);
  const answer = /^Sec-WebSocket-Extensions: (.*)\r$/m.exec(response)?.[1] ?? null;
  assert.equal(answer !== null, accepted.extensions !== '');
  new Connection('server', { extensions: accepted.extensions }).free();
  return answer;
}

/** What is agreed on as a client sees it, by the names of the vectors. */
function agreed(given) {
  const client = new ClientHandshake({
    host: 'example.com',
    deflate: wanted(given),
    nonce: ascii('the sample nonce'),
  });
  const request = new TextDecoder().decode(client.request);
  assert.ok(request.includes(`\r\nSec-WebSocket-Extensions: ${given.offer}\r\n`), request);
  const response = `HTTP/1.1 101 x\r\n${head}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${fieldsOf(given.answer)}\r\n`;
  assert.notEqual(client.receive(ascii(response)), null);
  const { extensions } = client.open();
  new Connection('client', { extensions }).free();
  if (extensions === '') return null;
  const [name, ...parameters] = extensions.split('; ').map((parameter) => parameter.split('='));
  assert.deepEqual(name, ['permessage-deflate']);
  const given_ = new Map(parameters);
  return {
    server_no_context_takeover: given_.has('server_no_context_takeover'),
    client_no_context_takeover: given_.has('client_no_context_takeover'),
    server_max_window_bits: Number(given_.get('server_max_window_bits') ?? 15),
    client_max_window_bits: Number(given_.get('client_max_window_bits') ?? 15),
  };
}

describe('what both ends agree on', () => {
  const cases = read('deflate.json').filter(({ side }) => side !== undefined);
  assert.ok(cases.length > 20);
  for (const given of cases) {
    test(`${given.side}: ${given.name}`, () => {
      const action = () => (given.side === 'server' ? answered(given) : agreed(given));
      if (given.error) assert.throws(action, { name: 'HandshakeError', code: given.error });
      else assert.deepEqual(action(), given.side === 'server' ? given.answer : given.agreed);
    });
  }
});

test('a context taken over makes the second message smaller, and a window of 9 bits is kept', () => {
  for (const [extensions, smaller] of [
    ['permessage-deflate', true],
    ['permessage-deflate; server_no_context_takeover', false],
    ['permessage-deflate; server_max_window_bits=9', true],
  ]) {
    const [server, client] = [new Connection('server', { extensions, compressionThreshold: 0 }), new Connection('client', { extensions })];
    const text = 'one thread between two cups, '.repeat(4);
    server.sendText(text);
    const first = server.takeOutput();
    server.sendText(text);
    const second = server.takeOutput();
    assert.equal(second.length < first.length, smaller, extensions);
    assert.deepEqual([first, second].flatMap((chunk) => client.receive(chunk)), [{ type: 'text', text }, { type: 'text', text }]);
  }
});

test('a message that is not to be compressed is sent as it is', () => {
  const server = new Connection('server', { extensions: 'permessage-deflate', compressionThreshold: 0 });
  server.sendText('secret', { compress: false });
  assert.deepEqual(Buffer.from(server.takeOutput()).toString('latin1'), '\x81\x06secret');
});

test('extensions that no server may answer are refused', () => {
  for (const extensions of ['x-unknown', 'permessage-deflate; server_max_window_bits=7', 'permessage-deflate, permessage-deflate', ';']) {
    assert.throws(() => new Connection('client', { extensions }), { name: 'TypeError' });
  }
  assert.throws(() => new Connection('client', { extensions: '', compressionLevel: 0 }), { name: 'RangeError' });
});
