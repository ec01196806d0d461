// What can be sent, as bytes or as a string.

import { native } from './addon.js';
import { guarded } from './errors.js';
import { wrong } from './options.js';

const NOTHING = Buffer.alloc(0);

/** Throws a TypeError that says what can be sent. */
export function toPayload(data: unknown): string | Uint8Array {
  if (typeof data === 'string' || data instanceof Uint8Array) return data;
  if (data === undefined || data === null) return NOTHING;
  if (typeof data === 'number') return String(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  try {
    // Arrays, and objects that say by valueOf or Symbol.toPrimitive what they are.
    if (typeof data === 'object') return Buffer.from(data as Uint8Array);
  } catch {
    // Said below, by name.
  }
  throw wrong('The data to send', data, 'a string, a number, a Buffer, an ArrayBuffer, a typed array, a DataView or a Blob');
}

/** Throws if a ping or pong can't have this payload. */
export function checkControl(bytes: Uint8Array): void {
  guarded(() => native.checkPing(bytes));
}
