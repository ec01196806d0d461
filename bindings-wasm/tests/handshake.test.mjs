// The shared vectors of the opening handshake, over HTTP/1.1 and as header lists of HTTP/2.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClientHandshake, ConnectHandshake, ServerHandshake } from 'itoden-wasm/handshake';
import { errors, expand, openings, read } from './cases.mjs';
import { cut } from './support.mjs';

const nonce = new TextEncoder().encode('the sample nonce');
/** Heads are bytes, of which the vectors have only ASCII. */
const bytesOf = (written) => expand(written, (part) => new Uint8Array(Buffer.from(part, 'latin1')));
const textOf = (bytes) => Buffer.from(bytes).toString('latin1');

function failsAs(action, name) {
  const { section, status } = errors.get(name);
  assert.throws(action, { name: 'HandshakeError', code: name, section, status });
}

/** Hands over the chunks until there is a result. */
function first(handshake, chunks) {
  for (const chunk of chunks) {
    const result = handshake.receive(chunk);
    if (result) return result;
  }
  return assert.fail('more bytes are asked for');
}

function serve(given, chunks) {
  const server = new ServerHandshake();
  const accept = () => {
    const { subprotocols } = first(server, chunks);
    return textOf(server.accept({ subprotocol: subprotocols[0] ?? null }).bytes);
  };
  if (given.error === undefined) return assert.equal(accept(), textOf(bytesOf(given.response)));
  failsAs(accept, given.error);
}

function ask(given, chunks) {
  const client = new ClientHandshake({ host: 'example.com', path: '/chat', subprotocols: given.subprotocols, nonce });
  const open = () => {
    first(client, chunks);
    return client.open().subprotocol;
  };
  if (given.error === undefined) return assert.equal(open(), given.subprotocol ?? '');
  failsAs(open, given.error);
}

describe('over HTTP/1.1', () => {
  assert.ok(openings.length > 100);
  for (const given of openings) {
    test(`${given.side}: ${given.name}`, () => {
      const whole = bytesOf(given.side === 'server' ? given.request : given.response);
      for (const chunks of [[whole], cut(whole, whole.length > 10_000 ? 1021 : 1)]) (given.side === 'server' ? serve : ask)(given, chunks);
    });
  }
});

describe('over HTTP/2', () => {
  for (const given of read('handshake_http2.json')) {
    test(`${given.side}: ${given.name}`, () => {
      if (given.side === 'client') {
        const client = new ConnectHandshake({ host: 'example.com', path: '/chat', subprotocols: given.subprotocols });
        if (given.request) assert.deepEqual(client.request, given.request);
        const open = () => (client.receive(given.response), client.open().subprotocol);
        if (given.error) return failsAs(open, given.error);
        return assert.equal(open(), given.subprotocol ?? '');
      }
      const server = new ServerHandshake();
      const accept = () => {
        const { subprotocols } = server.receiveHeaders(given.request);
        return server.accept({ subprotocol: subprotocols[0] ?? null }).headers;
      };
      if (!given.error) return assert.deepEqual(accept(), given.response);
      assert.throws(accept, ({ code, answer }) => {
        assert.deepEqual([code, answer.headers[0]], [given.error, [':status', String(given.status)]]);
        return true;
      });
    });
  }
});

test('a client and a server open each other, and the first frames are left', () => {
  const client = new ClientHandshake({ host: 'example.com:8080', subprotocols: ['soap', 'wamp'], deflate: true, headers: [['Origin', 'http://example.com']] });
  const server = new ServerHandshake();
  const request = server.receive(new Uint8Array([...client.request, 0x81, 0x80]));
  assert.deepEqual([request.method, request.path, request.host, request.subprotocols], ['GET', '/', 'example.com:8080', ['soap', 'wamp']]);
  assert.deepEqual(request.headers.at(-1), ['Origin', 'http://example.com']);
  assert.deepEqual([...request.rest], [0x81, 0x80]);
  const accepted = server.accept({ subprotocol: 'wamp', deflate: { serverMaxWindowBits: 10 }, headers: [['Set-Cookie', 'a=1']] });
  const response = client.receive(new Uint8Array([...accepted.bytes, 1]));
  assert.deepEqual([response.status, [...response.rest]], [101, [1]]);
  const agreement = { subprotocol: 'wamp', extensions: 'permessage-deflate; server_max_window_bits=10' };
  assert.deepEqual(client.open(), agreement);
  assert.deepEqual({ subprotocol: accepted.subprotocol, extensions: accepted.extensions }, agreement);
});

test('an error has the answer to write, and a refusal is as the caller wants it', () => {
  const server = new ServerHandshake();
  assert.throws(() => server.receive(new TextEncoder().encode('POST / HTTP/1.1\r\nHost: a\r\n\r\n')), ({ answer, message }) => {
    assert.match(textOf(answer.bytes), /^HTTP\/1\.1 405 Method Not Allowed\r\n[^]*\r\nAllow: GET\r\n/);
    assert.equal(message, 'the method of the opening handshake is "POST"; GET is required, and over HTTP/2 CONNECT');
    return true;
  });
  const refusal = textOf(new ServerHandshake().refuse(403, { body: 'not from there', headers: [['X-Why', 'origin']] }).bytes);
  assert.match(refusal, /^HTTP\/1\.1 403 Forbidden\r\n[^]*\r\nX-Why: origin\r\n\r\nnot from there$/);
  failsAs(() => new ServerHandshake().refuse(200), 'invalid_option');
});

test('time is up after the open timeout, and only then', () => {
  const server = new ServerHandshake({ openTimeout: 50 });
  server.handleTimeout(1000);
  assert.equal(server.timeout, 1050);
  server.handleTimeout(1049);
  failsAs(() => server.handleTimeout(1050), 'open_timeout');
  const patient = new ServerHandshake({ openTimeout: null });
  patient.handleTimeout(1e9);
  assert.equal(patient.timeout, null);
});

test('what can not be asked for is refused', () => {
  failsAs(() => new ClientHandshake({ host: 'a\r\nX: y' }), 'invalid_option');
  assert.throws(() => new ClientHandshake({ host: 'a', nonce: new Uint8Array(15) }), { name: 'RangeError' });
  assert.throws(() => new ClientHandshake({ host: 'a', deflate: { clientMaxWindowBits: 7 } }), { name: 'RangeError' });
  assert.throws(() => new ServerHandshake().accept(), { message: 'there is no request to be accepted: receive() has not returned one' });
  assert.throws(() => new ClientHandshake({ host: 'a' }).open(), { message: 'there is no answer to be checked: receive() has not returned one' });
});
