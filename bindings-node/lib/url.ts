// URLs of WebSockets, as ws takes them.

const SCHEMES: readonly string[] = ['ws:', 'wss:', 'ws+unix:', 'wss+unix:'];

/** Reads a URL; `http:` and `https:` mean `ws:` and `wss:`. */
export function readUrl(address: string | URL, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(address, base);
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (!SCHEMES.includes(url.protocol)) {
    const allowed = `${SCHEMES.join(', ')}, http: and https: can be used`;
    throw new SyntaxError(`The URL ${url.href} has the scheme ${url.protocol} ${allowed}`);
  }
  if (isUnix(url) && !splitUnixPath(url).socketPath) throw new SyntaxError(`The URL ${url.href} has no path of a socket`);
  // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (RFC 6455 §3).
  if (url.href.includes('#')) throw new SyntaxError(`The URL ${url.href} contains a fragment identifier`);
  return url;
}

export const isUnix = ({ protocol }: URL): boolean => protocol.endsWith('+unix:');

export const isSecure = ({ protocol }: URL): boolean => protocol.startsWith('wss');

/** A `ws+unix:` URL has the path of the socket, and behind a colon that of the request. */
export function splitUnixPath(url: URL): { socketPath: string; target: string } {
  const [socketPath = '', ...rest] = `${url.pathname}${url.search}`.split(':');
  return { socketPath, target: rest.join(':') || '/' };
}

export function targetOf(url: URL): string {
  return isUnix(url) ? splitUnixPath(url).target : `${url.pathname}${url.search}`;
}
