// Bytes that come, for scripts.

/** Bytes of their own: the memory behind `data` is shared with other messages. */
export function toArrayBuffer(data: Buffer): ArrayBuffer {
  return data.buffer.slice(data.byteOffset, data.byteOffset + data.length) as ArrayBuffer;
}
