// What each entry costs a page that loads it: its module, and what a bundler leaves of the JavaScript, both compressed as
// a server sends them. A figure here may fall; if it must rise, say why in the commit.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const dist = new URL('../dist/', import.meta.url);
const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** @param {string} entry @param {string} names what the page imports */
async function glue(entry, names) {
  const { outputFiles } = await build({
    stdin: { contents: `export { default, ${names} } from './${entry}.js'`, resolveDir: fileURLToPath(dist) },
    bundle: true, minify: true, format: 'esm', target: 'es2022', write: false,
  });
  return gzipped(outputFiles[0].contents);
}

const KB = 1000;

for (const [entry, module, names, most] of [
  ['frames', 'frames', 'FrameDecoder, FrameEncoder', 13 * KB],
  ['index', 'codec', 'Connection, FrameDecoder, FrameEncoder', 22.9 * KB],
  ['deflate', 'deflate', 'Connection, FrameDecoder, FrameEncoder', 49.4 * KB],
  ['handshake', 'handshake', 'ClientHandshake, ServerHandshake', 49.6 * KB],
]) {
  test(`${names} of ${entry} cost at most ${most} bytes`, async (context) => {
    const [wasm, javascript] = [gzipped(readFileSync(new URL(`${module}.wasm`, dist))), await glue(entry, names)];
    context.diagnostic(`${entry}: ${wasm} of WebAssembly and ${javascript} of JavaScript are ${wasm + javascript} bytes`);
    assert.ok(wasm + javascript <= most, `they are ${wasm} + ${javascript} = ${wasm + javascript} bytes`);
  });
}

test('what is not imported is left out: no session in a page that has none', async () => {
  const [without, all] = [await glue('index', 'FrameDecoder'), await glue('index', 'Connection, WebSocketSession, FrameDecoderStream')];
  assert.ok(without < all - 2 * KB, `${without} bytes of ${all}`);
});
