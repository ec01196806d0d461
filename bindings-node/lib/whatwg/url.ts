// Which URLs can be connected to (the WebSocket standard, "get a URL record"), and which ports not (the Fetch standard).

/** Reads a URL; one that is relative is resolved where there is a base, as there is in a page. */
export function toUrlRecord(text: string): URL {
  const url = parse(text, baseUrl());
  if (url.protocol === 'http:') url.protocol = 'ws:';
  else if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw syntaxError(`The URL '${text}' has the scheme '${url.protocol}'; ws:, wss:, http: and https: are allowed`);
  }
  // A fragment that is empty is one, too: only the serialization shows it.
  if (url.href.includes('#')) throw syntaxError(`The URL '${text}' has a fragment, which a WebSocket URL must not have`);
  return url;
}

function parse(text: string, base: string | undefined): URL {
  try {
    return new URL(text, base);
  } catch {
    const missing = base === undefined ? ' (there is no base for a relative one)' : '';
    throw syntaxError(`The URL '${text}' is not valid${missing}`);
  }
}

/** The API base URL: Node has none of its own, but some environments give it a `location`. */
function baseUrl(): string | undefined {
  const { location } = globalThis as { location?: { href?: unknown } };
  const href = location?.href;
  return typeof href === 'string' && URL.canParse(href) ? href : undefined;
}

export function syntaxError(message: string): DOMException {
  return new DOMException(message, 'SyntaxError');
}

/** The port that is connected to. */
export function portOf(url: URL): number {
  return Number(url.port) || (url.port === '' ? (url.protocol === 'wss:' ? 443 : 80) : 0);
}

/** "Bad ports" of the Fetch standard, §2.9. */
const BAD_PORTS: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111,
  113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554,
  556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666,
  6667, 6668, 6669, 6679, 6697, 10080,
]); // prettier-ignore

export function isBadPort(port: number): boolean {
  return BAD_PORTS.has(port);
}
