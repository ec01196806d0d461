/**
 * itoden-wasm/handshake: the opening handshake of RFC 6455 §4 over HTTP/1.1, and over HTTP/2 as header lists (RFC 8441), for
 * clients and servers. What comes of it opens a `Connection` of `itoden-wasm` or `itoden-wasm/deflate`.
 *
 * @module
 */

import { Blobs, toBlobs } from './blobs.js';
import type { HeaderList } from './blobs.js';
import { checkBytes, checkCount, checkText } from './check.js';
import type { Handle } from './exports.js';
import { Has, Slot } from './module.js';
import type { ModuleSource, Wasm } from './module.js';
import { Resource } from './resource.js';

/** @internal */
export const handshakes = new Slot('init');

handshakes.offer(Has.frames, { source: () => new URL('./handshake.wasm', import.meta.url) });

/** Loads the module of handshakes, as that of `itoden-wasm` is loaded. */
export default function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  return handshakes.load(source);
}

/** Loads it at once, from its bytes or a compiled module. */
export function initSync(source?: BufferSource | WebAssembly.Module): void {
  handshakes.loadSync(source);
}

/** The opening handshake failed. Nothing was opened. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  /** The stable name of the reason, such as `'accept_mismatch'`. */
  readonly code: string;
  /** Where the rule stands, such as `'RFC 6455 §4.1'`. */
  readonly section: string;
  /** The HTTP status that a server answers with; 0 for an error that only a client or the caller meets. */
  readonly status: number;
  /** What a server answers, before it ends the transport (over HTTP/2 the stream). */
  readonly answer: Refusal | null;

  /** @internal */
  constructor(code: string, section: string, message: string, status: number, answer: Refusal | null) {
    super(message);
    this.code = code;
    this.section = section;
    this.status = status;
    this.answer = answer;
  }
}

/** Which parameters of permessage-deflate (RFC 7692 §7.1) are offered or accepted. */
export interface DeflateOptions {
  /** `false` by default. */
  serverNoContextTakeover?: boolean;
  /** `false` by default. */
  clientNoContextTakeover?: boolean;
  /** 8 to 15, the default. */
  serverMaxWindowBits?: number;
  /** 8 to 15, the default. */
  clientMaxWindowBits?: number;
}

/** Bounds on what the peer can make this end hold. */
export interface HandshakeLimits {
  /** Longest head in bytes; 16 KiB by default. */
  maxHeadSize?: number;
  /** Most header fields; 100 by default. */
  maxHeaders?: number;
  /** How many milliseconds the handshake may take, or `null` for as long as it takes; 10,000 by default. */
  openTimeout?: number | null;
}

/** What a client asks for. */
export interface ClientHandshakeOptions extends HandshakeLimits {
  /** The Host: the host, with `:port` unless it is the default of the scheme. */
  host: string;
  /** Path and query; `/` by default. */
  path?: string;
  /** In order of preference. */
  subprotocols?: readonly string[];
  /** Compression to offer; `false` by default. The connection must then be one of `itoden-wasm/deflate`. */
  deflate?: boolean | DeflateOptions;
  /** Further fields: Origin, Authorization, Cookie, …. */
  headers?: Iterable<readonly [string, string]>;
  /** For tests: the 16 bytes of the key. By default they come from `crypto.getRandomValues`, as they must (§4.1). */
  nonce?: Uint8Array;
}

/** What both ends agreed on: the options of a `Connection`. */
export interface Agreement {
  /** The subprotocol, or `''` if there is none. */
  readonly subprotocol: string;
  /** The extensions, to be given to the `Connection` as they are. */
  readonly extensions: string;
}

/** A request that is valid, to be accepted or refused. */
export interface UpgradeRequest {
  readonly method: string;
  /** As it came. */
  readonly target: string;
  /** `'1.1'` or `'2'`. */
  readonly httpVersion: string;
  /** Path and query. */
  readonly path: string;
  /** The host that is asked for. */
  readonly host: string;
  /** Those that the client offers, in order of preference. */
  readonly subprotocols: readonly string[];
  /** Servers that browsers can reach should check the origin in them (§10.2). */
  readonly headers: HeaderList;
  /** What came behind the head: the client's first frames. Empty over HTTP/2. */
  readonly rest: Uint8Array<ArrayBuffer>;
}

/** The answer of a server. */
export interface UpgradeResponse {
  readonly status: number;
  readonly statusText: string;
  readonly httpVersion: string;
  readonly headers: HeaderList;
  /** What came behind the head: the server's first frames, or the body of a refusal. Empty over HTTP/2. */
  readonly rest: Uint8Array<ArrayBuffer>;
}

/** What a server accepts a request with. */
export interface AcceptOptions {
  /** One that the client offers. */
  readonly subprotocol?: string | null;
  /** Added to the response. */
  readonly headers?: Iterable<readonly [string, string]>;
  /** Compression to accept, if the client offers it; `false` by default. */
  readonly deflate?: boolean | DeflateOptions;
}

/** What a server sends to accept: over HTTP/1.1 `bytes`, over HTTP/2 `headers` with a `:status`. */
export interface Accepted extends Agreement {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: HeaderList;
}

/** What a server sends to refuse: over HTTP/1.1 `bytes`, over HTTP/2 `headers` with a `:status`, and `body`. */
export interface Refusal {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: HeaderList;
  readonly body: string;
}

// As src/handshake.rs numbers them.
const MORE = 0;
const FAILED = 1;
const HTTP1 = 0;
const WS_OVER_HTTP2 = 1;
const WSS_OVER_HTTP2 = 2;

const nothing = new Uint8Array();

function bits(value: number | undefined, name: string): number {
  if (value === undefined) return 15;
  checkCount(value, name, 15);
  if (value < 8) throw new RangeError(`${name} is ${value}, but must be an integer from 8 to 15`);
  return value;
}

/** As `deflate_config` of src/handshake.rs reads it. */
function deflateNumber(wanted: boolean | DeflateOptions | undefined): number {
  if (!wanted) return 0;
  const options = wanted === true ? {} : wanted;
  const flags = 1 | (options.serverNoContextTakeover ? 2 : 0) | (options.clientNoContextTakeover ? 4 : 0);
  const serverBits = bits(options.serverMaxWindowBits, 'serverMaxWindowBits');
  return flags | (serverBits << 4) | (bits(options.clientMaxWindowBits, 'clientMaxWindowBits') << 8);
}

function limits({ maxHeadSize = 16 << 10, maxHeaders = 100, openTimeout = 10_000 }: HandshakeLimits): [number, number, number] {
  checkCount(maxHeadSize, 'maxHeadSize', 1 << 24);
  checkCount(maxHeaders, 'maxHeaders', 1 << 16);
  if (openTimeout !== null) checkCount(openTimeout, 'openTimeout', Infinity);
  return [maxHeadSize, maxHeaders, openTimeout ?? NaN];
}

function pairs(headers: Iterable<readonly [string, string]>): string[] {
  const list: string[] = [];
  for (const [name, value] of headers) {
    checkText(name, 'the name of a header');
    checkText(value, 'the value of a header');
    list.push(name, value);
  }
  return list;
}

const result = (wasm: Wasm) => new Blobs(wasm.copy(wasm.told(0), wasm.told(1)));

function told(wasm: Wasm, answer: () => Refusal | null): HandshakeError {
  const [code, section, message, status] = [wasm.toldText(0), wasm.toldText(2), wasm.toldText(4), wasm.told(6)];
  return new HandshakeError(code, section, message, status, answer());
}

/** What both sides have in common: the limit on time. */
abstract class Handshake extends Resource {
  /** When to call `handleTimeout`, in milliseconds of its clock; `null` if there is nothing to wait for. */
  get timeout(): number | null {
    const deadline = this.wasm.exports.handshake_deadline(this.handle);
    return Number.isNaN(deadline) ? null : deadline;
  }

  /** Tells the time in milliseconds; the first call starts the clock. Throws `open_timeout` once the time is up. */
  handleTimeout(now = performance.now()): void {
    this.check(this.wasm.exports.handshake_timeout(this.handle, now));
  }

  /** @internal */
  protected check(code: number): number {
    if (code === FAILED) throw told(this.wasm, () => this.answer());
    return code;
  }

  /** @internal */
  protected answer(): Refusal | null {
    return null;
  }
}

/** A client that asks (§4.1). Write `request`, and hand what comes to `receive` until it has the answer. */
export class ClientHandshake extends Handshake {
  /** What to write first. */
  readonly request: Uint8Array<ArrayBuffer>;

  constructor(options: ClientHandshakeOptions) {
    let request = nothing as Uint8Array<ArrayBuffer>;
    super(handshakes, 'handshake_free', (wasm) => {
      const handle = ask(wasm, HTTP1, options);
      request = result(wasm).bytes();
      return handle;
    });
    this.request = request;
  }

  /** Takes the next bytes. The answer, or `null` while more are needed; interim answers are skipped. */
  receive(bytes: Uint8Array): UpgradeResponse | null {
    checkBytes(bytes, 'the chunk');
    const { wasm } = this;
    if (this.check(wasm.exports.handshake_bytes(this.handle, wasm.put(bytes))) === MORE) return null;
    return readResponse(wasm, bytes.slice(wasm.told(2)));
  }

  /** Checks the answer; what both ends agreed on. Throws a {@link HandshakeError} if it doesn't open a WebSocket. */
  open(): Agreement {
    return open(this.wasm, this.check(this.wasm.exports.handshake_open(this.handle)));
  }
}

/** A client that asks over HTTP/2, by an extended CONNECT (RFC 8441). Send `request` in HEADERS without END_STREAM. */
export class ConnectHandshake extends Handshake {
  /** The header list to send, the pseudo-header fields first. */
  readonly request: HeaderList;

  /** `secure`: for `wss:`; `true` by default. */
  constructor(options: Omit<ClientHandshakeOptions, 'nonce'> & { secure?: boolean }) {
    let request: HeaderList = [];
    super(handshakes, 'handshake_free', (wasm) => {
      const handle = ask(wasm, options.secure === false ? WS_OVER_HTTP2 : WSS_OVER_HTTP2, options);
      request = result(wasm).headers();
      return handle;
    });
    this.request = request;
  }

  /** Takes the header list of a response; `null` if it is an interim one, and another follows. */
  receive(headers: Iterable<readonly [string, string]>): UpgradeResponse | null {
    const { wasm } = this;
    if (this.check(wasm.exports.handshake_list(this.handle, wasm.put(toBlobs(pairs(headers))))) === MORE) return null;
    return readResponse(wasm, new Uint8Array());
  }

  /** Checks the answer; what both ends agreed on. Throws a {@link HandshakeError} if it doesn't open a WebSocket. */
  open(): Agreement {
    return open(this.wasm, this.check(this.wasm.exports.handshake_open(this.handle)));
  }
}

/** A server that waits for a request (§4.2), over HTTP/1.1 or HTTP/2. */
export class ServerHandshake extends Handshake {
  #subprotocols: readonly string[] | undefined;

  constructor(options: HandshakeLimits = {}) {
    const given = limits(options);
    super(handshakes, 'handshake_free', ({ exports }) => exports.handshake_server(...given));
  }

  /**
   * Takes the next bytes of HTTP/1.1. The request, or `null` while more bytes are needed. A {@link HandshakeError} has the
   * `answer` to write before the transport is ended.
   */
  receive(bytes: Uint8Array): UpgradeRequest | null {
    checkBytes(bytes, 'the chunk');
    const { wasm } = this;
    if (this.check(wasm.exports.handshake_bytes(this.handle, wasm.put(bytes))) === MORE) return null;
    return this.#request(bytes.slice(wasm.told(2)));
  }

  /** Takes the header list of an extended CONNECT, as an HTTP/2 server has decoded it (RFC 8441). */
  receiveHeaders(headers: Iterable<readonly [string, string]>): UpgradeRequest {
    const { wasm } = this;
    this.check(wasm.exports.handshake_list(this.handle, wasm.put(toBlobs(pairs(headers)))));
    return this.#request(new Uint8Array());
  }

  /** Accepts the request. `subprotocol` is one that the client offers; `headers` are added to the response. */
  accept(options: AcceptOptions = {}): Accepted {
    if (!this.#subprotocols) throw new Error('there is no request to be accepted: receive() has not returned one');
    const { subprotocol = null, headers = [], deflate } = options;
    if (subprotocol !== null) checkText(subprotocol, 'the subprotocol');
    const { wasm } = this;
    const blobs = toBlobs([...(subprotocol === null ? [] : [subprotocol]), ...pairs(headers)]);
    const number = deflateNumber(deflate);
    this.check(wasm.exports.handshake_accept(this.handle, subprotocol !== null, number, wasm.put(blobs)));
    const read = result(wasm);
    const agreed = { subprotocol: subprotocol ?? '', extensions: read.text() };
    this.#subprotocols = undefined;
    return this.#isHttp2 ? { ...agreed, bytes: new Uint8Array(), headers: read.headers() } : { ...agreed, bytes: read.bytes(), headers: [] };
  }

  /** Refuses the request with a status of 300 to 599. */
  refuse(status: number, { headers = [], body = '' }: { headers?: Iterable<readonly [string, string]>; body?: string } = {}): Refusal {
    checkCount(status, 'the status', 0xffff);
    checkText(body, 'the body');
    const { wasm } = this;
    this.check(wasm.exports.handshake_refuse(this.handle, status, wasm.put(toBlobs([body, ...pairs(headers)]))));
    return this.#refusal();
  }

  #isHttp2 = false;

  #request(rest: Uint8Array<ArrayBuffer>): UpgradeRequest {
    const read = result(this.wasm);
    const [method, target, httpVersion, path, host] = [read.text(), read.text(), read.text(), read.text(), read.text()];
    const subprotocols = Array.from({ length: Number(read.text()) }, () => read.text());
    this.#subprotocols = subprotocols;
    this.#isHttp2 = httpVersion === '2';
    return { method, target, httpVersion, path, host, subprotocols, headers: read.headers(), rest };
  }

  /** @internal */
  protected override answer(): Refusal | null {
    return this.wasm.exports.handshake_answer(this.handle) === MORE ? null : this.#refusal();
  }

  #refusal(): Refusal {
    const read = result(this.wasm);
    const first = read.bytes();
    const headers = read.headers();
    if (headers.length === 0) return { bytes: first, headers, body: '' };
    return { bytes: new Uint8Array(), headers, body: new TextDecoder().decode(first) };
  }
}

function ask(wasm: Wasm, carrier: number, options: ClientHandshakeOptions): Handle {
  const { host, path = '/', subprotocols = [], headers = [], nonce } = options;
  checkText(host, 'the host');
  checkText(path, 'the path');
  for (const name of subprotocols) checkText(name, 'a subprotocol');
  if (nonce !== undefined) {
    checkBytes(nonce, 'the nonce');
    if (nonce.length !== 16) throw new RangeError(`the nonce has ${nonce.length} bytes, but must have 16 (RFC 6455 §4.1)`);
  }
  const key = nonce ?? crypto.getRandomValues(new Uint8Array(16));
  const length = wasm.put(toBlobs([key, host, path, ...subprotocols, ...pairs(headers)]));
  const number = deflateNumber(options.deflate);
  const handle = wasm.exports.handshake_client(carrier, subprotocols.length, number, ...limits(options), length);
  if (handle === 0) throw told(wasm, () => null);
  return handle;
}

function readResponse(wasm: Wasm, rest: Uint8Array<ArrayBuffer>): UpgradeResponse {
  const read = result(wasm);
  const [status, statusText, httpVersion] = [Number(read.text()), read.text(), read.text()];
  return { status, statusText, httpVersion, headers: read.headers(), rest };
}

function open(wasm: Wasm, code: number): Agreement {
  if (code === MORE) throw new Error('there is no answer to be checked: receive() has not returned one');
  const [read, count] = [result(wasm), wasm.told(2)];
  const subprotocol = count > 0 ? read.text() : '';
  return { subprotocol, extensions: read.text() };
}

export { acceptOver, connectOver } from './over.js';
export type { OpenTransport, RawTransport, RefuseOptions } from './over.js';
export type { HeaderList } from './blobs.js';
export type { ModuleSource } from './module.js';
