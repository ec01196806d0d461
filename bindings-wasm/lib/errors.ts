import type { Frame } from './frame.js';

/** What Rust tells of an error: code, section, close code, message. See src/error.rs. */
type Parts = [code: string, section: string, closeCode: number, message: string];

/** The peer broke the protocol. The names in `code` are the same in every itoden binding. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  /** The stable name of the misdeed, such as `'reserved_bits'`. */
  readonly code: string;
  /** The close code that the peer is to be sent (RFC 6455 §7.4.1): 1002, 1007, 1008 or 1009. */
  readonly closeCode: number;
  /** Where the rule stands that was broken, such as `'RFC 6455 §5.2'`. */
  readonly section: string;
  /**
   * The frames that the same `push` decoded before it met the error; they are not returned otherwise. Empty where the same
   * error is thrown again.
   */
  readonly frames: readonly Frame[];

  /** @internal */
  constructor([code, section, closeCode, message]: Parts, frames: readonly Frame[] = []) {
    super(message);
    this.code = code;
    this.closeCode = closeCode;
    this.section = section;
    this.frames = frames;
  }
}

/** The caller asked for something that can't be sent. Nothing was sent. */
export class SendError extends Error {
  override readonly name = 'SendError';
  /** The stable name of the reason, such as `'control_payload_too_long'`. */
  readonly code: string;
  /** Where the rule stands, such as `'RFC 6455 §5.5'`. */
  readonly section: string;

  /** @internal */
  constructor([code, section, , message]: Parts) {
    super(message);
    this.code = code;
    this.section = section;
  }
}

/** @internal What Rust threw, as the class that callers see. */
export function sendError(thrown: unknown): unknown {
  return Array.isArray(thrown) ? new SendError(thrown as Parts) : thrown;
}

/** @internal */
export function protocolError(failure: unknown, frames?: readonly Frame[]): ProtocolError {
  return new ProtocolError(failure as Parts, frames);
}
