/**
 * itoden-wasm/handshake, with its module at hand.
 *
 * @module
 */

import module from './handshake.wasm';
import { handshakes } from './handshake.js';
import { Has } from './module.js';

handshakes.offer(Has.frames, { sourceNow: () => module });

export * from './handshake.js';
export { default } from './handshake.js';
