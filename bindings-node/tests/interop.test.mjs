// What ws sends as only it does. What is tried with all peers is in tests/interop of the repository.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as peers from 'ws';
import { closed, each, messages, startServer, TRANSPORTS, plain } from './helpers.mjs';

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
