// This package's servers that peers connect to: each kind of server, with and without compression.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
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
  'an https server': { secure: true, deflate: true, listen: (tls) => beside(https.createServer(tls), { perMessageDeflate: true }) },
};

function beside(server, options) {
  server.listen(0, '127.0.0.1');
  return { server, wss: new WebSocketServer({ server, ...options }) };
}

/** An empty page, from which browsers connect. */
function page(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<!doctype html><title>itoden</title>');
}

/** Starts one. @param {keyof typeof endpoints} name @param {{ cert: Buffer, key: Buffer }} tls */
export async function startEndpoint(name, tls) {
  const { listen, secure = false, deflate } = endpoints[name];
  const { wss, server } = listen(tls);
  await once(wss, 'listening');
  const url = `${secure ? 'wss' : 'ws'}://127.0.0.1:${wss.address().port}`;
  let connections = 0;
  /** @type {Map<string, (arrived: object) => void>} */
  const expected = new Map();
  wss.on('connection', (ws, request) => {
    const id = new URL(request.url, 'http://localhost').searchParams.get('id');
    expected.get(id)({ end: wsEnd(ws), request });
    expected.delete(id);
  });
  return {
    wss,
    server,
    deflate,
    url,
    /**
     * Both ends of a connection that a peer makes.
     * @param {(job: { id: number, url: string, protocols: string[], headers: Record<string, string> }) => Promise<import('./exchanges.mjs').Report>} connect
     * @param {{ protocols?: string[], headers?: Record<string, string> }} wishes
     */
    async open(connect, { protocols = [], headers = {} } = {}) {
      connections += 1;
      const id = String(connections);
      const arrival = new Promise((resolve) => expected.set(id, resolve));
      const report = connect({ id: connections, url: `${url}/?id=${id}`, protocols, headers });
      const refused = report.then((told) => Promise.reject(new Error(`no connection: ${JSON.stringify(told)}`)));
      return { ...(await Promise.race([arrival, refused])), report };
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
