// Heads that the addon has parsed, in the shape of Node's `http`.

import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export interface Addresses {
  remoteAddress: string;
  remotePort: number;
  remoteFamily: string;
  localAddress: string;
  localPort: number;
  localFamily: string;
}

export interface ResponseHead {
  status: number;
  reason: string;
  minorVersion: number;
  rawHeaders: string[];
}

export interface RequestHead {
  method: string;
  target: string;
  minorVersion: number;
  rawHeaders: string[];
}

/** Fields of which Node takes the first one where there are several (its documentation of `message.headers`). */
const SINGLE = new Set([
  'age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since',
  'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after',
  'server', 'user-agent',
]); // prettier-ignore

/** Header fields as Node's `http` joins them. */
export function joinHeaders(rawHeaders: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    const known = Object.hasOwn(headers, name) ? headers[name]! : undefined;
    if (name === 'set-cookie') headers[name] = [...(known ?? []), value];
    else if (known === undefined) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] = `${known as string}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

function makeMessage(socket: object, minorVersion: number, rawHeaders: string[]): IncomingMessage {
  const message = new IncomingMessage(socket as Socket);
  message.httpVersion = `1.${minorVersion}`;
  message.httpVersionMajor = 1;
  message.httpVersionMinor = minorVersion;
  message.rawHeaders = rawHeaders;
  message.headers = joinHeaders(rawHeaders);
  message.complete = true;
  // There is no body.
  message.push(null);
  return message;
}

/** The request of a client. Its `socket` has addresses only: the socket itself belongs to the addon. */
export function makeRequest(head: RequestHead, addresses: Addresses): IncomingMessage {
  const message = makeMessage(addresses, head.minorVersion, head.rawHeaders);
  message.method = head.method;
  message.url = head.target;
  return message;
}

/** The response of a server, with a `socket` of the same kind. */
export function makeResponse(head: ResponseHead, addresses: Addresses | null): IncomingMessage {
  const message = makeMessage(addresses ?? {}, head.minorVersion, head.rawHeaders);
  message.statusCode = head.status;
  message.statusMessage = head.reason;
  return message;
}
