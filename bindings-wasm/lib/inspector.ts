import { checkBytes, checkRole } from './check.js';
import { FrameDecoder, receiverRoles } from './decoder.js';
import type { FrameDecoderOptions, ReceiverRole } from './decoder.js';
import { ProtocolError } from './errors.js';
import type { Frame } from './frame.js';

export interface InspectorOptions extends FrameDecoderOptions {
  /** Who receives the frames, if that is known: then more is told from what is no frame. `'any'` by default. */
  role?: ReceiverRole;
  /** Whether the capture may begin in the midst of a frame; `false` by default. */
  midstream?: boolean;
}

/** What an {@link Inspector} has seen, and where in the stream it begins. */
export type Inspection =
  | { readonly type: 'frame'; readonly offset: number; readonly frame: Frame }
  /** `length` bytes are no frames: `error` says why, or is `null` for the beginning of a capture from midstream. */
  | { readonly type: 'gap'; readonly offset: number; readonly length: number; readonly error: ProtocolError | null };

/** How much of what follows is looked at to see whether frames begin at a byte. */
const AHEAD = 2048;
/** The longest frame that is believed about its length, though there is an error in it. */
const BELIEVED = 16 << 10;

/**
 * Looks on at a byte stream in either direction. It never fails: where there is no frame it says so, looks for the next byte
 * from which on there are frames again, and goes on. That is a guess, since frames have no mark at which they begin: it is
 * the end of the frame that is none, if its length leads to one, or else the first byte from which on the next 2 KiB, as far
 * as they have come, are well-formed.
 */
export class Inspector {
  readonly #options: FrameDecoderOptions;
  readonly #role: ReceiverRole;
  #decoder: FrameDecoder;
  /** What came of the stream from `#offset` on, in order, beginning with a frame, or with what may be a gap. */
  #rest: Uint8Array[] = [];
  #offset = 0;
  /** The gap that is open: where no frame has been found yet. */
  #gap: { offset: number; error: ProtocolError | null } | undefined;

  constructor({ role = 'any', midstream = false, ...options }: InspectorOptions = {}) {
    checkRole(role, receiverRoles);
    this.#role = role;
    this.#options = options;
    this.#decoder = new FrameDecoder(role, options);
    if (midstream) this.#gap = { offset: 0, error: null };
  }

  /** Takes the next bytes; the frames that they complete, and the gaps between them. */
  push(chunk: Uint8Array): Inspection[] {
    checkBytes(chunk, 'the chunk');
    const seen: Inspection[] = [];
    this.#rest.push(chunk.slice());
    let feed: Uint8Array | undefined = this.#gap ? this.#findFrame(seen) : chunk;
    while (feed) feed = this.#decode(feed, seen);
    return seen;
  }

  /** The stream has ended: the gap that is left, if there is one. Bytes of a frame that is cut are one, without an error. */
  end(): Inspection[] {
    const left = this.#joined().length;
    const { offset, error } = this.#gap ?? { offset: this.#offset, error: null };
    const length = this.#offset + left - offset;
    this.#decoder.free();
    this.#rest = [];
    return length > 0 ? [{ type: 'gap', offset, length, error }] : [];
  }

  /** Decodes; what is to be decoded next, if there is a gap and it has ended. */
  #decode(feed: Uint8Array, seen: Inspection[]): Uint8Array | undefined {
    let frames: readonly Frame[];
    let error: ProtocolError | undefined;
    try {
      frames = this.#decoder.push(feed);
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      [frames, error] = [thrown.frames, thrown];
    }
    let consumed = 0;
    for (const frame of frames) {
      seen.push({ type: 'frame', offset: this.#offset + consumed, frame });
      consumed += frame.headerLength + frame.payloadLength;
    }
    if (consumed > 0) this.#skip(consumed);
    if (!error) return undefined;
    this.#gap = { offset: this.#offset, error };
    this.#decoder.free();
    this.#decoder = new FrameDecoder(this.#role, this.#options);
    this.#skip(this.#believedEnd() ?? 1);
    return this.#findFrame(seen);
  }

  /** Ends the gap at the next byte that may begin a frame; what is to be decoded from there. */
  #findFrame(seen: Inspection[]): Uint8Array | undefined {
    const rest = this.#joined();
    const start = this.#decoder.find(rest, AHEAD);
    this.#skip(start);
    if (start === rest.length) return undefined;
    const { offset, error } = this.#gap!;
    if (this.#offset > offset) seen.push({ type: 'gap', offset, length: this.#offset - offset, error });
    this.#gap = undefined;
    return this.#joined();
  }

  /** Where the frame would end that is none, read as one whose first byte is in order; if frames may follow there. */
  #believedEnd(): number | undefined {
    const rest = this.#joined();
    const believed = rest.slice(0, BELIEVED);
    believed[0] = 0x82;
    const decoder = new FrameDecoder('any', this.#options);
    let frames: readonly Frame[];
    try {
      frames = decoder.push(believed);
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      frames = thrown.frames;
    }
    decoder.free();
    const end = frames[0] && frames[0].headerLength + frames[0].payloadLength;
    if (end === undefined) return undefined;
    const behind = rest.subarray(end, end + AHEAD);
    return behind.length === 0 || this.#decoder.find(behind, AHEAD) === 0 ? end : undefined;
  }

  #joined(): Uint8Array {
    if (this.#rest.length !== 1) {
      const joined = new Uint8Array(this.#rest.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const part of this.#rest) {
        joined.set(part, at);
        at += part.length;
      }
      this.#rest = [joined];
    }
    return this.#rest[0]!;
  }

  #skip(count: number): void {
    this.#rest = [this.#joined().subarray(count)];
    this.#offset += count;
  }
}
