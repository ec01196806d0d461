import { errorTable } from './errors.generated.js';
import type { Frame } from './frame.js';
import type { Wasm } from './module.js';

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
  constructor({ code, closeCode, section, message }: Told, frames: readonly Frame[] = []) {
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
  constructor({ code, section, message }: Told) {
    super(message);
    this.code = code;
    this.section = section;
  }
}

interface Told {
  code: string;
  closeCode: number;
  section: string;
  message: string;
}

/** How Rust shows a number: `:#x` is in hex, `:03b` in binary with at least three digits. */
function shown(number: bigint, format: string | undefined): string {
  if (format === ':#x') return `0x${number.toString(16)}`;
  if (format === ':03b') return number.toString(2).padStart(3, '0');
  return String(number);
}

/** The error that a call left in the words: its name and its numbers, see src/error.rs. */
function told(wasm: Wasm): Told {
  const code = wasm.toldText(0);
  const numbers = [2, 4].map((at) => BigInt(wasm.told(at)) | (BigInt(wasm.told(at + 1)) << 32n));
  const [closeCode, section, sentence] = errorTable[code]!;
  const message = sentence.replace(/\{\w+(:[^}]*)?\}/g, (_, format) => shown(numbers.shift()!, format));
  return { code, closeCode, section, message };
}

/** @internal */
export const protocolError = (wasm: Wasm, frames?: readonly Frame[]) => new ProtocolError(told(wasm), frames);

/** @internal Throws what a command left, if it failed. */
export function checkSent(wasm: Wasm, failed: number): void {
  if (failed) throw new SendError(told(wasm));
}
