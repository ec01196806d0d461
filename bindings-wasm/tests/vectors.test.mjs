// The shared vectors, which every binding runs: those over an open connection, without compression.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Connection, FrameDecoder } from 'itoden-wasm';
import { connections, run } from './cases.mjs';
import { unhex } from './support.mjs';

const files = connections
  .map(([file, cases]) => [file, cases.filter((entry) => !('extensions' in entry))])
  .filter(([, cases]) => cases.length > 0);

test('there are vectors', () => {
  const names = files.map(([file]) => file);
  assert.deepEqual(names.sort(), ['adversaries.json', 'close.json', 'frames.json', 'messages.json', 'send.json']);
});

test('RSV1 is refused, and extensions too, where there is no compression', () => {
  const [event] = new Connection('client').receive(unhex('c107f248cdc9c90700'));
  assert.equal(event.error.code, 'reserved_bits');
  assert.throws(() => new Connection('client', { extensions: 'permessage-deflate' }), {
    name: 'TypeError',
    message:
      "extensions is 'permessage-deflate', but must be what a server answers for permessage-deflate (RFC 7692 §7.1); " +
      'it is in the entry itoden-wasm/deflate',
  });
});

for (const [file, cases] of files) {
  describe(file, () => {
    for (const given of cases) test(given.name, () => run({ Connection, FrameDecoder }, given));
  });
}
