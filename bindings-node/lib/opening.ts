// What an opening handshake has told of the peer, and where the two ends are.

import type { IncomingHttpHeaders } from 'node:http';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { joinHeaders } from './messages.js';

/** User and password of an Authorization header with the scheme Basic (RFC 7617). */
export interface BasicCredentials {
  username: string;
  password: string;
}

/** What a socket of Node says about itself, or the addon about one of its own. */
export interface Carrier {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
  remoteFamily?: string | undefined;
  localAddress?: string | undefined;
  localPort?: number | undefined;
  encrypted?: boolean;
  authorized?: boolean;
  getPeerCertificate?(detailed?: boolean): PeerCertificate | DetailedPeerCertificate | null | undefined;
  /** Of a stream of HTTP/2. */
  session?: { socket?: Carrier } | undefined;
}

/** The head that the peer sent: its request to a server, its response to a client. */
export class Handshake {
  /** The target of the request, as `/chat?room=1`; an empty string for a client. */
  readonly url: string;
  /** The status of the response, 101; `undefined` for a server. */
  readonly statusCode: number | undefined;
  /** The header fields as they came: names and values by turns. */
  readonly rawHeaders: string[];
  #headers: IncomingHttpHeaders | undefined;
  #cookies: Record<string, string> | undefined;

  /** @internal */
  constructor(url: string, statusCode: number | undefined, rawHeaders: string[]) {
    this.url = url;
    this.statusCode = statusCode;
    this.rawHeaders = rawHeaders;
  }

  /** The header fields, joined as in Node's `message.headers`: names in lower case. */
  get headers(): IncomingHttpHeaders {
    return (this.#headers ??= joinHeaders(this.rawHeaders));
  }

  /**
   * The cookies of the request by their names (RFC 6265 §5.4): without quotes around them, percent-decoded where that is
   * possible; of several with one name the first. The object has no prototype.
   */
  get cookies(): Record<string, string> {
    return (this.#cookies ??= parseCookies(this.headers.cookie ?? ''));
  }

  /** The credentials of the request, if it has an Authorization header with the scheme Basic (RFC 7617) that is well-formed. */
  get auth(): BasicCredentials | undefined {
    return parseBasic(this.headers.authorization);
  }
}

/** What a connection keeps of its opening handshake: one string, until somebody asks. */
export class Opening {
  readonly carrier: Carrier;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly #url: string;
  readonly #statusCode: number | undefined;
  readonly #packed: string;
  #handshake: Handshake | undefined;

  constructor(
    carrier: object,
    { url = '', statusCode, rawHeaders }: { url?: string | undefined; statusCode?: number | undefined; rawHeaders: readonly string[] },
  ) {
    this.carrier = carrierOf(carrier as Carrier);
    // Sockets of Node remember where their peer was if they were asked before they closed, and forget where they were.
    void this.carrier.remoteAddress;
    this.localAddress = this.carrier.localAddress;
    this.localPort = this.carrier.localPort;
    this.#url = url;
    this.#statusCode = statusCode;
    // No field has a line feed in it (RFC 9110 §5.5).
    this.#packed = rawHeaders.join('\n');
  }

  get handshake(): Handshake {
    const rawHeaders = this.#packed === '' ? [] : this.#packed.split('\n');
    return (this.#handshake ??= new Handshake(this.#url, this.#statusCode, rawHeaders));
  }
}

/** A stream of HTTP/2 has its addresses from the socket below. */
function carrierOf(given: Carrier): Carrier {
  return 'remoteAddress' in given ? given : (given.session?.socket ?? given);
}

function parseCookies(header: string): Record<string, string> {
  const cookies = Object.create(null) as Record<string, string>;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0) continue;
    const name = pair.slice(0, equals).trim();
    if (name === '' || name in cookies) continue;
    const value = pair.slice(equals + 1).trim();
    const quoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
    cookies[name] = decode(quoted ? value.slice(1, -1) : value);
  }
  return cookies;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** RFC 7235 §2.1: the scheme in any case, then token68. */
const BASIC = /^basic +([A-Za-z0-9\-._~+/]+=*) *$/i;
/** "The user-id and password MUST NOT contain any control characters" (RFC 7617 §2). */
const CONTROL = /[\x00-\x1f\x7f]/;

function parseBasic(header: string | undefined): BasicCredentials | undefined {
  const token = BASIC.exec(header ?? '')?.[1];
  if (token === undefined) return undefined;
  const text = Buffer.from(token, 'base64').toString();
  // "The first colon in a user-pass string separates user-id and password from one another" (RFC 7617 §2).
  const colon = text.indexOf(':');
  if (colon < 0 || CONTROL.test(text)) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}
