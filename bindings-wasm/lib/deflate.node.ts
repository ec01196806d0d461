/**
 * itoden-wasm/deflate: the same with permessage-deflate (RFC 7692).
 *
 * In Node and Deno the module is read from the package's own file, when it is first used.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { codec, Has } from './module.js';

codec.offer(Has.compression, { sourceNow: () => readFileSync(new URL('./deflate.wasm', import.meta.url)) });

export * from './deflate.js';
export { default } from './deflate.js';
