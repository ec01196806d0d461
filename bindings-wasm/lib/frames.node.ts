/**
 * itoden-wasm/frames: frames only, for who needs neither messages nor the closing handshake.
 *
 * In Node and Deno the module is read from the package's own file, when it is first used.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { codec, Has } from './module.js';

codec.offer(Has.frames, { sourceNow: () => readFileSync(new URL('./frames.wasm', import.meta.url)) });

export * from './frames.js';
export { default } from './frames.js';
