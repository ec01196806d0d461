// Opening a connection as a client: what the caller asks for, and the choice of the driver.

import type { ClientRequest, IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import { inspect } from 'node:util';
import { native } from './addon.js';
import { readDeflate } from './deflate.js';
import { abortError, guarded } from './errors.js';
import type { GenerateMask } from './masking.js';
import { dialNative } from './native-client.js';
import { callable, type ConnectionOptions, flag, listHeaders, makeConfig, readHabits, wholeNumber, wrong } from './options.js';
import { type Peer, ReadyState } from './peer.js';
import type { Trail } from './redirect.js';
import { dialStream } from './stream-client.js';
import type { ClientUpgrade, ConnectionConfig } from '../native.js';
import { isUnix, readUrl, targetOf } from './url.js';
import type { WebSocket } from './websocket.js';

/** Options of a client. Those of `http.request` and `https.request` are passed on to them. */
export interface ClientOptions extends ConnectionOptions, Omit<RequestOptions, 'headers' | 'timeout' | 'signal'> {
  /** Further header fields of the request. */
  headers?: Readonly<Record<string, string | number | readonly string[] | undefined>> | undefined;
  /** The Origin header. */
  origin?: string | undefined;
  /** The version of the protocol that is asked for: 13, or 8 for servers from before RFC 6455. Default 13. */
  protocolVersion?: number | undefined;
  /** The subprotocols, where they are not given as an argument. */
  protocols?: string | string[] | undefined;
  /** Milliseconds that connecting and the opening handshake may take together; anew after a redirect. Default: no limit. */
  handshakeTimeout?: number | undefined;
  /** Whether to go where the server redirects to. Default `false`: a redirect is an error. */
  followRedirects?: boolean | undefined;
  /** How many redirects to follow. Default 10. */
  maxRedirects?: number | undefined;
  /**
   * Gives up connecting when it aborts: 'error' with an AbortError whose `cause` is the signal's reason, then 'close'. A
   * connection that is open is terminated, as in ws: 'close' with 1006.
   */
  signal?: AbortSignal | undefined;
  /** Changes the request before it is sent, and then ends it by `request.end()`. */
  finishRequest?: ((request: ClientRequest, websocket: WebSocket) => void) | undefined;
  /**
   * Makes the masking key of each frame, by filling the four bytes. Default: random numbers of the system, as RFC 6455
   * §5.3 demands. A few keys are made beforehand, for frames that answer to others.
   */
  generateMask?: GenerateMask | undefined;
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
  /** The threshold of compression. */
  threshold?: number | undefined;
  /** How redirects brought it here, if they may. */
  trail?: Trail | undefined;
  /** The response upgrades the connection, which is not open yet. */
  upgraded(response: IncomingMessage): void;
}

/** Options that the native driver obeys, or that mean nothing to either. All others are for Node's `http`. */
const NATIVE_OPTIONS: readonly string[] = [
  'headers', 'origin', 'protocols', 'handshakeTimeout', 'transport',
  'maxPayload', 'maxFragments', 'closeTimeout', 'autoPong', 'maxPendingAutoPongs',
  'perMessageDeflate', 'allowSynchronousEvents', 'skipUTF8Validation', 'maxBufferedChunks', 'maxRedirects',
  'pingInterval', 'pingTimeout', 'idleTimeout', 'highWaterMark', 'signal',
]; // prettier-ignore

/** Options that keep the native driver away only with a value other than this. */
const USUAL: Readonly<Record<string, unknown>> = { followRedirects: false, protocolVersion: 13 };

const VERSIONS: readonly unknown[] = [8, 13];
const MAX_REDIRECTS = 10;

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
  peer.habits = readHabits(options);
  checkSubprotocols(protocols);
  const dialed = makeDial(peer, url, protocols, options, {
    config: makeConfig(options, true),
    handshakeTimeout: wholeNumber('handshakeTimeout', options.handshakeTimeout),
    threshold: readDeflate(options.perMessageDeflate, true)?.threshold,
    trail: options.followRedirects ? { first: url, count: 0, most: mostRedirects(options), changed: false } : undefined,
  });
  const obstacle = nativeObstacle(options, url);
  if (options.transport === 'native' && obstacle) {
    throw new TypeError(`transport 'native' can't be used with ${obstacle}; use 'auto' or 'stream'`);
  }

  let given = false;
  peer.attempt = { abort: () => (given = true) };
  if (options.signal) heed(peer, options.signal);
  schedule(() => {
    if (given) return;
    // By now the caller has said which events he wants to hear.
    const useNative = options.transport === 'native' || (!obstacle && prefersNative(options, peer));
    if (useNative) peer.attempt = dialNative(dialed);
    else dialStream(dialed);
  });
}

/** Gives up when the signal aborts. */
function heed(peer: Peer, signal: AbortSignal): void {
  const abort = (): void => {
    if (peer.readyState === ReadyState.CONNECTING) peer.abort(abortError(signal.reason));
    else peer.terminate();
  };
  if (signal.aborted) return abort();
  signal.addEventListener('abort', abort, { once: true });
  peer.whenClosed = () => signal.removeEventListener('abort', abort);
}

/** What stays the same where a redirect leads to. */
type Constant = Pick<Dial, 'config' | 'handshakeTimeout' | 'threshold' | 'trail'>;

/** Makes the request to a URL, with the options as they are for it. */
export function makeDial(
  peer: Peer,
  url: URL,
  subprotocols: string[],
  options: ClientOptions,
  constant: Constant,
): Dial {
  const { host, rawHeaders } = readHeaders(url, options);
  const { config } = constant;
  const name = host ?? (isUnix(url) ? 'localhost' : url.host);
  const upgrade = guarded(
    () => new native.ClientUpgrade(name, targetOf(url), subprotocols, rawHeaders, undefined, config),
  );
  const upgraded = (response: IncomingMessage): void => void peer.emitter.emit('upgrade', response);
  return { peer, url, subprotocols, rawHeaders, upgrade, options, upgraded, ...constant };
}

/** As ws and browsers do: whoever asks for subprotocols can't go on without one. */
export function missingSubprotocol({ subprotocols }: Dial, chosen: string | null | undefined): Error | undefined {
  if (subprotocols.length === 0 || typeof chosen === 'string') return undefined;
  return new Error(`Server sent no subprotocol: it was asked for one of ${subprotocols.join(', ')}`);
}

function mostRedirects({ maxRedirects }: ClientOptions): number {
  return wholeNumber('maxRedirects', maxRedirects) ?? MAX_REDIRECTS;
}

function checkOptions(options: ClientOptions): void {
  const { protocolVersion = 13, transport = 'auto', origin, headers, signal } = options;
  if (!VERSIONS.includes(protocolVersion)) {
    throw new RangeError(`Unsupported protocol version: ${protocolVersion} (supported versions: ${VERSIONS.join(', ')})`);
  }
  if (!['auto', 'native', 'stream'].includes(transport)) {
    throw wrong('transport', transport, "'auto', 'native' or 'stream'");
  }
  if (origin !== undefined && origin !== null && typeof origin !== 'string') throw wrong('origin', origin, 'a string');
  if (headers !== undefined && headers !== null && (typeof headers !== 'object' || Array.isArray(headers))) {
    throw wrong('headers', headers, 'an object with names and values');
  }
  if (signal !== undefined && signal !== null && !isSignal(signal)) throw wrong('signal', signal, 'an AbortSignal');
  flag('followRedirects', options.followRedirects, false);
  mostRedirects(options);
  for (const name of ['generateMask', 'finishRequest', 'createConnection', 'lookup'] as const) callable(name, options[name]);
}

/** Of this realm or another. */
function isSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value;
}

function checkSubprotocols(protocols: readonly unknown[]): void {
  if (protocols.length === 0) return;
  const other = protocols.find((name) => typeof name !== 'string');
  if (other !== undefined) {
    throw new SyntaxError(`An invalid or duplicated subprotocol was specified: ${inspect(other)} is not a string`);
  }
  try {
    guarded(() => new native.ClientUpgrade('localhost', '/', protocols as string[], []));
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
  if (options.origin) rawHeaders.push(options.protocolVersion === 8 ? 'Sec-WebSocket-Origin' : 'Origin', options.origin);
  const authorized = rawHeaders.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization');
  const credentials = credentialsOf(url) ?? options.auth;
  if (credentials && !authorized) rawHeaders.push('Authorization', basic(credentials));
  return { host, rawHeaders };
}

/** User and password of a URL. */
export function credentialsOf({ username, password }: URL): string | undefined {
  if (!username && !password) return undefined;
  return `${unescape(username)}:${unescape(password)}`;
}

export const basic = (credentials: string): string => `Basic ${Buffer.from(credentials).toString('base64')}`;

/** Percent signs that escape nothing stand for themselves, as in ws. */
function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What keeps the native driver from doing it, if anything does. */
function nativeObstacle(options: ClientOptions, url: URL): string | undefined {
  if (url.protocol !== 'ws:') return `the URL's scheme ${url.protocol}`;
  if (Object.keys(options.headers ?? {}).some((name) => name.toLowerCase() === 'host')) return 'the header Host';
  const other = Object.entries(options).find(
    ([name, value]) => value !== undefined && !NATIVE_OPTIONS.includes(name) && USUAL[name] !== value,
  );
  return other && `the option ${other[0]}`;
}

function prefersNative(options: ClientOptions, peer: Peer): boolean {
  // Who hears of this event gets a request and a response of Node's `http`, which only it can give.
  return options.transport !== 'stream' && peer.emitter.listenerCount('unexpected-response') === 0;
}
