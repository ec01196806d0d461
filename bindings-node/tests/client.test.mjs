// WebSocket as a client: arguments, options, events and errors.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { WebSocket, WebSocketServer } from 'itoden';
import { closed, connect, each, messages, plain, startServer } from './helpers.mjs';

const fixture = (name) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

/** A server that speaks with its client in raw bytes. */
async function rawServer(t, talk) {
  const server = net.createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    talk(socket);
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** 'error', 'close' and in between nothing. */
async function failure(ws) {
  const events = [];
  ws.on('error', (error) => events.push(error));
  assert.deepEqual(await closed(ws), [1006, '']);
  assert.equal(events.length, 1);
  assert.equal(ws.readyState, WebSocket.CLOSED);
  return events[0];
}

plain('wrong arguments throw at once', () => {
  const cases = [
    [['nonsense'], 'SyntaxError', /^Invalid URL: nonsense/],
    [['ftp://localhost'], 'SyntaxError', /has the scheme ftp:/],
    [['ws://localhost/#x'], 'SyntaxError', /fragment/],
    [['ws://localhost/#'], 'SyntaxError', /fragment/],
    [['ws+unix:'], 'SyntaxError', /./],
    [['ws://localhost', 'a b'], 'SyntaxError', /An invalid or duplicated subprotocol/],
    [['ws://localhost', ['a', 'a']], 'SyntaxError', /An invalid or duplicated subprotocol/],
    [['ws://localhost', ['']], 'SyntaxError', /An invalid or duplicated subprotocol/],
    [['ws://localhost', { protocolVersion: 7 }], 'RangeError', /^Unsupported protocol version: 7 \(supported versions: 8, 13\)/],
    [['ws://localhost', { handshakeTimeout: '1' }], 'TypeError', /^handshakeTimeout is '1'/],
    [['ws://localhost', { transport: 'pigeon' }], 'TypeError', /^transport is 'pigeon'; it must be 'auto'/],
    [['wss://localhost', { transport: 'native' }], 'TypeError', /the URL's scheme wss:/],
    [['ws://localhost', { transport: 'native', agent: http.globalAgent }], 'TypeError', /the option agent/],
    [['ws://localhost', { transport: 'native', followRedirects: true }], 'TypeError', /the option followRedirects/],
    [['ws://localhost', { followRedirects: 1 }], 'TypeError', /^followRedirects is 1; it must be true or false/],
    [['ws://localhost', { maxRedirects: -1 }], 'RangeError', /^maxRedirects is -1/],
    [['ws://localhost', { generateMask: 7 }], 'TypeError', /^generateMask is 7; it must be a function/],
    [['ws://localhost', { createConnection: 'x' }], 'TypeError', /^createConnection is 'x'/],
    [['ws://localhost', { autoPong: 'yes' }], 'TypeError', /^autoPong is 'yes'/],
    [['ws://localhost', { allowSynchronousEvents: 0 }], 'TypeError', /^allowSynchronousEvents is 0/],
    [['ws://localhost', { maxFragments: 1.5 }], 'TypeError', /^maxFragments is 1.5/],
    [['ws://localhost', { maxBufferedChunks: -1 }], 'RangeError', /^maxBufferedChunks is -1/],
    [['ws://localhost', { perMessageDeflate: 1 }], 'TypeError', /^perMessageDeflate is 1/],
    [['ws://localhost', { perMessageDeflate: { threshold: 'x' } }], 'TypeError', /^perMessageDeflate.threshold is 'x'/],
    [['ws://localhost', { perMessageDeflate: { serverMaxWindowBits: 7 } }], 'RangeError', /^perMessageDeflate.serverMaxWindowBits is 7; 8 to 15/],
    [['ws://localhost', { perMessageDeflate: { clientMaxWindowBits: '9' } }], 'TypeError', /^perMessageDeflate.clientMaxWindowBits is '9'/],
    [['ws://localhost', { perMessageDeflate: { clientNoContextTakeover: 1 } }], 'TypeError', /^perMessageDeflate.clientNoContextTakeover is 1/],
    [['ws://localhost', { perMessageDeflate: { concurrencyLimit: 0 } }], 'RangeError', /^perMessageDeflate.concurrencyLimit is 0/],
    [['ws://localhost', { perMessageDeflate: { zlibDeflateOptions: { level: 10 } } }], 'RangeError', /zlibDeflateOptions.level is 10; -1 to 9/],
    [['ws://localhost', { perMessageDeflate: { zlibInflateOptions: { dictionary: Buffer.alloc(1) } } }], 'TypeError', /no preset dictionary/],
    [['ws://localhost', { headers: { 'Sec-WebSocket-Key': 'x' } }], 'ItodenError', /a header name is "Sec-WebSocket-Key"/],
    [['ws://localhost', { headers: { 'X-A': 'a\r\nB: c' } }], 'ItodenError', /a header value/],
    [['ws://localhost', { origin: 'a\nb' }], 'ItodenError', /a header value/],
  ]; // prettier-ignore
  for (const [args, name, message] of cases) assert.throws(() => new WebSocket(...args), { name, message });
});

each('url, protocol and the constants are those of ws', async (t, transport) => {
  const { ws, url, peer } = await connect(t, { server: 'native', client: transport });
  assert.equal(ws.url, `${url}/`);
  assert.equal(peer.url, '');
  for (const [index, name] of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].entries()) {
    assert.equal(WebSocket[name], index);
    assert.equal(ws[name], index);
  }
  assert.equal(ws.readyState, WebSocket.OPEN);
});

each('http: and https: URLs mean ws: and wss:', async (t, transport) => {
  const { url } = await startServer(t, 'native');
  const ws = new WebSocket(new URL(url.replace('ws:', 'http:')), { transport });
  assert.equal(ws.url, `${url}/`);
  await once(ws, 'open');
  ws.terminate();
});

each('options can stand in the place of the subprotocols, and have them', async (t, transport) => {
  const { url } = await startServer(t, 'native');
  for (const protocols of ['chat', ['chat', 'other']]) {
    const ws = new WebSocket(url, { transport, protocols });
    await once(ws, 'open');
    assert.equal(ws.protocol, 'chat');
    ws.terminate();
  }
});

each('headers, credentials and the origin are sent', async (t, transport) => {
  const { wss, port } = await startServer(t, 'native');
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(`ws://us%3Aer:p%20w@127.0.0.1:${port}/`, {
    transport,
    headers: { 'X-Number': 7, 'X-Latin': 'ä', 'X-None': undefined },
    origin: 'http://example.com',
  });
  const [, { headers }] = await arrived;
  assert.equal(headers.authorization, `Basic ${Buffer.from('us:er:p w').toString('base64')}`);
  assert.equal(headers['x-number'], '7');
  assert.equal(headers['x-latin'], 'ä');
  assert.equal(headers['x-none'], undefined);
  assert.equal(headers.origin, 'http://example.com');
  assert.equal(headers['sec-websocket-version'], '13');
  await once(ws, 'open');
});

plain('a Host header of the user is sent, by Node', async (t) => {
  const { wss, url } = await startServer(t, 'native');
  const arrived = once(wss, 'connection');
  new WebSocket(url, { headers: { Host: 'example.com' } });
  const [, request] = await arrived;
  assert.equal(request.headers.host, 'example.com');
});

each("'upgrade' brings the response before 'open'", async (t, transport) => {
  const { wss, url } = await startServer(t, 'native');
  wss.on('headers', (headers) => headers.push('Set-Cookie: a=b', 'Set-Cookie: c=d'));
  const ws = new WebSocket(url, { transport });
  const order = [];
  ws.on('open', () => order.push('open'));
  ws.on('upgrade', (response) => {
    order.push('upgrade');
    assert.equal(ws.readyState, WebSocket.CONNECTING);
    assert.ok(response instanceof http.IncomingMessage);
    assert.equal(response.statusCode, 101);
    assert.equal(response.statusMessage, 'Switching Protocols');
    assert.deepEqual(response.headers['set-cookie'], ['a=b', 'c=d']);
  });
  await once(ws, 'open');
  assert.deepEqual(order, ['upgrade', 'open']);
});

each("the user can give up in a listener of 'upgrade'", async (t, transport) => {
  const { url } = await startServer(t, 'native');
  const ws = new WebSocket(url, { transport });
  ws.on('open', () => assert.fail('it was opened'));
  ws.on('upgrade', () => ws.terminate());
  assert.match((await failure(ws)).message, /closed before the connection was established/);
});

for (const method of ['close', 'terminate']) {
  each(`${method}() while CONNECTING is an error and 1006`, async (t, transport) => {
    const port = await rawServer(t, () => {});
    for (const wait of [() => {}, () => new Promise(setImmediate)]) {
      const ws = new WebSocket(`ws://127.0.0.1:${port}`, { transport });
      await wait();
      assert.equal(ws.readyState, WebSocket.CONNECTING);
      assert.throws(() => ws.send('too early'), { message: 'WebSocket is not open: readyState 0 (CONNECTING)' });
      assert.throws(() => ws.ping(), { code: 'ITODEN_NOT_OPEN' });
      ws.pause();
      assert.equal(ws.isPaused, false);
      ws[method]();
      assert.equal(ws.readyState, WebSocket.CLOSING);
      assert.equal((await failure(ws)).message, 'WebSocket was closed before the connection was established');
    }
  });
}

each('a port where nobody listens is ECONNREFUSED', async (t, transport) => {
  const { wss, port, url } = await startServer(t, 'native');
  await new Promise((resolve) => wss.close(resolve));
  const error = await failure(new WebSocket(url, { transport }));
  assert.equal(error.code, 'ECONNREFUSED');
  assert.equal(error.syscall, 'connect');
  assert.equal(error.message, `connect ECONNREFUSED 127.0.0.1:${port}`);
});

each('a host that does not exist is an error', async (_t, transport) => {
  const error = await failure(new WebSocket('ws://no-such-host.invalid', { transport }));
  assert.equal(error.syscall, 'getaddrinfo');
});

each('a server that does not answer is given up after handshakeTimeout', async (t, transport) => {
  const port = await rawServer(t, () => {});
  const error = await failure(new WebSocket(`ws://127.0.0.1:${port}`, { transport, handshakeTimeout: 50 }));
  assert.equal(error.message, 'Opening handshake has timed out');
});

const upgrade = (lines) => (socket) =>
  socket.once('data', () => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`));

const BAD_RESPONSES = [
  ['another status', (socket) => socket.once('data', () => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')), 'ITODEN_UNEXPECTED_STATUS'],
  ['a wrong accept key', upgrade(['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: x']), 'ITODEN_ACCEPT_MISMATCH'],
  ['an upgrade to something else', upgrade(['Upgrade: h2c', 'Connection: Upgrade']), 'ITODEN_NOT_UPGRADED'],
]; // prettier-ignore

for (const [what, talk, code] of BAD_RESPONSES) {
  each(`${what} in the response is an error`, async (t, transport) => {
    const port = await rawServer(t, talk);
    const error = await failure(new WebSocket(`ws://127.0.0.1:${port}`, { transport }));
    assert.equal(error.name, 'ItodenError');
    assert.equal(error.code, code);
    if (code === 'ITODEN_UNEXPECTED_STATUS') {
      assert.equal(error.message, 'Unexpected server response: 403');
      assert.equal(error.statusCode, 403);
    }
  });
}

each('an end of file before the response is an error', async (t, transport) => {
  const port = await rawServer(t, (socket) => socket.once('data', () => socket.end()));
  const error = await failure(new WebSocket(`ws://127.0.0.1:${port}`, { transport }));
  assert.ok(error.code === 'ITODEN_UNEXPECTED_EOF' || error.code === 'ECONNRESET', error.code);
});

plain("'unexpected-response' brings the request and the response of Node", async (t) => {
  const server = http.createServer((_request, response) => response.writeHead(418, { 'X-Why': 'tea' }).end('a teapot'));
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ws = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  const [request, response] = await once(ws, 'unexpected-response');
  assert.ok(request instanceof http.ClientRequest);
  assert.deepEqual([response.statusCode, response.headers['x-why']], [418, 'tea']);
  let body = '';
  for await (const chunk of response) body += chunk;
  assert.equal(body, 'a teapot');
  assert.equal(ws.readyState, WebSocket.CONNECTING);
  ws.terminate();
  await failure(ws);
});

plain('wss: works at both ends', async (t) => {
  const server = https.createServer({ key: fixture('key.pem'), cert: fixture('cert.pem') });
  const wss = new WebSocketServer({
    server,
    verifyClient: ({ secure }) => secure,
  });
  t.after(() => server.close());
  wss.on('connection', (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary })));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `wss://localhost:${server.address().port}`;
  const lookup = (_host, { all }, done) =>
    all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
  const ws = new WebSocket(url, { ca: fixture('cert.pem'), lookup });
  await once(ws, 'open');
  const got = messages(ws, 2);
  ws.send('over TLS');
  ws.send(Buffer.alloc(1 << 20, 3));
  assert.deepEqual(await got, [[Buffer.from('over TLS'), false], [Buffer.alloc(1 << 20, 3), true]]); // prettier-ignore
  const end = closed(ws);
  ws.close(1000);
  assert.deepEqual(await end, [1000, '']);
  const error = await failure(new WebSocket(url.replace('localhost', '127.0.0.1')));
  assert.equal(error.code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
});

plain('ws+unix: URLs go to a socket in the file system', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'itoden-'));
  t.after(() => rm(folder, { recursive: true }));
  const socketPath = path.join(folder, 'socket');
  const server = http.createServer();
  const wss = new WebSocketServer({ server });
  server.listen(socketPath);
  await once(server, 'listening');
  t.after(() => server.close());
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(`ws+unix:${socketPath}:/chat?x=1`);
  const [, request] = await arrived;
  assert.equal(request.url, '/chat?x=1');
  assert.equal(request.headers.host, 'localhost');
  await once(ws, 'open');
  assert.equal(wss.address(), socketPath);
  const end = closed(ws);
  ws.close();
  await end;
});

plain('an agent is obeyed', async (t) => {
  const { port } = await startServer(t, 'native');
  class Elsewhere extends http.Agent {
    createConnection(options, done) {
      assert.equal(options.host, 'elsewhere.example');
      return super.createConnection({ ...options, host: '127.0.0.1', port }, done);
    }
  }
  const ws = new WebSocket('ws://elsewhere.example', { agent: new Elsewhere() });
  await once(ws, 'open');
  ws.terminate();
});

plain('createConnection and finishRequest are obeyed', async (t) => {
  const { wss, url, port } = await startServer(t, 'native');
  let created = 0;
  const ws = new WebSocket(url, {
    createConnection: () => {
      created += 1;
      return net.connect(port, '127.0.0.1');
    },
    finishRequest: (request, websocket) => {
      assert.ok(websocket instanceof WebSocket);
      request.setHeader('X-Late', 'yes');
      request.end();
    },
  });
  const [[, request]] = await Promise.all([once(wss, 'connection'), once(ws, 'open')]);
  assert.equal(created, 1);
  assert.equal(request.headers['x-late'], 'yes');
});

each('an error handler set as in a browser gets the error', async (t, transport) => {
  const { wss, url } = await startServer(t, 'native');
  await new Promise((resolve) => wss.close(resolve));
  const ws = new WebSocket(url, { transport });
  const event = await new Promise((resolve) => (ws.onerror = resolve));
  assert.deepEqual([event.type, event.target, event.message], ['error', ws, event.error.message]);
});

plain('what can be sent is checked', async (t) => {
  const { ws } = await connect(t, { server: 'native', client: 'native' });
  for (const data of [{}, true, () => {}, Symbol('x')]) {
    assert.throws(() => ws.send(data), { name: 'TypeError', message: /^The data to send is .*; it must be a string/ });
  }
});
