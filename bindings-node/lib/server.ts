// The server that users know: the API of ws.

import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionConfig } from '../native.js';
import type { VerifyClient } from './admission.js';
import type { Addresses } from './messages.js';
import { NativeListener } from './native-server.js';
import { readDeflate } from './deflate.js';
import { Emitter } from './emitter.js';
import { callable, type ConnectionOptions, flag, type Habits, makeConfig, readHabits, wholeNumber, wrong } from './options.js';
import { handleUpgrade } from './upgrade.js';
import { WebSocket } from './websocket.js';

export type { VerifyClient, VerifyClientInfo } from './admission.js';

type AnyWebSocket = typeof WebSocket;
type AnyRequest = typeof IncomingMessage;

/** `W`: the class of the WebSockets; `R`: that of the requests. */
export interface ServerOptions<
  W extends AnyWebSocket = AnyWebSocket,
  R extends AnyRequest = AnyRequest,
> extends ConnectionOptions {
  /** Listen on this port; 0 for any that is free. One of `port`, `server` and `noServer` must be given. */
  port?: number | null | undefined;
  /** Take the upgrades of this server. */
  server?: HttpServer<R> | HttpsServer<R> | null | undefined;
  /** Take only what `handleUpgrade` is given. */
  noServer?: boolean | undefined;
  /** Where to listen. Default: all addresses. */
  host?: string | null | undefined;
  /** How many connections may wait to be accepted. Default 511. */
  backlog?: number | null | undefined;
  /** Take only requests for this path. */
  path?: string | null | undefined;
  /** Whether `clients` is kept. Default `true`. */
  clientTracking?: boolean | undefined;
  /** Whether a request is accepted; with two parameters it answers by the second. */
  verifyClient?: VerifyClient<InstanceType<R>> | null | undefined;
  /** Chooses one of the offered subprotocols, or none by `false`. Default: the first. */
  handleProtocols?:
    | ((protocols: Set<string>, request: InstanceType<R>) => string | false | undefined)
    | null
    | undefined;
  /** The class of the WebSockets: `WebSocket` or one that extends it. */
  WebSocket?: W | undefined;
}

export interface ServerEvents<W = WebSocket, R = IncomingMessage> {
  connection: [websocket: W, request: R];
  listening: [];
  close: [];
  error: [error: Error];
  headers: [headers: string[], request: R];
  /** With `port` the request has been answered, and only the addresses are given. */
  wsClientError: [error: Error, socket: Duplex | Addresses, request: R | undefined];
}

type State = 'running' | 'closing' | 'closed';

export class WebSocketServer<
  W extends AnyWebSocket = AnyWebSocket,
  R extends AnyRequest = AnyRequest,
> extends Emitter<ServerEvents<InstanceType<W>, InstanceType<R>>> {
  readonly options: ServerOptions<W, R> & { WebSocket: W };
  /** All WebSockets that are not CLOSED; not there with `clientTracking: false`. */
  declare readonly clients: Set<InstanceType<W>>;
  /** @internal */
  readonly config: ConnectionConfig;
  /** @internal */
  readonly threshold: number | undefined;
  /** @internal */
  readonly habits: Habits;
  readonly #listener: NativeListener | undefined;
  #http: HttpServer | HttpsServer | undefined;
  #removeListeners: () => void = () => {};
  #state: State = 'running';
  #connections = 0;
  /** The port is free again, or never was this server's. */
  #silent = true;

  /** `callback` is added as a listener of 'listening'. */
  constructor(options: ServerOptions<W, R>, callback?: () => void) {
    super();
    const { port, server, noServer } = options ?? {};
    if ([port != null, Boolean(server), Boolean(noServer)].filter(Boolean).length !== 1) {
      throw new TypeError('One and only one of the "port", "server", or "noServer" options must be specified');
    }
    checkOptions(options);
    this.options = { ...DEFAULTS, ...defined(options), WebSocket: options.WebSocket ?? (WebSocket as W) };
    if (options.perMessageDeflate === true) this.options.perMessageDeflate = {};
    this.config = makeConfig(options);
    this.habits = readHabits(options);
    this.threshold = readDeflate(options.perMessageDeflate, false)?.threshold;
    if (this.options.clientTracking) this.clients = new Set();
    if (port != null) {
      const backlog = wholeNumber('backlog', options.backlog, 1, 2 ** 31 - 1);
      if (callback) this.once('listening', callback);
      this.#silent = false;
      this.#listener = new NativeListener(this as unknown as WebSocketServer, options.host ?? undefined, wholeNumber('port', port, 0, 65535)!, backlog);
    } else if (server) {
      this.#attach(server as HttpServer);
      if (callback) this.once('listening', callback);
    }
  }

  #attach(server: HttpServer | HttpsServer): void {
    const listeners: [string, (...args: never[]) => void][] = [
      ['listening', () => this.emit('listening')],
      ['error', (error: Error) => this.emit('error', error)],
      ['upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        this.handleUpgrade(request as InstanceType<R>, socket, head, (websocket) =>
          this.emit('connection', websocket, request as InstanceType<R>))],
    ]; // prettier-ignore
    for (const [event, listener] of listeners) server.on(event, listener as () => void);
    this.#http = server;
    this.#removeListeners = () => {
      for (const [event, listener] of listeners) server.removeListener(event, listener as () => void);
      this.#http = undefined;
    };
  }

  /** Where the server listens; `null` if it does not, yet or any more. */
  address(): AddressInfo | string | null {
    if (this.options.noServer) throw new Error('The server is operating in "noServer" mode');
    return this.#listener ? this.#listener.address : (this.#http?.address() ?? null);
  }

  /** Whether a request is for this server: by default, whether it is for the option `path`. Can be overridden. */
  shouldHandle(request: InstanceType<R>): boolean {
    const { path } = this.options;
    return !path || request.url?.split('?', 1)[0] === path;
  }

  /** Opens a WebSocket on a socket that Node's `http` has handed over with an 'upgrade' event. */
  handleUpgrade(
    request: InstanceType<R>,
    socket: Duplex,
    head: Uint8Array,
    callback: (websocket: InstanceType<W>, request: InstanceType<R>) => void,
  ): void {
    handleUpgrade(this as unknown as WebSocketServer, request, socket, head, callback as Opened);
  }

  /** Takes no more connections. 'close' is emitted, and `callback` called, when those that are there have closed. */
  close(callback?: (error?: Error) => void): void {
    if (this.#state === 'closed') {
      process.nextTick(() => callback?.(new Error('The server is not running')));
      return;
    }
    if (callback) this.once('close', callback);
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#removeListeners();
    this.#listener?.close(() => {
      this.#silent = true;
      this.#maybeClosed();
    });
    this.#maybeClosed();
  }

  /** @internal */
  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** A WebSocket that is about to open. @internal */
  track(websocket: InstanceType<W>): void {
    this.#connections += 1;
    this.clients?.add(websocket);
    websocket.on('close', () => {
      this.#connections -= 1;
      this.clients?.delete(websocket);
      this.#maybeClosed();
    });
  }

  #maybeClosed(): void {
    if (this.#state !== 'closing' || !this.#silent || this.#connections > 0) return;
    process.nextTick(() => {
      if (this.#state === 'closed') return;
      this.#state = 'closed';
      this.emit('close');
    });
  }
}

/** What `server.options` has where nothing was given. Limits are those of the core. */
const DEFAULTS = {
  allowSynchronousEvents: true,
  autoPong: true,
  skipUTF8Validation: false,
  perMessageDeflate: false,
  handleProtocols: null,
  clientTracking: true,
  closeTimeout: 30_000,
  maxPayload: 100 << 20,
  verifyClient: null,
  noServer: false,
  backlog: null,
  server: null,
  host: null,
  path: null,
  port: null,
} satisfies ServerOptions;

function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

interface Functions {
  server?: unknown;
  verifyClient?: unknown;
  handleProtocols?: unknown;
  WebSocket?: unknown;
}

type Opened = (websocket: WebSocket, request: IncomingMessage) => void;

function checkOptions(options: Pick<ServerOptions, 'host' | 'path' | 'clientTracking' | 'noServer'> & Functions): void {
  for (const name of ['verifyClient', 'handleProtocols', 'WebSocket'] as const) callable(name, options[name]);
  const { server } = options;
  if (server && typeof (server as { on?: unknown }).on !== 'function') throw wrong('server', server, 'an http.Server or an https.Server');
  flag('clientTracking', options.clientTracking, true);
  flag('noServer', options.noServer, false);
  for (const name of ['host', 'path'] as const) {
    const value = options[name];
    if (value != null && typeof value !== 'string') throw wrong(name, value, 'a string');
  }
}
