// Together with ws, in both directions.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as itoden from 'itoden';
import * as peers from 'ws';
import { closed, each, messages, startServer, TRANSPORTS, plain } from './helpers.mjs';

const PAYLOADS = [
  ['', false], ['text κόσμε', false], [Buffer.alloc(0), true], [Buffer.alloc(65_535, 1), true],
  [Buffer.alloc(65_536, 2), true], ['x'.repeat(100_000), false], [Buffer.alloc(8 << 20, 3), true],
]; // prettier-ignore

/** Sends everything there and back, pings both ways, and closes. */
async function exercise(client, server) {
  server.on('message', (data, isBinary) => server.send(data, { binary: isBinary }));
  const echoes = messages(client, PAYLOADS.length);
  for (const [data] of PAYLOADS) client.send(data);
  for (const [index, [data, isBinary]] of (await echoes).entries()) {
    assert.ok(data.equals(Buffer.from(PAYLOADS[index][0])), `message ${index}`);
    assert.equal(isBinary, PAYLOADS[index][1]);
  }
  for (const end of [client, server]) {
    const pong = once(end, 'pong');
    end.ping('ping');
    assert.equal((await pong)[0].toString(), 'ping');
  }
  const ends = [closed(client), closed(server)];
  client.close(4000, 'done');
  assert.deepEqual(await Promise.all(ends), [[4000, 'done'], [4000, 'done']]); // prettier-ignore
}

each('a client of ws talks to this server', async (t, transport) => {
  const { wss, url } = await startServer(t, transport, { handleProtocols: () => 'b' });
  const arrived = once(wss, 'connection');
  const client = new peers.WebSocket(url, ['a', 'b']);
  const [[server]] = await Promise.all([arrived, once(client, 'open')]);
  assert.deepEqual([client.protocol, server.protocol, client.extensions], ['b', 'b', '']);
  await exercise(client, server);
});

each('this client talks to a server of ws', async (t, transport) => {
  const wss = new peers.WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
  t.after(() => wss.close());
  await once(wss, 'listening');
  const arrived = once(wss, 'connection');
  const client = new itoden.WebSocket(`ws://127.0.0.1:${wss.address().port}`, ['a', 'b'], { transport });
  const [[server]] = await Promise.all([arrived, once(client, 'open')]);
  assert.deepEqual([client.protocol, server.protocol], ['a', 'a']);
  assert.deepEqual([client.extensions, server.extensions], ['permessage-deflate', 'permessage-deflate']);
  await exercise(client, server);
});

each('a fragmented message of ws arrives whole', async (t, transport) => {
  const { wss, url } = await startServer(t, transport);
  const arrived = once(wss, 'connection');
  const client = new peers.WebSocket(url);
  const [[server]] = await Promise.all([arrived, once(client, 'open')]);
  const got = messages(server, 1);
  client.send('one ', { fin: false });
  client.ping();
  client.send('two', { fin: true });
  assert.deepEqual(await got, [[Buffer.from('one two'), false]]);
});

plain('many clients of ws at once are served in order', async (t) => {
  for (const transport of TRANSPORTS) {
    const { wss, url } = await startServer(t, transport);
    wss.on('connection', (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary })));
    const run = async (index) => {
      const client = new peers.WebSocket(url);
      await once(client, 'open');
      const got = messages(client, 100);
      for (let message = 0; message < 100; message += 1) client.send(`${index}/${message}`);
      (await got).forEach(([data], message) => assert.equal(data.toString(), `${index}/${message}`));
      const end = closed(client);
      client.close();
      await end;
    };
    await Promise.all(Array.from({ length: 50 }, (_, index) => run(index)));
  }
});
