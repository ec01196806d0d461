// The peer `ws`, as server and as client.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { WebSocket, WebSocketServer } from 'ws';
import { echo } from './echo.mjs';
import { authority, certificate, idOf, key, live, say } from './life.mjs';

const abilities = {
  drop: (ws) => ws.terminate(),
  ping(ws) {
    ws.once('pong', () => ws.send('ponged'));
    ws.ping('from ws');
  },
};

async function serve(server) {
  const wss = new WebSocketServer({ server, perMessageDeflate: true });
  wss.on('connection', async (ws, request) => {
    say({ id: idOf(request.url), headers: request.headers, ...(await echo(ws, abilities)) });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

const ws = `ws://127.0.0.1:${await serve(createServer())}`;
const wss = `wss://127.0.0.1:${await serve(createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }))}`;
say({ ws, wss });

const ca = readFileSync(authority);
await live(({ url, protocols, headers }) => echo(new WebSocket(url, protocols, { headers, ca }), abilities));
