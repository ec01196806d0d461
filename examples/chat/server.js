// @ts-check
// The chat server: one port that serves the page over HTTP and the room over WebSocket.
//
//   node server.js [--host localhost] [--port 8080]        or by HOST, PORT and CHAT_DB in the environment

import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'itoden';
import { ChatRoom, nameProblem, tidyName } from './chat.js';
import { History } from './history.js';
import { serveFiles } from './static.js';

const { host, port, database } = readSettings();
const history = orExit(`Cannot open the chat history ${database}`, () => new History(database));
const room = new ChatRoom(history);

const http = createServer(
  serveFiles({
    '/': fileURLToPath(new URL('./page/', import.meta.url)),
    '/itoden-wasm/': dirname(fileURLToPath(import.meta.resolve('itoden-wasm'))),
  }),
);

http.on('error', (error) => {
  console.error(`Cannot listen on ${host}, port ${port}: ${error.message}`);
  process.exit(1);
});

const sockets = new WebSocketServer({
  server: http,
  path: '/chat',
  maxPayload: 16 * 1024, // a longer message is refused with close code 1009
  verifyClient: ({ origin, req }, done) => done(isOwnOrigin(origin, req.headers.host), 403, 'Forbidden'),
});

sockets.on('connection', (ws, request) => {
  // A peer that breaks the protocol or vanishes: 'close' follows, and there the room is told.
  ws.on('error', (error) => console.error(`A connection failed: ${error.message}`));

  const name = tidyName(new URL(request.url ?? '/', 'http://localhost').searchParams.get('name') ?? '');
  const problem = nameProblem(name);
  if (problem) return ws.close(1008, problem);

  const member = room.join(ws, name);
  ws.on('message', (data, isBinary) => {
    if (ws.readyState !== WebSocket.OPEN) return; // what arrives while the closing handshake is under way
    if (isBinary) return ws.close(1003, 'This chat takes text messages, not binary ones.');
    room.say(member, data.toString());
  });
  ws.on('close', () => room.leave(member));
});

http.listen(port, host, () => {
  const address = http.address();
  const actualPort = typeof address === 'object' && address ? address.port : port;
  console.log(`The chat is open at http://${host.includes(':') ? `[${host}]` : host}:${actualPort}/`);
});

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

/**
 * A page from elsewhere must not talk to this room with its visitor's address. Programs that aren't pages send no Origin.
 * @param {string | undefined} origin
 * @param {string | undefined} ownHost
 */
function isOwnOrigin(origin, ownHost) {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === ownHost;
}

/** Says goodbye to everyone (1001: going away, RFC 6455 §7.4.1), then ends the process. */
function stop() {
  http.close();
  http.closeIdleConnections();
  for (const ws of sockets.clients) ws.close(1001, 'The server is going away.');
  sockets.close(() => {
    history.close();
    process.exit();
  });
  // Who doesn't answer within two seconds is cut off.
  setTimeout(() => sockets.clients.forEach((ws) => ws.terminate()), 2000).unref();
}

function readSettings() {
  const { values } = orExit('Usage: node server.js [--host NAME] [--port NUMBER]', () =>
    parseArgs({ options: { host: { type: 'string' }, port: { type: 'string' } } }),
  );
  const port = values.port ?? process.env.PORT ?? '8080';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    console.error(`The port is '${port}', but must be a number from 0 (any free port) to 65535.`);
    process.exit(1);
  }
  return {
    host: values.host ?? process.env.HOST ?? 'localhost',
    port: Number(port),
    database: process.env.CHAT_DB ?? fileURLToPath(new URL('./data/chat.db', import.meta.url)),
  };
}

/**
 * @template T
 * @param {string} complaint said, with the reason, where the action fails
 * @param {() => T} action
 * @returns {T}
 */
function orExit(complaint, action) {
  try {
    return action();
  } catch (error) {
    console.error(`${complaint}: ${error instanceof Error ? error.message : error}`);
    return process.exit(1);
  }
}
