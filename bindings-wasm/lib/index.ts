/**
 * itoden-wasm: the WebSocket codec of RFC 6455 as WebAssembly, for pages, workers and everything else where bytes flow.
 *
 * @module
 */

import { loadOnce, loadOnceSync } from './module.js';
import type { ModuleSource } from './module.js';

/**
 * Loads the WebAssembly module; everything else here needs it. Without an argument it is fetched from beside this file.
 * Calling it again is harmless: the first call counts. After a failure it can be called again.
 */
export default function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  return loadOnce(() => source);
}

/**
 * Loads it at once, from its bytes or a compiled module, as some hosts import it. Browsers may refuse this on a page's
 * main thread, not in workers. Calling it again is harmless.
 */
export function initSync(source: BufferSource | WebAssembly.Module): void {
  loadOnceSync(() => source);
}

export { Connection } from './connection.js';
export type { ConnectionOptions, FragmentOptions, ReadyState } from './connection.js';
export { FrameDecoder } from './decoder.js';
export type { FrameDecoderOptions, ReceiverRole } from './decoder.js';
export { FrameEncoder } from './encoder.js';
export type { DataFrameOptions, MaskingOptions, Role } from './encoder.js';
export { ProtocolError, SendError } from './errors.js';
export type { ConnectionEvent, FailureCause } from './events.js';
export type { Frame, FrameObject, OpcodeName } from './frame.js';
export type { ModuleSource } from './module.js';
