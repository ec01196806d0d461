// WebSocketStream, as Chromium ships it: a WebSocket whose two directions are streams, with backpressure.

import { checkClose, codeToSend, toCloseInfo, type WebSocketCloseInfo } from './close-info.js';
import { deferred } from './deferred.js';
import { type Feedback, Line } from './line.js';
import { checkProtocols, type NodeOptions, toNodeOptions } from './protocols.js';
import { type Chunk, StreamPair } from './stream-pair.js';
import { toUrlRecord } from './url.js';
import {
  defineInterface, forbidCloning, illegalInvocation, isObject, requireArguments, toDictionary, toSequence, toUSVString,
} from './webidl.js'; // prettier-ignore
import { errorOfEnd } from './websocket-error.js';

export interface WebSocketStreamOptions {
  /** Subprotocols in order of preference. Default: none. */
  protocols?: Iterable<string> | undefined;
  /** Gives up connecting; once the connection is open it does nothing. */
  signal?: AbortSignal | undefined;
  /** Header fields, TLS and other things that only Node can be asked for; a browser ignores it. */
  node?: NodeOptions | undefined;
}

export interface WebSocketOpenInfo {
  /** The messages that come: strings for text, else ArrayBuffers. While nobody reads, nothing is taken from the network. */
  readonly readable: ReadableStream<string | ArrayBuffer>;
  /** Takes the messages to send. A write is done when it is written, so whoever waits for it obeys the server's pace. */
  readonly writable: WritableStream<Chunk>;
  /** The extensions that the server chose, or an empty string. */
  readonly extensions: string;
  /** The subprotocol that the server chose, or an empty string. */
  readonly protocol: string;
}

/** How a connection ended. */
export interface ClosedInfo {
  /** The code that the server sent; 1005 if it sent none. */
  readonly closeCode: number;
  readonly reason: string;
}

let brand: (object: WebSocketStream) => WebSocketStream;

export class WebSocketStream {
  readonly #url: URL;
  readonly #opened = deferred<WebSocketOpenInfo>();
  readonly #closed = deferred<ClosedInfo>();
  #line: Line<WebSocketStream> | undefined;
  #streams: StreamPair | undefined;
  #stopListening = (): void => {};

  /**
   * Begins to connect.
   *
   * @param url ws:, wss:, http: or https:, without a fragment
   * @throws a `SyntaxError` DOMException for a URL or a subprotocol that is not allowed
   */
  constructor(url: string | URL, options?: WebSocketStreamOptions);
  constructor(url: unknown, options: unknown = undefined) {
    requireArguments(arguments.length, 1, 'WebSocketStream constructor');
    const text = toUSVString(url);
    const { node, protocols, signal } = toOptions(options);
    forbidCloning(this);
    this.#url = toUrlRecord(text);
    checkProtocols(protocols);
    // Who does not look at them is not told of rejections either.
    for (const { promise } of [this.#opened, this.#closed]) promise.catch(() => {});
    if (signal?.aborted) {
      this.#rejectBoth(signal.reason);
      return;
    }
    this.#line = new Line<WebSocketStream>(this, WebSocketStream.#feedback, this.#url, { protocols, node });
    this.#line.hold(this, true);
    if (signal) this.#listen(signal);
  }

  /** The URL, serialized. */
  get url(): string {
    return brand(this).#url.href;
  }

  /** Fulfilled once the connection is open; rejected with a WebSocketError, or with the reason of the signal. */
  get opened(): Promise<WebSocketOpenInfo> {
    return brand(this).#opened.promise;
  }

  /** Fulfilled once the connection has closed cleanly; rejected with a WebSocketError, or with the reason of the signal. */
  get closed(): Promise<ClosedInfo> {
    return brand(this).#closed.promise;
  }

  /**
   * Begins the closing handshake, or gives up connecting.
   *
   * @throws an `InvalidAccessError` DOMException for a code that is not allowed, a `SyntaxError` one for too long a reason
   */
  close(closeInfo?: WebSocketCloseInfo): void;
  close(closeInfo: unknown = undefined): void {
    brand(this);
    const { code, reason } = toCloseInfo(closeInfo, 'closeInfo');
    checkClose(code, reason);
    if (this.#streams) this.#streams.startClosing(codeToSend(code, reason), reason);
    else this.#line?.giveUp();
  }

  #rejectBoth(reason: unknown): void {
    this.#opened.reject(reason);
    this.#closed.reject(reason);
  }

  #listen(signal: AbortSignal): void {
    const abort = (): void => {
      this.#rejectBoth(signal.reason);
      this.#line?.giveUp();
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', abort);
  }

  static readonly #feedback: Feedback<WebSocketStream> = {
    established(stream, protocol, extensions) {
      const line = stream.#line!;
      // It was given up meanwhile.
      if (line.givenUp) return;
      stream.#stopListening();
      const streams = new StreamPair(line);
      stream.#streams = streams;
      const { readable, writable } = streams;
      stream.#opened.resolve({ extensions, protocol, readable, writable });
    },
    received(stream, data, isBinary) {
      stream.#streams?.received(data, isBinary);
    },
    closing() {},
    failed() {},
    closed(stream, { code, reason, wasClean }) {
      stream.#stopListening();
      if (wasClean) {
        stream.#streams?.closed();
        stream.#closed.resolve({ closeCode: code, reason });
        return;
      }
      if (!stream.#streams) stream.#opened.reject(errorOfEnd('The WebSocket connection could not be opened', null, ''));
      const error = errorOfEnd('The WebSocket connection did not close cleanly', code, reason);
      stream.#streams?.failed(error);
      // Does nothing where a signal has rejected it.
      stream.#closed.reject(error);
    },
    drained() {},
  };

  static {
    brand = (object) => {
      if (isObject(object) && #url in object) return object;
      throw illegalInvocation('WebSocketStream');
    };
    defineInterface(this, 'WebSocketStream', ['url', 'opened', 'closed', 'close']);
  }
}

/** Web IDL's conversion to `WebSocketStreamOptions`. */
function toOptions(value: unknown): { node: NodeOptions; protocols: string[]; signal: AbortSignal | undefined } {
  const { node, protocols, signal } = toDictionary(value, 'options');
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal is not an AbortSignal');
  return { node: toNodeOptions(node), protocols: toList(protocols), signal };
}

function toList(protocols: unknown): string[] {
  if (protocols === undefined) return [];
  const list = isObject(protocols) ? toSequence(protocols, toUSVString, 'protocols') : undefined;
  if (!list) throw new TypeError('protocols is not a list of strings');
  return list;
}
