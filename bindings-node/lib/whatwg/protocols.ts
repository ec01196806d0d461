// The second argument of the constructor: subprotocols, or an object that has them.

import type { ClientOptions } from '../client.js';
import { isObject, toDOMString, toSequence } from './webidl.js';
import { syntaxError } from './url.js';

/** What Node can be asked for besides the standard: it is in `node`, which a browser ignores. */
export type NodeOptions = Omit<ClientOptions, 'protocols' | 'protocolVersion' | 'followRedirects' | 'maxRedirects' | 'finishRequest' | 'idleTimeout' | 'highWaterMark'>;

/** The option bag. */
export interface WebSocketInit {
  /** One subprotocol, or several in order of preference. Default: none. */
  protocols?: string | Iterable<string> | undefined;
  /** Header fields, TLS and other things that only Node can be asked for; a browser ignores it. */
  node?: NodeOptions | undefined;
}

export interface Wanted {
  protocols: string[];
  node: NodeOptions;
}

/** Web IDL's conversion to `(DOMString or sequence<DOMString> or WebSocketInit)`. */
export function toWanted(value: unknown): Wanted {
  if (value === undefined || value === null) return { protocols: [], node: {} };
  if (!isObject(value)) return { protocols: [toDOMString(value)], node: {} };
  const sequence = toSequence(value, toDOMString, 'The list of subprotocols');
  if (sequence) return { protocols: sequence, node: {} };
  return { node: toNodeOptions(value['node']), protocols: toProtocols(value['protocols']) };
}

/** Of an option bag: `(DOMString or sequence<DOMString>)`. */
function toProtocols(value: unknown): string[] {
  if (value === undefined) return [];
  if (!isObject(value)) return [toDOMString(value)];
  return toSequence(value, toDOMString, 'protocols') ?? [toDOMString(value)];
}

export function toNodeOptions(value: unknown): NodeOptions {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object') throw new TypeError(`node is ${toDOMString(value)}; it must be an object with options for Node`);
  const options = { ...value } as Record<string, unknown>;
  const foreign = ['protocols', 'protocolVersion', 'followRedirects', 'maxRedirects', 'finishRequest', 'idleTimeout', 'highWaterMark'];
  const found = foreign.find((name) => options[name] !== undefined);
  if (found !== undefined) throw new TypeError(`node.${found} is not possible here, where the standard decides`);
  return options;
}

/** A token of RFC 2616 (RFC 6455 §4.1, item 10): no controls, spaces, separators, nor anything that is not ASCII. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Throws a SyntaxError unless all are tokens and no two the same, whatever their case. */
export function checkProtocols(protocols: readonly string[]): void {
  const seen = new Set<string>();
  for (const protocol of protocols) {
    if (!TOKEN.test(protocol)) {
      const allowed = 'letters, digits and !#$%&\'*+-.^_`|~ are allowed';
      throw syntaxError(`The subprotocol '${protocol}' is not a token; ${allowed}`);
    }
    const folded = protocol.toLowerCase();
    if (seen.has(folded)) throw syntaxError(`The subprotocol '${protocol}' is asked for twice`);
    seen.add(folded);
  }
}
