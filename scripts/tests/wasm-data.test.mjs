// Which data of a module is still used, on a module of four pieces that is put together here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clear, pieces, segments, unused, withoutRelocations } from '../lib/wasm-data.mjs';

const BASE = 0x10_0000;
const name = (/** @type {string} */ text) => [text.length, ...Buffer.from(text)];
/** @param {number} value in as many bytes as a relocation leaves room for */
const padded = (value) => [0, 7, 14, 21, 28].map((bits, index) => ((value >> bits) & 0x7f) | (index < 4 ? 0x80 : 0));
/** @param {number} id @param {number[]} body */
const section = (id, body) => [id, ...padded(body.length), ...body];
/** @param {string} text @param {number} offset @param {number} size */
const datum = (text, offset, size) => [1, 0, ...name(text), 0, offset, size];

/** Pieces of 4 bytes: `a`, `b` that refers to `c`, and `d`; code refers to `d` by a number 16 below it, if at all. */
function module() {
  const symbols = [...datum('a', 0, 4), ...datum('b', 4, 4), ...datum('c', 8, 4), ...datum('d', 12, 4), 0, 0, 0, ...name('f')];
  const table = [5, ...symbols];
  const bytes = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
  const head = [1, 0, 0x41, ...padded(BASE), 0x0b, bytes.length];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(11, [...head, ...bytes]),
    ...section(0, [...name('linking'), 2, 8, ...padded(table.length), ...table]),
    // R_WASM_MEMORY_ADDR_I32 at `b`; R_WASM_MEMORY_ADDR_SLEB with the addend -16.
    ...section(0, [...name('reloc.DATA'), 0, 1, 5, head.length + 4, 2, 0]),
    ...section(0, [...name('reloc.CODE'), 0, 1, 4, 0, 3, 0x70]),
    ...section(0, [...name('name')]),
  ]);
}

/** Which bytes are left for code of this text. @param {string} text */
function left(text) {
  const bytes = module();
  const cleared = clear(bytes, unused(pieces(bytes), text));
  const [{ address, start, end }] = segments(cleared);
  assert.equal(address, BASE);
  return [...cleared.subarray(start, end)].filter((_, index) => index % 4 === 0).join(' ');
}

test('a piece is used if code has its address, or what is used refers to it', () => {
  assert.equal(left(''), '0 0 0 0');
  assert.equal(left(`(i32.const ${BASE + 4})`), '0 2 3 0');
  assert.equal(left(`(i32.load offset=${BASE + 9} (local.get $0))`), '0 0 3 0');
  assert.equal(left(`(i32.const ${BASE + 3})`), '1 0 0 0');
});

test('a number beside a piece is its address too, if code had it before', () => {
  assert.equal(left(`(i32.const ${BASE + 16})`), '0 0 0 0');
  assert.equal(left(`(i32.const ${BASE - 4})`), '0 0 0 4');
});

test('what a module has as data is no code', () => {
  assert.equal(left(` (data $0 (i32.const ${BASE}) "\\01\\01")`), '0 0 0 0');
});

test('what the linker left is taken out, and nothing else', () => {
  const bytes = withoutRelocations(module());
  assert.throws(() => pieces(bytes), /was not linked with --emit-relocs/);
  const text = Buffer.from(bytes).toString('latin1');
  assert.deepEqual(['linking', 'reloc', 'name'].map((part) => text.includes(part)), [false, false, true]);
  assert.equal(segments(bytes).length, 1);
});
