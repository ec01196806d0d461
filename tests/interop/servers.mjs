// This package's servers that peers connect to: each kind of server, with and without compression.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { after, before } from 'node:test';
import { WebSocketServer } from 'itoden';
import { wsEnd } from './ends.mjs';

/** @type {Record<string, { secure?: boolean, deflate: boolean, listen: (tls: object) => { wss: WebSocketServer, server?: http.Server }, }>} */
export const endpoints = {
  'a port': {
    deflate: true,
    listen: () => ({ wss: new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true }) }),
  },
  'a port, uncompressed': {
    deflate: false,
    listen: () => ({ wss: new WebSocketServer({ port: 0, host: '127.0.0.1' }) }),
  },
  'an http server': { deflate: true, listen: () => beside(http.createServer(page), { perMessageDeflate: true }) },
  'an https server': { secure: true, deflate: true, listen: (tls) => beside(https.createServer(tls, page), { perMessageDeflate: true }) },
};

function beside(server, options) {
  server.listen(0, '127.0.0.1');
  return { server, wss: new WebSocketServer({ server, ...options }) };
}

/** An empty page, from which browsers connect. */
function page(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<!doctype html><title>itoden</title>');
}

/**
 * Those of these names, all unless told, from before the tests of a file until after them.
 * @param {Parameters<typeof startEndpoint>[1]} tls
 * @param {(keyof typeof endpoints)[]} [names]
 */
export function serveAll(tls, names = Object.keys(endpoints)) {
  /** @type {Map<string, Awaited<ReturnType<typeof startEndpoint>>>} */
  const servers = new Map();
  before(async () => {
    for (const name of names) servers.set(name, await startEndpoint(name, tls));
  });
  after(async () => {
    for (const server of servers.values()) await server.stop();
  });
  return servers;
}

/** Starts one. @param {keyof typeof endpoints} name @param {{ cert: Buffer, key: Buffer }} tls */
async function startEndpoint(name, tls) {
  const { listen, secure = false } = endpoints[name];
  const { wss, server } = listen(tls);
  await once(wss, 'listening');
  const { port } = wss.address();
  const url = `${secure ? 'wss' : 'ws'}://127.0.0.1:${port}`;
  /** @type {Map<string, (arrived: { ws: import('itoden').WebSocket, request: http.IncomingMessage }) => void>} */
  const expected = new Map();
  wss.on('connection', (ws, request) => {
    const id = new URL(request.url, 'http://localhost').searchParams.get('id');
    expected.get(id)({ ws, request });
    expected.delete(id);
  });
  let connections = 0;
  /** A connection to come, whose URL has this number as `id`. */
  const expect = () => {
    connections += 1;
    const id = connections;
    return { id, arrival: new Promise((resolve) => expected.set(String(id), resolve)) };
  };
  return {
    port,
    url,
    expect,
    /**
     * Both ends of a connection that a peer makes.
     * @param {(job: { id: number, url: string, protocols: string[], headers: Record<string, string> }) => Promise<import('./exchanges.mjs').Report>} connect
     * @param {{ protocols?: string[], headers?: Record<string, string> }} [wishes]
     */
    async open(connect, { protocols = [], headers = {} } = {}) {
      const { id, arrival } = expect();
      const report = connect({ id, url: `${url}/?id=${id}`, protocols, headers });
      const refused = report.then((told) => Promise.reject(new Error(`no connection: ${JSON.stringify(told)}`)));
      const { ws, request } = await Promise.race([arrival, refused]);
      return { end: wsEnd(ws), request, report };
    },
    /** Until no connection and no socket is left. */
    async empty() {
      const sockets = () => new Promise((resolve) => (server ? server.getConnections((_, count) => resolve(count)) : resolve(0)));
      while (wss.clients.size > 0 || (await sockets()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async stop() {
      for (const ws of wss.clients) ws.terminate();
      const closed = new Promise((resolve) => wss.close(resolve));
      server?.close();
      server?.closeAllConnections();
      await closed;
    },
  };
}
