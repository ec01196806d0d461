// Options: read once, checked, and named in the error if they are wrong.

import { inspect } from 'node:util';
import { native } from './addon.js';
import { type PerMessageDeflateOptions, readDeflate } from './deflate.js';
import type { ConnectionConfig } from '../native.js';

/** Options that both ends have. */
export interface ConnectionOptions {
  /** Largest message that is taken, in bytes; a longer one fails the connection with 1009. 0: no limit. Default 100 MiB. */
  maxPayload?: number | undefined;
  /** Most fragments of one message; more fail the connection with 1008. 0: no limit. Default 131072. */
  maxFragments?: number | undefined;
  /** Accepted for those who come from ws, without effect: chunks are joined as they come, and bounded by `maxPayload`. */
  maxBufferedChunks?: number | undefined;
  /** Most pongs that wait to be written; beyond it only the newest ping is answered. 0: 65535. Default 128. */
  maxPendingAutoPongs?: number | undefined;
  /** Milliseconds that the closing handshake may take after a Close frame is sent. Default 30000. */
  closeTimeout?: number | undefined;
  /** Whether pings are answered by themselves. Default `true`. */
  autoPong?: boolean | undefined;
  /**
   * Milliseconds from one ping to the next, which keep the way open and tell `latency`; their pongs are told as 'pong'.
   * Default: none is sent. 0: none.
   */
  pingInterval?: number | undefined;
  /**
   * Milliseconds that the peer may be silent after such a ping; any byte is a sign of life. After it 'error' tells it, 1011 is
   * sent, and 'close' follows when the peer answers, or after `closeTimeout`. Only with `pingInterval`. 0: for ever.
   * Default: as long as `pingInterval`.
   */
  pingTimeout?: number | undefined;
  /**
   * Milliseconds without a whole message, either way, after which the connection is closed with 1001. Pings and pongs do not
   * count; nor does the time in which it is paused, or something waits to be written. 0: no limit. Default: no limit.
   */
  idleTimeout?: number | undefined;
  /** Bytes that may wait to be written before `writableNeedDrain` is `true`, and 'drain' follows. Default 65536. */
  highWaterMark?: number | undefined;
  /** Whether to agree on compression (RFC 7692), and how. Default: a client offers it, a server declines it. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /** Whether several of 'message', 'ping' and 'pong' may come in one turn of the event loop. Default `true`. */
  allowSynchronousEvents?: boolean | undefined;
  /** Accepted for those who come from ws: text is always checked. */
  skipUTF8Validation?: boolean | undefined;
}

const MAX_PAYLOAD = 100 << 20;
const CLOSE_TIMEOUT = 30_000;
/** What a timer of JavaScript takes, about 24 days: with more it would fire at once. */
export const LONGEST = 2 ** 31 - 1;
/** What the addon takes for "no limit". */
const MOST_FRAGMENTS = 2 ** 32 - 1;
const MOST_PONGS = 2 ** 16 - 1;

/** What a WebSocket does by itself, of the options. */
export interface Habits {
  defersEvents: boolean;
  /** Milliseconds; 0: no limit. */
  idleTimeout: number;
  /** `undefined`: nobody asked for it yet. */
  highWaterMark: number | undefined;
}

export function readHabits(options: ConnectionOptions): Habits {
  return {
    defersEvents: !flag('allowSynchronousEvents', options.allowSynchronousEvents, true),
    idleTimeout: wholeNumber('idleTimeout', options.idleTimeout, 0, LONGEST) ?? 0,
    highWaterMark: wholeNumber('highWaterMark', options.highWaterMark),
  };
}

function readKeepalive({ pingInterval, pingTimeout }: ConnectionOptions): { pingInterval?: number; pingTimeout?: number } {
  const interval = wholeNumber('pingInterval', pingInterval, 0, LONGEST);
  const timeout = wholeNumber('pingTimeout', pingTimeout, 0, LONGEST);
  if (!interval) {
    if (timeout) throw wrong('pingTimeout', timeout, 'left out, or given with pingInterval: it is the time for the answer to such a ping');
    return {};
  }
  return { pingInterval: interval, ...given('pingTimeout', (timeout ?? interval) || undefined) };
}

/** `deflate`: whether compression is agreed on where the option `perMessageDeflate` is not given. */
export function makeConfig(options: ConnectionOptions, deflate = false): ConnectionConfig {
  wholeNumber('maxBufferedChunks', options.maxBufferedChunks);
  flag('skipUTF8Validation', options.skipUTF8Validation, false);
  return new native.ConnectionConfig({
    maxPayload: wholeNumber('maxPayload', options.maxPayload) ?? MAX_PAYLOAD,
    closeTimeout: wholeNumber('closeTimeout', options.closeTimeout) ?? CLOSE_TIMEOUT,
    autoPong: flag('autoPong', options.autoPong, true),
    ...readKeepalive(options),
    ...given('maxFragments', limit('maxFragments', options.maxFragments, MOST_FRAGMENTS)),
    ...given('maxPendingPongs', limit('maxPendingAutoPongs', options.maxPendingAutoPongs, MOST_PONGS)),
    ...given('deflate', readDeflate(options.perMessageDeflate, deflate)?.options),
  });
}

/** A limit where 0 means that there is none. */
function limit(name: string, value: number | undefined, most: number): number | undefined {
  const checked = wholeNumber(name, value);
  return checked === undefined ? undefined : Math.min(checked || most, most);
}

function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

export function wholeNumber(
  name: string,
  value: number | null | undefined,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong(name, value, 'a whole number');
  if (value < least || value > most) throw new RangeError(`${name} is ${value}; ${least} to ${most} are allowed`);
  return value;
}

export function flag(name: string, value: boolean | null | undefined, usual: boolean): boolean {
  if (value === undefined || value === null) return usual;
  if (typeof value !== 'boolean') throw wrong(name, value, 'true or false');
  return value;
}

/** A function, where one is given. */
export function callable(name: string, value: unknown): void {
  if (value !== undefined && value !== null && typeof value !== 'function') throw wrong(name, value, 'a function');
}

export function wrong(name: string, value: unknown, allowed: string): TypeError {
  return new TypeError(`${name} is ${inspect(value, { depth: 0, breakLength: Infinity })}; it must be ${allowed}`);
}

/** A record of header fields as a list, names and values by turns. */
export function listHeaders(headers: Readonly<Record<string, unknown>> | undefined): string[] {
  const list: string[] = [];
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) list.push(name, String(one));
  }
  return list;
}
