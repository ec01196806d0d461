import { checkBoolean, checkBytes, checkCount, checkRole, checkText, keyNumber, refuseServerKey } from './check.js';
import { sendError } from './errors.js';
import { RawFrameEncoder, headroom } from './itoden_wasm.js';
import { border, copyOut, putBytes, putText } from './module.js';
import { Resource } from './resource.js';

/** Which end of a connection: a client masks its frames, a server doesn't (RFC 6455 §5.1). */
export type Role = 'client' | 'server';

/** @internal */
export const roles: readonly Role[] = ['client', 'server'];

export interface MaskingOptions {
  /**
   * The four bytes to mask with, for tests and displays (§5.3). By default a client's key comes from
   * `crypto.getRandomValues`, as it must on a real connection (§10.3); a server has none.
   */
  maskingKey?: Uint8Array;
}

export interface DataFrameOptions extends MaskingOptions {
  /** FIN: whether the message ends with this frame (§5.4). `true` by default. */
  fin?: boolean;
}

// RFC 6455 §5.2.
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;

const nothing = new Uint8Array();

/**
 * Makes frames (RFC 6455 §5.2), each in a buffer of its own.
 *
 * It looks at each frame by itself: the order of fragments and what may follow a Close frame is for the session to keep,
 * see `Connection`.
 */
export class FrameEncoder extends Resource<RawFrameEncoder> {
  /** The sender. */
  readonly role: Role;
  /** How far into the border a payload goes, for a header to fit before it. */
  readonly #headroom: number;

  constructor(role: Role) {
    checkRole(role, roles);
    super(() => new RawFrameEncoder(role === 'client'));
    this.role = role;
    this.#headroom = headroom();
  }

  /** A text frame (§5.6). A surrogate without its pair becomes U+FFFD, as in every Web API. */
  encodeText(text: string, options: DataFrameOptions = {}): Uint8Array<ArrayBuffer> {
    checkText(text, 'the text');
    return this.#data(TEXT, () => putText(text, this.#headroom), options);
  }

  /** A binary frame (§5.6). */
  encodeBinary(bytes: Uint8Array, options: DataFrameOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#data(BINARY, () => putBytes(bytes, this.#headroom), options);
  }

  /** The next fragment of a message that a text or binary frame with `fin: false` began (§5.4). */
  encodeContinuation(bytes: Uint8Array, options: DataFrameOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#data(CONTINUATION, () => putBytes(bytes, this.#headroom), options);
  }

  /** A ping with up to 125 bytes of application data (§5.5.2). */
  encodePing(bytes: Uint8Array = nothing, options: MaskingOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#control(options, (raw, key) => raw.ping(key, putBytes(bytes, this.#headroom)));
  }

  /** A pong with up to 125 bytes of application data, those of the ping that it answers (§5.5.3). */
  encodePong(bytes: Uint8Array = nothing, options: MaskingOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#control(options, (raw, key) => raw.pong(key, putBytes(bytes, this.#headroom)));
  }

  /** A Close frame (§5.5.1): empty, or with a code (§7.4) and a reason of up to 123 bytes of UTF-8. */
  encodeClose(code?: number, reason = '', options: MaskingOptions = {}): Uint8Array<ArrayBuffer> {
    if (code !== undefined) checkCount(code, 'the close code', 0xffff);
    checkText(reason, 'the close reason');
    return this.#control(options, (raw, key) => raw.close(key, code, putText(reason, this.#headroom)));
  }

  #key({ maskingKey }: MaskingOptions): number | undefined {
    if (maskingKey === undefined) return undefined;
    return this.role === 'server' ? refuseServerKey() : keyNumber(maskingKey);
  }

  #data(opcode: number, putPayload: () => number, options: DataFrameOptions): Uint8Array<ArrayBuffer> {
    const { raw } = this;
    const { fin = true } = options;
    checkBoolean(fin, 'fin');
    const key = this.#key(options);
    const length = putPayload();
    const start = raw.data(opcode, fin, key, length);
    return copyOut(border + start, this.#headroom - start + length);
  }

  #control(
    options: MaskingOptions,
    encode: (raw: RawFrameEncoder, key: number | undefined) => Uint8Array,
  ): Uint8Array<ArrayBuffer> {
    try {
      return encode(this.raw, this.#key(options)) as Uint8Array<ArrayBuffer>;
    } catch (thrown) {
      throw sendError(thrown);
    }
  }
}
