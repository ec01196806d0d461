// require('itoden'): the class WebSocket, with everything else as its properties, as `ws` does it.

import { ItodenError } from './errors.js';
import { WebSocketServer as Server } from './server.js';
import { WebSocket as Base } from './websocket.js';
import { createWebSocketStream } from './duplex.js';
import type * as client from './client.js';
import type * as events from './event-target.js';
import type * as server from './server.js';
import type * as websocket from './websocket.js';

const WebSocket = Object.assign(Base, {
  WebSocket: Base,
  WebSocketServer: Server,
  Server,
  ItodenError,
  createWebSocketStream,
});

type WebSocket = Base;

// Types only, so that both `WebSocket.RawData` and `import type { RawData }` work.
// eslint-disable-next-line @typescript-eslint/no-namespace
declare namespace WebSocket {
  export type WebSocket = Base;
  export type WebSocketServer = Server;
  export type Server = server.WebSocketServer;
  export type ItodenError = import('./errors.js').ItodenError;
  export type RawData = websocket.RawData;
  export type Data = websocket.Data;
  export type SendOptions = websocket.SendOptions;
  export type ClientOptions = client.ClientOptions;
  export type ServerOptions = server.ServerOptions;
  export type VerifyClientInfo = server.VerifyClientInfo;
  export type Event = events.Event<Base>;
  export type MessageEvent = events.MessageEvent<Base>;
  export type CloseEvent = events.CloseEvent<Base>;
  export type ErrorEvent = events.ErrorEvent<Base>;
}

export = WebSocket;
