// permessage-deflate by itself, for those who do handshakes and frames themselves: the class that ws exports.

import type { DeflateCodec as Codec, Extension } from '../native.js';
import { native } from './addon.js';
import { type DeflateWish, type PerMessageDeflateOptions, readDeflate } from './deflate.js';
import { guarded } from './errors.js';
import { extension, type ExtensionParams, type ExtensionValue } from './negotiation.js';
import { flag, wholeNumber } from './options.js';

export interface PerMessageDeflateClassOptions extends PerMessageDeflateOptions {
  /** Whether it is a server's end. Default `false`. */
  isServer?: boolean | undefined;
  /** Most bytes that a message may become. 0: no limit. Default 0. */
  maxPayload?: number | undefined;
}

type Params = Record<string, ExtensionValue>;
type Finished = (error: Error | null, data?: Buffer) => void;

const NAME = 'permessage-deflate';

export class PerMessageDeflate {
  static readonly extensionName = NAME;

  /** What was agreed on; `null` before `accept`. */
  params: Params | null = null;
  readonly #wish: DeflateWish;
  readonly #isServer: boolean;
  readonly #maxPayload: number;
  /** Bytes that the message has become so far. */
  #inflated = 0;
  #codec: Codec | undefined;

  constructor(options: PerMessageDeflateClassOptions = {}) {
    this.#isServer = flag('isServer', options.isServer, false);
    this.#maxPayload = wholeNumber('maxPayload', options.maxPayload) ?? 0;
    this.#wish = readDeflate(options, true)!;
  }

  /** The parameters of a client's offer. */
  offer(): Params {
    return toParams(native.DeflateCodec.offer(this.#wish.options));
  }

  /**
   * Accepts one of a client's offers, or a server's answer, as `extension.parse` gives them: the parameters that count.
   * Throws if none can be accepted.
   */
  accept(configurations: readonly Readonly<ExtensionParams>[]): Params {
    const header = extension.format({ [NAME]: configurations });
    const { options } = this.#wish;
    if (this.#isServer) {
      const codec = guarded(() => native.DeflateCodec.accept(header, options));
      if (!codec) throw new Error(`None of the extension offers can be accepted: ${header}`);
      this.#codec = codec;
      this.params = toParams(codec.answer());
    } else {
      const codec = guarded(() => native.DeflateCodec.confirm(header, options));
      if (!codec) throw new Error(`The answer is not one that the offer allows: ${header}`);
      this.#codec = codec;
      this.params = toParams(guarded(() => native.parseExtensions(header))[0] ?? null);
      const { clientMaxWindowBits } = codec.agreed;
      if (clientMaxWindowBits < 15) this.params['client_max_window_bits'] ??= clientMaxWindowBits;
    }
    return this.params;
  }

  /** Compresses the next part of a message; with `fin` it is the last one. `callback` is called later. */
  compress(data: Uint8Array | string, fin: boolean, callback: Finished): void {
    this.#later(callback, (codec) => codec.compress(Buffer.from(data as Uint8Array), fin));
  }

  /** Decompresses the next part of a message; with `fin` it is the last one. `callback` is called later. */
  decompress(data: Uint8Array, fin: boolean, callback: Finished): void {
    this.#later(callback, (codec) => {
      const left = this.#maxPayload && Math.max(this.#maxPayload - this.#inflated, 1);
      const part = codec.decompress(data, fin, left);
      this.#inflated = fin ? 0 : this.#inflated + part.length;
      return part;
    });
  }

  #later(callback: Finished, run: (codec: Codec) => Buffer): void {
    let data: Buffer;
    try {
      const codec = this.#codec;
      if (!codec) throw new Error('Nothing is agreed on: accept() comes first');
      data = guarded(() => run(codec));
    } catch (error) {
      return process.nextTick(callback, error as Error);
    }
    process.nextTick(callback, null, data);
  }

  /** Gives back what it holds; it can't be used any more. */
  cleanup(): void {
    this.#codec = undefined;
  }
}

function toParams(extension: Extension | null): Params {
  const params: Params = {};
  for (const { name, value } of extension?.params ?? []) params[name] = value === undefined ? true : Number(value);
  return params;
}
