/**
 * itoden-wasm/handshake, with its module at hand.
 *
 * @module
 */

import module from './handshake.wasm';
import { handshakes } from './handshake.js';

handshakes.sourceNow ??= () => module;

export * from './handshake.js';
export { default } from './handshake.js';
