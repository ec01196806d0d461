// @fastify/websocket, which makes its own WebSocketServer out of `ws`. Prints what was seen.
import { once } from 'node:events';
import websocket from '@fastify/websocket';
import Fastify from 'fastify';
import WebSocket from 'ws';

const app = Fastify({ forceCloseConnections: true });
const seen = {};

await app.register(websocket, { options: { maxPayload: 1 << 20, clientTracking: true } });
app.get('/hello', async () => ({ hello: 'http' }));
app.route({
  method: 'GET',
  url: '/both',
  handler: async () => 'by http',
  wsHandler(socket) {
    socket.send('by websocket');
  },
});
app.register(async (inner) => {
  inner.addHook('preValidation', async (request, reply) => {
    if (request.query.token !== 'secret') await reply.code(401).send('not authenticated');
  });
  inner.get('/echo', { websocket: true }, (socket, request) => {
    socket.on('message', (data, isBinary) => {
      if (String(data) === 'throw') socket.emit('error', new Error('thrown by a handler'));
      else socket.send(isBinary ? data : `${request.query.token} ${data}`, { binary: isBinary });
    });
  });
});
await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = app.server.address();
const url = `ws://127.0.0.1:${port}`;

seen.http = await (await fetch(`http://127.0.0.1:${port}/hello`)).json();
seen.both = [await (await fetch(`http://127.0.0.1:${port}/both`)).text()];
const both = new WebSocket(`${url}/both`);
seen.both.push(String((await once(both, 'message'))[0]));

const client = new WebSocket(`${url}/echo?token=secret`);
await once(client, 'open');
client.send('text');
const text = await once(client, 'message');
client.send(Buffer.alloc(100_000, 1));
const bytes = await once(client, 'message');
seen.echo = [String(text[0]), text[1], bytes[0].length, bytes[1]];
client.send('throw');
seen.thrown = (await once(client, 'close'))[0];

seen.refused = (await once(new WebSocket(`${url}/echo?token=guess`), 'error'))[0].message;
seen.clients = app.websocketServer.clients.size;
const over = once(both, 'close');
await app.close();
seen.close = (await over)[0];
console.log(JSON.stringify(seen));
