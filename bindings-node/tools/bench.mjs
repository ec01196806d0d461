// Echo servers side by side: CPU microseconds of the server's process for each message that comes and goes back.
//
//   npm run bench [-- SECONDS]         after npm run build
//
// Each server runs in a process of its own, the load comes from another one. Rounds are interleaved, and the median of
// three is printed: compare the lines of one run with each other, and with nothing else.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { fileURLToPath } from 'node:url';

const SERVERS = ['itoden native', 'itoden stream', 'ws'];
const LOADS = [
  { connections: 1, size: 64, inFlight: 1 },
  { connections: 64, size: 64, inFlight: 1 },
  { connections: 64, size: 64, inFlight: 16 },
  { connections: 16, size: 16 << 10, inFlight: 1 },
  { connections: 4, size: 1 << 20, inFlight: 1 },
];
const ROUNDS = 3;

async function serve(name) {
  const { WebSocketServer } = await import(name === 'ws' ? 'ws' : 'itoden');
  const server = name === 'itoden stream' ? http.createServer().listen(0, '127.0.0.1') : undefined;
  const wss = new WebSocketServer(server ? { server } : { port: 0, host: '127.0.0.1' });
  let count = 0;
  let began = process.cpuUsage();
  wss.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => {
      count += 1;
      ws.send(data, { binary: isBinary });
    });
  });
  process.on('message', (message) => {
    if (message === 'begin') {
      began = process.cpuUsage();
      count = 0;
    } else {
      const { user, system } = process.cpuUsage(began);
      process.send({ count, cpu: (user + system) / count });
    }
  });
  await once(wss, 'listening');
  process.send(wss.address().port);
}

async function load({ port, connections, size, inFlight }) {
  const { WebSocket } = await import('itoden');
  const payload = Buffer.alloc(size, 1);
  for (let index = 0; index < connections; index += 1) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(ws, 'open');
    ws.on('message', () => ws.send(payload));
    for (let sent = 0; sent < inFlight; sent += 1) ws.send(payload);
  }
  process.send('ready');
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const start = (...args) => fork(fileURLToPath(import.meta.url), args);

async function measure(name, shape, seconds) {
  const server = start('server', name);
  const [port] = await once(server, 'message');
  const generator = start('load', JSON.stringify({ port, ...shape }));
  await once(generator, 'message');
  await sleep(0.5);
  server.send('begin');
  await sleep(seconds);
  server.send('end');
  const [{ count, cpu }] = await once(server, 'message');
  generator.kill();
  server.kill();
  await Promise.all([once(generator, 'exit'), once(server, 'exit')]);
  return { cpu, rate: count / seconds };
}

async function main(seconds) {
  const name = ({ connections, size, inFlight }) => `${connections} x ${size} B, ${inFlight} in flight`;
  console.log('CPU µs per echoed message (messages per second)');
  for (const shape of LOADS) {
    const results = SERVERS.map(() => []);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, server] of SERVERS.entries()) results[index].push(await measure(server, shape, seconds));
    }
    const medians = results.map((all) => all.sort((a, b) => a.cpu - b.cpu)[Math.floor(ROUNDS / 2)]);
    const cells = medians.map(({ cpu, rate }, index) => `${SERVERS[index]} ${cpu.toFixed(2)} (${Math.round(rate)})`);
    console.log(`${name(shape).padEnd(30)} ${cells.join('   ')}`);
  }
}

const [role, argument] = process.argv.slice(2);
if (role === 'server') await serve(argument);
else if (role === 'load') await load(JSON.parse(argument));
else await main(Number(role ?? 2));
