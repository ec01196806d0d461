// Loading. Each test has a worker of its own, since a module is loaded once a thread.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const dist = new URL('../dist/', import.meta.url);

/** Runs the body of an async function in a fresh thread; what it returns. @param {string} body */
function inWorker(body, entry = 'node.js') {
  const source = `
    import { parentPort } from 'node:worker_threads';
    import { readFileSync } from 'node:fs';
    import init, { initSync, Connection, FrameDecoder, FrameEncoder } from '${new URL(entry, dist)}';
    const file = new URL('${new URL('codec.wasm', dist)}');
    const works = () => new FrameEncoder('server').encodeText('Hello').length === 7;
    const failure = async (action) => { try { await action(); } catch (error) { return error.message; } };
    parentPort.postMessage(await (async () => { ${body} })());`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', () => reject(new Error('the worker ended without a message')));
  });
}

const NOT_LOADED = 'itoden-wasm is not loaded yet: first `await init()`, or call `initSync(module)`';

test('a class that is used before the module is loaded says what to do', async () => {
  const messages = await inWorker(`return [
    await failure(() => new FrameEncoder('client')),
    await failure(() => new FrameDecoder('any')),
    await failure(() => new Connection('server')),
  ];`, 'index.js');
  assert.deepEqual(messages, [NOT_LOADED, NOT_LOADED, NOT_LOADED]);
});

test('in Node the module is there without being asked for', async () => {
  assert.equal(await inWorker('return works();'), true);
});

test('init reads the file beside the package in Node', async () => {
  assert.equal(await inWorker('await init(); return works();'), true);
});

test('init again, at once or later, is harmless, and what was made before goes on', async () => {
  const result = await inWorker(`
    const loading = init();
    let bring;
    const slow = new ReadableStream({
      start(controller) {
        bring = (bytes) => (controller.enqueue(bytes), controller.close());
      },
    });
    const second = init(new Response(slow, { headers: { 'Content-Type': 'application/wasm' } }));
    await loading;
    const decoder = new FrameDecoder('client');
    decoder.push(Uint8Array.of(0x81, 2, 0x61));
    bring(readFileSync(file));
    await second;
    await init();
    initSync();
    initSync(readFileSync(file));
    return decoder.push(Uint8Array.of(0x62)).map(({ payload }) => [...payload]);`);
  assert.deepEqual(result, [[0x61, 0x62]]);
});

for (const entry of ['node.js', 'index.js']) {
  test(`init takes bytes, a module, a response and a promise of one (${entry})`, async () => {
    for (const source of [
      'readFileSync(file)',
      'new Uint8Array(readFileSync(file)).buffer',
      'new WebAssembly.Module(readFileSync(file))',
      "new Response(readFileSync(file), { headers: { 'Content-Type': 'application/wasm' } })",
      'Promise.resolve(readFileSync(file))',
    ]) {
      assert.equal(await inWorker(`await init(${source}); return works();`, entry), true, source);
    }
  });

  test(`initSync takes bytes and a module (${entry})`, async () => {
    for (const source of ['readFileSync(file)', 'new WebAssembly.Module(readFileSync(file))']) {
      assert.equal(await inWorker(`initSync(${source}); return works();`, entry), true, source);
    }
  });
}

test('initSync reads the file in Node', async () => {
  assert.equal(await inWorker('initSync(); return works();'), true);
});

test('a load that failed says why and can be tried again', async () => {
  const [wrong, missing, sync, works] = await inWorker(`return [
    await failure(() => init(new Uint8Array(8))),
    await failure(() => init(Promise.reject(new Error('no such file')))),
    await failure(() => initSync(new Uint8Array(8))),
    (await init(), works()),
  ];`);
  assert.match(wrong, /^itoden-wasm could not load its WebAssembly module: .*magic/);
  assert.equal(missing, 'itoden-wasm could not load its WebAssembly module: no such file');
  assert.match(sync, /^itoden-wasm could not load its WebAssembly module: .*magic/);
  assert.equal(works, true);
});

test('initSync while init is under way is refused, since two modules would mix', async () => {
  const [message, works] = await inWorker(`
    const loading = init();
    const message = await failure(() => initSync());
    await loading;
    return [message, works()];`);
  assert.equal(message, 'itoden-wasm is loading already: await the promise of init() instead of calling initSync()');
  assert.equal(works, true);
});

test('frames decoded in a worker thread can be posted out of it', async () => {
  const [frame] = await inWorker(`
    await init();
    const bytes = Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58);
    return new FrameDecoder('server').push(bytes).map((frame) => frame.toObject());`);
  assert.equal(frame.opcodeName, 'text');
  assert.equal(Buffer.from(frame.payload).toString(), 'Hello');
  assert.equal(Buffer.from(frame.maskedPayload).toString('hex'), '7f9f4d5158');
});

test('an entry that has more is loaded for all who came before, and what they made goes on', async () => {
  const [before, more, after] = await inWorker(`
    const extensions = 'permessage-deflate';
    const decoder = new FrameDecoder('any');
    const before = await failure(() => new Connection('client', { extensions }));
    await import('${new URL('deflate.node.js', dist)}');
    const connection = new Connection('client', { extensions });
    return [before, connection.sendText('Hello'), decoder.push(new FrameEncoder('server').encodeText('Hello')).length];`);
  assert.match(before, /itoden-wasm\/deflate/);
  assert.equal(more, undefined);
  assert.equal(after, 1);
});

test('with one entry loaded, init of another that has more loads that too, and of one that has less nothing', async () => {
  const [less, more] = await inWorker(`
    const at = (name) => readFileSync(new URL(name, file));
    await init(at('codec.wasm'));
    const frames = await import('${new URL('frames.js', dist)}');
    await frames.default(at('frames.wasm'));
    const less = new Connection('client').readyState;
    const deflate = await import('${new URL('deflate.js', dist)}');
    await Promise.all([init(), deflate.default(at('deflate.wasm'))]);
    return [less, new Connection('client', { extensions: 'permessage-deflate' }).readyState];`, 'index.js');
  assert.deepEqual([less, more], ['open', 'open']);
});
