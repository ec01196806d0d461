// One echo server for the benchmark of the Node package (scripts/bench-node.mjs), which starts it as a child:
//
//   node --expose-gc echo-servers.mjs NAME      with $PEERS, the folder into which others were installed
//
// It tells its port. Then it answers 'mark' with the processor time that it has used and the messages that it has echoed,
// and 'collect' with the memory that it holds once all garbage is collected.

import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

let echoed = 0;

/** In the API of ws, which itoden shares. */
async function echo({ WebSocketServer }, options) {
  const wss = new WebSocketServer(options);
  wss.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
      echoed += 1;
      ws.send(data, { binary: isBinary });
    });
  });
  await once(wss, 'listening');
  return wss.address().port;
}

const own = { host: '127.0.0.1', port: 0 };
const peer = (name) => createRequire(join(process.env.PEERS ?? '.', 'package.json'))(name);

const servers = {
  'itoden native': async () => echo(await import('itoden'), own),
  // The same; whoever starts it says by ITODEN_DATA_PLANE that threads serve its sockets.
  'itoden threads': async () => echo(await import('itoden'), own),
  async 'itoden stream'() {
    const itoden = await import('itoden');
    return echo(itoden, { server: http.createServer().listen(0, '127.0.0.1') });
  },
  ws: async () => echo(await import('ws'), own),
  // ws takes the addon for masking if it finds it beside itself.
  'ws + bufferutil'() {
    peer('bufferutil');
    return echo(peer('ws'), own);
  },
  'uWebSockets.js'() {
    const uws = peer('uwebsockets');
    const app = uws.App().ws('/*', {
      compression: uws.DISABLED,
      maxPayloadLength: 100 << 20,
      maxBackpressure: 100 << 20,
      idleTimeout: 0,
      message(ws, data, isBinary) {
        echoed += 1;
        ws.send(data, isBinary);
      },
    });
    return new Promise((resolve, reject) => {
      app.listen('127.0.0.1', 0, (listening) => {
        if (listening) resolve(uws.us_socket_local_port(listening));
        else reject(new Error('uWebSockets.js could not listen'));
      });
    });
  },
};

const requests = {
  mark() {
    const { user, system } = process.cpuUsage();
    return { cpu: user + system, echoed };
  },
  async collect() {
    // What waits to be finalised is garbage only afterwards.
    for (let round = 0; round < 3; round += 1) {
      globalThis.gc();
      await turn();
    }
    return { memory: process.memoryUsage.rss() };
  },
};

const [name] = process.argv.slice(2);
if (!servers[name]) throw new Error(`'${name}' is no server; there are ${Object.keys(servers).join(', ')}`);
const port = await servers[name]();
process.on('message', async (request) => process.send(await requests[request]()));
process.on('disconnect', () => process.exit());
process.send({ port });
