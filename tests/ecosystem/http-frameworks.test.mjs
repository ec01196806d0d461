// express 5, fastify 5 and a reverse proxy (http-proxy-3): WebSockets beside HTTP routes, on one port.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import express from 'express';
import Fastify from 'fastify';
import httpProxy from 'http-proxy-3';
import { clients, closed, DEADLINE, listen, packages, stop } from '../lib/implementations.mjs';

const frameworks = {
  express() {
    const app = express();
    app.use(express.json());
    app.get('/hello', (request, response) => response.json({ hello: request.query.name }));
    app.post('/echo', (request, response) => response.json(request.body));
    return { server: http.createServer(app) };
  },
  async fastify() {
    const app = Fastify({ forceCloseConnections: true });
    app.get('/hello', async (request) => ({ hello: request.query.name }));
    app.post('/echo', async (request) => request.body);
    await app.ready();
    return { server: app.server, app };
  },
};

const echo = (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));

/** That HTTP is answered as if there were no WebSockets. */
async function checkRoutes(base) {
  assert.deepEqual(await (await fetch(`${base}/hello?name=κόσμε`)).json(), { hello: 'κόσμε' });
  const body = JSON.stringify({ long: 'x'.repeat(50_000) });
  const posted = await fetch(`${base}/echo`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  assert.equal(await posted.text(), body);
  assert.equal((await fetch(`${base}/missing`)).status, 404);
}

/** That a WebSocket of the class echoes text and bytes, and closes in order. */
async function checkEcho({ WebSocket }, url) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const messages = [];
  const both = new Promise((resolve, reject) => {
    socket.onerror = reject;
    socket.onmessage = ({ data }) => messages.push(data) === 2 && resolve();
  });
  socket.onopen = () => {
    socket.send('κόσμε');
    socket.send(new Uint8Array(70_000).fill(7));
  };
  await both;
  assert.equal(messages[0], 'κόσμε');
  assert.deepEqual(new Uint8Array(messages[1]), new Uint8Array(70_000).fill(7));
  const over = closed(socket);
  socket.close(4000, 'done');
  assert.deepEqual(await over, { code: 4000, reason: 'done', wasClean: true });
}

function matrix(name, run) {
  for (const [framework, make] of Object.entries(frameworks)) {
    for (const kind of packages) {
      test(`${name} (${framework}, ${kind.name})`, DEADLINE, async (t) => run(t, { kind, ...(await make()) }));
    }
  }
}

matrix('a WebSocketServer on the server of an application, with a path of its own', async (t, { kind, server, app }) => {
  const wss = new kind.WebSocketServer({ server, path: '/socket' });
  wss.on('connection', echo);
  const { authority } = await listen(t, server);
  t.after(() => stop(wss));
  if (app) t.after(() => app.close());
  for (const client of clients) {
    await checkEcho(client, `ws://${authority}/socket?query`);
    await checkRoutes(`http://${authority}`);
    const refused = closed(new client.WebSocket(`ws://${authority}/hello`));
    assert.equal((await refused).code, 1006);
  }
  assert.equal(wss.address().port, server.address().port);
});

matrix('upgrades are routed to several servers, and those without a cookie are refused', async (t, { kind, server, app }) => {
  const routes = { '/echo': new kind.WebSocketServer({ noServer: true }), '/greet': new kind.WebSocketServer({ noServer: true }) };
  routes['/echo'].on('connection', echo);
  routes['/greet'].on('connection', (socket, request, user) => {
    socket.send(`hello, ${user}`);
    socket.close(1000, request.headers.cookie);
  });
  server.on('upgrade', (request, socket, head) => {
    const { pathname } = new URL(request.url, 'http://here');
    const user = /user=(\w+)/.exec(request.headers.cookie)?.[1];
    const wss = routes[pathname];
    if (!wss || (pathname === '/greet' && !user)) {
      socket.end(`HTTP/1.1 ${wss ? '401 Unauthorized' : '404 Not Found'}\r\nConnection: close\r\n\r\n`);
      return;
    }
    wss.handleUpgrade(request, socket, head, (websocket) => wss.emit('connection', websocket, request, user));
  });
  const { authority } = await listen(t, server);
  for (const wss of Object.values(routes)) t.after(() => stop(wss));
  if (app) t.after(() => app.close());

  await checkRoutes(`http://${authority}`);
  for (const client of clients) await checkEcho(client, `ws://${authority}/echo`);
  const { WebSocket } = kind;
  const greeted = new WebSocket(`ws://${authority}/greet`, { headers: { Cookie: 'user=mira' } });
  const [[hello], [code, reason]] = await Promise.all([once(greeted, 'message'), once(greeted, 'close')]);
  assert.deepEqual([String(hello), code, String(reason)], ['hello, mira', 1000, 'user=mira']);
  for (const [path, status] of [['/greet', 401], ['/nowhere', 404]]) {
    const [error] = await once(new WebSocket(`ws://${authority}${path}`), 'error');
    assert.equal(error.message, `Unexpected server response: ${status}`);
  }
  await checkRoutes(`http://${authority}`);
});

matrix('a reverse proxy passes WebSockets and HTTP on', async (t, { kind, server, app }) => {
  const wss = new kind.WebSocketServer({ server, perMessageDeflate: true });
  wss.on('connection', echo);
  const { port, authority } = await listen(t, server);
  t.after(() => stop(wss));
  if (app) t.after(() => app.close());
  const proxy = httpProxy.createProxyServer({ target: { host: '127.0.0.1', port }, ws: true, xfwd: true });
  const front = http.createServer((request, response) => proxy.web(request, response));
  front.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head));
  const { authority: public_ } = await listen(t, front);
  t.after(() => proxy.close());
  assert.notEqual(public_, authority);

  await checkRoutes(`http://${public_}`);
  for (const client of clients) {
    const arrived = once(wss, 'connection');
    await checkEcho(client, `ws://${public_}/`);
    const [, request] = await arrived;
    assert.equal(request.headers['x-forwarded-proto'], 'ws');
  }
  // What ends behind the proxy ends before it.
  const arrived = once(wss, 'connection');
  const cut = closed(new kind.WebSocket(`ws://${public_}/`));
  (await arrived)[0].terminate();
  assert.equal((await cut).code, 1006);
});
