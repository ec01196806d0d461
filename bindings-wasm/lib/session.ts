import { checkRole } from './check.js';
import type { ConnectionOptions } from './connection.js';
import { roles } from './encoder.js';
import type { Role } from './encoder.js';
import { Engine } from './engine.js';
import type { Transport } from './engine.js';
import { owned } from './events.js';
import type { ConnectionEvent } from './events.js';

/** How a session is opened: the limits of its connection, and which end it is. */
export interface SessionOptions extends Omit<ConnectionOptions, 'now'> {
  /** `'client'` by default. */
  role?: Role;
}

type Data = string | ArrayBuffer | ArrayBufferView | Blob;

function closeEvent(code: number, reason: string, wasClean: boolean): Event {
  // Not every host has the class.
  if (typeof CloseEvent === 'function') return new CloseEvent('close', { code, reason, wasClean });
  return Object.assign(new Event('close'), { code, reason, wasClean });
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}

/** "the user agent must run these steps: If code is [...] neither 1000 nor in the range 3000 to 4999" (WHATWG WebSockets). */
function checkClose(code: number | undefined, reason: string): void {
  if (code !== undefined && code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new DOMException(`the close code is ${code}, but must be 1000 or from 3000 to 4999`, 'InvalidAccessError');
  }
  const { length } = new TextEncoder().encode(reason);
  if (length > 123) throw new DOMException(`the close reason is ${length} bytes of UTF-8, but must be at most 123`, 'SyntaxError');
}

const eventNames = ['open', 'message', 'error', 'close'] as const;

type Handler<Name extends (typeof eventNames)[number]> = ((
  this: WebSocketSession,
  event: { open: Event; message: MessageEvent; error: Event; close: CloseEvent }[Name],
) => unknown) | null;

/**
 * The `WebSocket` of browsers over any transport whose opening handshake is done: the names, events and rules of WHATWG.
 * The module is loaded if it isn't yet.
 */
export class WebSocketSession extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  /** The subprotocol that was agreed on; `''` if there is none. */
  readonly protocol: string;
  /** The extensions that were agreed on. */
  readonly extensions: string;
  declare onopen: Handler<'open'>;
  declare onmessage: Handler<'message'>;
  declare onerror: Handler<'error'>;
  declare onclose: Handler<'close'>;
  readonly #engine: Engine;
  #readyState = 0;
  #binaryType: BinaryType = 'blob';
  /** What was sent before, one behind the other, since a Blob must be read first. */
  #order: Promise<unknown> | undefined;
  /** Bytes of Blobs that are being read, and of what waits behind them. */
  #waiting = 0;

  constructor(transport: Transport, { role = 'client', ...options }: SessionOptions = {}) {
    checkRole(role, roles);
    super();
    this.protocol = transport.subprotocol ?? '';
    this.extensions = options.extensions ?? transport.extensions ?? '';
    this.#engine = new Engine(transport, {
      opened: () => {
        if (this.#readyState !== 0) return;
        this.#readyState = 1;
        this.dispatchEvent(new Event('open'));
      },
      event: (event) => this.#tell(event),
      ready: () => undefined,
    });
    this.#engine.run(role, options).catch((error) => {
      this.#readyState = 3;
      this.dispatchEvent(Object.assign(new Event('error'), { error }));
      this.dispatchEvent(closeEvent(1006, '', false));
    });
  }

  /** 0 while the module is loaded, then as WHATWG has it. */
  get readyState(): number {
    return this.#readyState;
  }

  /** Bytes of messages that the transport has not taken; unlike the rest it doesn't become 0 when the session closes. */
  get bufferedAmount(): number {
    return this.#engine.bufferedAmount + this.#waiting;
  }

  /** `'blob'`, the default, or `'arraybuffer'`. */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (type === 'blob' || type === 'arraybuffer') this.#binaryType = type;
  }

  /** Sends a message. Once the session is closing it is only counted. */
  send(data: Data): void {
    if (this.#readyState === 0) throw new DOMException('the session is not open yet', 'InvalidStateError');
    const isBlob = typeof Blob === 'function' && data instanceof Blob;
    if (!isBlob && !this.#order) return this.#sendNow(typeof data === 'string' ? data : bytesOf(data as ArrayBuffer | ArrayBufferView));
    const copy = isBlob || typeof data === 'string' ? data : bytesOf(data as ArrayBuffer | ArrayBufferView).slice();
    const size = isBlob ? (data as Blob).size : typeof copy === 'string' ? new TextEncoder().encode(copy).length : (copy as Uint8Array).length;
    this.#waiting += size;
    this.#inOrder(async () => {
      const ready = copy instanceof Blob ? new Uint8Array(await copy.arrayBuffer()) : (copy as string | Uint8Array);
      this.#waiting -= size;
      this.#sendNow(ready);
    });
  }

  /** Begins the closing handshake, behind what was sent. */
  close(code?: number, reason = ''): void {
    checkClose(code, reason);
    if (this.#readyState >= 2) return;
    this.#readyState = 2;
    const close = () => this.#engine.command((connection) => connection.close(code ?? (reason === '' ? undefined : 1000), reason));
    if (this.#order) this.#inOrder(async () => close());
    else close();
  }

  #inOrder(work: () => Promise<void>): void {
    const mine = (this.#order ?? Promise.resolve()).then(work).catch(() => {}).then(() => {
      if (this.#order === mine) this.#order = undefined;
    });
    this.#order = mine;
  }

  #sendNow(data: string | Uint8Array): void {
    this.#engine.command((connection) => {
      if (connection.readyState !== 'open') return;
      if (typeof data === 'string') connection.sendText(data);
      else connection.sendBinary(data);
    });
  }

  #tell(event: ConnectionEvent): void {
    switch (event.type) {
      case 'text':
        return this.#message(event.text);
      case 'binary':
        return this.#message(this.#binaryType === 'blob' ? new Blob([event.payload]) : owned(event.payload).buffer);
      case 'close':
        this.#readyState = 2;
        return;
      case 'failed':
        this.#readyState = 2;
        this.dispatchEvent(Object.assign(new Event('error'), { error: event.error }));
        return;
      case 'closed':
        this.#readyState = 3;
        this.dispatchEvent(closeEvent(event.code, event.reason, event.wasClean));
        return;
    }
  }

  /** Messages are told while the session is open, as in browsers. */
  #message(data: string | Blob | ArrayBuffer): void {
    if (this.#readyState === 1) this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

for (const name of eventNames) {
  const handlers = new WeakMap<WebSocketSession, { handler: unknown; listener: (event: Event) => void }>();
  Object.defineProperty(WebSocketSession.prototype, `on${name}`, {
    get(this: WebSocketSession) {
      return handlers.get(this)?.handler ?? null;
    },
    set(this: WebSocketSession, handler: unknown) {
      const before = handlers.get(this);
      if (before) this.removeEventListener(name, before.listener);
      handlers.delete(this);
      if (typeof handler !== 'function') return;
      const listener = (event: Event) => handler.call(this, event);
      handlers.set(this, { handler, listener });
      this.addEventListener(name, listener);
    },
    configurable: true,
    enumerable: true,
  });
}
