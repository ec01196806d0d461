// The option `followRedirects`: where a redirect leads to, and what may be said there.

import { basic, type ClientOptions, credentialsOf, type Dial, makeDial } from './client.js';
import { isSecure, isUnix, readUrl, splitUnixPath } from './url.js';

/** How redirects have led somewhere. */
export interface Trail {
  /** What the user asked for. */
  first: URL;
  /** How many redirects were followed. */
  count: number;
  most: number;
  /** The request is one that a redirect asked for. */
  changed: boolean;
}

/** What only the server that the user named may hear. */
const SECRETS: readonly string[] = ['authorization', 'cookie'];

/** The request that a redirect asks for; throws if it can't be made. */
export function follow(dial: Dial, trail: Trail, location: string): Dial {
  if (trail.count >= trail.most) throw new Error('Maximum redirects exceeded');
  const url = readUrl(location, dial.url);
  const { peer, subprotocols, config, handshakeTimeout, threshold } = dial;
  const next: Trail = { ...trail, count: trail.count + 1, changed: true };
  peer.url = url.href;
  // Whoever listens for redirects decides by himself what is said where.
  const trusted = peer.emitter.listenerCount('redirect') > 0;
  const options = trusted ? withCredentials(dial) : without(withCredentials(dial), url, trail.first);
  const constant = { config, handshakeTimeout, threshold, trail: next };
  const made = makeDial(peer, bare(url), subprotocols, options, constant);
  // What was left out here is said again where a further redirect leads back.
  return { ...made, url, options: withCredentials(dial) };
}

/** The options with the credentials of the first URL as a header. */
function withCredentials({ options, trail, url }: Dial): ClientOptions {
  const headers: Record<string, string | number | readonly string[] | undefined> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = value;
  const credentials = trail?.changed ? undefined : (credentialsOf(url) ?? options.auth);
  if (credentials) headers['authorization'] ??= basic(credentials);
  return { ...options, headers, auth: undefined };
}

/** The options without what the other server must not hear: that of another host, or one that is not secure any more. */
function without(options: ClientOptions, url: URL, first: URL): ClientOptions {
  const elsewhere = placeOf(url) !== placeOf(first);
  if (!elsewhere && (isSecure(url) || !isSecure(first))) return options;
  const headers = Object.entries(options.headers ?? {}).filter(
    ([name]) => !SECRETS.includes(name) && !(elsewhere && name === 'host'),
  );
  return { ...options, headers: Object.fromEntries(headers) };
}

const placeOf = (url: URL): string => (isUnix(url) ? `unix:${splitUnixPath(url).socketPath}` : `host:${url.host}`);

/** Credentials that a server put into its redirect are not the user's. */
function bare(url: URL): URL {
  const without = new URL(url);
  if (!isUnix(url)) without.username = without.password = '';
  return without;
}
