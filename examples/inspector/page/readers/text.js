// @ts-check
// Reads what people paste: hex digits in any layout, dumps of xxd, hexdump -C, od and Wireshark with their columns of offsets
// and characters, C and Python literals, and base64.

/** What was pasted, or a file that was dropped, can't be read. The message says what came and what was allowed. */
export class ReadError extends Error {
  name = 'ReadError';
}

/** One byte, as people write it: `81`, `0x81`, `\x81`, with or without a comma behind it. */
const BYTE = /^(?:0x|\\x)?([0-9a-f]{2})$/i;
/** A column of offsets: `00000010:`, `0010`, `0x0010:`; it is one only where it fits the bytes that came before. */
const OFFSET = /^(?:0x)?([0-9a-f]{4,16})(:?)$/i;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** @typedef {{ bytes: Uint8Array<ArrayBuffer>, format: 'hex' | 'dump' | 'base64' }} ReadBytes how they were read, too */
/** @typedef {{ content: string, number: number }} Line */

/** How many lines, or bytes of a line, are read without a pause. */
const LINES = 2000;
const BYTES = 1 << 16;

/** The bytes that a text means. @param {string} text @returns {ReadBytes} */
export function readText(text) {
  const steps = textSteps(text);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same with a pause wherever it yields. @param {string} text @returns {Generator<number, ReadBytes>} */
export function* textSteps(text) {
  const lines = text.split(/\r?\n/).map((content, index) => ({ content, number: index + 1 })).filter(({ content }) => content.trim());
  if (lines.length === 0) throw new ReadError('There is nothing here: paste hex digits, a hex dump or base64.');
  if (yield* isDump(lines)) return { bytes: yield* readDump(lines), format: 'dump' };
  // Hex digits are base64, too; who pastes both kinds of digits means hex.
  const plain = lines.map(({ content }) => content.trim()).join('');
  if (BASE64.test(plain) && /[g-z+/_=-]/i.test(plain.replace(/0x|\\x/gi, ''))) return { bytes: yield* readBase64(plain), format: 'base64' };
  return { bytes: yield* readDigits(lines, text.length), format: 'hex' };
}

/** @param {string} line @returns {{ offset: number, rest: string } | undefined} */
function offsetOf(line) {
  const [, first = '', rest = ''] = /^\s*(\S+)(.*)$/.exec(line) ?? [];
  const match = OFFSET.exec(first);
  return match ? { offset: parseInt(match[1] ?? '', 16), rest } : undefined;
}

/**
 * Whether each line begins with an offset: the first one with any, each later one with a larger one, followed by something
 * unless it is the last, as `hexdump -C` ends.
 * @param {Line[]} lines
 * @returns {Generator<number, boolean>}
 */
function* isDump(lines) {
  let before = -1;
  for (const [index, { content: line }] of lines.entries()) {
    if (index % LINES === LINES - 1) yield 0;
    if (line.trim() === '*') throw new ReadError(`Line ${index + 1} is '*', which stands for lines left out; make the dump with \`hexdump -Cv\` or \`xxd\`.`);
    const found = offsetOf(line);
    if (!found || found.offset <= before) return false;
    if (index === 0 && found.offset !== 0 && !/:\s/.test(line)) return false;
    if (index > 0 && found.offset - before > 4096) return false;
    if (!found.rest.trim() && index !== lines.length - 1) return false;
    if (lines.length === 1 && !/^\s*\S+(:|\s{2,})/.test(line)) return false;
    before = found.offset;
  }
  return true;
}

/** @param {Line[]} lines @returns {Generator<number, Uint8Array<ArrayBuffer>>} */
function* readDump(lines) {
  const last = offsetOf(lines.at(-1)?.content ?? '')?.offset ?? 0;
  const from = offsetOf(lines[0]?.content ?? '')?.offset ?? 0;
  // A line has 16 bytes if no other follows, whatever it is wide.
  const bytes = new Uint8Array(last - from + 16);
  let count = 0;
  for (const [index, { content, number }] of lines.entries()) {
    if (index % LINES === LINES - 1) yield index / lines.length;
    const { offset, rest } = offsetOf(content) ?? { offset: 0, rest: '' };
    const next = lines[index + 1];
    const until = next ? (offsetOf(next.content)?.offset ?? 0) - offset : undefined;
    const found = bytesOfLine(rest, until);
    if (until !== undefined && found.length !== until) {
      throw new ReadError(`Line ${number} of the dump has ${found.length} bytes, but the offset of the next line says ${until}.`);
    }
    bytes.set(found, count);
    count += found.length;
  }
  return bytes.slice(0, count);
}

/**
 * The bytes of a line without its offset. The column of characters begins after a `|` or two spaces behind the last byte, or
 * where the number of bytes is reached; it may look like hex itself.
 * @param {string} rest
 * @param {number | undefined} until how many there are, if the next line tells
 */
function bytesOfLine(rest, until) {
  const cut = rest.split('|', 1)[0] ?? '';
  const pattern = /(\s*)(\S+)/g;
  /** @type {number[]} */
  const found = [];
  for (let match; (match = pattern.exec(cut)); ) {
    const [, space = '', word = ''] = match;
    if (until !== undefined ? found.length >= until : found.length >= 16) break;
    // xxd writes two bytes to a word and two spaces before its characters; Wireshark and hexdump have two in the middle, too.
    if (until === undefined && found.length > 0 && space.length >= 2 && found.length !== 8) break;
    if (!/^(?:[0-9a-f]{2})+$/i.test(word)) break;
    const pairs = word.match(/../g) ?? [];
    if (until !== undefined && found.length + pairs.length > until) break;
    for (const pair of pairs) found.push(parseInt(pair, 16));
  }
  return found;
}

/** @param {Line[]} lines @param {number} length of the text @returns {Generator<number, Uint8Array<ArrayBuffer>>} */
function* readDigits(lines, length) {
  const bytes = new Uint8Array(Math.ceil(length / 2));
  let count = 0;
  for (const [index, { content, number }] of lines.entries()) {
    if (index % LINES === LINES - 1) yield index / lines.length;
    const words = content.replace(/\\x/gi, ' \\x').replace(/b?(['"])/g, ' ');
    for (const match of words.matchAll(/[^\s,;:{}[\]()-]+/g)) {
      const word = match[0];
      const single = BYTE.exec(word);
      const digits = single?.[1] ?? word.replace(/^0x/i, '');
      if (!/^[0-9a-f]+$/i.test(digits)) {
        throw new ReadError(`Line ${number} has '${shorten(word)}', which is no hex: allowed are pairs of 0-9 and a-f, hex dumps with offsets, and base64.`);
      }
      if (digits.length % 2 !== 0) {
        throw new ReadError(`Line ${number} has '${shorten(word)}', which is ${digits.length} hex digits: each byte is two of them.`);
      }
      for (let at = 0; at < digits.length; at += 2) {
        if (count % BYTES === BYTES - 1) yield (count * 2) / length;
        bytes[count] = parseInt(digits.slice(at, at + 2), 16);
        count += 1;
      }
    }
  }
  if (count === 0) throw new ReadError('There is no byte in it: paste hex digits, a hex dump or base64.');
  return bytes.slice(0, count);
}

/** @param {string} text @returns {Generator<number, Uint8Array<ArrayBuffer>>} */
function* readBase64(text) {
  const plain = text.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  if (plain.length % 4 === 1) {
    throw new ReadError(`This looks like base64, but its ${plain.length} characters can't be whole bytes; and it is no hex, which has only 0-9 and a-f.`);
  }
  const decoded = atob(plain);
  const bytes = new Uint8Array(decoded.length);
  for (let at = 0; at < decoded.length; at += 1) {
    if (at % BYTES === BYTES - 1) yield at / decoded.length;
    bytes[at] = decoded.charCodeAt(at);
  }
  return bytes;
}

/** @param {string} word */
const shorten = (word) => (word.length > 24 ? `${word.slice(0, 23)}…` : word);
