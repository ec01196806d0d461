// Wrong use: what an error says of an option, and what happens on sockets that are not open.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { inspect } from 'node:util';
import { WebSocket, WebSocketServer } from 'itoden';
import * as ws from 'ws';
import { bothEnds, closed, each, plain, startServer } from './helpers.mjs';

const WHOLE_NUMBER = 'it must be a whole number';
const FLAG = 'it must be true or false';
const CALLABLE = 'it must be a function';
const STRING = 'it must be a string';

const LONGEST = 2 ** 31 - 1;
const most = (number) => `0 to ${number} are allowed`;

/** Options that both ends have: each with values that are wrong, and what the error says is allowed. */
const COMMON = {
  maxPayload: [['1', 1.5, NaN, Infinity, {}, true], WHOLE_NUMBER, [-1]],
  maxFragments: [['1', 0.5, []], WHOLE_NUMBER, [-1]],
  maxBufferedChunks: [['1', 0.5], WHOLE_NUMBER, [-1]],
  maxPendingAutoPongs: [['1', 0.5], WHOLE_NUMBER, [-1]],
  closeTimeout: [['1', 0.5, 1n], WHOLE_NUMBER, [-1]],
  pingInterval: [['1', 0.5, true], WHOLE_NUMBER, [-1, LONGEST + 1], most(LONGEST)],
  pingTimeout: [['1', 0.5], WHOLE_NUMBER, [-1, LONGEST + 1], most(LONGEST)],
  idleTimeout: [['1', 0.5], WHOLE_NUMBER, [-1, LONGEST + 1], most(LONGEST)],
  highWaterMark: [['64k', 0.5], WHOLE_NUMBER, [-1]],
  autoPong: [['yes', 1, 0], FLAG],
  allowSynchronousEvents: [['yes', 1], FLAG],
  skipUTF8Validation: [['yes', 1], FLAG],
  perMessageDeflate: [['yes', 1, []], 'it must be a boolean or an object'],
};

const CLIENT = {
  ...COMMON,
  handshakeTimeout: [['1', 0.5], WHOLE_NUMBER, [-1]],
  maxRedirects: [['1', 0.5], WHOLE_NUMBER, [-1]],
  followRedirects: [[1, 'yes'], FLAG],
  generateMask: [[1, {}], CALLABLE],
  finishRequest: [[1, {}], CALLABLE],
  createConnection: [[1, {}], CALLABLE],
  lookup: [[1, {}], CALLABLE],
  origin: [[1, {}], STRING],
  headers: [['X: y', 1, ['X', 'y']], 'it must be an object with names and values'],
  signal: [[1, {}, 'abort', new AbortController()], 'it must be an AbortSignal'],
  transport: [['tcp', 1], "it must be 'auto', 'native' or 'stream'"],
};

const SERVER = {
  ...COMMON,
  verifyClient: [[true, {}], CALLABLE],
  handleProtocols: [['chat', {}], CALLABLE],
  WebSocket: [['WebSocket', {}], CALLABLE],
  host: [[1, {}], STRING],
  path: [[1, /x/], STRING],
  clientTracking: [['no', 1], FLAG],
};

const shown = (value) => inspect(value, { depth: 0, breakLength: Infinity });

function check(table, make) {
  for (const [name, [wrong, allowed, outside = [], range = '']] of Object.entries(table)) {
    for (const value of wrong) {
      const expected = { name: 'TypeError', message: `${name} is ${shown(value)}; ${allowed}` };
      assert.throws(() => make({ [name]: value }), expected, `${name}: ${shown(value)}`);
    }
    for (const value of outside) {
      const says = (error) => error instanceof RangeError && error.message.startsWith(`${name} is ${value}; `) && error.message.endsWith(range || 'are allowed');
      assert.throws(() => make({ [name]: value }), says, `${name}: ${value}`);
    }
  }
}

plain("each of a client's options that is wrong is named, with what came and what is allowed", () => {
  check(CLIENT, (options) => new WebSocket('ws://127.0.0.1:1', options));
});

plain("each of a server's options that is wrong is named, with what came and what is allowed", () => {
  check(SERVER, (options) => new WebSocketServer({ noServer: true, ...options }));
  check({ port: [['80', 1.5, {}], WHOLE_NUMBER, [-1, 65536], most(65535)] }, (options) => new WebSocketServer(options));
  check({ server: [[{}, 8080], 'it must be an http.Server or an https.Server'] }, (options) => new WebSocketServer(options));
  check({ noServer: [[1, 'yes'], FLAG] }, (options) => new WebSocketServer(options));
  const backlog = { backlog: [['1', 0.5], WHOLE_NUMBER, [-1, 0]] };
  check(backlog, (options) => new WebSocketServer({ port: 0, ...options }));
});

plain('pingTimeout without pingInterval says what it belongs to', () => {
  const expected = { name: 'TypeError', message: /^pingTimeout is 5000; it must be left out, or given with pingInterval/ };
  for (const options of [{ pingTimeout: 5000 }, { pingTimeout: 5000, pingInterval: 0 }]) {
    assert.throws(() => new WebSocketServer({ noServer: true, ...options }), expected);
    assert.throws(() => new WebSocket('ws://127.0.0.1:1', options), expected);
  }
});

plain('undefined and null are as if an option were not given', async () => {
  const nothing = (table, value) => Object.fromEntries(Object.keys(table).map((name) => [name, value]));
  for (const value of [undefined, null]) {
    const { transport: _, ...client } = nothing(CLIENT, value);
    const socket = new WebSocket('ws://127.0.0.1:1', client);
    const end = closed(socket);
    socket.on('error', () => {});
    await end;
    new WebSocketServer({ noServer: true, ...nothing(SERVER, value) });
  }
});

plain('a handshakeTimeout beyond what timers take is not over at once', async (t) => {
  const { url } = await startServer(t, 'stream');
  for (const transport of ['native', 'stream']) {
    const socket = new WebSocket(url, { transport, handshakeTimeout: 2 ** 40 });
    await once(socket, 'open');
    socket.terminate();
  }
});

bothEnds('sending on a closed socket tells the callback, and throws nothing', async (_t, open) => {
  const { me } = await open();
  const end = closed(me);
  me.close();
  assert.equal(me.readyState, WebSocket.CLOSING);
  const errors = [];
  const note = (error) => errors.push([error.code, error.message]);
  me.send('closing', note);
  await end;
  for (const act of ['send', 'ping', 'pong']) {
    me[act]('x');
    await new Promise((resolve) => me[act]('x', (error) => resolve(note(error))));
  }
  const not = (number, name) => ['ITODEN_NOT_OPEN', `WebSocket is not open: readyState ${number} (${name})`];
  assert.deepEqual(errors, [not(2, 'CLOSING'), not(3, 'CLOSED'), not(3, 'CLOSED'), not(3, 'CLOSED')]);
  assert.equal(me.bufferedAmount, 'closing'.length + 6);
  // These do nothing any more.
  for (const act of ['close', 'terminate', 'pause', 'resume']) me[act]();
  assert.equal(me.isPaused, false);
});

plain('sending before the connection is open throws, and says so', () => {
  const socket = new WebSocket('ws://127.0.0.1:1');
  socket.on('error', () => {});
  for (const act of ['send', 'ping', 'pong']) {
    assert.throws(() => socket[act]('x'), { code: 'ITODEN_NOT_OPEN', message: 'WebSocket is not open: readyState 0 (CONNECTING)' });
  }
});

each('a port in use is the error that ws gives, with its address', async (t, transport) => {
  const { port } = await startServer(t, transport);
  for (const host of ['127.0.0.1', 'localhost', undefined]) {
    const [mine, theirs] = await Promise.all(
      [WebSocketServer, ws.WebSocketServer].map(async (Server) => {
        const server = new Server({ port, host });
        // A wildcard of both families does not collide everywhere.
        const how = await Promise.race([once(server, 'error').then(([error]) => error), once(server, 'listening')]).catch((error) => error);
        await new Promise((resolve) => server.close(resolve));
        return how;
      }),
    );
    if (!(theirs instanceof Error)) continue;
    for (const field of ['code', 'syscall', 'address', 'port', 'message']) assert.equal(mine[field], theirs[field], `${field} on ${host}`);
    assert.equal(mine.code, 'EADDRINUSE');
  }
});

plain('a port in use under a server of Node is told by the WebSocketServer', async (t) => {
  const { port } = await startServer(t, 'native');
  const server = http.createServer();
  const wss = new WebSocketServer({ server });
  server.listen(port, '127.0.0.1');
  const [error] = await once(wss, 'error');
  assert.equal(error.code, 'EADDRINUSE');
});

plain('a port is free again as soon as close has called back', async () => {
  for (let round = 0; round < 5; round += 1) {
    const first = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(first, 'listening');
    const { port } = first.address();
    await new Promise((resolve) => first.close(resolve));
    const second = net.createServer().listen(port, '127.0.0.1');
    await once(second, 'listening');
    second.close();
    await once(second, 'close');
  }
});
