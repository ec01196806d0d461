// import { WebSocket, WebSocketServer } from 'itoden'; the default export is WebSocket, as in `ws`.

import WebSocket from './index.js';

const { WebSocketServer, Server, ItodenError, createWebSocketStream } = WebSocket;
type WebSocketServer = WebSocket.WebSocketServer;
type Server = WebSocket.Server;
type ItodenError = WebSocket.ItodenError;

export type {
  ClientOptions,
  CloseEvent,
  Data,
  ErrorEvent,
  Event,
  MessageEvent,
  RawData,
  SendOptions,
  ServerOptions,
  VerifyClientInfo,
} from './index.js';
export { createWebSocketStream, ItodenError, Server, WebSocket, WebSocketServer };
export default WebSocket;
