// createWebSocketStream: the same with ws and here.

import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { ending, frame, parity } from './parity.mjs';

const open = async (stage, options, pairOptions) => {
  const pair = await stage.pair(pairOptions);
  const duplex = stage.lib.createWebSocketStream(pair.client, options);
  stage.t.after(() => duplex.destroy());
  duplex.on('error', () => {});
  return { ...pair, duplex };
};

parity('what is written is sent, and what comes is read', async (stage) => {
  const { duplex, server } = await open(stage, { encoding: 'utf8' });
  server.on('message', (data, isBinary) => {
    stage.note('server', data, isBinary);
    server.send(data, { binary: isBinary });
  });
  duplex.write(Buffer.from('bytes'));
  stage.note(...(await once(duplex, 'data')));
  duplex.write('text');
  stage.note(...(await once(duplex, 'data')));
});

parity('text stays text with decodeStrings false and readableObjectMode', async (stage) => {
  const { duplex, server } = await open(stage, { decodeStrings: false, readableObjectMode: true });
  server.on('message', (data, isBinary) => {
    stage.note('server', data, isBinary);
    server.send(data, { binary: isBinary });
  });
  for (const chunk of ['text', Buffer.from('bytes')]) {
    duplex.write(chunk);
    const [data] = await once(duplex, 'data');
    stage.note(typeof data, data);
  }
});

parity('objectMode is not for writing', async (stage) => {
  const { duplex } = await open(stage, { objectMode: true });
  stage.note(duplex.readableObjectMode, duplex.writableObjectMode);
});

parity('end() closes the connection, and the end of the connection ends the stream', async (stage) => {
  const first = await open(stage, {});
  stage.watch('duplex', first.duplex, ['finish', 'end', 'close']);
  const [end, done] = [ending(first.server), once(first.duplex, 'close')];
  first.duplex.resume();
  first.duplex.end('last');
  // Which end is told first is for the scheduler to say.
  const told = await end;
  await done;
  stage.note(told);

  const second = await open(stage, {});
  // In ws the stream then waits to be ended by its owner; here it ends itself.
  stage.watch('other', second.duplex, ['end', 'error']);
  const over = once(second.duplex, 'end');
  second.duplex.resume();
  second.server.close(1000);
  await over;
});

parity('what is written before the connection is open is sent', async (stage) => {
  const { wss, url } = await stage.serve();
  const client = stage.client(url);
  const duplex = stage.lib.createWebSocketStream(client, {});
  duplex.on('error', () => {});
  stage.t.after(() => duplex.destroy());
  duplex.write('early');
  const [server] = await once(wss, 'connection');
  stage.note(...(await once(server, 'message')));
});

parity('destroy() ends the connection: 1006', async (stage) => {
  const { duplex, server } = await open(stage, {});
  stage.watch('duplex', duplex, ['error', 'close']);
  const [end, closed] = [ending(server), once(duplex, 'close').catch(() => {})];
  duplex.destroy();
  stage.note(await end);
  await closed;
});

parity('an error of the protocol is an error of the stream', async (stage) => {
  const { server, socket } = await stage.rawPair();
  const duplex = stage.lib.createWebSocketStream(server, {});
  stage.watch('duplex', duplex, ['error', 'close']);
  const end = new Promise((resolve) => duplex.once('close', resolve));
  socket.on('data', () => {});
  socket.on('end', () => socket.end());
  socket.write(frame(3));
  await end;
});

parity('a failed handshake is an error of the stream', async (stage) => {
  const client = stage.client('ws://127.0.0.1:1');
  const duplex = stage.lib.createWebSocketStream(client, {});
  duplex.on('error', ({ code }) => stage.note('error', code));
  await new Promise((resolve) => duplex.once('close', resolve));
});

parity('a pipeline carries more than the buffers hold', async (stage) => {
  const { duplex, server } = await open(stage, {});
  const echo = stage.lib.createWebSocketStream(server, {});
  const echoed = pipeline(echo, echo).catch(() => {});
  const chunks = 64;
  let size = 0;
  const read = (async () => {
    for await (const chunk of duplex) {
      size += chunk.length;
      if (size === chunks * 65_536) break;
    }
  })();
  for (let index = 0; index < chunks; index += 1) {
    if (!duplex.write(Buffer.alloc(65_536, index))) await once(duplex, 'drain');
  }
  await read;
  stage.note(size);
  await echoed;
});
