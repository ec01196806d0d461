// import { WebSocket, WebSocketServer } from 'itoden'; the default export is WebSocket, as in `ws`.

import type { IncomingMessage } from 'node:http';
import WebSocket from './index.js';

const { WebSocketServer, Server, ItodenError, PerMessageDeflate, createWebSocketStream, extension, subprotocol } = WebSocket;
type AnyWebSocket = NonNullable<WebSocket.ServerOptions['WebSocket']>;
type WebSocketServer<
  W extends AnyWebSocket = AnyWebSocket,
  R extends typeof IncomingMessage = typeof IncomingMessage,
> = WebSocket.WebSocketServer<W, R>;
type Server<
  W extends AnyWebSocket = AnyWebSocket,
  R extends typeof IncomingMessage = typeof IncomingMessage,
> = WebSocket.Server<W, R>;
type ItodenError = WebSocket.ItodenError;
type PerMessageDeflate = WebSocket.PerMessageDeflate;

export type {
  AddressInfo,
  BasicCredentials,
  ClientOptions,
  CloseEvent,
  Data,
  ErrorEvent,
  Event,
  EventListenerOptions,
  FinishRequestCallback,
  Handshake,
  IteratedMessage,
  MessageEvent,
  PerMessageDeflateOptions,
  RawData,
  SendOptions,
  ServerOptions,
  VerifyClientCallbackAsync,
  VerifyClientCallbackSync,
  VerifyClientInfo,
  WebSocketEventMap,
} from './index.js';
export {
  createWebSocketStream,
  extension,
  ItodenError,
  PerMessageDeflate,
  Server,
  subprotocol,
  WebSocket,
  WebSocketServer,
};
export default WebSocket;
