// @ts-check
// The fields of a frame as the figure of RFC 6455 §5.2 has them: which bits, and what to call them. A frame that is broken or
// cut is drawn with them too, as far as it goes; whether it is right is not asked here.

/**
 * @typedef {object} Field
 * @property {'fin' | 'rsv' | 'opcode' | 'mask' | 'length' | 'extended' | 'key' | 'payload'} name
 * @property {string} label
 * @property {number} from the first bit
 * @property {number} to the bit behind the last
 */

/** The figure's header is 14 bytes at most. */
export const LONGEST_HEADER = 14;

/**
 * @param {Uint8Array} start the first bytes of a frame
 * @param {number} size how many bytes it has
 * @returns {Field[]} as far as there are bytes
 */
export function fieldsOf(start, size) {
  /** @type {Field[]} */
  const fields = [
    { name: 'fin', label: 'FIN', from: 0, to: 1 },
    { name: 'rsv', label: 'RSV1', from: 1, to: 2 },
    { name: 'rsv', label: 'RSV2', from: 2, to: 3 },
    { name: 'rsv', label: 'RSV3', from: 3, to: 4 },
    { name: 'opcode', label: 'opcode', from: 4, to: 8 },
    { name: 'mask', label: 'MASK', from: 8, to: 9 },
    { name: 'length', label: 'payload length', from: 9, to: 16 },
  ];
  const second = start[1] ?? 0;
  const extended = { 126: 16, 127: 64 }[second & 0x7f] ?? 0;
  if (extended) fields.push({ name: 'extended', label: 'extended payload length', from: 16, to: 16 + extended });
  const behind = 16 + extended;
  const key = second & 0x80 ? 32 : 0;
  if (key) fields.push({ name: 'key', label: 'masking key', from: behind, to: behind + 32 });
  fields.push({ name: 'payload', label: 'payload', from: behind + key, to: size * 8 });
  const end = Math.min(size, Math.max(start.length, LONGEST_HEADER)) * 8;
  return fields.filter(({ from, name }) => from < (name === 'payload' ? size * 8 : end)).map((field) => ({ ...field, to: Math.min(field.to, size * 8) }));
}

/** The field that a byte belongs to; of several, the first. @param {Field[]} fields @param {number} byte */
export const fieldOfByte = (fields, byte) => fields.find(({ from, to }) => from < byte * 8 + 8 && to > byte * 8);

/** Which parts of a frame a place of an error means, as bits. @param {Field[]} fields @param {import('./rules.js').Place} place @returns {[number, number] | undefined} */
export function bitsOf(fields, place) {
  const payload = fields.find(({ name }) => name === 'payload');
  if (place === 'code' || place === 'reason') {
    if (!payload) return undefined;
    return place === 'code' ? [payload.from, Math.min(payload.from + 16, payload.to)] : [payload.from + 16, payload.to];
  }
  const found = fields.filter(({ name }) => name === place);
  const [first, last] = [found[0], found.at(-1)];
  // What is told of a length that isn't there, or of a payload that is empty, is told of the length.
  if (!first || !last) return place === 'extended' || place === 'payload' ? bitsOf(fields, 'length') : undefined;
  return [first.from, last.to];
}
