import { checkBoolean, checkBytes, checkCount, checkRole, checkText, keyNumber, refuseServerKey } from './check.js';
import { LARGEST_SIZE } from './decoder.js';
import { roles } from './encoder.js';
import type { DataFrameOptions, Role } from './encoder.js';
import { protocolError, sendError } from './errors.js';
import { readEvents } from './events.js';
import type { ConnectionEvent } from './events.js';
import { RawConnection } from './itoden_wasm.js';
import { putBytes, putText } from './module.js';
import { Resource } from './resource.js';

/** Limits on what the peer can make this end hold, and the rest of what a connection is told when it opens. */
export interface ConnectionOptions {
  /** Largest message in bytes over all its fragments, up to 512 MiB; 16 MiB by default. Beyond it: close code 1009. */
  maxMessageSize?: number;
  /** Largest data frame in bytes; by default `maxMessageSize` is the bound. Beyond it: close code 1009. */
  maxFrameSize?: number;
  /** Most frames in one message; 131,072 by default. Beyond it: close code 1008. */
  maxFragments?: number;
  /** Most payload bytes that may wait to be taken; 64 MiB by default. Beyond it sending fails with `buffer_full`. */
  maxBufferedAmount?: number;
  /** Most pongs that may wait; 128 by default. Beyond it only the newest ping is answered (RFC 6455 §5.5.3). */
  maxPendingPongs?: number;
  /** How many milliseconds the peer has to answer a Close frame; 10,000 by default (§7.1.1). */
  closeTimeout?: number;
  /** Whether pings are answered by the connection itself (§5.5.2); `true` by default. */
  autoPong?: boolean;
  /**
   * A client's masking keys, asked for once a frame: four bytes each, for tests. By default they come from
   * `crypto.getRandomValues`, as they must on a real connection (§10.3).
   */
  maskingKey?: () => Uint8Array;
  /** A monotonic clock in milliseconds; `performance.now()` by default. */
  now?: () => number;
}

export interface FragmentOptions extends Pick<DataFrameOptions, 'fin'> {}

const readyStates = ['connecting', 'open', 'closing', 'closed'] as const;

/** The names of WHATWG's ready states, of which a connection passes through the last three. */
export type ReadyState = Exclude<(typeof readyStates)[number], 'connecting'>;

/** What the function that chooses masking keys has done wrong, if anything. Apart, so that it doesn't hold a connection. */
interface KeySource {
  failure?: { cause: unknown };
}

/**
 * One end of an open WebSocket connection without its transport: bytes in, events out; commands in, bytes out.
 *
 * Whatever carries the bytes, the loop is the same: hand what arrives to `receive()` and the end of it to `eof()`, act on
 * the events, and after each call on the connection write what `takeOutput()` has; once `shutdown` is true, end this
 * side of the transport. While `timeout` is not `null`, call `handleTimeout()` at that time.
 */
export class Connection extends Resource<RawConnection> {
  /** Which end this is. */
  readonly role: Role;
  readonly #now: () => number;
  readonly #keys: KeySource;

  /** An end of a connection whose opening handshake (§4) is done. */
  constructor(role: Role, options: ConnectionOptions = {}) {
    checkRole(role, roles);
    const { autoPong = true, maskingKey, now = () => performance.now() } = options;
    checkBoolean(autoPong, 'autoPong');
    if (maskingKey !== undefined && role === 'server') refuseServerKey();
    const keys: KeySource = {};
    super(() => new RawConnection(role === 'client', keyFunction(keys, maskingKey), settings(options), autoPong));
    this.role = role;
    this.#now = now;
    this.#keys = keys;
  }

  /** Where the connection is in its life; it is closed when the transport has ended (§7.1.4). */
  get readyState(): ReadyState {
    return readyStates[this.raw.ready_state] as ReadyState;
  }

  /** Payload bytes of messages that `takeOutput` has not handed out yet. */
  get bufferedAmount(): number {
    return this.raw.buffered_amount;
  }

  /** Whether this end has sent a Close frame, or has one in its output. */
  get closeSent(): boolean {
    return this.raw.close_sent;
  }

  /** Whether a Close frame came. */
  get closeReceived(): boolean {
    return this.raw.close_received;
  }

  /** Whether this side of the transport is to be ended, now that all output is taken (§7.1.1). */
  get shutdown(): boolean {
    return this.raw.shutdown;
  }

  /** When to call `handleTimeout`, on the clock of the option `now`; `null` if there is nothing to wait for. */
  get timeout(): number | null {
    return this.raw.timeout ?? null;
  }

  /** Bytes came from the peer. What the peer does wrong is an event, never an exception. */
  receive(bytes: Uint8Array): ConnectionEvent[] {
    checkBytes(bytes, 'the chunk');
    return this.#events((raw) => raw.handle_bytes(this.#now(), putBytes(bytes)));
  }

  /** The transport's incoming side has ended. */
  eof(): ConnectionEvent[] {
    return this.#events((raw) => raw.handle_eof(this.#now()));
  }

  /** The time of `timeout` has come. Calling it early is harmless. */
  handleTimeout(): ConnectionEvent[] {
    return this.#events((raw) => raw.handle_timeout(this.#now()));
  }

  /** Sends a text message in one frame (§5.6). A surrogate without its pair becomes U+FFFD. */
  sendText(text: string): void {
    checkText(text, 'the text');
    this.#command((raw) => raw.send(true, putText(text)));
  }

  /** Sends a binary message in one frame (§5.6). */
  sendBinary(bytes: Uint8Array): void {
    checkBytes(bytes, 'the message');
    this.#command((raw) => raw.send(false, putBytes(bytes)));
  }

  /**
   * Sends the next fragment of a text message (§5.4); the last one has `fin: true`, which is the default. Bytes may end
   * inside a character as long as the message as a whole is UTF-8.
   */
  sendTextFragment(text: string | Uint8Array, { fin = true }: FragmentOptions = {}): void {
    checkBoolean(fin, 'fin');
    if (typeof text !== 'string') checkBytes(text, 'the fragment');
    this.#command((raw) => raw.send_fragment(true, fin, typeof text === 'string' ? putText(text) : putBytes(text)));
  }

  /** Sends the next fragment of a binary message (§5.4). */
  sendBinaryFragment(bytes: Uint8Array, { fin = true }: FragmentOptions = {}): void {
    checkBoolean(fin, 'fin');
    checkBytes(bytes, 'the fragment');
    this.#command((raw) => raw.send_fragment(false, fin, putBytes(bytes)));
  }

  /** Sends a ping with up to 125 bytes of application data (§5.5.2). */
  ping(bytes: Uint8Array = new Uint8Array()): void {
    checkBytes(bytes, 'the payload');
    this.#command((raw) => raw.ping(putBytes(bytes)));
  }

  /** Sends a pong that no ping asked for, or the answer to one where `autoPong` is off (§5.5.3). */
  pong(bytes: Uint8Array = new Uint8Array()): void {
    checkBytes(bytes, 'the payload');
    this.#command((raw) => raw.pong(putBytes(bytes)));
  }

  /** Begins the closing handshake (§7.1.2). On a connection that is closing already, nothing happens. */
  close(code?: number, reason = ''): void {
    if (code !== undefined) checkCount(code, 'the close code', 0xffff);
    checkText(reason, 'the close reason');
    this.#command((raw) => raw.close(this.#now(), code, putText(reason)));
  }

  /** Everything that is to be written now, possibly nothing. It counts as written. */
  takeOutput(): Uint8Array<ArrayBuffer> {
    return this.#command((raw) => raw.take_output()) as Uint8Array<ArrayBuffer>;
  }

  #events(handle: (raw: RawConnection) => number): ConnectionEvent[] {
    return this.#command((raw) => {
      const count = handle(raw);
      if (count === 0) return [];
      const events = readEvents(raw.events(), count, () => protocolError(raw.failure()));
      raw.release();
      return events;
    });
  }

  #command<Result>(command: (raw: RawConnection) => Result): Result {
    const { raw } = this;
    this.#checkKeys();
    let result: Result;
    try {
      result = command(raw);
    } catch (thrown) {
      throw sendError(thrown);
    }
    this.#checkKeys();
    return result;
  }

  /** A frame for which there was no key has none, so nothing of this connection may be sent any more. */
  #checkKeys(): void {
    if (this.#keys.failure) throw this.#keys.failure.cause;
  }
}

/** The function that Rust calls for keys: it never throws, but leaves the failure for the connection to throw. */
function keyFunction(keys: KeySource, maskingKey: (() => Uint8Array) | undefined): (() => number) | undefined {
  if (maskingKey === undefined) return undefined;
  return () => {
    try {
      return keyNumber(maskingKey());
    } catch (cause) {
      keys.failure ??= { cause };
      return 0;
    }
  };
}

/** In the order of `RawConnection::new`; NaN is the core's default. */
function settings(options: ConnectionOptions): Float64Array {
  const { maxMessageSize, maxFrameSize, maxFragments, maxBufferedAmount, maxPendingPongs, closeTimeout } = options;
  const count = (value: number | undefined, name: string, largest = Infinity): number => {
    if (value === undefined) return NaN;
    checkCount(value, name, largest);
    return value;
  };
  return Float64Array.of(
    count(maxMessageSize, 'maxMessageSize', LARGEST_SIZE),
    count(maxFrameSize, 'maxFrameSize'),
    count(maxFragments, 'maxFragments'),
    count(maxBufferedAmount, 'maxBufferedAmount'),
    count(maxPendingPongs, 'maxPendingPongs'),
    count(closeTimeout, 'closeTimeout'),
  );
}
