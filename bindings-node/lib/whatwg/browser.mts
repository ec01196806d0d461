// import { WebSocket } from 'itoden/whatwg', in a browser: the platform's own, under the same names.

import type * as node from './index.js';

type Names = Pick<typeof node, 'CloseEvent' | 'WebSocket' | 'WebSocketError' | 'WebSocketStream'>;

/** A name that a browser has not is `undefined`: WebSocketStream and WebSocketError are Chromium's. */
export const { CloseEvent, WebSocket, WebSocketError, WebSocketStream } = globalThis as unknown as Names;
export type CloseEvent = node.CloseEvent;
export type WebSocket = node.WebSocket;
export type WebSocketError = node.WebSocketError;
export type WebSocketStream = node.WebSocketStream;
export type {
  BinaryType,
  Chunk,
  ClosedInfo,
  CloseEventInit,
  EventHandler,
  NodeOptions,
  WebSocketCloseInfo,
  WebSocketData,
  WebSocketEventMap,
  WebSocketInit,
  WebSocketOpenInfo,
  WebSocketStreamOptions,
} from './index.js';
export default WebSocket;
