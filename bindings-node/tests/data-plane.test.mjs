// Native sockets, whoever serves them: the event loop, or threads. `npm test` runs this file over both.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { WebSocket } from 'itoden';
import { closed, connect, frame, messages, plain, raw, rawClient, REQUEST, startServer } from './helpers.mjs';
import { program, root } from './processes.mjs';

const PLANE = `
  const { border } = await import(${JSON.stringify(path.join(root, 'dist/border.js'))});
  console.log(border.hub.inLoop ? 'loop' : 'threads');
`;

const plane = (value, before = '') => program(`${before}${PLANE}`, { env: { ITODEN_DATA_PLANE: value } });

plain('the event loop serves sockets unless threads are asked for', async () => {
  assert.equal(await plane(''), process.platform === 'win32' ? 'threads' : 'loop');
  assert.equal(await plane('threads'), 'threads');
});

plain('a data plane of another name is refused with those there are', async () => {
  await assert.rejects(plane('thread'), /ITODEN_DATA_PLANE is 'thread'; allowed are 'loop', 'threads', or nothing at all/);
});

for (const [runtime, before] of [
  ['Bun', "Object.defineProperty(process, 'versions', { value: { ...process.versions, bun: '1.3.0' } });"],
  ['Deno', 'globalThis.Deno = {};'],
]) {
  plain(`under ${runtime} threads serve sockets, and the event loop can't be asked for`, async () => {
    assert.equal(await plane('', before), 'threads');
    await assert.rejects(plane('loop', before), /ITODEN_DATA_PLANE is 'loop', which works in Node only/);
  });
}

/** A server and a client that tell one another something, and the plane that serves them. */
const TALK = `
  import { once } from 'node:events';
  import { WebSocket, WebSocketServer } from ${JSON.stringify(pathToFileURL(path.join(root, 'dist/index.mjs')).href)};
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  await once(wss, 'listening');
  const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port);
  await once(ws, 'open');
  ws.send('over ');
  const [data] = await once(ws, 'message');
  process.stdout.write(String(data));
  ws.close();
  wss.close();
`;

const versions = (more) => `Object.defineProperty(process, 'versions', { value: { ...process.versions, ${more} } });\n`;

plain('where the libuv that is found is not the one that the host runs on, threads serve sockets', async () => {
  for (const uv of ["'1.18.0'", "'2.0.0'", "''", 'undefined', "process.versions.uv + '-dev'"]) {
    // The package is loaded behind the change, which an import would come before.
    const source = versions(`uv: ${uv}`) + TALK.replace(/import \{ WebSocket, WebSocketServer \} from (.*);/, 'const { WebSocket, WebSocketServer } = await import($1);') + PLANE;
    assert.equal(await program(source, { env: { ITODEN_DATA_PLANE: '' } }), 'over threads', uv);
    await assert.rejects(program(source, { env: { ITODEN_DATA_PLANE: 'loop' } }), /ITODEN_DATA_PLANE is loop, but the libuv that this host runs on \(.*\) is not to be had/);
  }
});

for (const [runtime, name] of [['Electron', 'electron'], ['NW.js', 'nw']]) {
  plain(`under ${runtime} threads serve sockets, unless the event loop is asked for`, async () => {
    const before = versions(`${name}: '40.0.0'`);
    assert.equal(await plane('', before), 'threads');
    assert.equal(await plane('loop', before), process.platform === 'win32' ? 'threads' : 'loop');
  });
}

plain('frames that come with the request are heard, in order', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  const heard = new Promise((resolve) => {
    wss.on('connection', (ws) => messages(ws, 3).then(resolve));
  });
  const { socket } = await raw(t, port);
  const head = Buffer.from(`${REQUEST.join('\r\n')}\r\n\r\n`);
  const cut = frame(1, 'third');
  socket.write(Buffer.concat([head, frame(1, 'first'), frame(2, 'second'), cut.subarray(0, 5)]));
  socket.write(cut.subarray(5));
  const texts = (await heard).map(([data, isBinary]) => [data.toString(), isBinary]);
  assert.deepEqual(texts, [['first', false], ['second', true], ['third', false]]);
});

plain('frames that come with the response are heard, behind "open"', async (t) => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (request) => {
      const [, key] = /Sec-WebSocket-Key: (.*)\r\n/i.exec(request.toString('latin1'));
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
      const frames = [frame(1, 'first', { masked: false }), frame(1, 'second', { masked: false })];
      socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), ...frames, Buffer.from([0x88, 2, 3, 0xe8])]));
    });
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ws = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
  const order = [];
  ws.on('open', () => order.push('open'));
  ws.on('message', (data) => order.push(data.toString()));
  const [code] = await closed(ws);
  assert.deepEqual([...order, code], ['open', 'first', 'second', 1000]);
});

plain('what is sent in "connection" follows the response at once', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  wss.on('connection', (ws) => {
    ws.send('one');
    ws.ping('two');
    ws.close(1000, 'three');
  });
  const client = await rawClient(t, port);
  const expected = Buffer.concat([
    frame(1, 'one', { masked: false }),
    frame(9, 'two', { masked: false }),
    frame(8, Buffer.from([3, 0xe8, ...Buffer.from('three')]), { masked: false }),
  ]);
  assert.deepEqual(await client.until((bytes) => bytes.length >= expected.length && bytes), expected);
});

plain('a listener that throws loses none of the other messages, nor their answers', async () => {
  const printed = await program(`
    import { WebSocket, WebSocketServer } from 'itoden';
    const thrown = [];
    process.on('uncaughtException', (error) => thrown.push(error.message));
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => {
      ws.on('message', (data) => {
        ws.send(data);
        if (data.toString() === '3' || data.toString() === '7') throw new Error('at ' + data);
      });
    });
    wss.on('listening', () => {
      const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      const heard = [];
      process.on('exit', () => console.log(JSON.stringify([heard.join(''), thrown])));
      ws.on('open', () => { for (let index = 0; index < 10; index += 1) ws.send(String(index)); });
      ws.on('message', (data) => {
        heard.push(String(data));
        if (heard.length === 10) { ws.close(); wss.close(); }
      });
    });
  `);
  assert.deepEqual(JSON.parse(printed), ['0123456789', ['at 3', 'at 7']]);
});

const FLOOD = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { WebSocket } = require(workerData.main);
  const ws = new WebSocket(workerData.url);
  const more = () => {
    for (let index = 0; index < 500; index += 1) ws.send(workerData.message);
    if (ws.readyState === WebSocket.OPEN) ws.bufferedAmount < 1 << 20 ? setImmediate(more) : setTimeout(more, 1);
  };
  ws.on('open', more);
`;

plain('a flood on one connection leaves others, timers and promises their turn', async (t) => {
  const { wss, url } = await startServer(t, 'native');
  let flooded = 0;
  wss.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
      if (isBinary) flooded += 1;
      else ws.send(data);
    });
  });
  const workerData = { main: path.join(root, 'dist/index.js'), url, message: Buffer.alloc(100) };
  const worker = new Worker(FLOOD, { eval: true, workerData });
  t.after(() => worker.terminate());
  const ws = new WebSocket(url);
  await once(ws, 'open');
  // The flood ends only when all of this has had its turn.
  for (let round = 0; round < 20; round += 1) {
    const before = flooded;
    ws.send('and me?');
    await once(ws, 'message');
    await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setImmediate(resolve));
    while (flooded < before + 100) await new Promise((resolve) => setImmediate(resolve));
  }
  ws.terminate();
});

plain('a peer that resets its connection ends it and no other', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  const ends = [];
  wss.on('connection', (ws) => {
    ws.on('message', (data) => ws.send(data));
    ends.push(closed(ws));
  });
  const [rude, polite] = [await rawClient(t, port), await rawClient(t, port)];
  rude.socket.write(frame(1, 'x'));
  rude.socket.resetAndDestroy();
  assert.deepEqual(await ends[0], [1006, '']);
  polite.socket.write(frame(1, 'still here'));
  const answer = frame(2, 'still here', { masked: false });
  assert.deepEqual(await polite.until((bytes) => bytes.length >= answer.length && bytes), answer);
});

plain('a reset is heard by who writes to a peer that does not read, and by who resumes', async (t) => {
  const { wss, port } = await startServer(t, 'native');
  const arrived = [];
  wss.on('connection', (ws) => arrived.push(ws));
  const clients = [await rawClient(t, port), await rawClient(t, port)];
  while (arrived.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const [writing, paused] = arrived;
  clients[0].socket.pause();
  const results = [];
  for (let index = 0; index < 64; index += 1) writing.send(Buffer.alloc(1 << 20), (error) => results.push(error));
  while (results.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(writing.bufferedAmount > 0, 'the peer has not taken all');
  paused.pause();
  const ends = [closed(writing), closed(paused)];
  for (const { socket } of clients) socket.resetAndDestroy();
  assert.deepEqual(await ends[0], [1006, '']);
  assert.equal(results.length, 64);
  assert.equal(results[0], undefined);
  assert.match(results[63].message, /closed before the data was written/);
  paused.resume();
  assert.deepEqual(await ends[1], [1006, '']);
});

plain('every payload byte is counted until it is written, whatever a peer takes at once', async (t) => {
  const { ws, peer } = await connect(t, { server: 'native', client: 'stream' });
  ws.pause();
  const sizes = [1, 20_000, 5 << 20, 100, 3 << 20, 70_000];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let written = 0;
  const all = sizes.map((size, index) => {
    const sent = new Promise((resolve) => peer.send(Buffer.alloc(size, index + 1), resolve));
    return sent.then((error) => {
      assert.equal(error ?? undefined, undefined);
      written += size;
      assert.ok(peer.bufferedAmount <= total - written);
    });
  });
  // Threads may have written some of it by now; the event loop has not.
  assert.ok(peer.bufferedAmount > 0 && peer.bufferedAmount <= total);
  const heard = messages(ws, sizes.length);
  await all[0];
  ws.resume();
  const got = await heard;
  assert.ok(got.every(([data], index) => data.equals(Buffer.alloc(sizes[index], index + 1))));
  await Promise.all(all);
  assert.equal(peer.bufferedAmount, 0);
});

const withFewDescriptors = process.platform === 'win32' ? () => {} : plain;

withFewDescriptors('a server without descriptors for more goes on with those it has, and takes the others later', async (t) => {
  const source = `
    import { openSync, closeSync } from 'node:fs';
    import { WebSocketServer } from 'itoden';
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => {
      ws.on('message', (data) => ws.send(data));
      try { closeSync(openSync('/dev/null')); } catch (error) { console.log(error.code); }
    });
    wss.on('listening', () => console.log(wss.address().port));
  `;
  const line = 'ulimit -n 64 && exec "$0" --input-type=module --eval "$1"';
  const server = spawn('sh', ['-c', line, process.execPath, source], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => server.kill());
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const port = Number((await lines.next()).value);
  const clients = Array.from({ length: 80 }, async () => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}`, { transport: 'stream' });
    t.after(() => ws.terminate());
    await once(ws, 'open');
    return ws;
  });
  // It says so as soon as there is no descriptor left.
  assert.equal((await lines.next()).value, 'EMFILE');
  for (const client of clients) {
    const ws = await client;
    ws.send('in turn');
    const [data] = await once(ws, 'message');
    assert.equal(data.toString(), 'in turn');
    ws.close();
    await closed(ws);
  }
});

const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { WebSocketServer } = require(workerData);
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', pingInterval: 5, pingTimeout: 60_000 });
  let arrived = 0;
  wss.on('connection', (ws) => {
    // One that is blocked, one that is paused, one that is pinged and one that echoes.
    const kind = arrived++ % 4;
    if (kind === 0) for (let index = 0; index < 64; index += 1) ws.send(Buffer.alloc(1 << 20));
    else if (kind === 1) ws.pause();
    else if (kind === 3) ws.on('message', (data) => ws.send(data));
    if (arrived === 8) parentPort.postMessage('all');
  });
  wss.on('listening', () => parentPort.postMessage(wss.address().port));
`;

plain('a worker that is terminated takes its connections with it, whatever they wait for', async (t) => {
  for (let round = 0; round < 3; round += 1) {
    const worker = new Worker(WORKER, { eval: true, workerData: path.join(root, 'dist/index.js') });
    const [port] = await once(worker, 'message');
    const all = once(worker, 'message');
    const clients = [];
    for (let index = 0; index < 8; index += 1) {
      const ws = new WebSocket(`ws://127.0.0.1:${port}`);
      t.after(() => ws.terminate());
      await once(ws, 'open');
      // The one that is blocked.
      if (index % 4 === 0) ws.pause();
      ws.on('message', (data) => ws.send(data));
      clients.push(ws);
    }
    await all;
    for (const ws of clients.filter((_, index) => index % 4 === 3)) for (let count = 0; count < 100; count += 1) ws.send('on');
    const ends = clients.map(closed);
    await worker.terminate();
    for (const ws of clients) ws.resume();
    for (const end of ends) assert.deepEqual(await end, [1006, '']);
  }
});

const BOTH = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { WebSocket, WebSocketServer } = require(workerData.main);
  const { border } = require(workerData.border);
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  let steps = 0;
  const step = () => parentPort.postMessage({ steps: (steps += 1), plane: border.hub.inLoop ? 'loop' : 'threads' });
  wss.on('connection', (ws) => {
    step();
    ws.on('message', (data) => ws.send(data));
    ws.on('close', step);
  });
  const dial = () => {
    const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port);
    ws.on('open', () => {
      step();
      ws.send(Buffer.alloc(100_000));
    });
    ws.on('message', () => {
      step();
      if (steps % 3 === 0) ws.close();
      else ws.send('again');
    });
    ws.on('close', dial);
    ws.on('error', () => {});
  };
  wss.on('listening', () => { for (let index = 0; index < 8; index += 1) dial(); });
`;

plain('a worker has a loop of its own, and can be terminated at any moment of its servers and clients', async () => {
  const workerData = { main: path.join(root, 'dist/index.js'), border: path.join(root, 'dist/border.js') };
  const wanted = process.env.ITODEN_DATA_PLANE === 'threads' || process.platform === 'win32' ? 'threads' : 'loop';
  const ends = async (most) => {
    const worker = new Worker(BOTH, { eval: true, workerData });
    const planes = new Set();
    await new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', ({ steps, plane }) => {
        planes.add(plane);
        if (steps >= most) resolve();
      });
    });
    assert.equal(await worker.terminate(), 1);
    assert.deepEqual([...planes], [wanted]);
  };
  // Three at once, each ended in the midst of something else.
  for (let most = 1; most < 60; most += 9) await Promise.all([ends(most), ends(most + 3), ends(most + 6)]);
});
