// require('itoden/whatwg'): the WebSocket of the standard.

export type { WebSocketCloseInfo } from './close-info.js';
export { CloseEvent, type CloseEventInit, type EventHandler } from './events.js';
export type { NodeOptions, WebSocketInit } from './protocols.js';
export { type ClosedInfo, type WebSocketOpenInfo, WebSocketStream, type WebSocketStreamOptions } from './stream.js';
export type { Chunk } from './stream-pair.js';
export { type BinaryType, WebSocket, type WebSocketData, type WebSocketEventMap } from './websocket.js';
export { WebSocketError } from './websocket-error.js';
