/**
 * itoden-wasm/deflate: the same with permessage-deflate (RFC 7692).
 *
 * @module
 */

import { codec, Has } from './module.js';
import type { ModuleSource } from './module.js';

codec.offer(Has.compression, { source: () => new URL('./deflate.wasm', import.meta.url) });

/**
 * Loads the WebAssembly module, which everything else here needs. Without an argument it is fetched from beside this file.
 * Calling it again is harmless: the first call counts. After a failure it can be called again.
 */
export default function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  return codec.load(source, Has.compression);
}

/**
 * Loads it at once, from its bytes or a compiled module, as some hosts import it. Browsers may refuse this on a page's
 * main thread, not in workers. Calling it again is harmless.
 */
export function initSync(source?: BufferSource | WebAssembly.Module): void {
  codec.loadSync(source, Has.compression);
}

export { Connection } from './connection.js';
export type { ConnectionOptions, FragmentOptions, MessageOptions, ReadyState } from './connection.js';
export type { ConnectionEvent, FailureCause } from './events.js';
export { FrameDecoder } from './decoder.js';
export type { FrameDecoderOptions, ReceiverRole } from './decoder.js';
export { FrameEncoder } from './encoder.js';
export type { DataFrameOptions, MaskingOptions, Role } from './encoder.js';
export { ProtocolError, SendError } from './errors.js';
export type { Frame, FrameObject, OpcodeName } from './frame.js';
export { Inspector } from './inspector.js';
export type { Inspection, InspectorOptions } from './inspector.js';
export type { ModuleSource } from './module.js';
export type { Transport } from './engine.js';
export type { RawTransport } from './over.js';
export { WebSocketSession } from './session.js';
export type { SessionOptions } from './session.js';
export { WebSocketSessionStream } from './session-stream.js';
export type { CloseInfo, OpenedSession } from './session-stream.js';
export { FrameDecoderStream, FrameEncoderStream, MessageDecoderStream, MessageEncoderStream } from './streams.js';
export type { FrameInit, MessageDecoderStreamOptions } from './streams.js';
