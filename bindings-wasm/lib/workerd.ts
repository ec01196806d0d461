/**
 * itoden-wasm: the WebSocket codec of RFC 6455 as WebAssembly, for pages, workers and everything else where bytes flow.
 *
 * Where modules of WebAssembly can be imported, the module is there from the beginning.
 *
 * @module
 */

import module from './codec.wasm';
import { codec, Has } from './module.js';

codec.offer(Has.connections, { sourceNow: () => module });

export * from './index.js';
export { default } from './index.js';
