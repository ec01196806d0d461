// Does memory grow? Connections that open and close, and long traffic, over both drivers.
//
//   npm run soak [-- SHARE]       after npm run build; SHARE 1 is everything (default; some minutes), 0.1 a tenth of it
//
// Each driver runs in a process of its own, with both ends in it. Memory is measured after a collection, at checkpoints.
// It grows if the most of the last third of the checkpoints is clearly more than ever before in that phase, since an allocator
// keeps more at one time than at another: then the exit code is 1. Smaller leaks show with a SHARE above 1.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { fileURLToPath } from 'node:url';

const DRIVERS = ['native', 'stream'];
const CYCLES = 10_000;
/** An hour of 2000 messages a second, each of which comes and goes back. */
const MESSAGES = 7_200_000;
const CHECKPOINTS = 9;
const PARALLEL = 20;
/** Payloads of the traffic, by turns: mostly small ones, as in life; every 500th is large. */
const SIZES = [20, 64, 64, 200, 64, 1000, 64, 20, 4000, 64];
const LARGE = 300_000;
/** Megabytes that these two may differ by. */
const NOISE = { rss: 6, heap: 1, external: 2 };

/** glibc fills an arena for each thread, one after the other, which looks like growth for the first 20,000 cycles. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1' };

const MB = 1 << 20;

function measure() {
  // Twice: finalizers of the first collection free what the second one counts.
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss: rss / MB, heap: heapUsed / MB, external: external / MB };
}

async function start(driver) {
  const { WebSocket, WebSocketServer } = await import('itoden');
  const server = driver === 'native' ? undefined : http.createServer().listen(0, '127.0.0.1');
  const wss = new WebSocketServer(server ? { server } : { port: 0, host: '127.0.0.1' });
  wss.on('connection', (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary })));
  await once(wss, 'listening');
  const connect = async () => {
    const ws = new WebSocket(`ws://127.0.0.1:${wss.address().port}`, { transport: driver });
    await once(ws, 'open');
    return ws;
  };
  const stop = () => {
    wss.close();
    server?.close();
  };
  return { connect, stop };
}

/** Opens and closes `count` connections, in all the ways there are. */
async function cycle(connect, count) {
  let left = count;
  const chain = async () => {
    while (left > 0) {
      const kind = (left -= 1) % 3;
      const ws = await connect();
      const end = once(ws, 'close');
      if (kind === 0) ws.close(1000, 'done');
      else if (kind === 1) ws.terminate();
      else {
        ws.send('x');
        await once(ws, 'message');
        ws.close();
      }
      await end;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, chain));
}

/** Sends `count` messages over a few connections, 16 in flight on each, and takes their echoes. */
async function traffic(sockets, count) {
  let [sent, received] = [0, 0];
  const next = (ws) => {
    if (sent === count) return;
    sent += 1;
    const size = sent % 500 === 0 ? LARGE : SIZES[sent % SIZES.length];
    ws.send(sent % 2 ? Buffer.alloc(size, 1) : 'x'.repeat(size));
  };
  await new Promise((resolve) => {
    for (const ws of sockets) {
      ws.removeAllListeners('message');
      ws.on('message', () => {
        received += 1;
        if (received === count) resolve();
        else next(ws);
      });
      for (let index = 0; index < 16; index += 1) next(ws);
    }
  });
}

async function soak(driver, share) {
  const { connect, stop } = await start(driver);
  const rows = [];
  const phase = async (name, amount, step) => {
    const each = Math.ceil((amount * share) / CHECKPOINTS);
    // Code is compiled, buffers find their sizes.
    await step(each);
    for (let done = 1; done <= CHECKPOINTS; done += 1) {
      await step(each);
      rows.push({ name, done: done * each, ...measure() });
    }
  };
  await phase('open-close cycles', CYCLES, (count) => cycle(connect, count));
  const sockets = await Promise.all(Array.from({ length: 8 }, connect));
  await phase('messages', MESSAGES, (count) => traffic(sockets, count));
  for (const ws of sockets) ws.close();
  stop();
  process.send(rows);
  process.disconnect();
}

/** What is more in the last third than before it. */
function growth(rows) {
  const early = (2 * rows.length) / 3;
  return Object.keys(NOISE).flatMap((what) => {
    const [before, after] = [rows.slice(0, early), rows.slice(early)].map((part) => Math.max(...part.map((row) => row[what])));
    return after - before > NOISE[what] ? [`${what} from ${before.toFixed(1)} to ${after.toFixed(1)} MB`] : [];
  });
}

async function main(share) {
  let grown = false;
  console.log('| driver | after | resident MB | JavaScript heap MB | external MB |\n|---|---|---:|---:|---:|');
  for (const driver of DRIVERS) {
    const child = fork(fileURLToPath(import.meta.url), [driver, String(share)], { execArgv: ['--expose-gc'], env: { ...process.env, ...ALLOCATOR } });
    let rows;
    child.once('message', (told) => (rows = told));
    const [code, signal] = await once(child, 'exit');
    if (!rows) throw new Error(`the process of the driver ${driver} ended early, with ${signal ?? `exit code ${code}`}`);
    const verdicts = [];
    for (const name of new Set(rows.map((row) => row.name))) {
      const part = rows.filter((row) => row.name === name);
      for (const row of [part[0], part[4], part[8]]) {
        const figures = [row.rss, row.heap, row.external].map((value) => value.toFixed(1)).join(' | ');
        console.log(`| ${driver} | ${row.done.toLocaleString('en')} ${name} | ${figures} |`);
      }
      verdicts.push(...growth(part).map((text) => `${driver}, ${name}: ${text}`));
    }
    for (const text of verdicts) console.error(`GROWS: ${text}`);
    grown ||= verdicts.length > 0;
  }
  process.exitCode = grown ? 1 : 0;
}

const [first = '1', second] = process.argv.slice(2);
if (DRIVERS.includes(first)) await soak(first, Number(second));
else if (Number(first) > 0) await main(Number(first));
else throw new TypeError(`the share of the soak is ${first}; it must be a number above 0, as 0.1`);
