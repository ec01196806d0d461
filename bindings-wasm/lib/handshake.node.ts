/**
 * itoden-wasm/handshake, with its module at hand.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { handshakes } from './handshake.js';
import { Has } from './module.js';

handshakes.offer(Has.frames, { sourceNow: () => readFileSync(new URL('./handshake.wasm', import.meta.url)) });

export * from './handshake.js';
export { default } from './handshake.js';
