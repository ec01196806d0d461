import assert from 'node:assert/strict';

/** @param {string} digits spaces are for readers */
export const unhex = (digits) => new Uint8Array(Buffer.from(digits.replaceAll(' ', ''), 'hex'));

/** @param {Uint8Array} bytes */
export const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** @param {Uint8Array[]} parts */
export const concat = (parts) => new Uint8Array(Buffer.concat(parts));

/** The masking key of the examples in RFC 6455 §5.7. */
export const key = unhex('37fa213d');

/** @param {Uint8Array} bytes @param {number} size */
export function cut(bytes, size) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
  return chunks;
}

/** Random numbers that are the same in every run (mulberry32). */
export function numbers(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** @param {number} length @param {number} seed */
export function randomBytes(length, seed) {
  const next = numbers(seed);
  return Uint8Array.from({ length }, () => next(256));
}

/** What `action` throws. */
export function thrownBy(action) {
  try {
    action();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}
