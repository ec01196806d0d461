import { keyBytes } from './check.js';
import { codec } from './module.js';

let opcodeNames: (string | undefined)[] | undefined;

/** The core's name of an opcode. */
function nameOf(opcode: number): string | undefined {
  const wasm = codec.get();
  opcodeNames ??= Array.from({ length: 16 }, (_, bits) => (wasm.exports.opcode_name(bits) ? undefined : wasm.toldText(0)));
  return opcodeNames[opcode];
}

/** `bytes` masked with `key`, or unmasked (RFC 6455 §5.3). */
function masked(bytes: Uint8Array, key: number): Uint8Array<ArrayBuffer> {
  const wasm = codec.get();
  const length = wasm.put(bytes);
  wasm.exports.mask_border(key, length);
  return wasm.copy(wasm.border, length);
}

/** What a frame carries (RFC 6455 §5.2, §11.8). */
export type OpcodeName = 'continuation' | 'text' | 'binary' | 'close' | 'ping' | 'pong';

/** A frame as a plain object, which can be posted to another thread: see {@link Frame.toObject}. */
export type FrameObject = Omit<Frame, 'toObject'>;

/** A whole frame (RFC 6455 §5.2). */
export class Frame {
  /** FIN: this is the last fragment of its message, or all of it. */
  readonly fin: boolean;
  /** RSV1, which marks a compressed message where permessage-deflate is negotiated (RFC 7692 §6). */
  readonly rsv1: boolean;
  readonly rsv2: boolean;
  readonly rsv3: boolean;
  /** The four bits of the opcode. */
  readonly opcode: number;
  /** MASK: the frame came with a masking key, as a client's frames must (§5.1). */
  readonly masked: boolean;
  /** The length of the header with its masking key, 2 to 14 bytes. The frame has this and {@link payloadLength}. */
  readonly headerLength: number;
  /** The length of the payload in bytes. */
  readonly payloadLength: number;

  readonly #key: number;
  readonly #batch: Uint8Array<ArrayBuffer>;
  readonly #offset: number;
  #payload: Uint8Array<ArrayBuffer> | undefined;
  #maskedPayload: Uint8Array<ArrayBuffer> | undefined;

  /** @internal The numbers are a record of src/decoder.rs. */
  constructor(bits: number, key: number, offset: number, length: number, batch: Uint8Array<ArrayBuffer>) {
    this.fin = (bits & 0x80) !== 0;
    this.rsv1 = (bits & 0x40) !== 0;
    this.rsv2 = (bits & 0x20) !== 0;
    this.rsv3 = (bits & 0x10) !== 0;
    this.opcode = bits & 0xf;
    this.masked = (bits & 0x100) !== 0;
    this.headerLength = bits >>> 16;
    this.payloadLength = length;
    this.#key = key;
    this.#offset = offset;
    this.#batch = batch;
  }

  /** The RFC's name of the opcode. */
  get opcodeName(): OpcodeName {
    return nameOf(this.opcode) as OpcodeName;
  }

  /** The four bytes of the masking key, or `null` for a frame that is not masked (§5.3). */
  get maskingKey(): Uint8Array<ArrayBuffer> | null {
    return this.masked ? keyBytes(this.#key) : null;
  }

  /**
   * The payload, unmasked. It shares a buffer with the other frames of its batch, which lives as long as one of them:
   * `slice()` it to keep a small payload for long.
   */
  get payload(): Uint8Array<ArrayBuffer> {
    return (this.#payload ??= this.#batch.subarray(this.#offset, this.#offset + this.payloadLength));
  }

  /** The payload as it was on the wire: masked, if the frame was. */
  get maskedPayload(): Uint8Array<ArrayBuffer> {
    if (!this.masked) return this.payload;
    // Masking is its own inverse (§5.3), so these bytes need not be kept.
    return (this.#maskedPayload ??= masked(this.payload, this.#key));
  }

  /**
   * A plain object with the same properties, each payload a buffer of its own. This is what to post to or from a worker:
   * structured cloning drops the getters of a class.
   */
  toObject(): FrameObject {
    const { fin, rsv1, rsv2, rsv3, opcode, opcodeName, masked, headerLength, payloadLength, maskingKey } = this;
    const flags = { fin, rsv1, rsv2, rsv3, opcode, opcodeName, masked, maskingKey, headerLength, payloadLength };
    return { ...flags, payload: this.payload.slice(), maskedPayload: this.maskedPayload.slice() };
  }
}
