// The headers of subprotocols and extensions, for those who do handshakes themselves: the helpers that ws exports.

import { native } from './addon.js';
import { wrong } from './options.js';

/** The value of a parameter: `true` if it has none. */
export type ExtensionValue = string | number | true;
export type ExtensionParams = Record<string, ExtensionValue[]>;

function parsed<T>(header: string, parse: (header: string) => T[]): T[] {
  if (typeof header !== 'string') throw wrong('The header', header, 'a string');
  let found: T[];
  try {
    found = parse(header);
  } catch (error) {
    throw new SyntaxError((error as Error).message, { cause: error });
  }
  if (found.length === 0) throw new SyntaxError('Unexpected end of input: the header names nothing');
  return found;
}

export const subprotocol = {
  /** The subprotocols of a Sec-WebSocket-Protocol header, in order. Throws a SyntaxError if it is not valid. */
  parse(header: string): Set<string> {
    return new Set(parsed(header, native.parseSubprotocols));
  },
};

export const extension = {
  /**
   * The extensions of a Sec-WebSocket-Extensions header: for each name the parameters of its offers, and for each
   * parameter its values. Throws a SyntaxError if it is not valid.
   */
  parse(header: string): Record<string, ExtensionParams[]> {
    const offers = Object.create(null) as Record<string, ExtensionParams[]>;
    for (const { name, params } of parsed(header, native.parseExtensions)) {
      const values = Object.create(null) as ExtensionParams;
      for (const param of params) (values[param.name] ??= []).push(param.value ?? true);
      (offers[name] ??= []).push(values);
    }
    return offers;
  },

  /** The opposite: a header of extensions, each with the parameters of one offer or of several. */
  format(extensions: Readonly<Record<string, OneOrMore<Readonly<Record<string, OneOrMore<ExtensionValue>>>>>>): string {
    const list: string[] = [];
    for (const [name, offers] of Object.entries(extensions)) {
      for (const params of [offers].flat() as Record<string, OneOrMore<ExtensionValue>>[]) {
        const fields = Object.entries(params).flatMap(([key, values]) =>
          [values].flat().map((value) => (value === true ? key : `${key}=${value}`)),
        );
        list.push([name, ...fields].join('; '));
      }
    }
    return list.join(', ');
  },
};

type OneOrMore<T> = T | readonly T[];
