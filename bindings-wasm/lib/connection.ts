import { checkBoolean, checkBytes, checkCount, checkRole, checkText, keyNumber, refuseServerKey } from './check.js';
import { LARGEST_SIZE } from './decoder.js';
import { roles } from './encoder.js';
import type { DataFrameOptions, Role } from './encoder.js';
import { checkSent } from './errors.js';
import { joined, readEvents } from './events.js';
import type { ConnectionEvent } from './events.js';
import type { Handle } from './exports.js';
import { codec, encodeText, keySources, SHORT_TEXT } from './module.js';
import type { Wasm } from './module.js';
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
  /**
   * The extensions that the opening handshake agreed on: the Sec-WebSocket-Extensions of the server's answer, as
   * `'permessage-deflate; client_no_context_takeover'`. Compression (RFC 7692) is in the entry `itoden-wasm/deflate`. Empty by
   * default.
   */
  extensions?: string;
  /** How hard to compress, from 1 (fastest) to 9 (smallest); 6 by default. */
  compressionLevel?: number;
  /** Messages of fewer bytes are sent as they are; 1024 by default. */
  compressionThreshold?: number;
  /** A monotonic clock in milliseconds; `performance.now()` by default. */
  now?: () => number;
}

export interface MessageOptions {
  /**
   * Whether to compress, if that was agreed on and the message is long enough. `true` by default; `false` is for what is
   * compressed already, and for secrets beside text that others choose.
   */
  compress?: boolean;
}

export interface BinaryOptions extends MessageOptions {
  /**
   * Whether the bytes stay as they are until they are written: then a server's connection keeps them instead of a copy, and
   * `takeOutputs` hands out the very bytes, if they are 1 KiB or more and not compressed. `false` by default.
   */
  lend?: boolean;
}

export interface ReceiveOptions {
  /**
   * Whether the bytes stay as they are from now on. Then a client's large binary messages, from 8 KiB on, which are not compressed,
   * are not copied: each is a view of the bytes if it is whole there. `false` by default.
   */
  lend?: boolean;
}

export interface FragmentOptions extends Pick<DataFrameOptions, 'fin'>, MessageOptions {}

const readyStates = ['connecting', 'open', 'closing', 'closed'] as const;

/** The names of WHATWG's ready states, of which a connection passes through the last three. */
export type ReadyState = Exclude<(typeof readyStates)[number], 'connecting'>;

/** Where a large message is expected, the module is given no more than this of the chunk first, in which its header is. */
const PROBE = 16;

/** From this length on bytes that are neither masked nor compressed are not brought into the module. */
const LARGE = 1024;

/** A copy; a `slice` of Node's buffers would be none. */
const copied = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

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
export class Connection extends Resource {
  /** Which end this is. */
  readonly role: Role;
  readonly #now: () => number;
  /** Whether there may be compression. */
  readonly #extended: boolean;
  /** Payloads that are not in the module, and behind how many bytes of its output each goes. */
  #apart: { readonly place: number; readonly payload: Uint8Array }[] = [];
  /** How many of the next bytes are of a large message that is not brought into the module, and what came of it. */
  #due = 0;
  #parts: Uint8Array[] = [];
  /** Whether the last message was such a one. */
  #probes = false;
  /** Of who chooses keys. */
  readonly #keys: KeySource | undefined;

  /** An end of a connection whose opening handshake (§4) is done. */
  constructor(role: Role, options: ConnectionOptions = {}) {
    checkRole(role, roles);
    const { maskingKey, now = () => performance.now() } = options;
    if (maskingKey !== undefined && role === 'server') refuseServerKey();
    const keys: KeySource = {};
    const source = maskingKey ? addKeySource(keys, maskingKey) : 0;
    super(codec, 'connection_free', (wasm) => make(wasm, role, source, options));
    this.role = role;
    this.#now = now;
    this.#extended = !!options.extensions;
    if (source === 0) return;
    this.#keys = keys;
    keysCollected.register(this, source);
  }

  /** Where the connection is in its life; it is closed when the transport has ended (§7.1.4). */
  get readyState(): ReadyState {
    return readyStates[this.#state & 3] as ReadyState;
  }

  /** Payload bytes of messages that `takeOutput` has not handed out yet. */
  get bufferedAmount(): number {
    return this.wasm.exports.connection_buffered(this.handle);
  }

  /** Whether this end has sent a Close frame, or has one in its output. */
  get closeSent(): boolean {
    return (this.#state & 8) !== 0;
  }

  /** Whether a Close frame came. */
  get closeReceived(): boolean {
    return (this.#state & 16) !== 0;
  }

  /** Whether this side of the transport is to be ended, now that all output is taken (§7.1.1). */
  get shutdown(): boolean {
    return (this.#state & 4) !== 0;
  }

  get #state(): number {
    return this.wasm.exports.connection_state(this.handle);
  }

  /** When to call `handleTimeout`, on the clock of the option `now`; `null` if there is nothing to wait for. */
  get timeout(): number | null {
    const deadline = this.wasm.exports.connection_deadline(this.handle);
    return Number.isNaN(deadline) ? null : deadline;
  }

  /** Bytes came from the peer. What the peer does wrong is an event, never an exception. */
  receive(bytes: Uint8Array, { lend = false }: ReceiveOptions = {}): ConnectionEvent[] {
    checkBytes(bytes, 'the chunk');
    checkBoolean(lend, 'lend');
    const now = this.#now();
    const { length } = bytes;
    let events: ConnectionEvent[] = [];
    let at = 0;
    do {
      const due = Math.min(this.#due, length - at);
      const end = due > 0 ? at + due : lend && this.#probes ? Math.min(at + PROBE, length) : length;
      const part = end - at === length ? bytes : bytes.subarray(at, end);
      const told = this.#events((handle) => {
        const { exports } = this.wasm;
        if (due > 0) this.#parts.push(lend ? part : copied(part));
        const count =
          due > 0 ? exports.connection_took(handle, now, due) : exports.connection_bytes(handle, now, lend, this.wasm.put(part));
        this.#due = this.wasm.told(0);
        at = end - this.wasm.told(1);
        return count;
      });
      // Behind a large message the next one is likely to be large too.
      this.#probes = due + this.#due > 0;
      if (events.length === 0) events = told;
      else for (const event of told) events.push(event);
    } while (at < length);
    if (this.#due === 0) this.#parts = [];
    return events;
  }

  /**
   * @internal The same one event at a time, to be iterated to the end: what is sent between goes before what the peer has
   * done wrong behind it.
   */
  *steps(bytes: Uint8Array): Generator<ConnectionEvent> {
    checkBytes(bytes, 'the chunk');
    const now = this.#now();
    for (let isFirst = true; ; isFirst = false) {
      const length = isFirst ? this.wasm.put(bytes) : 0;
      const [event] = this.#events((handle) => this.wasm.exports.connection_step(handle, now, length));
      if (!event) return;
      yield event;
    }
  }

  /** The transport's incoming side has ended. */
  eof(): ConnectionEvent[] {
    const now = this.#now();
    return this.#events((handle) => this.wasm.exports.connection_eof(handle, now));
  }

  /** The time of `timeout` has come. Calling it early is harmless. */
  handleTimeout(): ConnectionEvent[] {
    const now = this.#now();
    return this.#events((handle) => this.wasm.exports.connection_timeout(handle, now));
  }

  /** Sends a text message in one frame (§5.6). A surrogate without its pair becomes U+FFFD. */
  sendText(text: string, { compress = true }: MessageOptions = {}): void {
    checkText(text, 'the text');
    checkBoolean(compress, 'compress');
    if (this.#keeps(text.length > SHORT_TEXT, compress) && this.#sendApart(true, compress, encodeText(text))) return;
    this.#command((handle) => this.wasm.exports.connection_send(handle, true, compress, this.wasm.putText(text)));
  }

  /** Sends a binary message in one frame (§5.6). */
  sendBinary(bytes: Uint8Array, { compress = true, lend = false }: BinaryOptions = {}): void {
    checkBytes(bytes, 'the message');
    checkBoolean(compress, 'compress');
    checkBoolean(lend, 'lend');
    if (this.#keeps(bytes.length >= LARGE, compress) && this.#sendApart(false, compress, lend ? bytes : copied(bytes))) return;
    this.#command((handle) => this.wasm.exports.connection_send(handle, false, compress, this.wasm.put(bytes)));
  }

  /**
   * Sends the next fragment of a text message (§5.4); the last one has `fin: true`, which is the default. Bytes may end
   * inside a character as long as the message as a whole is UTF-8. Whether to compress is told with the first fragment.
   */
  sendTextFragment(text: string | Uint8Array, options: FragmentOptions = {}): void {
    if (typeof text !== 'string') checkBytes(text, 'the fragment');
    this.#fragment(true, text, options);
  }

  /** Sends the next fragment of a binary message (§5.4). */
  sendBinaryFragment(bytes: Uint8Array, options: FragmentOptions = {}): void {
    checkBytes(bytes, 'the fragment');
    this.#fragment(false, bytes, options);
  }

  /** Sends a ping with up to 125 bytes of application data (§5.5.2). */
  ping(bytes: Uint8Array = new Uint8Array()): void {
    checkBytes(bytes, 'the payload');
    this.#command((handle) => this.wasm.exports.connection_ping(handle, true, this.wasm.put(bytes)));
  }

  /** Sends a pong that no ping asked for, or the answer to one where `autoPong` is off (§5.5.3). */
  pong(bytes: Uint8Array = new Uint8Array()): void {
    checkBytes(bytes, 'the payload');
    this.#command((handle) => this.wasm.exports.connection_ping(handle, false, this.wasm.put(bytes)));
  }

  /** Begins the closing handshake (§7.1.2). On a connection that is closing already, nothing happens. */
  close(code?: number, reason = ''): void {
    if (code !== undefined) checkCount(code, 'the close code', 0xffff);
    checkText(reason, 'the close reason');
    const now = this.#now();
    this.#command((handle) => this.wasm.exports.connection_close(handle, now, code ?? -1, this.wasm.putText(reason)));
  }

  /** Everything that is to be written now, possibly nothing. It counts as written. */
  takeOutput(): Uint8Array<ArrayBuffer> {
    return joined(this.takeOutputs());
  }

  /**
   * The same as it lies in memory, for who can write several buffers at once: a large payload that a server sends is one of its
   * own, which no copy was made of if it was lent.
   */
  takeOutputs(): Uint8Array[] {
    return this.#guarded((handle) => {
      const { exports } = this.wasm;
      const outputs: Uint8Array[] = [];
      for (;;) {
        exports.connection_output(handle);
        const [address, length] = [this.wasm.told(0), this.wasm.told(1)];
        if (length === 0) {
          // What a connection still had to write when it ended is dropped.
          this.#apart = [];
          return outputs;
        }
        const part = this.wasm.copy(address, length);
        exports.connection_transmitted(handle);
        let from = 0;
        for (const { place, payload } of this.#apart) {
          outputs.push(place - from === length ? part : part.subarray(from, place), payload);
          from = place;
        }
        if (from > 0) this.#apart = [];
        if (from < length) outputs.push(from > 0 ? part.subarray(from) : part);
      }
    });
  }

  /** Whether a payload is worth keeping here; whether it may be kept is for the core to say. */
  #keeps(isLarge: boolean, compress: boolean): boolean {
    return isLarge && this.role === 'server' && !(compress && this.#extended);
  }

  /** Sends what the module need not see; whether it was sent. */
  #sendApart(isText: boolean, compress: boolean, payload: Uint8Array): boolean {
    const result = this.wasm.exports.connection_apart(this.handle, isText, compress, payload.length);
    if (result === 2) return false;
    checkSent(this.wasm, result);
    this.#apart.push({ place: this.wasm.told(0), payload });
    return true;
  }

  #fragment(isText: boolean, part: string | Uint8Array, { fin = true, compress = true }: FragmentOptions): void {
    checkBoolean(fin, 'fin');
    checkBoolean(compress, 'compress');
    this.#command((handle) => {
      const length = typeof part === 'string' ? this.wasm.putText(part) : this.wasm.put(part);
      return this.wasm.exports.connection_fragment(handle, isText, fin, compress, length);
    });
  }

  #events(call: (handle: Handle) => number): ConnectionEvent[] {
    return this.#guarded((handle) => {
      const count = call(handle);
      if (count === 0) return [];
      const events = readEvents(this.wasm, handle, count, this.#parts);
      this.wasm.exports.connection_release(handle);
      return events;
    });
  }

  #command(call: (handle: Handle) => number): void {
    this.#guarded((handle) => checkSent(this.wasm, call(handle)));
  }

  /** A frame for which there was no key has none, so nothing of this connection may be sent any more. */
  #guarded<Result>(call: (handle: Handle) => Result): Result {
    if (!this.#keys) return call(this.handle);
    this.#checkKeys(this.#keys);
    const result = this.exclusively(call);
    this.#checkKeys(this.#keys);
    return result;
  }

  #checkKeys({ failure }: KeySource): void {
    if (failure) throw failure.cause;
  }
}

let lastSource = 0;
const keysCollected = new FinalizationRegistry((source: number) => keySources.delete(source));

/** The number of the function that Rust calls for keys: it never throws, but leaves the failure for the connection to throw. */
function addKeySource(keys: KeySource, maskingKey: () => Uint8Array): number {
  lastSource += 1;
  keySources.set(lastSource, () => {
    try {
      return keyNumber(maskingKey());
    } catch (cause) {
      keys.failure ??= { cause };
      return 0;
    }
  });
  return lastSource;
}

function make(wasm: Wasm, role: Role, source: number, options: ConnectionOptions): Handle {
  const { extensions = '', autoPong = true, compressionLevel, compressionThreshold } = options;
  checkText(extensions, 'extensions');
  checkBoolean(autoPong, 'autoPong');
  const count = (value: number | undefined, name: string, largest = Infinity): number => {
    if (value === undefined) return NaN;
    checkCount(value, name, largest);
    return value;
  };
  if (compressionLevel === 0) throw new RangeError('compressionLevel is 0, but must be an integer from 1 to 9');
  // In the order of src/settings.rs; NaN is the core's default.
  const settings = Float64Array.of(
    count(options.maxMessageSize, 'maxMessageSize', LARGEST_SIZE),
    count(options.maxFrameSize, 'maxFrameSize'),
    count(options.maxFragments, 'maxFragments'),
    count(options.maxBufferedAmount, 'maxBufferedAmount'),
    count(options.maxPendingPongs, 'maxPendingPongs'),
    count(options.closeTimeout, 'closeTimeout'),
    Number(autoPong),
    count(compressionLevel, 'compressionLevel', 9),
    count(compressionThreshold, 'compressionThreshold'),
  );
  const length = wasm.putText(extensions, settings.byteLength);
  wasm.bytes().set(new Uint8Array(settings.buffer), wasm.border);
  const handle = wasm.exports.connection_new(role === 'client', source, length);
  if (handle !== 0) return handle;
  throw new TypeError(
    `extensions is '${extensions}', but must be what a server answers for permessage-deflate (RFC 7692 §7.1); ` +
      'it is in the entry itoden-wasm/deflate',
  );
}
