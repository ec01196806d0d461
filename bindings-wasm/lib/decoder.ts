import { checkBytes, checkCount, checkRole } from './check.js';
import { protocolError } from './errors.js';
import { Frame } from './frame.js';
import { codec } from './module.js';
import type { Wasm } from './module.js';
import { Resource } from './resource.js';

/**
 * Who receives the frames. A client takes unmasked frames, a server masked ones (RFC 6455 §5.1), both without reserved bits
 * (§5.2) but those of `allowedRsv`; `'any'` is an onlooker, who takes either and any reserved bits.
 */
export type ReceiverRole = 'client' | 'server' | 'any';

// As src/decoder.rs numbers them.
const receivers = { client: 0, server: 1, any: 2 };
/** @internal */
export const receiverRoles = Object.keys(receivers) as ReceiverRole[];

export interface FrameDecoderOptions {
  /**
   * The largest payload of a frame in bytes, from 0 to 512 MiB; beyond it `push` throws the error `frame_too_big`, with close
   * code 1009 (§10.4). It bounds the memory that a frame can take up, and is 16 MiB by default.
   */
  maxFrameSize?: number;
  /** The reserved bits that a negotiated extension defines: RSV1 as 4, RSV2 as 2, RSV3 as 1. 0 by default (§5.2). */
  allowedRsv?: number;
}

/** @internal What one buffer of the module, and one string of JavaScript, can surely hold. */
export const LARGEST_SIZE = 512 << 20;

const RECORD = 4;
const nothing = new Uint8Array();

/**
 * Reads whole frames out of a byte stream, whatever its chunks (RFC 6455 §5).
 *
 * It judges each frame by itself: whether fragments fit together (§5.4), text is UTF-8 (§8.1) and a close code is valid
 * (§7.4) is for the session to say, see `Connection`.
 */
export class FrameDecoder extends Resource {
  /** The receiver. */
  readonly role: ReceiverRole;

  /** A decoder at the boundary of two frames. */
  constructor(role: ReceiverRole, { maxFrameSize = 16 << 20, allowedRsv = 0 }: FrameDecoderOptions = {}) {
    checkRole(role, receiverRoles);
    checkCount(maxFrameSize, 'maxFrameSize', LARGEST_SIZE);
    checkCount(allowedRsv, 'allowedRsv', 7);
    super(codec, 'decoder_free', ({ exports }) => exports.decoder_new(receivers[role], allowedRsv, maxFrameSize));
    this.role = role;
  }

  /** Whether the next byte begins a frame: so it is at the end of a stream that is whole. */
  get isBetweenFrames(): boolean {
    return this.wasm.exports.decoder_is_between_frames(this.handle) !== 0;
  }

  /**
   * @internal Where in `bytes`, which are no part of the stream, frames begin: from there on the headers in the next `ahead` bytes
   * are in order, as far as they are there. The length of `bytes` if that is nowhere.
   */
  find(bytes: Uint8Array, ahead: number): number {
    return this.wasm.exports.decoder_find(this.handle, this.wasm.put(bytes), ahead);
  }

  /**
   * Takes the next bytes of the stream, which are copied, and returns the frames that they complete. A frame that is cut
   * is kept, as far as it came, until later bytes complete it.
   *
   * Where the peer broke the protocol a {@link ProtocolError} is thrown at once, which has the frames before the error in
   * `frames`. The stream has no meaning behind it, so each later call throws the same error, without frames.
   */
  push(chunk: Uint8Array): Frame[] {
    checkBytes(chunk, 'the chunk');
    const { handle, wasm } = this;
    const { exports } = wasm;
    const address = exports.decoder_push(handle, wasm.put(chunk));
    const count = wasm.told(0);
    const failed = wasm.told(1) !== 0;
    const frames = count > 0 ? readFrames(wasm, address >>> 2, count) : [];
    if (wasm.told(3) > 0) exports.decoder_release(handle);
    if (failed) {
      exports.decoder_failure(handle);
      throw protocolError(wasm, frames);
    }
    return frames;
  }
}

/** The payloads of one chunk in one buffer: that of the frame it completed, then those in the chunk itself. */
function readBatch(wasm: Wasm): Uint8Array<ArrayBuffer> {
  const [address, length, from, to] = [wasm.told(2), wasm.told(3), wasm.told(4), wasm.told(5)];
  if (length === 0) return from === to ? nothing : wasm.copy(wasm.border + from, to - from);
  const batch = new Uint8Array(length + to - from);
  const bytes = wasm.bytes();
  batch.set(bytes.subarray(address, address + length));
  batch.set(bytes.subarray(wasm.border + from, wasm.border + to), length);
  return batch;
}

function readFrames(wasm: Wasm, table: number, count: number): Frame[] {
  const batch = readBatch(wasm);
  const words = wasm.words();
  const frames = new Array<Frame>(count);
  for (let index = 0, at = table; index < count; index += 1, at += RECORD) {
    frames[index] = new Frame(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, batch);
  }
  return frames;
}
