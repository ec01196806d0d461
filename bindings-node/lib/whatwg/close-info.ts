// What `close` may be given: the same for both interfaces.

import { clampToUnsignedShort, toDictionary, toUSVString } from './webidl.js';

/** `WebSocketCloseInfo`. */
export interface WebSocketCloseInfo {
  /** 1000, or 3000 to 4999. */
  closeCode?: number | undefined;
  /** At most 123 bytes of UTF-8. Default: empty. */
  reason?: string | undefined;
}

/** "Validate close code and reason". */
export function checkClose(code: number | null, reason: string): void {
  if (code !== null && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    const allowed = '1000 and 3000 to 4999 are allowed';
    throw new DOMException(`The close code is ${code}; ${allowed}`, 'InvalidAccessError');
  }
  // RFC 6455 §5.5: a control frame has at most 125 bytes, of which the code takes two.
  const length = Buffer.byteLength(reason);
  if (length > 123) throw new DOMException(`The reason has ${length} bytes of UTF-8; at most 123 are allowed`, 'SyntaxError');
}

/** The code to send: where there is a reason but no code it is 1000, since a reason needs one (RFC 6455 §5.5.1). */
export function codeToSend(code: number | null, reason: string): number | null {
  return code === null && reason !== '' ? 1000 : code;
}

/** Web IDL's conversion to `WebSocketCloseInfo`, whose code Chromium has as `[Clamp]`. */
export function toCloseInfo(value: unknown, what: string): { code: number | null; reason: string } {
  const { closeCode, reason } = toDictionary(value, what);
  return {
    code: closeCode === undefined ? null : clampToUnsignedShort(closeCode),
    reason: reason === undefined ? '' : toUSVString(reason),
  };
}
