// A short run of the fuzzer; `node tests/fuzz.mjs --rounds N --seed N` is a longer one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection, FrameDecoder, Inspector, ProtocolError } from 'itoden-wasm/deflate';
import { codec } from '../dist/module.js';
import { expand, read } from './cases.mjs';
import { fuzz } from './fuzz.mjs';

test('random bytes, options and calls give declared errors only, and no trap', async () => {
  await fuzz({ rounds: 150, seed: 1 });
});

test('adversaries again and again are errors, and memory stays as it is', () => {
  const adversaries = read('adversaries.json').flatMap(({ connections: cases = [] }) => cases);
  assert.ok(adversaries.length > 0);
  const play = () => {
    for (const given of adversaries) {
      const connection = new Connection(given.role, given.extensions === undefined ? {} : { extensions: given.extensions });
      for (const chunk of given.chunks) connection.receive(expand(chunk));
      connection.free();
      const decoder = new FrameDecoder(given.role);
      const inspector = new Inspector();
      try {
        for (const chunk of given.chunks) decoder.push(expand(chunk));
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
      decoder.free();
      inspector.push(expand(given.chunks).subarray(0, 500));
      inspector.end();
    }
  };
  play();
  const before = codec.get().exports.memory.buffer.byteLength;
  for (let round = 0; round < 5; round += 1) play();
  assert.equal(codec.get().exports.memory.buffer.byteLength, before);
});
