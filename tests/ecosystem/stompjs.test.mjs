// @stomp/stompjs with a socket of the user's, and the broker stomp-broker-js on a WebSocketServer of the user's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Client, Versions } from '@stomp/stompjs';
import { clients, DEADLINE, listen, packages, stop, until } from '../lib/implementations.mjs';

const require = createRequire(import.meta.url);
const StompServer = require('stomp-broker-js');
/** The broker's list of protocols that it can run on. */
const protocols = require('stomp-broker-js/lib/adapter');

async function start(t, kind, options = {}) {
  const server = http.createServer();
  let wss;
  protocols[kind.name] = function (given) {
    return (wss = new kind.WebSocketServer(given));
  };
  const broker = new StompServer({ server, path: '/stomp', protocol: kind.name, ...options });
  const { authority } = await listen(t, server);
  t.after(() => stop(wss));
  return { broker, wss, url: `ws://${authority}/stomp` };
}

async function dial(t, { WebSocket }, url, options = {}) {
  const client = new Client({
    webSocketFactory: () => new WebSocket(url, Versions.default.protocolVersions()),
    reconnectDelay: 0,
    heartbeatIncoming: 0,
    heartbeatOutgoing: 0,
    ...options,
  });
  const connected = new Promise((resolve) => (client.onConnect = resolve));
  t.after(() => client.deactivate({ force: true }));
  client.activate();
  const frame = await connected;
  return { client, frame };
}

function matrix(name, run, options) {
  for (const server of packages) {
    for (const client of clients) {
      test(`${name} (server ${server.name}, client ${client.name})`, DEADLINE, async (t) => {
        const started = await start(t, server, options);
        await run(t, { ...started, dial: (more) => dial(t, client, started.url, more) });
      });
    }
  }
}

/** A subscription that is known to the broker. */
async function subscribe(broker, client, topic) {
  const messages = [];
  const known = once(broker, 'subscribe');
  const subscription = client.subscribe(topic, (message) => messages.push(message));
  await known;
  return { messages, subscription };
}

matrix('messages go to who has subscribed, with their headers', async (t, { broker, dial }) => {
  const [{ client: listener, frame }, { client: speaker }] = await Promise.all([dial(), dial()]);
  assert.equal(frame.command, 'CONNECTED');
  assert.match(frame.headers.server, /^STOMP-JS/);
  const { messages, subscription } = await subscribe(broker, listener, '/topic/news');
  const { messages: others } = await subscribe(broker, listener, '/topic/other');
  const body = 'long text '.repeat(20_000);
  speaker.publish({ destination: '/topic/news', body: 'first', headers: { mood: 'good' }, skipContentLengthHeader: true });
  speaker.publish({ destination: '/topic/news', body });
  await until(() => messages.length === 2);
  assert.deepEqual([messages[0].body, messages[0].headers.mood, messages[1].body], ['first', 'good', body]);
  const gone = once(broker, 'unsubscribe');
  subscription.unsubscribe();
  await gone;
  speaker.publish({ destination: '/topic/news', body: 'to nobody' });
  speaker.publish({ destination: '/topic/other', body: 'the end' });
  await until(() => others.length === 1);
  assert.equal(messages.length, 2);
});

matrix('frames are sent as binary messages where that is asked for, and binary bodies arrive', async (t, { broker, wss, dial }) => {
  const kinds = [];
  wss.on('connection', (socket) => socket.on('message', (_, isBinary) => kinds.push(isBinary)));
  const { client: listener } = await dial({ forceBinaryWSFrames: true });
  const { messages } = await subscribe(broker, listener, '/topic/bytes');
  assert.deepEqual(kinds, [true, true]);
  const bytes = Buffer.from([0, 1, 2, 0xc0, 0xff, 0]);
  broker.send('/topic/bytes', { 'content-type': 'application/octet-stream' }, bytes);
  await until(() => messages.length === 1);
  assert.deepEqual(Buffer.from(messages[0].binaryBody), bytes);
});

matrix('frames that are split over messages are put together', async (t, { broker, wss, dial }) => {
  const { client } = await dial({ splitLargeFrames: false });
  const { messages } = await subscribe(broker, client, '/topic/parts');
  const [socket] = wss.clients;
  const head = `MESSAGE\nsubscription:${broker.subscribes.find(Boolean).id}\nmessage-id:1\ndestination:/topic/parts\n\n`;
  for (const part of [head, 'one ', 'two ', 'three\0']) socket.send(part);
  await until(() => messages.length === 1);
  assert.equal(messages[0].body, 'one two three');
});

matrix('a client sends the heartbeats that were agreed on', async (t, { wss, dial }) => {
  let beats = 0;
  wss.on('connection', (socket) => socket.on('message', (data) => (beats += Number(String(data) === '\n'))));
  const { client, frame } = await dial({ heartbeatOutgoing: 20 });
  assert.equal(frame.headers['heart-beat'], '0,20');
  await until(() => beats >= 3);
  assert.ok(client.connected);
}, { heartbeat: [0, 20], heartbeatErrorMargin: 60_000 });

matrix('the broker sends the heartbeats that were agreed on', async (t, { wss, dial }) => {
  let beats = 0;
  wss.on('connection', (socket) => {
    const { send } = socket;
    socket.send = (data, ...more) => {
      beats += Number(data.length === 1);
      send.call(socket, data, ...more);
    };
  });
  const { client, frame } = await dial({ heartbeatIncoming: 20, heartbeatToleranceMultiplier: 1000 });
  assert.equal(frame.headers['heart-beat'], '20,0');
  await until(() => beats >= 5);
  assert.ok(client.connected);
}, { heartbeat: [20, 0] });

matrix('a client whose server is silent hangs up', async (t, { wss, dial }) => {
  const over = new Promise((resolve) => wss.on('connection', (socket) => socket.once('close', resolve)));
  let lost;
  const hungUp = new Promise((resolve) => (lost = resolve));
  // The broker promises beats and is kept from sending them.
  wss.on('connection', (socket) => {
    const { send } = socket;
    socket.send = (data, ...more) => data.length > 1 && send.call(socket, data, ...more);
  });
  await dial({ heartbeatIncoming: 10, heartbeatOutgoing: 0, onHeartbeatLost: lost });
  await hungUp;
  await over;
}, { heartbeat: [10, 0] });

matrix('deactivate() closes in order, and a client that is cut off comes back', async (t, { broker, wss, dial }) => {
  const codes = [];
  let connections = 0;
  wss.on('connection', (socket) => {
    connections += 1;
    socket.on('close', (code) => codes.push(code));
  });
  const left = once(broker, 'disconnected');
  const { client } = await dial({ reconnectDelay: 1 });
  const closes = [];
  client.onWebSocketClose = ({ code }) => closes.push(code);
  for (const socket of wss.clients) socket.terminate();
  await until(() => connections === 2 && client.connected);
  await left;
  await client.deactivate();
  await until(() => codes.length === 2);
  assert.deepEqual([closes[0], codes[0]], [1006, 1006]);
  assert.ok([1000, 1005].includes(codes[1]), `closed with ${codes[1]}`);
});
