// What is put into other packages: this package on both of its transports and, as the measure, ws. A test that passes
// with all of them says that one can be put in the place of the other.

import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import * as itoden from 'itoden';
import * as whatwg from 'itoden/whatwg';
import * as ws from 'ws';

/** A failure guard: no test waits for this, they all wait for events. */
export const DEADLINE = { timeout: 30_000 };

/** Servers: `http` tells whether it takes the upgrades of an `http.Server` or listens by itself. */
export const servers = [
  { name: 'itoden', ...itoden, http: false },
  { name: 'itoden on http', ...itoden, http: true },
  { name: 'ws', ...ws, http: false },
];

/** The packages with the API of ws, whose servers take the sockets of Node's http. */
export const packages = [
  { name: 'itoden', ...itoden },
  { name: 'ws', ...ws },
];

/** Classes of clients; those of browsers take no options and have no events but the standard's. */
export const clients = [
  { name: 'itoden', WebSocket: itoden.WebSocket, createWebSocketStream: itoden.createWebSocketStream },
  { name: 'itoden/whatwg', WebSocket: whatwg.WebSocket },
  { name: 'ws', WebSocket: ws.WebSocket, createWebSocketStream: ws.createWebSocketStream },
];

/** One test for each of `many`: `run(t, one)`. */
export function each(many, name, run) {
  for (const one of many) test(`${name} (${one.name})`, DEADLINE, (t) => run(t, one));
}

/** One test for each kind of server with each kind of client; ws with ws shows that the test is right. */
export function matrix(name, run) {
  for (const server of servers) {
    for (const client of clients) {
      test(`${name} (server ${server.name}, client ${client.name})`, DEADLINE, (t) => run(t, { server, client }));
    }
  }
}

/** A WebSocketServer of the kind, at a port of its own. It ends with the test. */
export async function serve(t, kind, options = {}) {
  if (kind.http) {
    const server = http.createServer();
    const wss = new kind.WebSocketServer({ server, ...options });
    const { port } = await listen(t, server);
    t.after(() => stop(wss));
    return { wss, port, url: `ws://127.0.0.1:${port}` };
  }
  const wss = new kind.WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
  t.after(() => stop(wss));
  await once(wss, 'listening');
  const { port } = wss.address();
  return { wss, port, url: `ws://127.0.0.1:${port}` };
}

/** Lets an `http.Server` listen until the test ends. */
export async function listen(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address();
  return { port, authority: `127.0.0.1:${port}` };
}

/** Ends a WebSocketServer with all that is connected to it. */
export async function stop(wss) {
  for (const ws of wss.clients ?? []) ws.terminate();
  await new Promise((resolve) => wss.close(resolve));
}

/** Resolves when `isTrue()` is; it is asked again whenever something can have happened. */
export async function until(isTrue) {
  const begun = Date.now();
  for (;;) {
    const value = await isTrue();
    if (value) return value;
    // The test has failed by now, and its process is to end.
    if (Date.now() - begun > DEADLINE.timeout) throw new Error(`It never came about that ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Resolves with the CloseEvent of a client of any class. */
export function closed(socket) {
  return new Promise((resolve) => {
    socket.onerror = () => {};
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
}
