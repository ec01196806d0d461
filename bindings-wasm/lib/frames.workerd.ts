/**
 * itoden-wasm/frames: frames only, for who needs neither messages nor the closing handshake.
 *
 * Where modules of WebAssembly can be imported, the module is there from the beginning.
 *
 * @module
 */

import module from './frames.wasm';
import { codec, Has } from './module.js';

codec.offer(Has.frames, { sourceNow: () => module });

export * from './frames.js';
export { default } from './frames.js';
