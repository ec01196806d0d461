// express-ws, which makes its own WebSocketServer out of `ws`. Prints what was seen.
import { once } from 'node:events';
import express from 'express';
import expressWs from 'express-ws';
import WebSocket from 'ws';

const { app, getWss, applyTo } = expressWs(express(), null, { wsOptions: { maxPayload: 1000, perMessageDeflate: true } });
const seen = {};

app.use((request, response, next) => {
  request.visitor = request.query.name;
  next();
});
app.get('/hello', (request, response) => response.json({ hello: request.visitor }));
app.ws('/echo', (socket, request) => {
  socket.send(`hello, ${request.visitor}`);
  socket.on('message', (data) => socket.send(String(data).toUpperCase()));
  socket.on('error', ({ code }) => (seen.error = code));
});
const router = express.Router();
applyTo(router);
router.ws('/:room', (socket, request) => socket.close(4001, `room ${request.params.room}`));
app.use('/rooms', router);

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
const url = `ws://127.0.0.1:${port}`;

seen.http = await (await fetch(`http://127.0.0.1:${port}/hello?name=mira`)).json();
const client = new WebSocket(`${url}/echo?name=mira`);
const messages = [];
client.on('message', (data) => {
  messages.push(String(data));
  if (messages.length === 1) client.send('κόσμε');
  else client.send(Buffer.alloc(1001));
});
seen.close = (await once(client, 'close'))[0];
seen.messages = messages;
seen.extensions = client.extensions;
const [code, reason] = await once(new WebSocket(`${url}/rooms/blue`), 'close');
seen.room = [code, String(reason)];
seen.nowhere = (await once(new WebSocket(`${url}/nowhere`), 'close'))[0];
// All of them leave.
while (getWss().clients.size > 0) await new Promise((resolve) => setImmediate(resolve));
server.close();
console.log(JSON.stringify(seen));
