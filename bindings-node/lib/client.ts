// Opening a connection as a client: what the caller asks for, and the choice of the driver.

import type { ClientRequest, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { EventEmitter } from 'node:events';
import { native } from './addon.js';
import { guarded } from './errors.js';
import { dialNative } from './native-client.js';
import { type ConnectionOptions, listHeaders, makeConfig, wholeNumber, wrong } from './options.js';
import type { Peer } from './peer.js';
import { dialStream } from './stream-client.js';
import type { ClientUpgrade, ConnectionConfig } from '../native.js';

/** Options of a client. Those of `http.request` and `https.request` are passed on to them. */
export interface ClientOptions extends ConnectionOptions, Omit<RequestOptions, 'headers' | 'timeout'> {
  /** Further header fields of the request. */
  headers?: Readonly<Record<string, string | number | readonly string[] | undefined>> | undefined;
  /** The Origin header. */
  origin?: string | undefined;
  /** The version of the protocol: 13. */
  protocolVersion?: number | undefined;
  /** The subprotocols, where they are not given as an argument. */
  protocols?: string | string[] | undefined;
  /** Milliseconds that connecting and the opening handshake may take together. Default: no limit. */
  handshakeTimeout?: number | undefined;
  /** Changes the request before it is sent, and then ends it by `request.end()`. */
  finishRequest?: ((request: ClientRequest, websocket: EventEmitter) => void) | undefined;
  /**
   * `native`: the addon connects; only for `ws:` URLs. `stream`: Node's `http` or `https` connects. Default `auto`: native
   * where that can do all that is asked for.
   */
  transport?: 'auto' | 'native' | 'stream' | undefined;
}

/** What is asked of a driver. */
export interface Dial {
  peer: Peer;
  url: URL;
  subprotocols: string[];
  /** Header fields that are added to those of the handshake. */
  rawHeaders: string[];
  upgrade: ClientUpgrade;
  config: ConnectionConfig;
  handshakeTimeout: number | undefined;
  options: ClientOptions;
  /** The response upgrades the connection, which is not open yet. */
  upgraded(response: IncomingMessage): void;
}

/** Options that the native driver obeys, or that mean nothing to either. All others are for Node's `http`. */
const NATIVE_OPTIONS: readonly string[] = [
  'headers', 'origin', 'protocolVersion', 'protocols', 'handshakeTimeout', 'transport',
  'maxPayload', 'maxFragments', 'closeTimeout', 'autoPong',
  'perMessageDeflate', 'allowSynchronousEvents', 'skipUTF8Validation', 'followRedirects', 'maxRedirects',
  'maxBufferedChunks', 'maxPendingAutoPongs',
]; // prettier-ignore

/** Options of ws that would change what happens, and are not there. */
const MISSING_OPTIONS: readonly string[] = ['followRedirects', 'generateMask'];

/** Checks what is asked for, at once, and begins to connect on the next tick, or when `schedule` says so. */
export function dial(
  peer: Peer,
  address: string | URL,
  protocols: string[],
  options: ClientOptions,
  schedule: (begin: () => void) => void = process.nextTick,
): void {
  const url = readUrl(address);
  peer.url = url.href;
  checkOptions(options);
  const config = makeConfig(options);
  const handshakeTimeout = wholeNumber('handshakeTimeout', options.handshakeTimeout);
  checkSubprotocols(protocols);
  const { host, rawHeaders } = readHeaders(url, options);
  const target = targetOf(url);
  const upgrade = guarded(() => new native.ClientUpgrade(host ?? url.host, target, protocols, rawHeaders));

  const obstacle = nativeObstacle(options, url, host !== undefined);
  if (options.transport === 'native' && obstacle) {
    throw new TypeError(`transport 'native' can't be used with ${obstacle}; use 'auto' or 'stream'`);
  }

  let given = false;
  peer.attempt = { abort: () => (given = true) };
  schedule(() => {
    if (given) return;
    // By now the caller has said which events he wants to hear.
    const useNative = options.transport === 'native' || (!obstacle && prefersNative(options, peer));
    const upgraded = (response: IncomingMessage): void => void peer.emitter.emit('upgrade', response);
    const dialed = { peer, url, subprotocols: protocols, rawHeaders, upgrade, config, handshakeTimeout, options, upgraded };
    peer.attempt = useNative ? dialNative(dialed) : dialStream(dialed);
  });
}

function readUrl(address: string | URL): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (!['ws:', 'wss:', 'ws+unix:'].includes(url.protocol)) {
    const allowed = 'ws:, wss:, ws+unix:, http: and https: can be used';
    throw new SyntaxError(`The URL ${url.href} has the scheme ${url.protocol} ${allowed}`);
  }
  if (url.protocol === 'ws+unix:' && !url.pathname) throw new SyntaxError(`The URL ${url.href} has no path of a socket`);
  // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (RFC 6455 §3).
  if (url.href.includes('#')) throw new SyntaxError(`The URL ${url.href} contains a fragment identifier`);
  return url;
}

/** A `ws+unix:` URL has the path of the socket, and behind a colon that of the request. */
export function splitUnixPath(url: URL): { socketPath: string; target: string } {
  const [socketPath = '', ...rest] = `${url.pathname}${url.search}`.split(':');
  return { socketPath, target: rest.join(':') || '/' };
}

function targetOf(url: URL): string {
  return url.protocol === 'ws+unix:' ? splitUnixPath(url).target : `${url.pathname}${url.search}`;
}

function checkOptions(options: ClientOptions): void {
  const { protocolVersion = 13, transport = 'auto', perMessageDeflate } = options;
  if (protocolVersion !== 13) {
    throw new RangeError(`Unsupported protocol version: ${protocolVersion} (supported versions: 13)`);
  }
  if (!['auto', 'native', 'stream'].includes(transport)) {
    throw wrong('transport', transport, "'auto', 'native' or 'stream'");
  }
  if (!['undefined', 'boolean', 'object'].includes(typeof perMessageDeflate)) {
    throw wrong('perMessageDeflate', perMessageDeflate, 'a boolean or an object');
  }
  for (const name of MISSING_OPTIONS) {
    if ((options as Record<string, unknown>)[name]) throw new TypeError(`The option ${name} is not supported yet`);
  }
}

function checkSubprotocols(protocols: readonly unknown[]): void {
  if (protocols.length === 0) return;
  try {
    guarded(() => new native.ClientUpgrade('localhost', '/', protocols.map(String), []));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { message } = error;
    throw Object.assign(new SyntaxError(`An invalid or duplicated subprotocol was specified: ${message}`, { cause: error }));
  }
}

function readHeaders(url: URL, options: ClientOptions): { host: string | undefined; rawHeaders: string[] } {
  const rawHeaders: string[] = [];
  let host: string | undefined;
  const all = listHeaders(options.headers);
  for (let index = 0; index < all.length; index += 2) {
    const [name, value] = [all[index]!, all[index + 1]!];
    if (name.toLowerCase() === 'host') host = value;
    else rawHeaders.push(name, value);
  }
  if (options.origin !== undefined) rawHeaders.push('Origin', options.origin);
  if (url.protocol === 'ws+unix:') host ??= 'localhost';
  const authorized = rawHeaders.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization');
  const credentials =
    url.username || url.password ? `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` : options.auth;
  if (credentials && !authorized) {
    rawHeaders.push('Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  }
  return { host, rawHeaders };
}

/** What keeps the native driver from doing it, if anything does. */
function nativeObstacle(options: ClientOptions, url: URL, hasHost: boolean): string | undefined {
  if (url.protocol !== 'ws:') return `the URL's scheme ${url.protocol}`;
  if (hasHost) return 'the header Host';
  const other = Object.entries(options).find(([name, value]) => value !== undefined && !NATIVE_OPTIONS.includes(name));
  return other && `the option ${other[0]}`;
}

function prefersNative(options: ClientOptions, peer: Peer): boolean {
  // Who hears of this event gets a request and a response of Node's `http`, which only it can give.
  return options.transport !== 'stream' && peer.emitter.listenerCount('unexpected-response') === 0;
}
