// WebSocketServer: options, hooks, events and errors.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { WebSocket, WebSocketServer } from 'itoden';
import { closed, connect, each, frame, matrix, plain, raw, rawClient, REQUEST, startServer, TRANSPORTS } from './helpers.mjs';

/** What a raw request is answered with: [status, headers, body]. */
async function ask(t, port, lines = REQUEST) {
  const { socket, ended } = await raw(t, port);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [head, body] = (await ended()).toString('latin1').split('\r\n\r\n');
  const [first, ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(fields.map((field) => field.toLowerCase().split(': ')));
  return [Number(first.split(' ')[1]), headers, body];
}

/** The error of a client that is refused. */
async function refused(url, transport, options) {
  const ws = new WebSocket(url, { transport, ...options });
  const end = closed(ws);
  ws.on('open', () => assert.fail('it was opened'));
  const [error] = await new Promise((resolve) => ws.once('error', (...args) => resolve(args)));
  assert.deepEqual(await end, [1006, '']);
  return error;
}

plain('exactly one of port, server and noServer must be given', async () => {
  const server = http.createServer();
  const message = 'One and only one of the "port", "server", or "noServer" options must be specified';
  const cases = [undefined, {}, { port: 0, server }, { port: 0, noServer: true }, { server, noServer: true }, { port: null }];
  for (const options of cases) {
    assert.throws(() => new WebSocketServer(options), { name: 'TypeError', message });
  }
});

plain('wrong options throw and are named', async () => {
  const cases = [
    [{ port: '80' }, 'TypeError', /^port is '80'; it must be a whole number/],
    [{ port: 65536 }, 'RangeError', /^port is 65536; 0 to 65535/],
    [{ port: 0, backlog: 0 }, 'RangeError', /^backlog is 0/],
    [{ port: 0, maxPayload: -1 }, 'RangeError', /^maxPayload is -1/],
    [{ port: 0, maxPayload: 1.5 }, 'TypeError', /^maxPayload is 1.5/],
    [{ port: 0, closeTimeout: '1' }, 'TypeError', /^closeTimeout is '1'/],
    [{ port: 0, verifyClient: true }, 'TypeError', /^verifyClient is true; it must be a function/],
    [{ port: 0, handleProtocols: 'chat' }, 'TypeError', /^handleProtocols is 'chat'/],
    [{ port: 0, path: /x/ }, 'TypeError', /^path is \/x\//],
    [{ port: 0, host: 1 }, 'TypeError', /^host is 1/],
    [{ noServer: 1 }, 'TypeError', /^noServer is 1; it must be true or false/],
    [{ noServer: true, clientTracking: 'no' }, 'TypeError', /^clientTracking is 'no'/],
    [{ noServer: true, maxFragments: -1 }, 'RangeError', /^maxFragments is -1/],
    [{ noServer: true, maxPendingAutoPongs: 'x' }, 'TypeError', /^maxPendingAutoPongs is 'x'/],
    [{ noServer: true, perMessageDeflate: 'yes' }, 'TypeError', /^perMessageDeflate is 'yes'; it must be a boolean or an object/],
    [{ noServer: true, perMessageDeflate: { clientMaxWindowBits: 16 } }, 'RangeError', /clientMaxWindowBits is 16; 8 to 15/],
  ];
  for (const [options, name, message] of cases) assert.throws(() => new WebSocketServer(options), { name, message });
});

each('a port in use is an error event', async (t, transport) => {
  const { port } = await startServer(t, transport);
  const second = new WebSocketServer({ port, host: '127.0.0.1' });
  const [error] = await once(second, 'error');
  assert.equal(error.code, 'EADDRINUSE');
  assert.equal(error.syscall, 'listen');
  assert.equal(error.port, port);
  assert.equal(error.message, `listen EADDRINUSE: address already in use 127.0.0.1:${port}`);
  assert.equal(second.address(), null);
  await new Promise((resolve) => second.close(resolve));
});

plain('a host that has no address is an error event', async () => {
  const wss = new WebSocketServer({ port: 0, host: 'no-such-host.invalid' });
  const [error] = await once(wss, 'error');
  assert.equal(error.syscall, 'getaddrinfo');
  await new Promise((resolve) => wss.close(resolve));
});

plain('a host can be a name, and no host is all addresses', async (t) => {
  for (const host of ['localhost', undefined]) {
    const wss = new WebSocketServer({ port: 0, ...(host && { host }) });
    await once(wss, 'listening');
    const { port } = wss.address();
    const ws = new WebSocket(`ws://localhost:${port}`);
    await once(ws, 'open');
    ws.terminate();
    await new Promise((resolve) => wss.close(resolve));
  }
});

each('address() tells where the server listens, and null afterwards', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  assert.deepEqual(wss.address(), { address: '127.0.0.1', family: 'IPv4', port });
  await new Promise((resolve) => wss.close(resolve));
  assert.equal(wss.address(), null);
});

plain('a server without a server has no address', () => {
  assert.throws(() => new WebSocketServer({ noServer: true }).address(), /operating in "noServer" mode/);
});

plain('the callback of the constructor is told of listening', async () => {
  const wss = await new Promise((resolve) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => resolve(server));
  });
  await new Promise((resolve) => wss.close(resolve));
});

matrix('the request is given with the connection', async (t, { server, client }) => {
  const headers = { 'X-Test': ['one', 'two'], Cookie: 'a=b' };
  const started = await startServer(t, server);
  const arrived = once(started.wss, 'connection');
  const ws = new WebSocket(`${started.url}/chat?room=1`, { transport: client, headers, origin: 'http://example.com' });
  const [peer, request] = await arrived;
  assert.ok(peer instanceof WebSocket);
  assert.ok(request instanceof http.IncomingMessage);
  assert.deepEqual(
    [request.method, request.url, request.httpVersion, request.httpVersionMajor, request.httpVersionMinor],
    ['GET', '/chat?room=1', '1.1', 1, 1],
  );
  assert.equal(request.headers.host, `127.0.0.1:${started.port}`);
  assert.equal(request.headers.origin, 'http://example.com');
  assert.equal(request.headers.cookie, 'a=b');
  assert.equal(request.headers['x-test'], 'one, two');
  assert.ok(request.rawHeaders.includes('X-Test'));
  assert.equal(request.socket.remoteAddress, '127.0.0.1');
  assert.equal(request.socket.localPort, started.port);
  assert.ok(request.socket.remotePort > 0);
  assert.equal(ws.extensions, '');
  assert.equal(peer.extensions, '');
});

each('clients are tracked until they are closed', async (t, server) => {
  const { wss, peer } = await connect(t, { server, client: 'native' });
  assert.deepEqual([...wss.clients], [peer]);
  const end = closed(peer);
  peer.close();
  await end;
  assert.equal(wss.clients.size, 0);
});

each('clientTracking false keeps no clients', async (t, server) => {
  const { wss, ws } = await connect(t, { server, client: 'native', serverOptions: { clientTracking: false } });
  assert.equal(wss.clients, undefined);
  const end = closed(ws);
  ws.close();
  await end;
});

each('path decides which requests are taken', async (t, transport) => {
  const { wss, url, port } = await startServer(t, transport, { path: '/chat' });
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(`${url}/chat?x=1`);
  await Promise.all([arrived, once(ws, 'open')]);
  assert.equal((await ask(t, port))[0], 400);
  assert.equal((await refused(`${url}/other`, transport)).message, 'Unexpected server response: 400');
});

each('shouldHandle can be overridden', async (t, transport) => {
  const { wss, url, port } = await startServer(t, transport);
  wss.shouldHandle = (request) => request.headers['x-key'] === 'right';
  assert.equal((await ask(t, port))[0], 400);
  const ws = new WebSocket(url, { headers: { 'X-Key': 'right' } });
  await once(ws, 'open');
});

matrix('verifyClient refuses an origin with 401', async (t, { server, client }) => {
  const seen = [];
  const verifyClient = (info) => {
    seen.push(info);
    return info.origin === 'http://good.example';
  };
  const { wss, url } = await startServer(t, server, { verifyClient });
  const error = await refused(url, client, { origin: 'http://bad.example' });
  assert.equal(error.message, 'Unexpected server response: 401');
  assert.equal(error.code, 'ITODEN_UNEXPECTED_STATUS');
  assert.equal(error.statusCode, 401);
  assert.equal(wss.clients.size, 0);
  const ws = new WebSocket(url, { transport: client, origin: 'http://good.example' });
  await once(ws, 'open');
  assert.equal(seen[0].secure, false);
  assert.equal(seen[0].req.headers.origin, 'http://bad.example');
});

each('verifyClient can answer later, with a status, a body and headers', async (t, transport) => {
  const verifyClient = (info, answer) => {
    const { url } = info.req;
    setImmediate(() => {
      if (url === '/yes') answer(true);
      else if (url === '/bare') answer(false);
      else answer(false, 429, 'slower, please', { 'Retry-After': 7 });
      answer(true);
    });
  };
  const { url, port } = await startServer(t, transport, { verifyClient });
  const [status, headers, body] = await ask(t, port);
  assert.deepEqual([status, headers['retry-after'], headers.connection, body], [429, '7', 'close', 'slower, please']);
  assert.equal((await ask(t, port, ['GET /bare HTTP/1.1', ...REQUEST.slice(1)]))[0], 401);
  const ws = new WebSocket(`${url}/yes`);
  await once(ws, 'open');
});

each('a client that leaves while verifyClient thinks is not opened in vain', async (t, transport) => {
  let answer;
  const asked = new Promise((resolve) => {
    answer = resolve;
  });
  const { wss, port } = await startServer(t, transport, { verifyClient: (_info, callback) => answer(callback) });
  const ends = [];
  wss.on('connection', (ws) => ends.push(closed(ws)));
  const { socket } = await raw(t, port);
  socket.write(`${REQUEST.join('\r\n')}\r\n\r\n`);
  const callback = await asked;
  socket.resetAndDestroy();
  await once(socket, 'close');
  await new Promise(setImmediate);
  callback(true);
  // Either it is noticed at once, or 'close' follows.
  for (const end of ends) assert.deepEqual(await end, [1006, '']);
  assert.equal(wss.clients.size, 0);
});

matrix('the first subprotocol is chosen, or what handleProtocols says', async (t, { server, client }) => {
  const choose = async (protocols, handleProtocols) => {
    const serverOptions = handleProtocols ? { handleProtocols } : {};
    const { ws, peer } = await connect(t, { server, client, protocols, serverOptions });
    assert.equal(ws.protocol, peer.protocol);
    return ws.protocol;
  };
  assert.equal(await choose([]), '');
  assert.equal(await choose(['chat', 'superchat']), 'chat');
  assert.equal(await choose('chat'), 'chat');
  assert.equal(await choose(['chat', 'superchat'], (protocols, request) => {
    assert.deepEqual([...protocols], ['chat', 'superchat']);
    assert.equal(request.headers['sec-websocket-protocol'], 'chat, superchat');
    return 'superchat';
  }), 'superchat'); // prettier-ignore
});

matrix('a client whose subprotocols are all declined fails, as in ws and in browsers', async (t, { server, client }) => {
  const { url } = await startServer(t, server, { handleProtocols: () => false });
  const error = await refused(url, client, { protocols: ['chat', 'other'] });
  assert.equal(error.message, 'Server sent no subprotocol: it was asked for one of chat, other');
});

each("listeners of 'headers' see the response and add to it", async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  wss.on('headers', (headers, request) => {
    assert.equal(headers[0], 'HTTP/1.1 101 Switching Protocols');
    assert.ok(headers.includes('Upgrade: websocket'));
    assert.equal(request.url, '/');
    headers.push('Set-Cookie: a=b', 'X-Time: 12:30');
  });
  const { head } = await rawClient(t, port);
  assert.match(head, /\r\nSet-Cookie: a=b\r\nX-Time: 12:30\r\n/);
});

each('a hook that gives what cannot be sent is an error of its own, and the client gets 500', async (t, transport) => {
  const { wss, port } = await startServer(t, transport);
  wss.on('headers', (headers) => headers.push('X-Bad: a\r\nInjected: b'));
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
  const listeners = process.listeners('uncaughtException').slice(0, -1);
  for (const listener of listeners) process.removeListener('uncaughtException', listener);
  t.after(() => listeners.forEach((listener) => process.on('uncaughtException', listener)));
  const [status, headers] = await ask(t, port);
  assert.equal(status, 500);
  assert.equal(headers.injected, undefined);
  assert.equal((await thrown).code, 'ITODEN_INVALID_OPTION');
  assert.equal(wss.clients.size, 0);
});

const BAD_REQUESTS = [
  ['no upgrade', (lines) => lines.filter((line) => !line.startsWith('Upgrade')), 426, 'upgrade_required', ['native']], // Node's http takes such a request for itself
  ['another method', (lines) => ['POST / HTTP/1.1', ...lines.slice(1)], 405, 'invalid_method'],
  ['no key', (lines) => lines.filter((line) => !line.includes('-Key')), 400, 'missing_header'],
  ['a short key', (lines) => lines.map((line) => (line.includes('-Key') ? 'Sec-WebSocket-Key: abc=' : line)), 400, 'invalid_header'],
  ['another version', (lines) => lines.map((line) => line.replace('Version: 13', 'Version: 12')), 426, 'unsupported_version'],
  ['a subprotocol twice', (lines) => [...lines, 'Sec-WebSocket-Protocol: a, a'], 400, 'invalid_header'],
]; // prettier-ignore

for (const [what, change, status, name, transports = TRANSPORTS] of BAD_REQUESTS) {
  const some = (title, run) => {
    for (const transport of transports) plain(`${title} (${transport})`, (t) => run(t, transport));
  };
  some(`${what} in a request is answered with ${status}`, async (t, transport) => {
    const { wss, port } = await startServer(t, transport);
    const [code, headers] = await ask(t, port, change(REQUEST));
    assert.equal(code, status);
    if (name === 'unsupported_version') assert.equal(headers['sec-websocket-version'], '13');
    const failed = new Promise((resolve) => wss.once('wsClientError', (...args) => resolve(args)));
    const { socket } = await raw(t, port);
    socket.write(`${change(REQUEST).join('\r\n')}\r\n\r\n`);
    const [error, other, request] = await failed;
    assert.equal(error.rule, name);
    if (transport === 'native') {
      assert.equal(other.remoteAddress, '127.0.0.1');
      assert.equal(request, undefined);
    } else {
      assert.equal(request.url, '/');
      other.end('HTTP/1.1 418 \r\n\r\n');
    }
  });
}

plain('handleUpgrade takes sockets of a server that others share', async (t) => {
  const http1 = http.createServer((_request, response) => response.end('a page'));
  const [a, b] = [new WebSocketServer({ noServer: true }), new WebSocketServer({ noServer: true })];
  http1.on('upgrade', (request, socket, head) => {
    const wss = request.url === '/a' ? a : b;
    wss.handleUpgrade(request, socket, head, (ws, again) => {
      assert.equal(again, request);
      ws.send(wss === a ? 'this is a' : 'this is b');
      wss.emit('connection', ws, request);
    });
  });
  http1.listen(0, '127.0.0.1');
  await once(http1, 'listening');
  t.after(() => http1.close());
  const { port } = http1.address();
  for (const name of ['a', 'b']) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/${name}`);
    const [data] = await once(ws, 'message');
    assert.equal(data.toString(), `this is ${name}`);
    const end = closed(ws);
    ws.close();
    await end;
  }
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), 'a page');
});

plain('one socket is not upgraded twice', async (t) => {
  const { wss, server, url } = await startServer(t, 'stream');
  const thrown = new Promise((resolve) => {
    server.on('upgrade', (request, socket, head) => {
      try {
        wss.handleUpgrade(request, socket, head, () => assert.fail('it was upgraded twice'));
      } catch (error) {
        resolve(error);
      }
    });
  });
  const ws = new WebSocket(url);
  await once(ws, 'open');
  assert.match((await thrown).message, /more than once with the same socket/);
  // The first upgrade is not harmed.
  const pong = once(ws, 'pong');
  ws.ping();
  await pong;
});

plain("'listening' and 'error' of a given server are passed on", async (t) => {
  const { wss, server } = await startServer(t, 'stream');
  const failed = once(wss, 'error');
  server.emit('error', new Error('of http'));
  assert.equal((await failed)[0].message, 'of http');
});

each('close() takes no more connections and waits for those that are open', async (t, transport) => {
  const { wss, ws, peer, port, server } = await connect(t, { server: transport, client: transport });
  let isClosed = false;
  const done = new Promise((resolve) => wss.close(resolve)).then(() => (isClosed = true));
  const event = once(wss, 'close');
  server?.close();
  await new Promise(setImmediate);
  assert.equal(isClosed, false);
  assert.equal(peer.readyState, WebSocket.OPEN);
  const late = new WebSocket(`ws://127.0.0.1:${port}`);
  const [error] = await once(late, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
  ws.close();
  await done;
  await event;
  const again = await new Promise((resolve) => wss.close(resolve));
  assert.equal(again.message, 'The server is not running');
});

plain('the port is free once the server is closed', async () => {
  const first = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(first, 'listening');
  const { port } = first.address();
  await new Promise((resolve) => first.close(resolve));
  const second = new WebSocketServer({ port, host: '127.0.0.1' });
  await once(second, 'listening');
  await new Promise((resolve) => second.close(resolve));
});

each('the option WebSocket gives the class of the connections', async (t, transport) => {
  class Mine extends WebSocket {
    hello = 'there';
  }
  const { peer } = await connect(t, { server: transport, client: 'native', serverOptions: { WebSocket: Mine } });
  assert.ok(peer instanceof Mine);
  assert.equal(peer.hello, 'there');
});

plain('a connection that sends nothing holds up neither the server nor its end', async (t) => {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(wss, 'listening');
  const idle = net.connect(wss.address().port, '127.0.0.1');
  t.after(() => idle.destroy());
  // It is reset if it was not accepted yet.
  idle.on('error', () => {});
  await once(idle, 'connect');
  await new Promise((resolve) => wss.close(resolve));
});
