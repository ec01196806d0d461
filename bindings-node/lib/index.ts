// require('itoden'): the class WebSocket, with everything else as its properties, as `ws` does it.

import { ItodenError } from './errors.js';
import { extension, subprotocol } from './negotiation.js';
import { PerMessageDeflate } from './per-message-deflate.js';
import { WebSocketServer as Server } from './server.js';
import { WebSocket as Base } from './websocket.js';
import { createWebSocketStream } from './duplex.js';
import type * as admission from './admission.js';
import type * as client from './client.js';
import type * as deflate from './deflate.js';
import type * as events from './event-target.js';
import type { IncomingMessage } from 'node:http';
import type * as net from 'node:net';
import type * as iteration from './iteration.js';
import type * as opening from './opening.js';
import type * as server from './server.js';
import type * as websocket from './websocket.js';

const WebSocket = Object.assign(Base, {
  WebSocket: Base,
  WebSocketServer: Server,
  Server,
  ItodenError,
  PerMessageDeflate,
  createWebSocketStream,
  extension,
  subprotocol,
});

type WebSocket = Base;

// Types only, so that both `WebSocket.RawData` and `import type { RawData }` work.
// eslint-disable-next-line @typescript-eslint/no-namespace
declare namespace WebSocket {
  export type WebSocket = Base;
  export type WebSocketServer<
    W extends typeof Base = typeof Base,
    R extends typeof IncomingMessage = typeof IncomingMessage,
  > = server.WebSocketServer<W, R>;
  export type Server<
    W extends typeof Base = typeof Base,
    R extends typeof IncomingMessage = typeof IncomingMessage,
  > = server.WebSocketServer<W, R>;
  export type ItodenError = import('./errors.js').ItodenError;
  export type PerMessageDeflate = import('./per-message-deflate.js').PerMessageDeflate;
  export type RawData = websocket.RawData;
  export type Handshake = opening.Handshake;
  export type IteratedMessage = iteration.IteratedMessage;
  export type BasicCredentials = opening.BasicCredentials;
  export type Data = websocket.Data;
  export type SendOptions = websocket.SendOptions;
  export type ClientOptions = client.ClientOptions;
  export type ServerOptions<
    W extends typeof Base = typeof Base,
    R extends typeof IncomingMessage = typeof IncomingMessage,
  > = server.ServerOptions<W, R>;
  export type PerMessageDeflateOptions = deflate.PerMessageDeflateOptions;
  export type VerifyClientInfo<R = IncomingMessage> = server.VerifyClientInfo<R>;
  export type VerifyClientCallbackSync<R = IncomingMessage> = admission.VerifyClientSync<R>;
  export type VerifyClientCallbackAsync<R = IncomingMessage> = admission.VerifyClientAsync<R>;
  export type FinishRequestCallback = NonNullable<client.ClientOptions['finishRequest']>;
  export type AddressInfo = net.AddressInfo;
  export type Event = events.Event<Base>;
  export type MessageEvent = events.MessageEvent<Base>;
  export type CloseEvent = events.CloseEvent<Base>;
  export type ErrorEvent = events.ErrorEvent<Base>;
  export type WebSocketEventMap = events.EventMap<Base>;
  export interface EventListenerOptions {
    once?: boolean | undefined;
  }
}

export = WebSocket;
