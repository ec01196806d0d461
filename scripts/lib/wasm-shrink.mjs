// Makes a module of bindings-wasm small: what only a panic would use is taken out.
//
// The panic handler of bindings-wasm is a trap, but rustc keeps what leads to it: functions that put sentences together,
// the sentences, and where in the sources each would be said. Taking them out changes nothing but the stack trace of a
// trap, which no test of the packages may meet. `wasm-data.mjs` finds what of the data nobody needs then.

import binaryen from 'binaryen';
import { gzipSync } from 'node:zlib';
import { clear, pieces, unused, withoutRelocations } from './wasm-data.mjs';

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
const strategies = /algorithm\d+(stored\d+deflate_stored|huff\d+deflate_huff|rle\d+deflate_rle)/;

/**
 * @param {Uint8Array} bytes a module with names and relocations, as cargo leaves it
 * @param {{ sentences: boolean }} options whether the module makes sentences with `core::fmt` itself
 * @returns {Uint8Array}
 */
export function shrink(bytes, { sentences }) {
  const module = binaryen.readBinary(withoutRelocations(bytes));
  module.setFeatures(features);
  const taken = [];
  for (let index = 0; index < module.getNumFunctions(); index += 1) {
    const info = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
    if (info.module === '' && (panics.test(info.name) || checksums.test(info.name) || strategies.test(info.name) || (!sentences && formats.test(info.name)))) taken.push(info);
  }
  if (taken.length === 0) throw new Error('the module has no names, so what panics can not be told');
  for (const { name, params, results } of taken) {
    module.removeFunction(name);
    module.addFunction(name, params, results, [], module.unreachable());
  }
  module.runPasses(['strip-debug', 'strip-dwarf', 'strip-producers', 'strip-target-features']);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  // Nothing but the far end of the stack lies below 1024, so that an address and an offset are one number.
  binaryen.setLowMemoryUnused(true);
  // Measured: what is moved into its callers beyond this comes out larger, and so does less.
  binaryen.setAlwaysInlineMaxSize(5);
  binaryen.setOneCallerInlineMaxSize(80);
  // The flow of each function is put together anew, which comes out shorter than rustc's.
  module.runPasses(['flatten', 'rereloop']);
  // What one round leaves unused, the next takes out.
  for (let round = 0; round < 3; round += 1) module.optimize();
  const left = binaryen.readBinary(clear(module.emitBinary(), unused(pieces(bytes), module.emitText())));
  module.dispose();
  left.setFeatures(features);
  left.runPasses(['memory-packing']);
  if (!left.validate()) throw new Error('the shrunk module is not valid');
  const shrunk = left.emitBinary();
  left.dispose();
  return shrunk;
}

/** @param {Uint8Array} bytes */
export const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
