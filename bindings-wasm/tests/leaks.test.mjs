// Memory in the module is given back: by free(), at the end of a `using` block, and by the garbage collector.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Connection, FrameDecoder } from 'itoden-wasm/deflate';
import { codec } from '../dist/module.js';

const size = () => codec.get().exports.memory.buffer.byteLength;
/** A connection with a compressor, which takes some hundred kilobytes. */
const extensions = 'permessage-deflate';

function use(connection) {
  connection.sendText('a'.repeat(5000));
  connection.takeOutput();
  connection.receive(Uint8Array.of(0x82, 0x7e, 0x7f, 0xff, 1, 2, 3));
}

test('free() gives memory back: a thousand connections take no more than one', () => {
  const open = () => {
    const connection = new Connection('server', { extensions });
    use(connection);
    connection.free();
    const decoder = new FrameDecoder('client');
    decoder.push(Uint8Array.of(0x82, 0x7e, 0x7f, 0xff, 1, 2, 3));
    decoder.free();
  };
  open();
  const before = size();
  for (let count = 0; count < 1000; count += 1) open();
  assert.equal(size(), before);
});

test('Symbol.dispose is free()', { skip: Symbol.dispose === undefined && 'this Node has no Symbol.dispose' }, () => {
  const connection = new Connection('server', { extensions });
  connection[Symbol.dispose]();
  assert.throws(() => connection.takeOutput(), /free\(\) was called/);
  connection[Symbol.dispose]();
});

test('what is collected gives its memory back, and who chose keys too', { timeout: 60_000 }, async () => {
  const program = `
    import assert from 'node:assert/strict';
    import { Connection } from 'itoden-wasm/deflate';
    import { codec, keySources } from './dist/module.js';
    const size = () => codec.get().exports.memory.buffer.byteLength;
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    function open() {
      for (let count = 0; count < 20; count += 1) {
        const connection = new Connection('client', { extensions: 'permessage-deflate', maskingKey: () => new Uint8Array(4) });
        connection.sendText('a'.repeat(5000));
        connection.takeOutput();
      }
    }
    async function collected() {
      while (keySources.size > 0) { globalThis.gc(); await turn(); }
      // Both registries have been told then, in no order: another turn for the other.
      globalThis.gc();
      await turn();
    }
    open();
    assert.equal(keySources.size, 20);
    await collected();
    const before = size();
    for (let round = 0; round < 20; round += 1) { open(); await collected(); }
    // Twenty rounds would take twenty times as much; a collector may be a round late.
    assert.ok(size() <= 2 * before, before + ' bytes became ' + size());
    console.log('given back');`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], { cwd: new URL('..', import.meta.url) });
  assert.equal(stdout, 'given back\n');
});
