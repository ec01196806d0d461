/**
 * itoden-wasm/deflate: the same with permessage-deflate (RFC 7692).
 *
 * Where modules of WebAssembly can be imported, the module is there from the beginning.
 *
 * @module
 */

import module from './deflate.wasm';
import { codec, Has } from './module.js';

codec.offer(Has.compression, { sourceNow: () => module });

export * from './deflate.js';
export { default } from './deflate.js';
