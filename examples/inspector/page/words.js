// @ts-check
// Numbers and bytes in words.

const grouped = new Intl.NumberFormat('en-GB');
const loose = new TextDecoder();

/** @param {number} value */
export const number = (value) => grouped.format(value);

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** @param {number} count */
export const byteCount = (count) => counted(count, 'byte');

/** @param {number} count short, for columns */
export function size(count) {
  if (count < 10_000) return `${number(count)} B`;
  return count < 10_000_000 ? `${number(Math.round(count / 1000))} kB` : `${number(Math.round(count / 1e6))} MB`;
}

/** @param {number} byte */
export const hex = (byte) => byte.toString(16).padStart(2, '0');

/** @param {number} offset */
export const offsetText = (offset) => `0x${offset.toString(16).padStart(4, '0')}`;

/** Since the capture's first byte. @param {number} seconds */
export const sinceStart = (seconds) => (Number.isNaN(seconds) ? '' : `${seconds.toFixed(seconds < 1000 ? 6 : 3)} s`);

/** @param {number} part @param {number} whole */
export const percent = (part, whole) => (whole === 0 ? '0 %' : `${((part / whole) * 100).toFixed(part / whole < 0.1 ? 1 : 0)} %`);

/** @param {Uint8Array} bytes text as far as it is one; what isn't is U+FFFD */
export const textOf = (bytes) => loose.decode(bytes);

/** A character that would not be seen gets a sign that is. @param {string} character */
export function visible(character) {
  const code = character.codePointAt(0) ?? 0;
  if (character === ' ') return '␣';
  if (character === '\n') return '↵';
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? '␡' : character;
}

/** One line of a text. @param {string} text @param {number} most */
export function line(text, most) {
  const start = text.slice(0, most);
  return start.replace(/[\u0000-\u001f\u007f]/g, visible) + (text.length > most ? '…' : '');
}
