/**
 * itoden-wasm: the WebSocket codec of RFC 6455 as WebAssembly, for pages, workers and everything else where bytes flow.
 *
 * In Node and Deno the module is read from the package's own file, when it is first used.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { codec, Has } from './module.js';

codec.offer(Has.connections, { sourceNow: () => readFileSync(new URL('./codec.wasm', import.meta.url)) });

export * from './index.js';
export { default } from './index.js';
