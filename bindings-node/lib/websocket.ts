// The class that users know: the API of ws.

import type { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { native } from './addon.js';
import { type ClientOptions, dial } from './client.js';
import { Emitter } from './emitter.js';
import { guarded } from './errors.js';
import * as events from './event-target.js';
import { type IteratedMessage, MessageIterator, promised } from './iteration.js';
import type { Handshake } from './opening.js';
import { BEYOND } from './beyond.js';
import { checkControl, toPayload } from './payload.js';
import { wrong } from './options.js';
import { type BlobLike, isBlob } from './outbox.js';
import { BINARY_TYPES, type BinaryType, Peer, ReadyState } from './peer.js';
import { channels } from './tracing.js';
import type { Transport } from './transport.js';

/**
 * What a `message` event brings; a Buffer unless `binaryType` says otherwise. Text is always a Buffer of UTF-8. Blobs are left
 * out, as in the types of ws, so that whoever does not ask for them need not think of them.
 */
export type RawData = Buffer | ArrayBuffer | Buffer[];

/** What can be sent. A number is sent as text; whatever else `Buffer.from` takes is sent as its bytes. */
export type Data =
  | string
  | number
  | ArrayBufferLike
  | NodeJS.ArrayBufferView
  | BlobLike
  | readonly number[]
  | { valueOf(): ArrayBufferLike | Uint8Array | readonly number[] | string }
  | { [Symbol.toPrimitive](hint: string): string };

export interface SendOptions {
  /** Whether it is sent as a binary message. Default: what is not a string or a number is. */
  binary?: boolean | undefined;
  /** Whether this fragment ends the message. Default `true`. */
  fin?: boolean | undefined;
  /** Whether to compress it, where that was agreed on; the first fragment counts for all. Default `true`. */
  compress?: boolean | undefined;
  /** Accepted for those who come from ws: a client always masks, a server never does. */
  mask?: boolean | undefined;
}

export type Callback = (error?: Error) => void;

export interface WebSocketEvents {
  open: [];
  message: [data: RawData, isBinary: boolean];
  close: [code: number, reason: Buffer];
  error: [error: Error];
  ping: [data: Buffer];
  pong: [data: Buffer];
  /** All that was sent is written, after `writableNeedDrain` was `true`. */
  drain: [];
  upgrade: [response: IncomingMessage];
  redirect: [url: string, request: ClientRequest];
  'unexpected-response': [request: ClientRequest, response: IncomingMessage];
}

type EventMap = events.EventMap<WebSocket>;

/** Gives a server's WebSocket its `Peer`. */
export let peerOf: (websocket: WebSocket) => Peer;

export class WebSocket extends Emitter<WebSocketEvents> {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;

  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  readonly #peer: Peer = new Peer(this as unknown as EventEmitter);

  static {
    peerOf = (websocket) => websocket.#peer;
    for (const [name, value] of Object.entries(ReadyState)) {
      Object.defineProperty(this, name, { enumerable: true, value });
      Object.defineProperty(this.prototype, name, { enumerable: true, value });
    }
  }

  /**
   * Connects to a server. `null` makes a WebSocket that a server will open, as its option `WebSocket` asks for.
   */
  constructor(address: null, protocols?: undefined, options?: object);
  constructor(address: string | URL, options?: ClientOptions);
  constructor(address: string | URL, protocols?: string | string[], options?: ClientOptions);
  constructor(address: string | URL | null, protocols?: string | string[] | ClientOptions, options?: ClientOptions) {
    super();
    if (address === null) return;
    let wanted: ClientOptions = options ?? {};
    let names = protocols as string | string[] | undefined;
    if (typeof protocols === 'object' && protocols !== null && !Array.isArray(protocols)) {
      wanted = protocols;
      names = undefined;
    }
    dial(this.#peer, address, [names ?? wanted.protocols ?? []].flat(), wanted);
  }

  /** CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3). */
  get readyState(): ReadyState {
    return this.#peer.readyState;
  }

  /**
   * What binary messages come as: `nodebuffer` (the default), `arraybuffer`, `blob`, or `fragments`: an array with a
   * Buffer for each frame that was not empty.
   */
  get binaryType(): BinaryType {
    return this.#peer.binaryType;
  }

  set binaryType(type: BinaryType) {
    // As in ws and in browsers, an unknown value changes nothing.
    if (BINARY_TYPES.includes(type)) this.#peer.binaryType = type;
  }

  /** Bytes that were sent but are not written yet. */
  get bufferedAmount(): number {
    return this.#peer.bufferedAmount;
  }

  /** The extensions that were agreed on: `permessage-deflate` or an empty string. */
  get extensions(): string {
    return this.#peer.compression?.extension ?? '';
  }

  /** The subprotocol that was agreed on, or an empty string. */
  get protocol(): string {
    return this.#peer.protocol;
  }

  /** The URL of a client. */
  get url(): string {
    return this.#peer.url;
  }

  get isPaused(): boolean {
    return this.#peer.paused;
  }

  /** Whether the closing handshake was completed; `false` before. */
  get wasClean(): boolean {
    return this.#peer.wasClean;
  }

  /** Sends a message, or a fragment of one. `callback` is called when it is written, or with the error that prevented it. */
  send(data: Data, callback?: Callback): void;
  send(data: Data, options?: SendOptions, callback?: Callback): void;
  send(data: Data, options?: SendOptions | Callback, callback?: Callback): void {
    const callable = typeof options === 'function' ? options : callback;
    if (callable !== undefined && callable !== null && typeof callable !== 'function') throw wrong('The callback', callable, 'a function');
    const how = typeof options === 'function' || !options ? WHOLE : options;
    // Most data are one of these two, and whether they are is seen at once.
    if (typeof data !== 'string' && !(data instanceof Uint8Array) && isBlob(data)) {
      const done = this.#peer.sending(data, callable);
      return this.#peer.postBlob(data, done, (transport, bytes) => this.#send(transport, bytes, how, done));
    }
    const payload = toPayload(data);
    const done = this.#peer.sending(payload, callable);
    const direct = this.#peer.direct;
    if (direct) this.#send(direct, payload, how, done);
    else this.#peer.post(payload, done, (transport, ready) => this.#send(transport, ready, how, done));
  }

  #send(transport: Transport, data: string | Uint8Array, how: SendOptions, done: Callback | undefined): void {
    const { binary = typeof data !== 'string', fin = true, compress = true } = how;
    const { compression } = this.#peer;
    if (channels.send.hasSubscribers) channels.send.publish({ websocket: this, data, isBinary: binary, fin });
    const packed = compression === undefined || (compress && compression.isWorth(data));
    transport.send({ data, isBinary: binary, fin: this.#fragment(fin), compress: packed }, done);
  }

  /** A fragment without FIN was sent, so the next one belongs to the same message. */
  #fragmenting = false;

  #fragment(fin: boolean): boolean | undefined {
    if (fin && !this.#fragmenting) return undefined;
    this.#fragmenting = !fin;
    return fin;
  }

  /**
   * As `send`, with a promise: it is resolved when the data are written, and rejected where the callback would hear an error or
   * `send` would throw.
   */
  sendAsync(data: Data, options: SendOptions = WHOLE): Promise<void> {
    return promised((callback) => this.send(data, options, callback));
  }

  /**
   * The messages that come from now on, as `for await (const message of websocket)` takes them: text as strings, binary ones as
   * `binaryType` says. While the loop is slow the peer is held back. It ends when the connection is closed by a closing
   * handshake, throws when the connection fails, and closes it with 1000 when it is left. The loop hears 'error' in place of listeners.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<IteratedMessage> {
    return new MessageIterator(this);
  }

  /** The certificate of the peer, as `tls.TLSSocket` gives it while the connection is open; `null` without TLS. */
  getPeerCertificate(detailed: true): DetailedPeerCertificate | null;
  getPeerCertificate(detailed?: false): PeerCertificate | null;
  getPeerCertificate(detailed = false): PeerCertificate | DetailedPeerCertificate | null {
    return this.#peer.opening?.carrier.getPeerCertificate?.(detailed) ?? null;
  }

  /** Sends a ping with at most 125 bytes. */
  ping(data?: Data, mask?: boolean, callback?: Callback): void;
  ping(data: Data, callback: Callback): void;
  ping(callback: Callback): void;
  ping(data?: Data | Callback, mask?: boolean | Callback, callback?: Callback): void {
    this.#control('ping', data, mask, callback);
  }

  /** Sends a pong with at most 125 bytes. */
  pong(data?: Data, mask?: boolean, callback?: Callback): void;
  pong(data: Data, callback: Callback): void;
  pong(callback: Callback): void;
  pong(data?: Data | Callback, mask?: boolean | Callback, callback?: Callback): void {
    this.#control('pong', data, mask, callback);
  }

  #control(
    kind: 'ping' | 'pong',
    given: Data | Callback | undefined,
    mask: boolean | Callback | undefined,
    callback: Callback | undefined,
  ): void {
    const [data, done] =
      typeof given === 'function' ? [undefined, given as Callback] : [given, typeof mask === 'function' ? mask : callback];
    const act = (transport: Transport, bytes: string | Uint8Array): void => transport[kind](bytes, done);
    if (isBlob(data)) {
      checkControl(new Uint8Array(Math.min(data.size, 1 << 16)));
      return this.#peer.postBlob(data, done, act);
    }
    const payload = toPayload(data);
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    if (this.readyState === ReadyState.OPEN) checkControl(bytes);
    this.#peer.post(bytes, done, act);
  }

  /** Begins the closing handshake, with a code and a reason of at most 123 bytes of UTF-8. */
  close(code?: number, reason: string | Uint8Array = ''): void {
    const { readyState } = this;
    if (readyState === ReadyState.CONNECTING) return this.#giveUp();
    if (readyState !== ReadyState.OPEN) return;
    if (code !== undefined && !(Number.isInteger(code) && code >= 0 && code <= 0xffff)) {
      throw wrong('The close code', code, 'an integer such as 1000, or left out');
    }
    if (typeof reason !== 'string' && !(reason instanceof Uint8Array)) {
      throw wrong('The close reason', reason, 'a string or a Uint8Array');
    }
    // As in ws, a reason without a code is not sent: there is no room for it in the frame (RFC 6455 §5.5.1).
    const text = code === undefined ? '' : typeof reason === 'string' ? reason : Buffer.from(reason).toString();
    guarded(() => native.checkClose(code, text));
    this.#peer.close(code, text);
  }

  /** Ends the connection at once, without a closing handshake. */
  terminate(): void {
    if (this.readyState === ReadyState.CONNECTING) this.#giveUp();
    else this.#peer.terminate();
  }

  #giveUp(): void {
    this.#peer.abort(new Error('WebSocket was closed before the connection was established'));
  }

  /** Holds back what comes, until `resume()`. The peer is held back too, once buffers are full. */
  pause(): void {
    this.#peer.pause();
  }

  resume(): void {
    this.#peer.resume();
  }

  addEventListener<K extends keyof EventMap>(
    type: K,
    handler: events.Handler<EventMap[K]>,
    options?: { once?: boolean | undefined },
  ): void {
    events.add(this as never, type, handler, options?.once ?? false);
  }

  removeEventListener<K extends keyof EventMap>(type: K, handler: events.Handler<EventMap[K]>): void {
    events.remove(this as never, type, handler);
  }

  /** What the peer sent to open the connection, the request of a client or the response of a server; `undefined` before. */
  declare readonly handshake: Handshake | undefined;
  /** Addresses and ports of both ends, as a `net.Socket` has them; `undefined` before 'open', and for sockets without. */
  declare readonly remoteAddress: string | undefined;
  declare readonly remotePort: number | undefined;
  declare readonly remoteFamily: string | undefined;
  declare readonly localAddress: string | undefined;
  declare readonly localPort: number | undefined;
  /** Whether this end of the connection speaks TLS. */
  declare readonly encrypted: boolean;
  /** Whether the peer's certificate was found valid; `false` without TLS, or where a server did not ask for one. */
  declare readonly authorized: boolean;
  /** Milliseconds from the last ping of `pingInterval` to its pong; `undefined` before, and once the connection is closed. */
  declare readonly latency: number | undefined;
  /** Whether as much waits to be written as `highWaterMark` allows; then 'drain' follows when it is written. */
  declare readonly writableNeedDrain: boolean;
  /** The code of 'close'; `undefined` before. */
  declare readonly closeCode: number | undefined;
  /** The reason of 'close'; `undefined` before. */
  declare readonly closeReason: string | undefined;

  declare onopen: ((event: EventMap['open']) => void) | null;
  declare onmessage: ((event: EventMap['message']) => void) | null;
  declare onclose: ((event: EventMap['close']) => void) | null;
  declare onerror: ((event: EventMap['error']) => void) | null;

  static {
    // As in ws and in browsers, where these members are enumerable.
    const members = [
      'addEventListener', 'binaryType', 'bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState',
      'removeEventListener', 'url', 'wasClean',
    ]; // prettier-ignore
    for (const name of members) {
      Object.defineProperty(this.prototype, name, { enumerable: true });
    }
    for (const [name, read] of Object.entries(BEYOND)) {
      Object.defineProperty(this.prototype, name, {
        configurable: true,
        get(this: WebSocket) {
          return read(this.#peer);
        },
        // Users of ws hang things of their own on its objects, under these names too.
        set(this: WebSocket, value: unknown) {
          Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value });
        },
      });
    }
    for (const type of ['open', 'message', 'close', 'error']) {
      Object.defineProperty(this.prototype, `on${type}`, {
        configurable: true,
        enumerable: true,
        get(this: WebSocket) {
          return events.getAttribute(this as never, type);
        },
        set(this: WebSocket, handler: unknown) {
          events.setAttribute(this as never, type, handler);
        },
      });
    }
  }
}

const WHOLE: SendOptions = {};
