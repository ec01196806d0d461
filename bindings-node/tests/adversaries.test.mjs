// What broke other implementations and no shared vector can say: docs/adversaries.md names these tests.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { WebSocket } from 'itoden';
import { bothEnds, closed, each, rawClient, startServer } from './helpers.mjs';

bothEnds('a close reason in bytes is sent as it is, and no other array is taken', async (t, open) => {
  const { me, other } = await open();
  const sent = [];
  other.on('message', (data) => sent.push(data));
  // 80 bytes in 20 elements: what counts the one and copies the other sends bytes of somebody else's.
  const others = [new Float32Array(20), Uint16Array.of(65), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), [65], null];
  const refused = { name: 'TypeError', message: /^The close reason is [^]*; it must be a string or a Uint8Array$/ };
  for (const reason of others) assert.throws(() => me.close(1000, reason), refused);
  assert.throws(() => me.close(1000, new Uint8Array(124)), { code: 'ITODEN_REASON_TOO_LONG' });
  assert.equal(me.readyState, WebSocket.OPEN);
  const end = closed(other);
  me.close(1000, new Uint8Array(0));
  assert.deepEqual(await end, [1000, '']);
  assert.deepEqual(sent, []);
});

bothEnds('a reason is the part of its buffer that the array shows', async (t, open) => {
  const { me, other } = await open();
  const end = closed(other);
  me.close(1000, new TextEncoder().encode('secret end secret').subarray(7, 10));
  assert.deepEqual(await end, [1000, 'end']);
});

each('a header field named __proto__ changes no prototype', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  await rawClient(t, port, ['__proto__: polluted', 'constructor: mine', '__proto__: twice']);
  const [, { headers }] = await arrived;
  assert.equal(headers.constructor, 'mine');
  assert.equal(headers.polluted, undefined);
  assert.equal({}.polluted, undefined);
  assert.ok([Object.prototype, null].includes(Object.getPrototypeOf(headers)));
});

/** A server that answers every request with these bytes, its port, and the requests. */
async function answering(t, answer) {
  const requests = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (request) => {
      requests.push(request.toString('latin1'));
      socket.end(answer);
    });
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: server.address().port, requests };
}

/** The error that a client ends with. */
async function failure(url, options) {
  const ws = new WebSocket(url, options);
  const [error] = await new Promise((resolve) => ws.once('error', (...args) => resolve(args)));
  return error;
}

each('a line break in a URL puts no line into the request', async (t, transport) => {
  const { port, requests } = await answering(t, 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  for (const path of ['/a\r\nX-Injected: b', '/a%0d%0aX-Injected: b', '/?a\nX-Injected: b']) {
    await failure(`ws://127.0.0.1:${port}${path}`, { transport });
  }
  assert.equal(requests.length, 3);
  for (const request of requests) assert.doesNotMatch(request, /^X-Injected/im);
});

each('a redirect is an error, and its target is never asked', async (t, transport) => {
  const target = await answering(t, '');
  const { port, requests } = await answering(
    t,
    `HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:${target.port}/\r\nContent-Length: 0\r\n\r\n`,
  );
  const error = await failure(`ws://user:secret@127.0.0.1:${port}/`, { transport });
  assert.equal(error.code, 'ITODEN_UNEXPECTED_STATUS');
  assert.equal(error.statusCode, 302);
  assert.match(requests[0], /^Authorization: Basic /im);
  assert.deepEqual(target.requests, []);
});
