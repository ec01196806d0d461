// What the README promises, done by its very code: a client and a server in ten lines over a raw stream of bytes, with types.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { consumer, readmeBlocks, tenLines, tenLinesModule } from './packed.mjs';

const run = promisify(execFile);
const tsc = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(/package\.json$/, 'bin/tsc');

let project;

before(() => {
  project = consumer();
});

after(() => project?.remove());

const next = (target, name) => new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

test('a client and a server are ten lines', () => {
  const lines = tenLines.split('\n').filter((line) => line.trim());
  assert.ok(lines.length <= 10, `they are ${lines.length} lines`);
  assert.match(tenLines, /async function client[^]*async function server/);
});

test('they talk over TCP, and close cleanly', { timeout: 60_000 }, async () => {
  const { client, server } = await import(pathToFileURL(project.write('ten-lines.js', tenLinesModule())));
  const listener = net.createServer();
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(listener, 'connection').then(([socket]) => server(Duplex.toWeb(socket)));
  const near = await client(Duplex.toWeb(net.connect(listener.address().port, '127.0.0.1')));
  await next(near, 'open');
  for (const message of ['Hello', 'wörld', 'x'.repeat(1_000_000)]) {
    near.send(message);
    assert.equal((await next(near, 'message')).data, message);
  }
  const closes = [near, await accepted].map((session) => next(session, 'close'));
  near.close(1000, 'done');
  for (const { code, reason, wasClean } of await Promise.all(closes)) assert.deepEqual([code, reason, wasClean], [1000, 'done', true]);
  listener.close();
});

// What hosts call their sockets, in the types of each; a session is what a function for a browser's WebSocket takes.
const USES = `
import { client, server } from './ten-lines.js';
declare const cloudflare: { readonly readable: ReadableStream<any>; readonly writable: WritableStream<any>; close(): Promise<void> };
declare const deno: { readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>; readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>; readonly rid: number };
declare const tunnel: TransformStream<Uint8Array, Uint8Array>;
export async function use(): Promise<number> {
  const session = await client(cloudflare);
  await server(deno);
  await server(tunnel);
  session.onmessage = ({ data }) => session.send(data as ArrayBuffer);
  session.addEventListener('close', () => undefined);
  session.onclose = ({ code, wasClean }) => void (wasClean && code.toFixed());
  // @ts-expect-error numbers are no messages
  session.send(1);
  // @ts-expect-error a host name is no transport
  await client('example.com');
  return session.bufferedAmount;
}
`;

for (const [place, lib] of [['a page', 'dom'], ['a worker', 'webworker']]) {
  for (const module of ['nodenext', 'esnext']) {
    test(`they have types in ${place}, modules ${module}`, async () => {
      project.write('ten-lines.ts', tenLines);
      project.write('uses.ts', USES);
      project.write('decides.ts', `import { acceptOver } from 'itoden-wasm/handshake';\nimport { WebSocketSession } from 'itoden-wasm/deflate';\ndeclare const socket: import('itoden-wasm').RawTransport;\n${readmeBlocks('Sessions')[0].code}`);
      const options = {
        strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, skipLibCheck: false, types: [],
        target: 'es2022', lib: ['es2022', 'esnext.disposable', lib], module, moduleResolution: module === 'esnext' ? 'bundler' : module,
      };
      project.write('tsconfig.json', JSON.stringify({ compilerOptions: options, files: ['uses.ts', 'decides.ts'] }));
      await run(process.execPath, [tsc, '-p', project.home]).catch(({ stdout }) => assert.fail(stdout));
    });
  }
}

test('its frames are those of RFC 6455 §5.7', async () => {
  project.write('frames.mjs', readmeBlocks('Frames')[0].code);
  const { stdout } = await run(process.execPath, [join(project.home, 'frames.mjs')]);
  assert.match(stdout, /^text true [^]*Uint8Array\(5\) \[\s*72, 101, 108, 108, 111\s*\]\s*$/);
});

test('what it shows as a decision refuses foreigners, and agrees with friends', async () => {
  const body = readmeBlocks('Sessions')[0].code;
  const module = `import { WebSocketSession } from 'itoden-wasm/deflate';\nimport { acceptOver } from 'itoden-wasm/handshake';\nexport async function decide(socket) {\n${body}\nreturn open;\n}\nexport { connectOver } from 'itoden-wasm/handshake';`;
  const { decide, connectOver } = await import(pathToFileURL(project.write('decides.js', module)));
  const ask = async (origin) => {
    const [there, back] = [new TransformStream(), new TransformStream()];
    const answered = decide({ readable: there.readable, writable: back.writable });
    const options = { host: 'example.com', subprotocols: ['chat'], deflate: true, headers: [['Origin', origin]] };
    const asked = connectOver({ readable: back.readable, writable: there.writable }, options);
    return Promise.allSettled([asked, answered]);
  };
  const [friend] = await ask('https://example.com');
  assert.deepEqual([friend.value?.subprotocol, friend.value?.extensions], ['chat', 'permessage-deflate']);
  const [foreigner, refused] = await ask('https://example.net');
  assert.match(foreigner.reason.message, /403/);
  assert.equal(refused.value, null);
});
