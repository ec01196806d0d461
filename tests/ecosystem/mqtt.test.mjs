// mqtt and aedes: MQTT in binary messages, over createWebSocketStream of both ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import { clients, closed, DEADLINE, serve, servers, until } from '../lib/implementations.mjs';

/** A broker behind a WebSocketServer. */
async function start(t, kind, options) {
  const broker = await Aedes.createBroker();
  t.after(() => new Promise((resolve) => broker.close(resolve)));
  const { wss, url } = await serve(t, kind, options);
  wss.on('connection', (socket, request) => broker.handle(kind.createWebSocketStream(socket), request));
  return { broker, wss, url };
}

/** A client of the broker: over a stream of the package's, or as in a browser over a class of the standard. */
async function dial(t, { WebSocket, createWebSocketStream }, url, options = {}) {
  const settings = { reconnectPeriod: 0, connectTimeout: 20_000, ...options };
  let socket;
  const client = createWebSocketStream
    ? new mqtt.MqttClient(() => {
        socket = new WebSocket(url, 'mqtt');
        const stream = createWebSocketStream(socket);
        // As the client itself does with ws.
        socket.on('close', () => stream.destroy());
        return stream;
      }, settings)
    : mqtt.connect(url, {
        ...settings,
        forceNativeWebSocket: true,
        createWebsocket: (to, protocols) => (socket = new WebSocket(to, protocols)),
      });
  t.after(() => client.endAsync(true));
  // From the first: what was kept for a session can come together with the answer to CONNECT.
  const all = received(client);
  await once(client, 'connect');
  return { client, socket, all };
}

function matrix(name, run, options = {}) {
  for (const server of servers) {
    for (const client of clients) {
      const title = `${name} (server ${server.name}, client ${client.name})`;
      test(title, DEADLINE, async (t) => {
        const started = await start(t, server, options);
        await run(t, { ...started, dial: (more) => dial(t, client, started.url, more) });
      });
    }
  }
}

/** What comes to a client, as [topic, payload, qos, retain]. */
function received(client) {
  const all = [];
  client.on('message', (topic, payload, { qos, retain }) => all.push([topic, payload, qos, retain]));
  return all;
}

for (const qos of [0, 1, 2]) {
  matrix(`messages of QoS ${qos} come once, in order`, async (t, { dial }) => {
    const [{ client: listener, all }, { client: speaker }] = await Promise.all([dial(), dial()]);
    await listener.subscribeAsync('numbers/+', { qos });
    await Promise.all(Array.from({ length: 50 }, (_, at) => speaker.publishAsync(`numbers/${at}`, String(at), { qos })));
    await until(() => all.length >= 50);
    assert.deepEqual(
      all.map(([topic, payload, level]) => [topic, String(payload), level]),
      Array.from({ length: 50 }, (_, at) => [`numbers/${at}`, String(at), qos]),
    );
  });
}

matrix('a large payload arrives whole', async (t, { dial }) => {
  const [{ client: listener }, { client: speaker }] = await Promise.all([dial(), dial()]);
  const payload = Buffer.alloc(5_000_000, 'μεγάλο');
  await listener.subscribeAsync('large', { qos: 1 });
  const arrived = once(listener, 'message');
  await speaker.publishAsync('large', payload, { qos: 1 });
  assert.ok(payload.equals((await arrived)[1]));
});

matrix('a large payload arrives whole when it is compressed', async (t, { dial }) => {
  const [{ client: listener, socket }, { client: speaker }] = await Promise.all([dial(), dial()]);
  assert.equal(socket.extensions, 'permessage-deflate');
  const payload = Buffer.alloc(1_000_000, 'over and over ');
  await listener.subscribeAsync('large', { qos: 2 });
  const arrived = once(listener, 'message');
  await speaker.publishAsync('large', payload, { qos: 2 });
  assert.ok(payload.equals((await arrived)[1]));
}, { perMessageDeflate: true });

matrix('a retained message waits for who subscribes later', async (t, { dial }) => {
  const { client: speaker } = await dial();
  await speaker.publishAsync('state', 'on', { qos: 1, retain: true });
  const { client: listener, all } = await dial();
  await listener.subscribeAsync('state', { qos: 1 });
  await until(() => all.length > 0);
  assert.deepEqual(all, [['state', Buffer.from('on'), 1, true]]);
});

matrix('the will of a client is published when its connection breaks, and not when it ends', async (t, { wss, dial }) => {
  const { client: listener, all } = await dial();
  await listener.subscribeAsync('wills/#');
  const will = (name) => ({ will: { topic: `wills/${name}`, payload: `${name} is gone`, qos: 0 } });

  const polite = await dial(will('polite'));
  await polite.client.endAsync();
  const arrived = once(wss, 'connection');
  const broken = await dial(will('broken'));
  const [end] = await arrived;
  end.terminate();
  await once(broken.client, 'close');
  await until(() => all.length > 0);
  assert.deepEqual(all.map(([topic, payload]) => [topic, String(payload)]), [['wills/broken', 'broken is gone']]);
});

matrix('a session that is kept brings what was missed', async (t, { dial }) => {
  const kept = { clientId: 'keeper', clean: false };
  const { client: before } = await dial(kept);
  await before.subscribeAsync('news', { qos: 1 });
  await before.endAsync();
  const { client: speaker } = await dial();
  await speaker.publishAsync('news', 'missed', { qos: 1 });
  const { all } = await dial(kept);
  await until(() => all.length > 0);
  assert.equal(String(all[0][1]), 'missed');
});

matrix('end() of a client closes the WebSocket, and the broker forgets it', async (t, { broker, wss, dial }) => {
  const arrived = once(wss, 'connection');
  const { client, socket } = await dial();
  const [end] = await arrived;
  assert.equal(socket.protocol, 'mqtt');
  assert.equal(broker.connectedClients, 1);
  // The broker may be the first to hang up: it ends the stream when it reads DISCONNECT.
  await Promise.all([once(end, 'close'), client.endAsync()]);
  await until(() => broker.connectedClients === 0 && wss.clients.size === 0);
});

matrix('what is no MQTT ends the connection', async (t, { broker, url }) => {
  const wrong = once(broker, 'connectionError');
  for (const { WebSocket } of clients) {
    const socket = new WebSocket(url, 'mqtt');
    const over = closed(socket);
    socket.onopen = () => socket.send(Buffer.from('0000', 'hex'));
    assert.notEqual((await over).code, 1000);
  }
  await wrong;
});
