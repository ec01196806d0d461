// The interface WebSocket of the WebSocket standard (websockets.spec.whatwg.org).

import { checkClose, codeToSend } from './close-info.js';
import { CloseEvent, type EventHandler, fire, Handlers, watchListeners } from './events.js';
import { type Feedback, Line } from './line.js';
import { Liveness } from './liveness.js';
import { checkProtocols, toWanted, type WebSocketInit } from './protocols.js';
import { toSendable } from './sendable.js';
import { toArrayBuffer } from './bytes.js';
import { toUrlRecord } from './url.js';
import {
  clampToUnsignedShort, defineConstants, defineInterface, forbidCloning, illegalInvocation, isObject, requireArguments, toDOMString, toUSVString,
} from './webidl.js'; // prettier-ignore

export type BinaryType = 'blob' | 'arraybuffer';

export interface WebSocketEventMap {
  open: Event;
  message: MessageEvent;
  error: Event;
  close: CloseEvent;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** Of `BufferSource or Blob or USVString`. */
export type WebSocketData = string | Blob | ArrayBuffer | NodeJS.ArrayBufferView;

/** An object that was collected while its connection was open. */
const collected = new FinalizationRegistry<{ collected(): void }>((line) => line.collected());

type Listener<K extends keyof WebSocketEventMap> =
  | ((this: WebSocket, event: WebSocketEventMap[K]) => unknown)
  | { handleEvent(event: WebSocketEventMap[K]): unknown };

type AnyListener = Parameters<EventTarget['addEventListener']>[1];
type AddOptions = Parameters<EventTarget['addEventListener']>[2];
type RemoveOptions = Parameters<EventTarget['removeEventListener']>[2];

/** What EventTarget and the event handler attributes are for this class. */
export interface WebSocket {
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  onopen: EventHandler<this, Event>;
  onmessage: EventHandler<this, MessageEvent>;
  onerror: EventHandler<this, Event>;
  onclose: EventHandler<this, CloseEvent>;

  addEventListener<K extends keyof WebSocketEventMap>(type: K, listener: Listener<K>, options?: AddOptions): void;
  addEventListener(type: string, listener: AnyListener, options?: AddOptions): void;
  removeEventListener<K extends keyof WebSocketEventMap>(type: K, listener: Listener<K>, options?: RemoveOptions): void;
  removeEventListener(type: string, listener: AnyListener, options?: RemoveOptions): void;
}

/** The object itself, if it is one of these; what tells is a private name, so it can't be feigned. */
let brand: (object: WebSocket) => WebSocket;

export class WebSocket extends EventTarget {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;

  readonly #url: URL;
  readonly #line: Line<WebSocket>;
  readonly #liveness: Liveness;
  readonly #handlers = new Handlers();
  #readyState = CONNECTING;
  #binaryType: BinaryType = 'blob';
  #extensions = '';
  #protocol = '';

  /**
   * Begins to connect.
   *
   * @param url ws:, wss:, http: or https:, without a fragment
   * @param protocols a subprotocol, or several in order of preference, or an object with options
   * @throws a `SyntaxError` DOMException for a URL or a subprotocol that is not allowed
   */
  constructor(url: string | URL, protocols?: string | Iterable<string> | WebSocketInit);
  constructor(url: unknown, protocols: unknown = undefined) {
    requireArguments(arguments.length, 1, 'WebSocket constructor');
    const text = toUSVString(url);
    const wanted = toWanted(protocols);
    super();
    forbidCloning(this);
    this.#url = toUrlRecord(text);
    checkProtocols(wanted.protocols);
    this.#line = new Line<WebSocket>(this, WebSocket.#feedback, this.#url, wanted);
    this.#liveness = new Liveness();
    this.#review();
    collected.register(this, this.#line);
  }

  /** The URL, serialized. */
  get url(): string {
    return brand(this).#url.href;
  }

  /** CONNECTING (0), OPEN (1), CLOSING (2) or CLOSED (3). */
  get readyState(): number {
    return brand(this).#readyState;
  }

  /** Payload bytes that `send` has queued and that were not written when the current task began. It never resets. */
  get bufferedAmount(): number {
    return brand(this).#line.queued;
  }

  /** The extensions that the server chose, or an empty string. */
  get extensions(): string {
    return brand(this).#extensions;
  }

  /** The subprotocol that the server chose, or an empty string. */
  get protocol(): string {
    return brand(this).#protocol;
  }

  /** What binary messages come as. Default: `blob`. Setting anything else than the two does nothing. */
  get binaryType(): BinaryType {
    return brand(this).#binaryType;
  }

  set binaryType(value: BinaryType) {
    brand(this);
    const type = toDOMString(value);
    if (type === 'blob' || type === 'arraybuffer') this.#binaryType = type;
  }

  /**
   * Begins the closing handshake.
   *
   * @param code 1000, or 3000 to 4999
   * @param reason at most 123 bytes of UTF-8
   * @throws an `InvalidAccessError` DOMException for another code, a `SyntaxError` one for a longer reason
   */
  close(code?: number, reason?: string): void;
  close(code: unknown = undefined, reason: unknown = undefined): void {
    brand(this);
    const clamped = code === undefined ? null : clampToUnsignedShort(code);
    const text = reason === undefined ? '' : toUSVString(reason);
    checkClose(clamped, text);
    if (this.#readyState >= CLOSING) return;
    // For scripts it is not established before the task that says so.
    if (this.#readyState === CONNECTING) this.#line.giveUp();
    else this.#line.startClosing(codeToSend(clamped, text), text);
    this.#readyState = CLOSING;
    this.#review();
  }

  /**
   * Sends a message: text for a string, else binary.
   *
   * @throws an `InvalidStateError` DOMException while CONNECTING
   */
  send(data: WebSocketData): void;
  send(value: unknown): void {
    brand(this);
    requireArguments(arguments.length, 1, 'WebSocket.send');
    const { data, isBinary, size } = toSendable(value);
    if (this.#readyState === CONNECTING) {
      throw new DOMException('The WebSocket is still CONNECTING; wait for its open event', 'InvalidStateError');
    }
    this.#line.send(data, isBinary, size);
    this.#review();
  }

  /** The garbage-collection rules, each time that what they ask about changes. */
  #review(): void {
    const { needed, awake } = this.#liveness.judge(this.#readyState, this.#line.queued > 0);
    this.#line.hold(this, needed);
    this.#line.keepAlive(awake);
  }

  static readonly #feedback: Feedback<WebSocket> = {
    established(socket, protocol, extensions) {
      // It was closed meanwhile.
      if (socket.#readyState !== CONNECTING) return;
      socket.#readyState = OPEN;
      socket.#extensions = extensions;
      socket.#protocol = protocol;
      fire(socket, new Event('open'));
      socket.#review();
    },
    received(socket, data, isBinary) {
      if (socket.#readyState !== OPEN) return;
      const { origin } = socket.#url;
      fire(socket, new MessageEvent('message', { data: isBinary ? socket.#binary(data) : data.toString(), origin }));
    },
    closing(socket) {
      socket.#readyState = CLOSING;
      socket.#review();
    },
    failed(socket) {
      socket.#readyState = CLOSED;
      fire(socket, new Event('error'));
    },
    closed(socket, { code, reason, wasClean }) {
      socket.#readyState = CLOSED;
      fire(socket, new CloseEvent('close', { code, reason, wasClean }));
      socket.#review();
    },
    drained(socket) {
      socket.#review();
    },
  };

  #binary(data: Buffer): Blob | ArrayBuffer {
    if (this.#binaryType === 'blob') return new Blob([data]);
    return toArrayBuffer(data);
  }

  static {
    brand = (object) => {
      if (isObject(object) && #line in object) return object;
      throw illegalInvocation('WebSocket');
    };

    for (const type of ['open', 'message', 'error', 'close']) {
      const attribute = {
        get [`on${type}`](): unknown {
          return brand(this as never).#handlers.get(type);
        },
        set [`on${type}`](value: unknown) {
          brand(this as never).#handlers.set(this as never, type, value);
        },
      };
      Object.defineProperties(this.prototype, Object.getOwnPropertyDescriptors(attribute));
    }

    const watched = watchListeners(this.prototype, (target, type, count) => {
      const socket = target as WebSocket;
      socket.#liveness.listening(type, count);
      socket.#review();
    });
    Liveness.watched = watched;

    defineConstants(this, { CONNECTING, OPEN, CLOSING, CLOSED });
    defineInterface(this, 'WebSocket', [
      'url', 'readyState', 'bufferedAmount', 'onopen', 'onerror', 'onclose', 'extensions', 'protocol', 'close', 'onmessage',
      'binaryType', 'send',
    ]); // prettier-ignore
  }
}
