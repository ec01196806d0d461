// What the tests share: servers over both drivers, clients over both drivers, and waiting for conditions.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'itoden';

/** A failure guard: no test waits for this, they all wait for events. */
const DEADLINE = { timeout: 30_000 };

export const TRANSPORTS = ['native', 'stream'];

/** Starts a server whose sockets the addon owns (`native`) or Node's http (`stream`). It ends with the test. */
export async function startServer(t, transport, options = {}) {
  if (transport === 'native') {
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });
    t.after(() => stop(wss));
    await once(wss, 'listening');
    return { wss, port: wss.address().port, url: `ws://127.0.0.1:${wss.address().port}` };
  }
  const server = http.createServer();
  const wss = new WebSocketServer({ server, ...options });
  t.after(async () => {
    server.close();
    await stop(wss);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { wss, port: server.address().port, url: `ws://127.0.0.1:${server.address().port}`, server };
}

async function stop(wss) {
  for (const ws of wss.clients ?? []) ws.terminate();
  await new Promise((resolve) => wss.close(resolve));
}

/** A client and its server's end, both open. */
export async function connect(t, { server, client, serverOptions, clientOptions, protocols }) {
  const started = await startServer(t, server, serverOptions);
  const arrived = once(started.wss, 'connection');
  const ws = new WebSocket(started.url, protocols ?? [], { transport: client, ...clientOptions });
  // A paused end does not notice that the other one has gone.
  t.after(() => ws.terminate());
  const [[peer, request]] = await Promise.all([arrived, once(ws, 'open')]);
  return { ...started, ws, peer, request };
}

/** One test for each server driver and each client driver. */
export function matrix(name, run) {
  for (const server of TRANSPORTS) {
    for (const client of TRANSPORTS) {
      test(`${name} (server ${server}, client ${client})`, DEADLINE, (t) => run(t, { server, client }));
    }
  }
}

/** One test for each driver, and both ends in turn as the one that acts: `run(t, open)` with `open()` → {me, other}. */
export function bothEnds(name, run) {
  for (const transport of TRANSPORTS) {
    for (const role of ['server', 'client']) {
      test(`${name} (${transport} ${role})`, DEADLINE, (t) =>
        run(t, async (myOptions = {}, otherOptions = {}) => {
          const [serverOptions, clientOptions] = role === 'server' ? [myOptions, otherOptions] : [otherOptions, myOptions];
          const pair = await connect(t, { server: transport, client: transport, serverOptions, clientOptions });
          return role === 'server' ? { me: pair.peer, other: pair.ws } : { me: pair.ws, other: pair.peer };
        }),
      );
    }
  }
}

/** One test for each driver. */
export function each(name, run) {
  for (const transport of TRANSPORTS) test(`${name} (${transport})`, DEADLINE, (t) => run(t, transport));
}

export function plain(name, run) {
  test(name, DEADLINE, run);
}

/** The next `count` messages as [data, isBinary]. */
export function messages(ws, count) {
  return new Promise((resolve) => {
    const got = [];
    const listener = (data, isBinary) => {
      got.push([data, isBinary]);
      if (got.length === count) {
        ws.removeListener('message', listener);
        resolve(got);
      }
    };
    ws.on('message', listener);
  });
}

/** The code and the reason of the end. */
export function closed(ws) {
  // Not `once` of node:events, which would fail on 'error'.
  return new Promise((resolve) => ws.once('close', (code, reason) => resolve([code, reason.toString()])));
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export const REQUEST = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Version: 13',
];

/** A raw socket to a server, all that it receives, and waiting for what it receives. */
export async function raw(t, port) {
  const socket = net.connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  let received = Buffer.alloc(0);
  const waiting = new Set();
  const check = () => {
    for (const look of waiting) look();
  };
  let ended = false;
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    check();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    ended = true;
    check();
  });
  socket.on('end', () => {
    ended = true;
    check();
  });
  await once(socket, 'connect');
  return {
    socket,
    /** Waits until `find(received)` gives something. */
    until: (find) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = find(received);
          if (found) {
            waiting.delete(look);
            resolve(found);
          } else if (ended) {
            waiting.delete(look);
            reject(new Error(`the connection ended with ${JSON.stringify(received.toString('latin1'))}`));
          }
        };
        waiting.add(look);
        look();
      }),
    ended: () =>
      new Promise((resolve) => {
        const look = () => ended && (waiting.delete(look), resolve(received));
        waiting.add(look);
        look();
      }),
  };
}

/** A raw socket whose handshake is done; frames are what came behind it. */
export async function rawClient(t, port, extra = []) {
  const { socket, until, ended } = await raw(t, port);
  socket.write(`${[...REQUEST, ...extra].join('\r\n')}\r\n\r\n`);
  const head = await until((bytes) => {
    const end = bytes.indexOf('\r\n\r\n');
    return end < 0 ? undefined : bytes.subarray(0, end + 4);
  });
  const frames = (bytes) => bytes.subarray(head.length);
  return {
    socket,
    head: head.toString('latin1'),
    until: (find) => until((bytes) => find(frames(bytes))),
    ended: async () => frames(await ended()),
  };
}

/** A frame of a client: with the key 37fa213d, as in the shared vectors. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, masked = true } = {}) {
  const key = [0x37, 0xfa, 0x21, 0x3d];
  const bytes = Buffer.from(payload);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (bytes.length < 126) head.push(mask | bytes.length);
  else if (bytes.length < 65536) head.push(mask | 126, bytes.length >> 8, bytes.length & 0xff);
  else throw new Error('longer frames are not needed here');
  if (!masked) return Buffer.concat([Buffer.from(head), bytes]);
  return Buffer.concat([Buffer.from([...head, ...key]), bytes.map((byte, index) => byte ^ key[index % 4])]);
}
