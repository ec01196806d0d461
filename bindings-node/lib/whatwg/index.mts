// import { WebSocket } from 'itoden/whatwg'.

export { CloseEvent, WebSocket, WebSocketError, WebSocketStream } from './index.js';
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
export { WebSocket as default } from './index.js';
