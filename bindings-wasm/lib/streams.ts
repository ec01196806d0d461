import { checkRole } from './check.js';
import { Connection } from './connection.js';
import type { ConnectionOptions } from './connection.js';
import { FrameDecoder, receiverRoles } from './decoder.js';
import type { FrameDecoderOptions, ReceiverRole } from './decoder.js';
import { FrameEncoder, roles } from './encoder.js';
import type { DataFrameOptions, MaskingOptions, Role } from './encoder.js';
import { owned } from './events.js';
import type { ConnectionEvent } from './events.js';
import type { Frame } from './frame.js';
import { codec } from './module.js';

/** Both ends of a stream that changes what goes through it, as those of `TextDecoderStream`. */
abstract class Pair<Read, Written> {
  readonly readable: ReadableStream<Read>;
  readonly writable: WritableStream<Written>;

  constructor(transformer: Transformer<Written, Read>) {
    ({ readable: this.readable, writable: this.writable } = new TransformStream(transformer));
  }
}

/**
 * Bytes to frames: a `FrameDecoder` as a stream. The module is loaded if it isn't yet. Where the peer broke the protocol both
 * sides fail with the {@link ProtocolError}, after the frames before it; a stream that ends inside a frame fails too.
 */
export class FrameDecoderStream extends Pair<Frame, Uint8Array> {
  constructor(role: ReceiverRole, options: FrameDecoderOptions = {}) {
    checkRole(role, receiverRoles);
    let decoder: FrameDecoder;
    super({
      async start() {
        await codec.load();
        decoder = new FrameDecoder(role, options);
      },
      transform(chunk, controller) {
        try {
          for (const frame of decoder.push(chunk)) controller.enqueue(frame);
        } catch (error) {
          for (const frame of (error as { frames?: Frame[] }).frames ?? []) controller.enqueue(frame);
          throw error;
        }
      },
      flush() {
        const whole = decoder.isBetweenFrames;
        decoder.free();
        if (!whole) throw new Error('the stream ended inside a frame');
      },
    });
  }
}

/** A frame to be made: text or bytes alone are a whole message. */
export type FrameInit =
  | string
  | Uint8Array
  | ({ type: 'text'; text: string } & DataFrameOptions)
  | ({ type: 'binary' | 'continuation'; payload: Uint8Array } & DataFrameOptions)
  | ({ type: 'ping' | 'pong'; payload?: Uint8Array } & MaskingOptions)
  | ({ type: 'close'; code?: number; reason?: string } & MaskingOptions);

function encodeFrame(encoder: FrameEncoder, frame: FrameInit): Uint8Array<ArrayBuffer> {
  if (typeof frame === 'string') return encoder.encodeText(frame);
  if (ArrayBuffer.isView(frame)) return encoder.encodeBinary(frame as Uint8Array);
  switch (frame.type) {
    case 'text':
      return encoder.encodeText(frame.text, frame);
    case 'binary':
      return encoder.encodeBinary(frame.payload, frame);
    case 'continuation':
      return encoder.encodeContinuation(frame.payload, frame);
    case 'ping':
      return encoder.encodePing(frame.payload, frame);
    case 'pong':
      return encoder.encodePong(frame.payload, frame);
    case 'close':
      return encoder.encodeClose(frame.code, frame.reason, frame);
    default:
      throw new TypeError(
        `a frame is of the type ${String((frame as { type: unknown }).type)}, but must be text, binary, continuation, ping, pong or close`,
      );
  }
}

/** Frames to bytes: a `FrameEncoder` as a stream. The module is loaded if it isn't yet. */
export class FrameEncoderStream extends Pair<Uint8Array<ArrayBuffer>, FrameInit> {
  constructor(role: Role) {
    checkRole(role, roles);
    let encoder: FrameEncoder;
    super({
      async start() {
        await codec.load();
        encoder = new FrameEncoder(role);
      },
      transform: (frame, controller) => controller.enqueue(encodeFrame(encoder, frame)),
    });
  }
}

export interface MessageDecoderStreamOptions extends ConnectionOptions {
  /** Told of pings, pongs and the Close frame, which messages come without; who answers them is the caller. */
  oncontrol?: (event: Extract<ConnectionEvent, { type: 'ping' | 'pong' | 'close' }>) => void;
}

/**
 * Bytes to messages, text as strings: the receiving half of a `Connection` as a stream. The readable side ends with the
 * peer's Close frame, and fails with the {@link ProtocolError} where the peer broke the protocol, or where the stream ends
 * without a Close frame.
 */
export class MessageDecoderStream extends Pair<string | Uint8Array<ArrayBuffer>, Uint8Array> {
  constructor(role: Role, { oncontrol, ...options }: MessageDecoderStreamOptions = {}) {
    checkRole(role, roles);
    let connection: Connection;
    let closed = false;
    super({
      async start() {
        await codec.load();
        connection = new Connection(role, { ...options, autoPong: false });
      },
      transform(chunk, controller) {
        for (const event of connection.receive(chunk)) {
          if (event.type === 'text') controller.enqueue(event.text);
          else if (event.type === 'binary') controller.enqueue(owned(event.payload));
          else if (event.type === 'failed') throw event.error;
          else if (event.type !== 'closed') oncontrol?.(event);
          if (event.type !== 'close') continue;
          closed = true;
          controller.terminate();
        }
        // The answer to a Close frame, and the one to a failure, are the caller's.
        connection.takeOutput();
      },
      flush() {
        connection.free();
        if (!closed) throw new Error('the stream ended without a Close frame');
      },
    });
  }
}

/**
 * Messages to bytes: the sending half of a `Connection` as a stream. Closing the writable side sends a Close frame with the
 * code 1000.
 */
export class MessageEncoderStream extends Pair<Uint8Array<ArrayBuffer>, string | Uint8Array> {
  constructor(role: Role, options: ConnectionOptions = {}) {
    checkRole(role, roles);
    let connection: Connection;
    super({
      async start() {
        await codec.load();
        connection = new Connection(role, options);
      },
      transform(message, controller) {
        if (typeof message === 'string') connection.sendText(message);
        else connection.sendBinary(message);
        controller.enqueue(connection.takeOutput());
      },
      flush(controller) {
        connection.close(1000);
        controller.enqueue(connection.takeOutput());
        connection.free();
      },
    });
  }
}
