import { checkBytes, checkCount, checkRole } from './check.js';
import { protocolError } from './errors.js';
import { Frame } from './frame.js';
import { RawFrameDecoder, Receiver } from './itoden_wasm.js';
import { border, copyOut, memory, putBytes } from './module.js';
import { Resource } from './resource.js';

/**
 * Who receives the frames. A client takes unmasked frames, a server masked ones (RFC 6455 §5.1), both without reserved bits
 * (§5.2); `'any'` is an onlooker, who takes either and any reserved bits.
 */
export type ReceiverRole = 'client' | 'server' | 'any';

const receivers = { client: Receiver.Client, server: Receiver.Server, any: Receiver.Any };
const roles = Object.keys(receivers) as ReceiverRole[];

export interface FrameDecoderOptions {
  /**
   * The largest payload of a frame in bytes, from 0 to 512 MiB; beyond it `push` throws the error `frame_too_big`, with close
   * code 1009 (§10.4). It bounds the memory that a frame can take up, and is 16 MiB by default.
   */
  maxFrameSize?: number;
}

/** @internal What one buffer of the module, and one string of JavaScript, can surely hold. */
export const LARGEST_SIZE = 512 << 20;

const HEAD = 6;
const RECORD = 4;
const nothing = new Uint8Array();

/**
 * Reads whole frames out of a byte stream, whatever its chunks (RFC 6455 §5).
 *
 * It judges each frame by itself: whether fragments fit together (§5.4), text is UTF-8 (§8.1) and a close code is valid
 * (§7.4) is for the session to say, see `Connection`.
 */
export class FrameDecoder extends Resource<RawFrameDecoder> {
  /** The receiver. */
  readonly role: ReceiverRole;

  /** A decoder at the boundary of two frames. */
  constructor(role: ReceiverRole, { maxFrameSize = 16 << 20 }: FrameDecoderOptions = {}) {
    checkRole(role, roles);
    checkCount(maxFrameSize, 'maxFrameSize', LARGEST_SIZE);
    super(() => new RawFrameDecoder(receivers[role], maxFrameSize));
    this.role = role;
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
    const { raw } = this;
    const address = raw.push(putBytes(chunk));
    const [count, failed, completed, completedLength, from, to] = new Uint32Array(memory(), address, HEAD) as unknown as [
      number, number, number, number, number, number,
    ];
    const frames = count > 0 ? readFrames(address, count, readBatch(completed, completedLength, from, to)) : [];
    if (completedLength > 0) raw.release();
    if (failed) throw protocolError(raw.failure(), frames);
    return frames;
  }
}

/** The payloads of one chunk in one buffer: that of the frame it completed, then those in the chunk itself. */
function readBatch(completed: number, completedLength: number, from: number, to: number): Uint8Array<ArrayBuffer> {
  if (completedLength === 0) return from === to ? nothing : copyOut(border + from, to - from);
  const batch = new Uint8Array(completedLength + to - from);
  batch.set(new Uint8Array(memory(), completed, completedLength));
  batch.set(new Uint8Array(memory(), border + from, to - from), completedLength);
  return batch;
}

function readFrames(address: number, count: number, batch: Uint8Array<ArrayBuffer>): Frame[] {
  const table = new Uint32Array(memory(), address + HEAD * 4, count * RECORD);
  const frames = new Array<Frame>(count);
  for (let index = 0, at = 0; index < count; index += 1, at += RECORD) {
    frames[index] = new Frame(table[at]!, table[at + 1]!, table[at + 2]!, table[at + 3]!, batch);
  }
  return frames;
}
