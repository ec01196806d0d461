// Ends of processes and threads in the middle of things: no crash, and the right exit code.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { WebSocket } from 'itoden';
import { connect, each } from './helpers.mjs';
import { program, root } from './processes.mjs';

/** A server and a client in full traffic. `%handler%` runs for each message that the client gets, with its `count`. */
const busy = (transport, handler) => `
  import { WebSocket, WebSocketServer } from 'itoden';
  import http from 'node:http';
  const server = ${transport === 'native' ? 'undefined' : 'http.createServer().listen(0)'};
  const wss = new WebSocketServer(server ? { server } : { port: 0 });
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  wss.on('listening', () => {
    const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port, { transport: '${transport}' });
    let count = 0;
    ws.on('open', () => { for (let index = 0; index < 100; index += 1) ws.send(Buffer.alloc(1000)); });
    ws.on('message', (data) => { ws.send(data); count += 1; ${handler} });
  });`;

/** How a program ended, and what it wrote to stderr. */
const ended = (source) =>
  program(source).then(
    () => ({ code: 0 }),
    ({ code, signal, killed, stderr }) => ({ code, signal, killed, stderr }),
  );

each('an uncaught exception in a handler ends the process with 1, and is what is printed', async (_t, transport) => {
  const { code, signal, stderr } = await ended(busy(transport, `if (count === 500) throw new Error('by the handler');`));
  assert.deepEqual([code, signal], [1, null]);
  assert.match(stderr, /Error: by the handler/);
});

each('a rejection that nobody handles ends the process with 1', async (_t, transport) => {
  const { code, signal, stderr } = await ended(busy(transport, `if (count === 500) Promise.reject(new Error('unheard'));`));
  assert.deepEqual([code, signal], [1, null]);
  assert.match(stderr, /Error: unheard/);
});

each('an error event without a listener ends the process with 1', async (_t, transport) => {
  const { code, signal, stderr } = await ended(`
    import { WebSocket } from 'itoden';
    new WebSocket('ws://127.0.0.1:1', { transport: '${transport}' });
  `);
  assert.deepEqual([code, signal], [1, null]);
  assert.match(stderr, /ECONNREFUSED/);
});

each('process.exitCode and process.exit() in exit handlers are obeyed in mid-traffic', async (_t, transport) => {
  const { code, signal } = await ended(`process.on('exit', () => process.exit(9)); ${busy(transport, `if (count === 500) process.exit();`)}`);
  assert.deepEqual([code, signal], [9, null]);
});

each('a signal ends the process in mid-traffic as it ends any other', async (_t, transport) => {
  const { code, signal } = await ended(busy(transport, `if (count === 500) process.kill(process.pid, 'SIGTERM');`));
  assert.deepEqual([code, signal], [null, 'SIGTERM']);
});

each('whoever catches uncaught exceptions goes on: no message is lost by one that a handler throws', async (_t, transport) => {
  const printed = await program(`
    let caught = 0;
    process.on('uncaughtException', () => (caught += 1));
    ${busy(transport, `
      if (count === 5000) { console.log(caught); ws.terminate(); wss.close(); server?.close(); return; }
      if (count % 10 === 0) throw new Error('every tenth');
    `)}`);
  // The exceptions of a batch are thrown behind it.
  assert.ok(Number(printed) >= 400 && Number(printed) <= 500, `${printed} exceptions`);
});

const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { WebSocket, WebSocketServer } = require(workerData.main);
  const http = require('node:http');
  const native = workerData.transport === 'native';
  const server = native ? undefined : http.createServer().listen(0, '127.0.0.1');
  const wss = new WebSocketServer(native ? { port: 0, host: '127.0.0.1' } : { server });
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  wss.on('listening', () => {
    const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port, {
      transport: workerData.transport, pingInterval: 1, pingTimeout: 0, idleTimeout: 60_000, highWaterMark: 1000,
    });
    ws.on('open', () => { for (let index = 0; index < 50; index += 1) ws.send(Buffer.alloc(index * 1000)); });
    let count = 0;
    ws.on('message', (data) => {
      ws.send(data);
      if ((count += 1) % 200 === 0) parentPort.postMessage(count);
      if (count === workerData.throwsAt) throw new Error('in a worker');
    });
  });
`;

const start = (transport, throwsAt = 0) =>
  new Worker(PROGRAM, { eval: true, workerData: { main: path.join(root, 'dist/index.js'), transport, throwsAt } });

each('a worker whose handler throws ends with 1, and takes nobody with it', async (t, transport) => {
  const { ws, peer } = await connect(t, { server: transport, client: transport });
  const worker = start(transport, 400);
  const [[error], [code]] = await Promise.all([once(worker, 'error'), new Promise((resolve) => worker.on('exit', (...args) => resolve(args)))]);
  assert.equal(error.message, 'in a worker');
  assert.equal(code, 1);
  const got = once(peer, 'message');
  ws.send('here');
  assert.equal((await got)[0].toString(), 'here');
});

each('of several workers in mid-traffic one is terminated, and the others go on', async (t, transport) => {
  const workers = Array.from({ length: 3 }, () => start(transport));
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await workers[0].terminate();
  for (let round = 0; round < 3; round += 1) await Promise.all(workers.slice(1).map((worker) => once(worker, 'message')));
});

each('a process ends in mid-traffic while its workers work', async (_t, transport) => {
  const { code, signal } = await ended(`
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    const make = () => new Worker(${JSON.stringify(PROGRAM)}, {
      eval: true,
      execArgv: [],
      workerData: { main: ${JSON.stringify(path.join(root, 'dist/index.js'))}, transport: '${transport}' },
    });
    const workers = [make(), make()];
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    process.exit(5);
  `);
  assert.deepEqual([code, signal], [5, null]);
});

each('timers of keepalive and idleness keep no process alive', async (_t, transport) => {
  const printed = await program(`
    import { WebSocket, WebSocketServer } from 'itoden';
    import http from 'node:http';
    const options = { pingInterval: 100_000, idleTimeout: 100_000, highWaterMark: 10 };
    const server = ${transport === 'native' ? 'undefined' : 'http.createServer().listen(0)'};
    const wss = new WebSocketServer(server ? { server, ...options } : { port: 0, ...options });
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    wss.on('listening', async () => {
      const signal = AbortSignal.timeout(1_000_000);
      const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port, { transport: '${transport}', signal, ...options });
      ws.on('open', () => ws.send('hello'));
      for await (const message of ws) { console.log(String(message)); break; }
      wss.close();
      server?.close();
    });`);
  assert.equal(printed, 'hello');
});

each('a server alone keeps its process alive until it is closed', async (_t, transport) => {
  const printed = await program(`
    import { WebSocketServer } from 'itoden';
    import http from 'node:http';
    const server = ${transport === 'native' ? 'undefined' : 'http.createServer().listen(0)'};
    const wss = new WebSocketServer(server ? { server } : { port: 0 });
    setTimeout(() => { console.log('alive'); wss.close(); server?.close(); }, 50).unref();
  `);
  assert.equal(printed, 'alive');
});

each('the last of many connections lets the process end, however each was closed', async (_t, transport) => {
  const printed = await program(`
    import { WebSocket, WebSocketServer } from 'itoden';
    import { once } from 'node:events';
    import http from 'node:http';
    const server = ${transport === 'native' ? 'undefined' : 'http.createServer().listen(0)'};
    const wss = new WebSocketServer(server ? { server } : { port: 0 });
    await once(wss, 'listening');
    const url = 'ws://127.0.0.1:' + wss.address().port;
    const clients = Array.from({ length: 30 }, () => new WebSocket(url, { transport: '${transport}' }));
    clients.forEach((ws, index) => {
      ws.on('error', () => {});
      if (index % 5 === 0) return ws.terminate();
      if (index % 5 === 1) return ws.close();
      ws.on('open', () => {
        if (index % 5 === 2) ws.close(1000);
        else if (index % 5 === 3) ws.terminate();
        else { ws.pause(); ws.send('x'); setImmediate(() => ws.terminate()); }
      });
    });
    await Promise.all(clients.map((ws) => new Promise((resolve) => ws.on('close', resolve))));
    for (const ws of wss.clients) ws.terminate();
    wss.close();
    server?.close();
    console.log('closed');
  `);
  assert.equal(printed, 'closed');
});

each('a client of a thread that ended does not hinder another thread', async (t, transport) => {
  const worker = start(transport);
  await once(worker, 'message');
  await worker.terminate();
  const { ws } = await connect(t, { server: transport, client: transport });
  assert.equal(ws.readyState, WebSocket.OPEN);
});
