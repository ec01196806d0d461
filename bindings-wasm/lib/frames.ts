/**
 * itoden-wasm/frames: frames only, for who needs neither messages nor the closing handshake.
 *
 * @module
 */

import { codec, Has } from './module.js';
import type { ModuleSource } from './module.js';

codec.offer(Has.frames, { source: () => new URL('./frames.wasm', import.meta.url) });

/**
 * Loads the WebAssembly module, which everything else here needs. Without an argument it is fetched from beside this file.
 * Calling it again is harmless: the first call counts. After a failure it can be called again.
 */
export default function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  return codec.load(source, Has.frames);
}

/**
 * Loads it at once, from its bytes or a compiled module, as some hosts import it. Browsers may refuse this on a page's
 * main thread, not in workers. Calling it again is harmless.
 */
export function initSync(source?: BufferSource | WebAssembly.Module): void {
  codec.loadSync(source, Has.frames);
}

export { FrameDecoder } from './decoder.js';
export type { FrameDecoderOptions, ReceiverRole } from './decoder.js';
export { FrameEncoder } from './encoder.js';
export type { DataFrameOptions, MaskingOptions, Role } from './encoder.js';
export { ProtocolError, SendError } from './errors.js';
export type { Frame, FrameObject, OpcodeName } from './frame.js';
export { Inspector } from './inspector.js';
export type { Inspection, InspectorOptions } from './inspector.js';
export type { ModuleSource } from './module.js';
