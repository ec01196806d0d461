// Options: read once, checked, and named in the error if they are wrong.

import { inspect } from 'node:util';
import { native } from './addon.js';
import type { ConnectionConfig } from '../native.js';

/** Options that both ends have. */
export interface ConnectionOptions {
  /** Largest message that is taken, in bytes; a longer one fails the connection with 1009. 0: no limit. Default 100 MiB. */
  maxPayload?: number | undefined;
  /** Most fragments of one message; more fail the connection with 1008. Default 131072. */
  maxFragments?: number | undefined;
  /** Milliseconds that the closing handshake may take after a Close frame is sent. Default 30000. */
  closeTimeout?: number | undefined;
  /** Whether pings are answered by themselves. Default `true`. */
  autoPong?: boolean | undefined;
  /** Accepted for those who come from ws; compression is not negotiated in this version. */
  perMessageDeflate?: boolean | object | undefined;
  /** Accepted for those who come from ws: several events may come in one turn of the event loop, as is its default. */
  allowSynchronousEvents?: boolean | undefined;
  /** Accepted for those who come from ws: text is always checked. */
  skipUTF8Validation?: boolean | undefined;
}

const MAX_PAYLOAD = 100 << 20;
const CLOSE_TIMEOUT = 30_000;

export function makeConfig(options: ConnectionOptions): ConnectionConfig {
  return new native.ConnectionConfig({
    maxPayload: wholeNumber('maxPayload', options.maxPayload) ?? MAX_PAYLOAD,
    closeTimeout: wholeNumber('closeTimeout', options.closeTimeout) ?? CLOSE_TIMEOUT,
    autoPong: options.autoPong ?? true,
    ...given('maxFragments', wholeNumber('maxFragments', options.maxFragments, 1, 2 ** 32 - 1)),
  });
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
