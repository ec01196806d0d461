// In a host whose TextDecoder knows UTF-8 alone, text is made strings of all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from 'itoden-wasm';

test('text of any script without a decoder of UTF-16', (context) => {
  const asked = [];
  context.mock.method(globalThis, 'TextDecoder', function TextDecoder(label) {
    asked.push(label);
    throw new RangeError(`${label} is not supported`);
  });
  const [client, server] = [new Connection('client'), new Connection('server')];
  for (const text of ['Привет 你好 🎈 hello '.repeat(3000), 'é'.repeat(30), 'Привет']) {
    client.sendText(text);
    assert.deepEqual(server.receive(client.takeOutput()), [{ type: 'text', text }]);
  }
  assert.deepEqual(asked, ['utf-16le']);
});
