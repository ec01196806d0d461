// Text comes out as it was sent, by whichever way it is made a string: see lib/events.ts and src/text.rs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from 'itoden-wasm';

const [client, server] = [new Connection('client'), new Connection('server')];

/** What a server makes of a client's message, cut into chunks of `size` bytes. */
function received(text, size = Infinity) {
  client.sendText(text);
  const bytes = client.takeOutput();
  const events = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...server.receive(bytes.slice(at, at + size)));
  assert.deepEqual(events.map(({ type }) => type), ['text']);
  return events[0].text;
}

const characters = { ASCII: 'a', 'Latin-1': 'é', Cyrillic: 'П', Chinese: '你', emoji: '🎈', 'a byte order mark': '\ufeff' };

for (const [name, character] of Object.entries(characters)) {
  test(`text of every length, all of it ${name} or the end of it`, () => {
    for (let count = 0; count <= 140; count += 1) {
      assert.equal(received(character.repeat(count)), character.repeat(count));
      const mixed = 'abcdefghijklmnopqrstuvwxyz'.repeat(5).slice(0, count) + character;
      assert.equal(received(mixed), mixed);
      assert.equal(received(mixed, 7), mixed);
    }
  });

  test(`long text with ${name}, wherever it is taken in pieces`, () => {
    for (let shift = 0; shift < 5; shift += 1) {
      const text = 'x'.repeat(shift) + character.repeat(70_000);
      assert.ok(received(text) === text);
      assert.ok(received(text, 60_000) === text);
    }
  });
}

test('text that is Latin-1 first and then is not', () => {
  const text = 'é'.repeat(30_000) + 'Привет 你好 🎈 hello '.repeat(3000) + 'é'.repeat(40_000);
  assert.ok(received(text) === text);
});

test('long text that a server sends, whether it is ASCII as it looks or not', () => {
  for (const text of ['x'.repeat(50_000), `${'x'.repeat(50_000)}é`, `${'x'.repeat(20_000)}🎈${'x'.repeat(20_001)}`, 'é'.repeat(30_000), `\ud800${'x'.repeat(40_000)}\udc00`]) {
    server.sendText(text);
    const [event] = client.receive(server.takeOutput());
    assert.ok(event.text === text.toWellFormed());
  }
});
