import { checkBoolean, checkBytes, checkCount, checkRole, checkText, keyNumber, refuseServerKey } from './check.js';
import { checkSent } from './errors.js';
import { codec } from './module.js';
import type { Wasm } from './module.js';

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
  /** The reserved bits, for extensions that define them (§9.2): RSV1 as 4, RSV2 as 2, RSV3 as 1. 0 by default. */
  rsv?: number;
}

// The opcodes of RFC 6455 §5.2, and the bits beside them.
const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const FIN = 0x80;

const nothing = new Uint8Array();

/**
 * Makes frames (RFC 6455 §5.2), each in a buffer of its own.
 *
 * It looks at each frame by itself: the order of fragments and what may follow a Close frame is for the session to keep,
 * see `Connection`. It has no memory in the module; `free()` is there for likeness.
 */
export class FrameEncoder {
  /** The sender. */
  readonly role: Role;
  readonly #module = codec.get();
  #freed = false;
  /** How far into the border a payload goes, for a header to fit before it. */
  readonly #headroom = this.#module.exports.headroom();

  constructor(role: Role) {
    checkRole(role, roles);
    this.role = role;
  }

  /** A text frame (§5.6). A surrogate without its pair becomes U+FFFD, as in every Web API. */
  encodeText(text: string, options: DataFrameOptions = {}): Uint8Array<ArrayBuffer> {
    checkText(text, 'the text');
    return this.#data(TEXT, () => this.#wasm.putText(text, this.#headroom), options);
  }

  /** A binary frame (§5.6). */
  encodeBinary(bytes: Uint8Array, options: DataFrameOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#data(BINARY, () => this.#wasm.put(bytes, this.#headroom), options);
  }

  /** The next fragment of a message that a text or binary frame with `fin: false` began (§5.4). */
  encodeContinuation(bytes: Uint8Array, options: DataFrameOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#data(CONTINUATION, () => this.#wasm.put(bytes, this.#headroom), options);
  }

  /** A ping with up to 125 bytes of application data (§5.5.2). */
  encodePing(bytes: Uint8Array = nothing, options: MaskingOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#control(PING, -1, () => this.#wasm.put(bytes, this.#headroom), options);
  }

  /** A pong with up to 125 bytes of application data, those of the ping that it answers (§5.5.3). */
  encodePong(bytes: Uint8Array = nothing, options: MaskingOptions = {}): Uint8Array<ArrayBuffer> {
    checkBytes(bytes, 'the payload');
    return this.#control(PONG, -1, () => this.#wasm.put(bytes, this.#headroom), options);
  }

  /** A Close frame (§5.5.1): empty, or with a code (§7.4) and a reason of up to 123 bytes of UTF-8. */
  encodeClose(code?: number, reason = '', options: MaskingOptions = {}): Uint8Array<ArrayBuffer> {
    if (code !== undefined) checkCount(code, 'the close code', 0xffff);
    checkText(reason, 'the close reason');
    return this.#control(CLOSE, code ?? -1, () => this.#wasm.putText(reason, this.#headroom), options);
  }

  /** Ends its use. */
  free(): void {
    this.#freed = true;
  }

  get #wasm(): Wasm {
    if (this.#freed) throw new Error("this FrameEncoder can't be used any more: free() was called");
    return this.#module;
  }

  #key({ maskingKey }: MaskingOptions): number {
    if (maskingKey !== undefined) return this.role === 'server' ? refuseServerKey() : keyNumber(maskingKey);
    return this.role === 'server' ? 0 : this.#wasm.exports.random_key();
  }

  #data(opcode: number, putPayload: () => number, options: DataFrameOptions): Uint8Array<ArrayBuffer> {
    const { fin = true, rsv = 0 } = options;
    checkBoolean(fin, 'fin');
    checkCount(rsv, 'rsv', 7);
    const key = this.#key(options);
    const length = putPayload();
    const first = (fin ? FIN : 0) | (rsv << 4) | opcode;
    const start = this.#wasm.exports.encode_data(first, this.role === 'client', key, length);
    return this.#wasm.copy(this.#wasm.border + start, this.#headroom - start + length);
  }

  #control(opcode: number, code: number, putPayload: () => number, options: MaskingOptions): Uint8Array<ArrayBuffer> {
    const key = this.#key(options);
    const length = putPayload();
    checkSent(this.#wasm, this.#wasm.exports.encode_control(opcode, this.role === 'client', key, code, length));
    return this.#wasm.copy(this.#wasm.border, this.#wasm.told(0));
  }
}

export interface FrameEncoder extends Disposable {}

if (Symbol.dispose) {
  Object.defineProperty(FrameEncoder.prototype, Symbol.dispose, {
    value(this: FrameEncoder) {
      this.free();
    },
    configurable: true,
    writable: true,
  });
}
