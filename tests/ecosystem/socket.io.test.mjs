// Socket.IO 4: `wsEngine` of the server, and a client transport whose socket is made by the user.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { NodeWebSocket, NodeXHR } from 'engine.io-client';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { clients, DEADLINE, each, listen, packages, until } from '../lib/implementations.mjs';

/** A Socket.IO server whose connections are upgraded by the package. */
async function start(t, { WebSocketServer }, options = {}) {
  const server = http.createServer();
  const sockets = new Server(server, { wsEngine: WebSocketServer, ...options });
  t.after(() => sockets.close());
  const { port } = await listen(t, server);
  return { sockets, url: `http://127.0.0.1:${port}` };
}

/** Socket.IO's transport over a class of the user's. */
const transport = ({ name, WebSocket }) =>
  class extends NodeWebSocket {
    createSocket(uri, protocols, options) {
      if (name !== 'itoden/whatwg') return new WebSocket(uri, protocols, options);
      // In Node the client asks for Buffers, which the class of browsers does not know.
      this.socket.binaryType = 'arraybuffer';
      return new WebSocket(uri, protocols);
    }
  };

function dial(t, client, url, { polling = false, ...options } = {}) {
  const transports = polling ? [NodeXHR, transport(client)] : [transport(client)];
  const socket = io(url, { transports, forceNew: true, reconnection: false, ...options });
  t.after(() => socket.close());
  return socket;
}

/** Both ends, connected. */
async function connect(t, server, client, { dialled, ...options } = {}) {
  const { sockets, url } = await start(t, server, options);
  const arrived = once(sockets, 'connection');
  const near = dial(t, client, url, dialled);
  const [[far]] = await Promise.all([arrived, once(near, 'connect')]);
  return { sockets, url, near, far };
}

/** One test for each package at the server with each class of client. */
function matrix(name, run) {
  for (const server of packages) {
    for (const client of clients) {
      test(`${name} (server ${server.name}, client ${client.name})`, DEADLINE, (t) => run(t, { server, client }));
    }
  }
}

const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));

matrix('events, acknowledgements and binary attachments go both ways', async (t, { server, client }) => {
  const { near, far } = await connect(t, server, client);
  assert.equal(far.conn.transport.name, 'websocket');
  assert.equal(far.handshake.address, '127.0.0.1');
  far.on('reverse', (text, done) => done([...text].reverse().join('')));
  near.on('where', (answer) => answer({ here: bytes, list: [bytes.subarray(0, 3), 'text', null] }));
  assert.equal(await near.emitWithAck('reverse', 'κόσμε'), 'εμσόκ');
  const { here, list } = await far.emitWithAck('where');
  assert.deepEqual([here, list], [bytes, [bytes.subarray(0, 3), 'text', null]]);
  const back = once(near, 'attached');
  far.emit('attached', { two: [bytes, new Uint8Array([1, 2, 3])], text: 'между' });
  const [{ two, text }] = await back;
  assert.deepEqual([Buffer.from(two[0]), Buffer.from(two[1]), text], [bytes, Buffer.from([1, 2, 3]), 'между']);
});

matrix('an event for nobody is acknowledged with a timeout error', async (t, { server, client }) => {
  const { near } = await connect(t, server, client);
  await assert.rejects(near.timeout(5).emitWithAck('nothing'), /operation has timed out/);
});

matrix('polling is upgraded, and nothing is lost on the way', async (t, { server, client }) => {
  const { sockets, url } = await start(t, server);
  sockets.on('connection', (far) => far.on('number', (number) => far.emit('number', number)));
  const near = dial(t, client, url, { polling: true });
  const received = [];
  near.on('number', (number) => received.push(number));
  const { engine } = near.io;
  const upgraded = once(engine, 'upgrade');
  let first;
  engine.once('open', () => (first = engine.transport.name));
  let sent = 0;
  near.once('connect', () => {
    for (; sent < 20; ) near.emit('number', sent++);
  });
  engine.once('upgrading', () => near.emit('number', sent++));
  assert.equal((await upgraded)[0].name, 'websocket');
  assert.equal(first, 'polling');
  await until(() => sent >= 20);
  for (; sent < 40; ) near.emit('number', sent++);
  await until(() => received.length === sent);
  assert.deepEqual(received, Array.from({ length: sent }, (_, at) => at));
});

matrix('rooms and broadcasts reach whom they are for', async (t, { server, client }) => {
  const { sockets, url } = await start(t, server);
  sockets.on('connection', async (far) => {
    await far.join(far.handshake.auth.room);
    far.on('to', (room, text, done) => {
      far.to(room).emit('said', text);
      done();
    });
  });
  const heard = [];
  const guests = await Promise.all(
    ['red', 'red', 'blue'].map(async (room, at) => {
      const guest = dial(t, client, url, { auth: { room } });
      guest.on('said', (text) => heard.push(`${at} ${text}`));
      guest.on('all', (text, binary) => heard.push(`${at} ${text} ${Buffer.from(binary).toString('hex')}`));
      await once(guest, 'connect');
      return guest;
    }),
  );
  await guests[0].emitWithAck('to', 'red', 'warm');
  await guests[0].emitWithAck('to', 'blue', 'cold');
  await until(() => heard.length === 2);
  assert.deepEqual(heard.sort(), ['1 warm', '2 cold']);
  sockets.emit('all', 'hello', Buffer.from([0xc0, 0xff]));
  await until(() => heard.length === 5);
  assert.deepEqual(heard.slice(2).sort(), ['0 hello c0ff', '1 hello c0ff', '2 hello c0ff']);
  // Text to everybody is what Socket.IO frames but once where it can.
  sockets.in(['red', 'blue']).emit('said', 'same for all');
  await until(() => heard.length === 8);
  assert.equal((await sockets.in('red').fetchSockets()).length, 2);
});

matrix('namespaces and middleware share one connection', async (t, { server, client }) => {
  const { sockets, url } = await start(t, server);
  sockets.of('/admin').use((far, next) => next(far.handshake.auth.token === 'secret' ? undefined : new Error('not allowed')));
  sockets.of('/admin').on('connection', (far) => far.emit('welcome'));
  const near = dial(t, client, url);
  await once(near, 'connect');
  const refused = near.io.socket('/admin', { auth: { token: 'guess' } });
  t.after(() => refused.close());
  const [error] = await once(refused, 'connect_error');
  assert.equal(error.message, 'not allowed');
  const admin = dial(t, client, `${url}/admin`, { auth: { token: 'secret' } });
  await once(admin, 'welcome');
});

matrix('with perMessageDeflate compressed and plain packets go both ways', async (t, { server, client }) => {
  const perMessageDeflate = { threshold: 1024 };
  const { near, far } = await connect(t, server, client, {
    perMessageDeflate,
    dialled: { perMessageDeflate },
  });
  assert.equal(far.conn.transport.socket.extensions, 'permessage-deflate');
  far.on('echo', (...args) => args.pop()(...args));
  const long = 'long text '.repeat(10_000);
  assert.equal(await near.emitWithAck('echo', long), long);
  assert.equal(await near.emitWithAck('echo', 'short'), 'short');
  assert.deepEqual(Buffer.from(await near.emitWithAck('echo', bytes)), bytes);
  assert.equal(await near.compress(false).emitWithAck('echo', long), long);
  const broadcast = once(near, 'all');
  far.nsp.emit('all', long);
  assert.deepEqual(await broadcast, [long]);
});

matrix('volatile packets are dropped while nobody can take them, and sent otherwise', async (t, { server, client }) => {
  const { near, far } = await connect(t, server, client);
  const received = [];
  near.on('volatile', (number) => received.push(number));
  const last = once(near, 'last');
  // Of what is said in one turn, the first finds the transport free.
  for (let at = 0; at < 10; at += 1) far.volatile.emit('volatile', at);
  far.emit('last');
  await last;
  assert.deepEqual(received, [0]);
  await until(() => far.conn.transport.writable);
  far.volatile.emit('volatile', 'again');
  await until(() => received.length === 2);
  near.disconnect();
  near.volatile.emit('volatile', 'lost');
  assert.equal(near.sendBuffer.length, 0);
});

matrix('each end hears why the other has disconnected', async (t, { server, client }) => {
  const { sockets, url, near, far } = await connect(t, server, client);
  const left = once(far, 'disconnect');
  near.disconnect();
  assert.equal((await left)[0], 'client namespace disconnect');

  const second = once(sockets, 'connection');
  const kicked = dial(t, client, url);
  await once(kicked, 'connect');
  const out = once(kicked, 'disconnect');
  (await second)[0].disconnect(true);
  assert.equal((await out)[0], 'io server disconnect');

  const third = once(sockets, 'connection');
  const broken = dial(t, client, url);
  await once(broken, 'connect');
  const gone = once(broken, 'disconnect');
  (await third)[0].conn.transport.socket.terminate();
  assert.equal((await gone)[0], 'transport close');
});

matrix('a client comes back, and hears what it has missed', async (t, { server, client }) => {
  const { sockets, url } = await start(t, server, { connectionStateRecovery: {} });
  const arrived = once(sockets, 'connection');
  const near = dial(t, client, url, { reconnection: true, reconnectionDelay: 1, reconnectionDelayMax: 1 });
  const said = [];
  near.on('said', (text) => said.push(text));
  const [[far]] = await Promise.all([arrived, once(near, 'connect')]);
  far.emit('said', 'first');
  await until(() => said.length === 1);
  const out = once(far, 'disconnect');
  far.conn.transport.socket.terminate();
  await out;
  sockets.emit('said', 'missed');
  await until(() => near.connected && said.length === 2);
  assert.equal(near.recovered, true);
  assert.deepEqual(said, ['first', 'missed']);
});

matrix('heartbeats come and are answered', async (t, { server, client }) => {
  const { near, far } = await connect(t, server, client, { pingInterval: 5, pingTimeout: 20_000 });
  for (let at = 0; at < 3; at += 1) await once(near.io.engine, 'heartbeat');
  assert.ok(far.connected && near.connected);
});

matrix('a packet beyond maxHttpBufferSize ends the connection', async (t, { server, client }) => {
  const { near, far } = await connect(t, server, client, { maxHttpBufferSize: 1000 });
  const [out, gone] = [once(far, 'disconnect'), once(near, 'disconnect')];
  near.emit('large', bytes);
  assert.equal((await out)[0], 'transport error');
  const [reason, { context }] = await gone;
  assert.equal(reason, 'transport close');
  assert.equal(context.code, 1009);
});

each(packages, 'headers of the server, cookies and allowRequest are part of the upgrade', async (t, server) => {
  const { sockets, url } = await start(t, server, {
    allowRequest: (request, answer) => answer(null, request.headers['x-token'] === 'secret'),
  });
  sockets.engine.on('initial_headers', (headers) => {
    headers['x-served-by'] = 'engine';
    headers['set-cookie'] = 'io=1; HttpOnly';
  });
  const engine = (token) => new server.WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers: { 'x-token': token } });
  const socket = engine('secret');
  t.after(() => socket.terminate());
  const opened = once(socket, 'message');
  const [response] = await once(socket, 'upgrade');
  assert.equal(response.headers['x-served-by'], 'engine');
  assert.deepEqual(response.headers['set-cookie'], ['io=1; HttpOnly']);
  assert.match(String((await opened)[0]), /^0\{"sid":/);
  const [error] = await once(engine('guess'), 'error');
  assert.match(error.message, /400/);
});
