// What `send` takes: Web IDL's `(BufferSource or Blob or USVString)`.

import { types } from 'node:util';
import { toUSVString } from './webidl.js';

export interface Payload<T> {
  data: T;
  isBinary: boolean;
  /** Bytes of payload. */
  size: number;
}

const { get: sizeOf } = Object.getOwnPropertyDescriptor(Blob.prototype, 'size')!;

export function toSendable(value: unknown): Payload<string | Uint8Array | Blob> {
  if (value instanceof Blob) return { data: value, isBinary: true, size: Reflect.apply(sizeOf!, value, []) as number };
  return toBytesOrText(value);
}

/** Without Blob, as a WebSocketStream takes it. */
export function toBytesOrText(value: unknown): Payload<string | Uint8Array> {
  const bytes = toBytes(value);
  if (bytes) return { data: bytes, isBinary: true, size: bytes.length };
  const text = toUSVString(value);
  return { data: text, isBinary: false, size: Buffer.byteLength(text) };
}

const NOTHING = new Uint8Array();

/** The bytes of a `BufferSource`: a view of them, not a copy. */
function toBytes(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) {
    if (types.isSharedArrayBuffer(value.buffer)) throw new TypeError('A view of a SharedArrayBuffer can not be sent; copy it');
    rejectResizable(value.buffer);
    // It may be detached, and has no bytes then.
    return value.byteLength === 0 ? NOTHING : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  // A SharedArrayBuffer is none: as any other object it becomes a string.
  if (!types.isArrayBuffer(value)) return undefined;
  rejectResizable(value);
  return value.byteLength === 0 ? NOTHING : new Uint8Array(value);
}

/** Web IDL: without `[AllowResizable]` they are refused. */
function rejectResizable(buffer: ArrayBufferLike): void {
  if ((buffer as { resizable?: boolean }).resizable) throw new TypeError('A resizable ArrayBuffer can not be sent; copy it');
}
