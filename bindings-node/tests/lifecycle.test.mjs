// Processes, threads and packages: what keeps alive, what ends, what loads.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createWebSocketStream, WebSocket } from 'itoden';
import { connect, each, matrix, plain, startServer } from './helpers.mjs';
import { installPacked, program, root, temporary } from './processes.mjs';

const run = promisify(execFile);

const echo = (transport) => `
  import { WebSocket, WebSocketServer } from 'itoden';
  import http from 'node:http';
  const server = ${transport === 'native' ? 'undefined' : 'http.createServer().listen(0)'};
  const wss = new WebSocketServer(server ? { server } : { port: 0 });
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  wss.on('listening', () => {
    const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port, { transport: '${transport}' });
`;

each('a process ends by itself after the last close', async (_t, transport) => {
  const printed = await program(`${echo(transport)}
    ws.on('open', () => ws.send('hello'));
    ws.on('message', (data) => { console.log(String(data)); ws.close(); });
    ws.on('close', () => { wss.close(); server?.close(); });
  });`);
  assert.equal(printed, 'hello');
});

each('a process ends by itself after a refused connection', async (_t, transport) => {
  const printed = await program(`
    import { WebSocket } from 'itoden';
    const ws = new WebSocket('ws://127.0.0.1:1', { transport: '${transport}' });
    ws.on('error', (error) => console.log(error.code));
  `);
  assert.equal(printed, 'ECONNREFUSED');
});

each('process.exit() in the middle of traffic ends with its code', async (_t, transport) => {
  const source = `${echo(transport)}
    let count = 0;
    ws.on('open', () => { for (let index = 0; index < 100; index += 1) ws.send(Buffer.alloc(1000)); });
    ws.on('message', (data) => { ws.send(data); if ((count += 1) === 2000) process.exit(7); });
  });`;
  await assert.rejects(program(source), { code: 7, killed: false });
});

plain('a client keeps its process alive while it waits', async () => {
  const printed = await program(`
    import { WebSocket, WebSocketServer } from 'itoden';
    import { Worker } from 'node:worker_threads';
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => setTimeout(() => { ws.send('late'); ws.close(); wss.close(); }, 100).unref());
    wss.on('listening', () => {
      const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      ws.on('message', (data) => console.log(String(data)));
    });
  `);
  assert.equal(printed, 'late');
});

const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { WebSocket, WebSocketServer } = require(workerData.main);
  const http = require('node:http');
  const native = workerData.transport === 'native';
  const server = native ? undefined : http.createServer().listen(0, '127.0.0.1');
  const wss = new WebSocketServer(native ? { port: 0, host: '127.0.0.1' } : { server });
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  wss.on('listening', () => {
    const clients = Array.from({ length: 4 }, () => {
      const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port, { transport: workerData.transport });
      ws.on('open', () => { for (let index = 0; index < 50; index += 1) ws.send(Buffer.alloc(index * 100)); });
      let count = 0;
      ws.on('message', (data) => {
        ws.send(data);
        count += 1;
        if (count === 200) parentPort.postMessage('busy');
      });
      return ws;
    });
    parentPort.on('message', () => {
      for (const ws of clients) ws.terminate();
      for (const ws of wss.clients) ws.terminate();
      wss.close();
      server?.close();
      parentPort.close();
    });
  });
`;

const startWorker = (transport) =>
  new Worker(WORKER, { eval: true, workerData: { main: path.join(root, 'dist/index.js'), transport } });

async function busy(worker) {
  for (let clients = 0; clients < 4; clients += 1) await once(worker, 'message');
}

each('several workers work at once, and each ends by itself', async (_t, transport) => {
  const workers = Array.from({ length: 3 }, () => startWorker(transport));
  await Promise.all(workers.map(busy));
  const exits = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.postMessage('stop');
  assert.deepEqual(await Promise.all(exits), [[0], [0], [0]]);
});

each('a worker can be terminated in the middle of traffic', async (t, transport) => {
  for (let round = 0; round < 5; round += 1) {
    const worker = startWorker(transport);
    await busy(worker);
    await worker.terminate();
  }
  const { ws } = await connect(t, { server: transport, client: transport });
  assert.equal(ws.readyState, WebSocket.OPEN);
});

each('the addon can be loaded by workers only', async (_t, transport) => {
  const printed = await program(
    `
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    for (let round = 0; round < 3; round += 1) {
      const worker = new Worker(${JSON.stringify(WORKER)}, {
        eval: true,
        execArgv: [],
        workerData: { main: ${JSON.stringify(path.join(root, 'dist/index.js'))}, transport: '${transport}' },
      });
      for (let clients = 0; clients < 4; clients += 1) await once(worker, 'message');
      await worker.terminate();
    }
    console.log('alive');
  `,
  );
  assert.equal(printed, 'alive');
});

matrix('hundreds of connections open and close, and their numbers are used again', async (t, { server, client }) => {
  const { wss, url } = await startServer(t, server);
  wss.on('connection', (ws, request) => ws.on('message', (data) => ws.send(`${request.url} ${data}`)));
  let opened = 0;
  const one = async (index) => {
    const ws = new WebSocket(`${url}/${index}`, { transport: client });
    await once(ws, 'open');
    opened += 1;
    ws.send('x');
    const [data] = await once(ws, 'message');
    assert.equal(data.toString(), `/${index} x`);
    if (index % 2) ws.close(1000);
    else ws.terminate();
    await once(ws, 'close');
  };
  const chain = async (start) => {
    for (let index = start; index < 400; index += 20) await one(index);
  };
  await Promise.all(Array.from({ length: 20 }, (_, start) => chain(start)));
  assert.equal(opened, 400);
});

matrix('a WebSocket can be used as a stream', async (t, { server, client }) => {
  const { ws, peer } = await connect(t, { server, client });
  const back = createWebSocketStream(peer);
  back.pipe(back);
  const stream = createWebSocketStream(ws);
  const sent = Buffer.alloc(3 << 20, 'stream');
  const reading = (async () => {
    let length = 0;
    for await (const chunk of stream) {
      assert.ok(chunk.equals(sent.subarray(length, length + chunk.length)));
      length += chunk.length;
      if (length === sent.length) stream.end();
    }
    return length;
  })();
  for (let at = 0; at < sent.length; at += 100_000) stream.write(sent.subarray(at, at + 100_000));
  assert.equal(await reading, sent.length);
});

plain('a stream fails with the connection', async (t) => {
  const { ws, peer } = await connect(t, { server: 'native', client: 'native', clientOptions: { maxPayload: 10 } });
  const stream = createWebSocketStream(ws);
  peer.on('error', () => {});
  peer.send('more than ten bytes');
  const [error] = await once(stream, 'error');
  assert.equal(error.code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
});

plain('the packed package works for CommonJS, for ES modules and for TypeScript', async (t) => {
  const folder = await temporary(t);
  const { files } = await installPacked(folder);
  const names = files.map((file) => file.path);
  for (const name of ['dist/index.js', 'dist/index.mjs', 'dist/index.d.ts', 'dist/index.d.mts', 'native.js', 'README.md']) {
    assert.ok(names.includes(name), `${name} is packed`);
  }
  assert.ok(names.some((name) => name.endsWith('.node')), 'an addon is packed');
  assert.ok(!names.some((name) => /^(src|lib|tests|tools)\//.test(name)), 'sources are not packed');

  const use = `
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary })));
    wss.on('listening', () => {
      const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      ws.on('open', () => ws.send('packed'));
      ws.on('message', (data) => { console.log(String(data)); ws.close(); wss.close(); });
    });`;
  const cjs = `
    const WebSocket = require('itoden');
    const { WebSocketServer } = WebSocket;
    if (WebSocket.WebSocket !== WebSocket || WebSocket.Server !== WebSocketServer) throw new Error('not as ws');
    ${use}`;
  const esm = `
    import Default, { WebSocket, WebSocketServer } from 'itoden';
    if (Default !== WebSocket) throw new Error('not as ws');
    ${use}`;
  assert.equal(await program(cjs, { cwd: folder, args: ['--input-type=commonjs'] }), 'packed');
  assert.equal(await program(esm, { cwd: folder }), 'packed');

  const typed = readFileSync(new URL('fixtures/consumer.ts', import.meta.url), 'utf8');
  writeFileSync(path.join(folder, 'esm.mts'), typed);
  writeFileSync(path.join(folder, 'cjs.cts'), typed.replace("import Default, {", 'import Default = require("itoden");\nimport {'));
  const tsconfig = {
    compilerOptions: {
      target: 'es2023', module: 'nodenext', strict: true, noEmit: true, types: ['node'],
      typeRoots: [path.join(await resolved('@types/node'), '..')],
    },
    files: ['esm.mts', 'cjs.cts'],
  }; // prettier-ignore
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  const tsc = path.join(await resolved('typescript'), 'bin/tsc');
  await run(process.execPath, [tsc, '-p', folder]).catch(({ stdout: complaints }) => assert.fail(complaints));
});

/** The folder of a package that this one uses for its development. */
async function resolved(name) {
  return path.dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
}
