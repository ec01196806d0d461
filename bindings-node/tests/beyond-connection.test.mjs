// Beyond ws, what a connection knows and does by itself: keepalive, idleness, AbortSignals, who the peer is, observers.

import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners, once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { WebSocket, WebSocketServer } from 'itoden';
import { bothEnds, closed, connect, each, frame, matrix, plain, rawClient, startServer } from './helpers.mjs';

const turn = () => new Promise(setImmediate);
const fixture = (name) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

bothEnds('pingInterval sends pings, whose pongs tell the latency', async (_t, open) => {
  const { me, other } = await open({ pingInterval: 20, pingTimeout: 0 });
  assert.equal(me.latency, undefined);
  let pings = 0;
  other.on('ping', () => (pings += 1));
  await once(me, 'pong');
  assert.ok(me.latency > 0 && me.latency < 30_000, `${me.latency} ms`);
  await once(me, 'pong');
  assert.ok(pings >= 2);
  assert.equal(other.latency, undefined);
  const end = closed(me);
  me.close();
  await end;
  assert.equal(me.latency, undefined);
});

/** One end of this package, and a peer that shakes hands and then says nothing. */
async function silentPeer(t, transport, role, options) {
  if (role === 'server') {
    const { wss, port } = await startServer(t, transport, options);
    const arrived = once(wss, 'connection');
    const { until } = await rawClient(t, port);
    const [me] = await arrived;
    return { me, until };
  }
  const { url, wss } = await startServer(t, 'stream', { autoPong: false });
  const arrived = once(wss, 'connection');
  const me = new WebSocket(url, { transport, ...options });
  t.after(() => me.terminate());
  await Promise.all([arrived, once(me, 'open')]);
  return { me };
}

for (const role of ['server', 'client']) {
  each(`a ${role} ends a connection whose peer has fallen silent`, async (t, transport) => {
    const { me } = await silentPeer(t, transport, role, { pingInterval: 20, pingTimeout: 20, closeTimeout: 50 });
    const events = [];
    me.on('error', (error) => events.push(['error', error.code, error.rule, error.closeCode, error.section, me.readyState]));
    const [code] = await closed(me);
    const silent = ['error', 'ITODEN_PING_TIMEOUT', 'ping_timeout', 1011, 'RFC 6455 §5.5.2', WebSocket.CLOSING];
    assert.deepEqual(events, [silent]);
    assert.equal(me.wasClean, false);
    // A peer that is silent but there may still answer the Close frame.
    assert.ok([1006, 1011].includes(code), `close code ${code}`);
  });
}

each('pingTimeout is as long as pingInterval unless given, and 0 waits for ever', async (t, transport) => {
  const strict = await silentPeer(t, transport, 'server', { pingInterval: 20, closeTimeout: 50 });
  const failed = once(strict.me, 'error');
  const patient = await silentPeer(t, transport, 'server', { pingInterval: 20, pingTimeout: 0 });
  patient.me.on('error', assert.fail);
  // The pings go on: several have come while nothing answered.
  await patient.until((bytes) => bytes.length >= 6 * 6);
  assert.equal((await failed)[0].rule, 'ping_timeout');
  assert.equal(patient.me.readyState, WebSocket.OPEN);
});

bothEnds('a paused connection does not take its peer for silent', async (_t, open) => {
  const { me, other } = await open({ pingInterval: 10, pingTimeout: 10 });
  me.on('error', assert.fail);
  me.pause();
  for (let pings = 0; pings < 5; pings += 1) await once(other, 'ping');
  assert.equal(me.readyState, WebSocket.OPEN);
  me.terminate();
});

each('a server whose thread was busy for longer than pingTimeout does not blame its peers', async (t, transport) => {
  const { wss, port } = await startServer(t, transport, { pingInterval: 100, pingTimeout: 400 });
  const arrived = once(wss, 'connection');
  const answering = new Worker(
    `const { WebSocket } = require('ws');
    new WebSocket('ws://127.0.0.1:' + require('node:worker_threads').workerData);`,
    { eval: true, workerData: port },
  );
  t.after(() => answering.terminate());
  const [peer] = await arrived;
  const failed = new Promise((_resolve, reject) => peer.once('error', reject));
  const busy = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < 5; round += 1) {
    Atomics.wait(busy, 0, 0, 600);
    // A few turns, in which a ping is sent, and no time for its answer.
    for (let turns = 0; turns < 5; turns += 1) await Promise.race([turn(), failed]);
  }
  await Promise.race([once(peer, 'pong'), failed]);
  assert.equal(peer.readyState, WebSocket.OPEN);
  peer.terminate();
});

bothEnds('idleTimeout closes a connection without messages with 1001', async (_t, open) => {
  const { me, other } = await open({ idleTimeout: 30, pingInterval: 5, pingTimeout: 0 });
  me.on('error', assert.fail);
  const ends = await Promise.all([closed(me), closed(other)]);
  assert.deepEqual(ends, [[1001, 'idle timeout'], [1001, 'idle timeout']]); // prettier-ignore
  assert.equal(me.wasClean, true);
});

each('messages either way keep a connection from being idle', async (t, transport) => {
  const { peer: me, ws: other } = await connect(t, { server: transport, client: transport, serverOptions: { idleTimeout: 1000 } });
  const end = closed(me);
  const early = end.then((how) => assert.fail(`closed with ${how}`));
  // Each direction alone goes on for longer than the timeout, in small steps.
  for (const [from, to] of [[me, other], [other, me]]) {
    for (let beat = 0; beat < 24; beat += 1) {
      const came = once(to, 'message');
      from.send('x');
      await Promise.race([came, early]);
      await sleep(50);
    }
  }
  early.catch(() => {});
  assert.deepEqual(await end, [1001, 'idle timeout']);
});

bothEnds('a paused connection is not idle', async (_t, open) => {
  const { me, other } = await open({ idleTimeout: 20 });
  const answering = new Promise((resolve) => other.on('ping', resolve));
  me.pause();
  await sleep(100);
  me.ping();
  await answering;
  assert.equal(me.readyState, WebSocket.OPEN);
  me.resume();
  assert.deepEqual(await closed(me), [1001, 'idle timeout']);
});

each('an AbortSignal ends an attempt to connect', async (t, transport) => {
  const server = net.createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const sockets = [];
  server.on('connection', (socket) => sockets.push(socket));
  const controller = new AbortController();
  const ws = new WebSocket(`ws://127.0.0.1:${server.address().port}`, { transport, signal: controller.signal });
  const [failed, end] = [once(ws, 'error'), closed(ws)];
  // Not on the same tick: the connection is being made.
  await once(server, 'connection');
  const gone = once(sockets[0], 'close');
  sockets[0].on('error', () => {}).resume();
  const reason = new Error('enough waiting');
  controller.abort(reason);
  assert.equal(ws.readyState, WebSocket.CLOSING);
  const [error] = await failed;
  assert.deepEqual([error.name, error.code, error.message], ['AbortError', 'ABORT_ERR', 'The operation was aborted']);
  assert.equal(error.cause, reason);
  assert.deepEqual(await end, [1006, '']);
  await gone;
});

each('a signal that is aborted already makes no connection', async (t, transport) => {
  const server = net.createServer(() => assert.fail('a connection was made')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const ws = new WebSocket(`ws://127.0.0.1:${server.address().port}`, { transport, signal: AbortSignal.abort() });
  const [[error]] = await Promise.all([once(ws, 'error'), closed(ws)]);
  assert.equal(error.name, 'AbortError');
});

matrix('a signal that aborts later terminates the connection, as in ws', async (t, { server, client }) => {
  const controller = new AbortController();
  const { ws, peer } = await connect(t, { server, client, clientOptions: { signal: controller.signal } });
  ws.on('error', assert.fail);
  const ends = Promise.all([closed(ws), closed(peer)]);
  controller.abort();
  assert.deepEqual(await ends, [[1006, ''], [1006, '']]); // prettier-ignore
});

matrix('a signal is not listened to once the connection is closed', async (t, { server, client }) => {
  const { signal } = new AbortController();
  const { ws } = await connect(t, { server, client, clientOptions: { signal } });
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  const end = closed(ws);
  ws.close();
  await end;
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

matrix('both ends know the addresses, also once the connection is closed', async (t, { server, client }) => {
  const { ws, peer, request, port } = await connect(t, { server, client });
  const check = () => {
    assert.deepEqual([ws.remoteAddress, ws.remotePort, ws.remoteFamily], ['127.0.0.1', port, 'IPv4']);
    assert.deepEqual([peer.localAddress, peer.localPort], ['127.0.0.1', port]);
    assert.deepEqual([peer.remoteAddress, peer.remotePort, peer.remoteFamily], [ws.localAddress, ws.localPort, 'IPv4']);
  };
  check();
  assert.equal(request.socket.remotePort, peer.remotePort);
  assert.deepEqual([peer.encrypted, peer.authorized, peer.getPeerCertificate()], [false, false, null]);
  const ends = Promise.all([closed(ws), closed(peer)]);
  ws.close();
  await ends;
  check();
});

matrix('a server knows the request, its cookies and its credentials; a client the response', async (t, { server, client }) => {
  const { wss, url } = await startServer(t, server);
  wss.on('headers', (lines) => lines.push('X-Node: seven', 'Set-Cookie: a=1', 'Set-Cookie: b=2'));
  const arrived = once(wss, 'connection');
  const headers = { Cookie: 'id=s%3A7; quoted="a b"; id=again; bad=%zz; empty=; alone', 'X-Twice': ['one', 'two'] };
  const ws = new WebSocket(`${url.replace('//', '//user:p%C3%A4ss:word@')}/room?x=1`, { transport: client, headers });
  assert.equal(ws.handshake, undefined);
  const [[peer, request]] = await Promise.all([arrived, once(ws, 'open')]);
  const { handshake } = peer;
  assert.equal(handshake.url, '/room?x=1');
  assert.equal(handshake.statusCode, undefined);
  assert.deepEqual(handshake.headers, request.headers);
  assert.deepEqual(handshake.rawHeaders, request.rawHeaders);
  assert.equal(handshake.headers['x-twice'], 'one, two');
  assert.deepEqual({ ...handshake.cookies }, { id: 's:7', quoted: 'a b', bad: '%zz', empty: '' });
  assert.deepEqual(handshake.auth, { username: 'user', password: 'päss:word' });
  assert.equal(peer.handshake, handshake);

  assert.equal(ws.handshake.statusCode, 101);
  assert.equal(ws.handshake.headers['x-node'], 'seven');
  assert.deepEqual(ws.handshake.headers['set-cookie'], ['a=1', 'b=2']);
  assert.deepEqual([ws.handshake.auth, { ...ws.handshake.cookies }, ws.handshake.url], [undefined, {}, '']);
  ws.terminate();
});

plain('credentials that are not well-formed are none (RFC 7617)', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;
  const cases = [
    ['Bearer abc', undefined],
    ['Basic', undefined],
    ['Basic !!!', undefined],
    [basic('no colon'), undefined],
    [basic('with\x07bell:x'), undefined],
    [basic(':'), { username: '', password: '' }],
    [basic('a:b:c').replace('Basic', 'bAsIc '), { username: 'a', password: 'b:c' }],
  ];
  for (const [header, expected] of cases) {
    const arrived = once(wss, 'connection');
    await rawClient(t, port, [`Authorization: ${header}`]);
    const [peer] = await arrived;
    assert.deepEqual(peer.handshake.auth, expected, header);
    peer.terminate();
  }
});

plain('a cookie named like a member of Object.prototype is a cookie', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  const arrived = once(wss, 'connection');
  await rawClient(t, port, ['Cookie: __proto__=x; toString=y']);
  const [{ handshake }] = await arrived;
  assert.deepEqual(Object.entries(handshake.cookies), [['__proto__', 'x'], ['toString', 'y']]); // prettier-ignore
});

plain('TLS: both ends have the certificate of the other', async (t) => {
  const [key, cert] = [fixture('key.pem'), fixture('cert.pem')];
  const server = https.createServer({ key, cert, requestCert: true, ca: cert });
  const wss = new WebSocketServer({ server });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const arrived = once(wss, 'connection');
  const ws = new WebSocket(`wss://localhost:${server.address().port}`, { ca: cert, key, cert, lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) });
  const [[peer]] = await Promise.all([arrived, once(ws, 'open')]);
  for (const end of [ws, peer]) {
    assert.equal(end.encrypted, true);
    assert.equal(end.authorized, true);
    assert.equal(end.getPeerCertificate().subject.CN, 'localhost');
    assert.ok(end.getPeerCertificate(true).raw.length > 0);
    assert.equal(end.remoteAddress, '127.0.0.1');
  }
  ws.terminate();
});

plain('a stream of HTTP/2 has the addresses of its connection', async (t) => {
  const wss = new WebSocketServer({ noServer: true });
  const server = http2.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = http2.connect(`http://127.0.0.1:${server.address().port}`);
  t.after(() => {
    session.destroy();
    server.close();
  });
  const [stream] = await Promise.all([once(server, 'stream'), session.request({ ':path': '/' })]);
  // Only the addresses are at stake, so the request is one that Node's http would have parsed.
  const rawHeaders = ['Host', 'x', 'Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version', '13'];
  const request = { method: 'GET', url: '/', httpVersionMinor: 1, rawHeaders, headers: {} };
  const peer = await new Promise((resolve) => wss.handleUpgrade(request, stream[0], Buffer.alloc(0), resolve));
  assert.equal(peer.remoteAddress, '127.0.0.1');
  assert.equal(peer.remotePort, session.socket.localPort);
  peer.terminate();
});

plain('users of ws may hang things of their own on its objects, whatever their names', async (t) => {
  const { ws, peer } = await connect(t, { server: 'native', client: 'native' });
  for (const name of ['remoteAddress', 'handshake', 'latency', 'encrypted', 'closeCode', 'writableNeedDrain', 'sendAsync']) {
    peer[name] = `my ${name}`;
    assert.equal(peer[name], `my ${name}`);
    assert.ok(Object.keys(peer).includes(name));
    assert.notEqual(ws[name], `my ${name}`);
  }
  class Named extends WebSocket {
    remoteAddress = 'a name';
  }
  assert.equal(new Named(null).remoteAddress, 'a name');
});

const CHANNELS = ['open', 'message', 'send', 'ping', 'pong', 'error', 'close'];

/** All that the channels tell from now on. */
function observe(t) {
  const seen = [];
  for (const name of CHANNELS) {
    const channel = `itoden:websocket:${name}`;
    const listener = (message, channelName) => {
      assert.equal(channelName, channel);
      seen.push({ name, ...message });
    };
    subscribe(channel, listener);
    t.after(() => unsubscribe(channel, listener));
  }
  return seen;
}

matrix('diagnostics channels tell the life of both ends', async (t, { server, client }) => {
  const seen = observe(t);
  const { ws, peer, url } = await connect(t, { server, client, protocols: ['chat'] });
  const got = once(peer, 'message');
  ws.send('hello');
  await got;
  const pong = once(ws, 'pong');
  ws.ping('p');
  await pong;
  const ends = Promise.all([closed(ws), closed(peer)]);
  peer.close(4001, 'bye');
  await ends;
  const of = (websocket) => seen.filter((one) => one.websocket === websocket).map(({ websocket: _, ...rest }) => rest);
  const end = { name: 'close', code: 4001, reason: 'bye', wasClean: true };
  assert.deepEqual(of(ws), [
    { name: 'open', role: 'client', url: `${url}/`, protocol: 'chat', extensions: '' },
    { name: 'send', data: 'hello', isBinary: false, fin: true },
    { name: 'pong', payload: Buffer.from('p') },
    end,
  ]);
  assert.deepEqual(of(peer), [
    { name: 'open', role: 'server', url: '/', protocol: 'chat', extensions: '' },
    { name: 'message', data: Buffer.from('hello'), isBinary: false },
    { name: 'ping', payload: Buffer.from('p') },
    end,
  ]);
});

each('diagnostics channels tell errors, also those of connections that were never open', async (t, transport) => {
  const seen = observe(t);
  const ws = new WebSocket('ws://127.0.0.1:1', { transport });
  ws.on('error', () => {});
  await closed(ws);
  const mine = seen.filter(({ websocket }) => websocket === ws);
  assert.deepEqual(mine.map(({ name }) => name), ['error', 'close']); // prettier-ignore
  assert.equal(mine[0].error.code, 'ECONNREFUSED');

  const { wss, port } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const { socket } = await rawClient(t, port);
  const [peer] = await arrived;
  peer.on('error', () => {});
  socket.write(frame(3));
  socket.on('end', () => socket.end());
  await closed(peer);
  const [, error, close] = seen.filter(({ websocket }) => websocket === peer);
  assert.deepEqual([error.name, error.error.rule], ['error', 'reserved_opcode']);
  assert.deepEqual([close.name, close.code, close.wasClean], ['close', 1006, false]);
});

plain('a WebSocket of itoden/whatwg is not among those that are observed', async (t) => {
  const whatwg = await import('itoden/whatwg');
  const { wss, url } = await startServer(t, 'native');
  const seen = observe(t);
  const arrived = once(wss, 'connection');
  const ws = new whatwg.WebSocket(url);
  const [peer] = await arrived;
  const got = new Promise((resolve) => (ws.onmessage = resolve));
  peer.send('x');
  await got;
  assert.ok(seen.some(({ name, websocket }) => name === 'send' && websocket === peer));
  assert.ok(seen.every(({ websocket }) => websocket instanceof WebSocket));
  peer.terminate();
  await turn();
});
