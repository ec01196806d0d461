// Makes a module of bindings-wasm small: what only a panic would use is taken out.
//
// The panic handler of bindings-wasm is a trap, but rustc keeps what leads to it: functions that put sentences together,
// the sentences, and where in the sources each would be said. Taking them out changes nothing but the stack trace of a
// trap, which no test of the packages may meet.

import binaryen from 'binaryen';
import { gzipSync } from 'node:zlib';

/** What every browser of the last years has, and what rustc takes for granted for this target. */
const { Features } = binaryen;
const features =
  Features.BulkMemory | Features.BulkMemoryOpt | Features.Multivalue | Features.MutableGlobals |
  Features.NontrappingFPToInt | Features.ReferenceTypes | Features.SignExt;

/** Functions that begin a panic, under both of rustc's manglings. */
const panics = /core9panicking|core6option1[34](unwrap|expect)_failed|core6result13unwrap_failed|rust_begin_unwind|slice_index_fail|slice_error_fail|len_mismatch_fail|panic_already|5alloc7raw_vec(12handle_error|17capacity_overflow)|handle_alloc_error|rust_oom|rdl_oom|alloc_error_handler/;

/** Those of `core::fmt`, which a module without sentences reaches only by panics. */
const formats = /core3fmt|3fmt(B\w*_|17h[0-9a-f]{16}E)$/;

/** Checksums of zlib's and gzip's streams: those of WebSocket have none (RFC 7692 §7.2). */
const checksums = /7zlib_rs(5crc32|7adler32)/;

/**
 * How zlib deflates at level 0 and by strategies that nobody asks for: the core knows the default strategy alone, and
 * lib/connection.ts refuses level 0.
 */
const unused = /algorithm\d+(stored\d+deflate_stored|huff\d+deflate_huff|rle\d+deflate_rle)/;

/** Where a panic would be said to be, and what it would say. */
const paths = /(?:\/rustc\/|\/[^\0]*\/registry\/|core\/src\/|bindings-wasm\/src\/)[^\0]*?\.rs(?=\0)/g;
const sentences = [
  /internal error: entered unreachable code(?:: [ -~]*)?/g,
  /called `Option::unwrap\(\)` on a `None` value/g,
  /(?:assertion failed: |RefCell already |memory allocation of )[ -~]*/g,
  /capacity overflow|mid > len|division by zero/g,
];

/** @param {Uint8Array} bytes @param {number} at @returns {[value: number, next: number]} */
function leb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, at];
  }
}

/**
 * The data segments of a module: the address and the place in the file of each.
 * @param {Uint8Array} bytes
 */
function segments(bytes) {
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at];
    const [length, body] = leb(bytes, at + 1);
    if (id === 11) {
      const found = [];
      let [count, next] = leb(bytes, body);
      for (; count > 0; count -= 1) {
        const [kind, afterKind] = leb(bytes, next);
        if (kind !== 0 || bytes[afterKind] !== 0x41) throw new Error('a data segment is not at a fixed address');
        const [address, afterAddress] = leb(bytes, afterKind + 1);
        const [size, start] = leb(bytes, afterAddress + 1);
        found.push({ address, start, end: start + size });
        next = start + size;
      }
      return found;
    }
    at = body + length;
  }
  return [];
}

/**
 * Whether 256 words are a table of a cyclic redundancy check: then the word of `a ^ b` is that of `a` and that of `b`.
 * @param {DataView} view
 * @param {number} at
 */
function isChecksumTable(view, at) {
  const word = (/** @type {number} */ index) => view.getUint32(at + index * 4, true);
  if (word(0) !== 0 || word(1) === 0 || word(128) === 0) return false;
  for (let index = 3; index < 256; index += 1) {
    const lowest = index & -index;
    if (word(index) !== (word(lowest) ^ word(index ^ lowest)) >>> 0) return false;
  }
  return true;
}

/**
 * Clears what panics would say and where, and the tables of checksums; cleared bytes cost nothing. A place in the sources is four words: address and
 * length of the path, line and column.
 * @param {Uint8Array} bytes
 */
function clearSentences(bytes) {
  const module = Buffer.from(bytes);
  const view = new DataView(module.buffer, module.byteOffset, module.length);
  for (const { address, start, end } of segments(module)) {
    const text = module.toString('latin1', start, end);
    /** @type {Map<number, number>} */
    const lengths = new Map();
    for (const { index, 0: path } of text.matchAll(paths)) {
      lengths.set(address + index, path.length);
      module.fill(0, start + index, start + index + path.length);
    }
    for (const { index, 0: sentence } of sentences.flatMap((pattern) => [...text.matchAll(pattern)])) {
      module.fill(0, start + index, start + index + sentence.length);
    }
    for (let at = start + ((4 - (address % 4)) % 4); at + 16 <= end; at += 4) {
      if (at + 1024 <= end && isChecksumTable(view, at)) module.fill(0, at, at + 1024);
      const length = lengths.get(view.getUint32(at, true));
      if (length !== undefined && length === view.getUint32(at + 4, true)) module.fill(0, at, at + 16);
    }
  }
  return module;
}

/**
 * @param {Uint8Array} bytes a module with names, as cargo leaves it
 * @param {{ sentences: boolean }} options whether the module makes sentences with `core::fmt` itself
 * @returns {Uint8Array}
 */
export function shrink(bytes, { sentences }) {
  const module = binaryen.readBinary(clearSentences(bytes));
  module.setFeatures(features);
  const taken = [];
  for (let index = 0; index < module.getNumFunctions(); index += 1) {
    const info = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
    if (info.module === '' && (panics.test(info.name) || checksums.test(info.name) || unused.test(info.name) || (!sentences && formats.test(info.name)))) taken.push(info);
  }
  if (taken.length === 0) throw new Error('the module has no names, so what panics can not be told');
  for (const { name, params, results } of taken) {
    module.removeFunction(name);
    module.addFunction(name, params, results, [], module.unreachable());
  }
  module.runPasses(['strip-debug', 'strip-dwarf', 'strip-producers', 'strip-target-features']);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  // The flow of each function is put together anew, which comes out shorter than rustc's.
  module.runPasses(['flatten', 'rereloop']);
  // What one round leaves unused, the next takes out.
  for (let round = 0; round < 3; round += 1) module.optimize();
  if (!module.validate()) throw new Error('the shrunk module is not valid');
  const shrunk = module.emitBinary();
  module.dispose();
  return shrunk;
}

/** @param {Uint8Array} bytes */
export const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
