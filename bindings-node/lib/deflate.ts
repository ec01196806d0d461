// Compression of messages (permessage-deflate, RFC 7692): the option, and which messages are worth it.

import type { ZlibOptions } from 'node:zlib';
import type { DeflateAgreement, DeflateOptions } from '../native.js';
import { flag, wholeNumber, wrong } from './options.js';

/** The option `perMessageDeflate`. */
export interface PerMessageDeflateOptions {
  /** The server starts each message with an empty window: less memory, worse compression. Default `false`. */
  serverNoContextTakeover?: boolean | undefined;
  /** The client starts each message with an empty window. Default `false`. */
  clientNoContextTakeover?: boolean | undefined;
  /** The server's window has at most 2 to the power of this many bytes, 8 to 15; `true` and `false` mean 15. Default 15. */
  serverMaxWindowBits?: number | boolean | undefined;
  /** The client's window has at most 2 to the power of this many bytes, 8 to 15; `true` and `false` mean 15. Default 15. */
  clientMaxWindowBits?: number | boolean | undefined;
  /**
   * Shorter messages, in bytes, are sent as they are if this end starts each message with an empty window; else all
   * are compressed. Default 1024.
   */
  threshold?: number | undefined;
  /** `level` is obeyed, -1 to 9; other tuning of zlib is accepted, without effect. */
  zlibDeflateOptions?: ZlibOptions | undefined;
  /** Accepted for those who come from ws, without effect. */
  zlibInflateOptions?: ZlibOptions | undefined;
  /** Accepted for those who come from ws, without effect: there is no pool of threads to wait for. */
  concurrencyLimit?: number | undefined;
}

const THRESHOLD = 1024;

export interface DeflateWish {
  options: DeflateOptions;
  threshold: number;
}

/** What the option asks for; `undefined`: no compression. */
export function readDeflate(
  given: boolean | PerMessageDeflateOptions | null | undefined,
  usual: boolean,
): DeflateWish | undefined {
  const asked = given ?? usual;
  if (asked === false) return undefined;
  if (asked !== true && (typeof asked !== 'object' || Array.isArray(asked))) {
    throw wrong('perMessageDeflate', asked, 'a boolean or an object');
  }
  const fields = asked === true ? {} : asked;
  const name = (field: string): string => `perMessageDeflate.${field}`;
  wholeNumber(name('concurrencyLimit'), fields.concurrencyLimit, 1);
  checkZlib(name('zlibInflateOptions'), fields.zlibInflateOptions);
  const options: DeflateOptions = {
    serverNoContextTakeover: flag(name('serverNoContextTakeover'), fields.serverNoContextTakeover, false),
    clientNoContextTakeover: flag(name('clientNoContextTakeover'), fields.clientNoContextTakeover, false),
  };
  for (const field of ['serverMaxWindowBits', 'clientMaxWindowBits'] as const) {
    const bits = fields[field];
    if (typeof bits === 'boolean') continue;
    const checked = wholeNumber(name(field), bits, 8, 15);
    if (checked !== undefined) options[field] = checked;
  }
  const zlib = checkZlib(name('zlibDeflateOptions'), fields.zlibDeflateOptions);
  const level = wholeNumber(name('zlibDeflateOptions.level'), zlib.level, -1, 9);
  if (level !== undefined && level >= 0) options.level = level;
  return { options, threshold: wholeNumber(name('threshold'), fields.threshold) ?? THRESHOLD };
}

function checkZlib(name: string, given: ZlibOptions | null | undefined): ZlibOptions {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object') throw wrong(name, given, 'an object with options of node:zlib');
  if (given.dictionary !== undefined) {
    throw new TypeError(`${name}.dictionary is given, but permessage-deflate has no preset dictionary (RFC 7692 §7.2)`);
  }
  return given;
}

/** Compression that was agreed on, as the sender sees it. */
export class Compression {
  /** The extension's name, as `websocket.extensions` gives it. */
  readonly extension = 'permessage-deflate';
  /** Messages of fewer bytes are not compressed. */
  readonly #least: number;

  private constructor(least: number) {
    this.#least = least;
  }

  static of(
    agreed: DeflateAgreement | null | undefined,
    role: 'server' | 'client',
    threshold: number | undefined,
  ): Compression | undefined {
    if (!agreed) return undefined;
    const anew = role === 'server' ? agreed.serverNoContextTakeover : agreed.clientNoContextTakeover;
    return new Compression(anew ? (threshold ?? THRESHOLD) : 0);
  }

  isWorth(data: string | Uint8Array): boolean {
    const least = this.#least;
    if (data.length >= least) return true;
    // A code unit takes at most three bytes of UTF-8.
    return typeof data === 'string' && data.length * 3 >= least && Buffer.byteLength(data) >= least;
  }
}
