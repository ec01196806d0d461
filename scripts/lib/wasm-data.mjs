// What of a module's constant data its functions still use.
//
// The linker drops what nobody refers to, but it runs before `wasm-shrink.mjs` takes functions out. With `--emit-relocs` it leaves
// where each piece of data lies, and which refers to which.

/**
 * A piece of data from one address to another, what it refers to, and numbers beside it by which code refers to it: as its end,
 * from where some loops go down, or where a table that begins with the element 4 would have its element 0.
 * @typedef {{ start: number, end: number, refers: Set<Datum>, beside: Set<number> }} Datum
 */
/** @typedef {{ address: number, start: number, end: number }} Segment where in memory, and from where to where in the file */

/** The kind of a symbol, of a table and of relocations, as WebAssembly's tool conventions number them. */
const SYMBOL_TABLE = 8;
const [FUNCTION, DATA, SECTION] = [0, 1, 3];
const [UNDEFINED, EXPLICIT_NAME] = [0x10, 0x40];
/** Relocations whose target is an address of memory; the address is 32 bits wide. */
const addresses = new Set([3, 4, 5, 11]);
/** Relocations that have an addend. */
const withAddend = new Set([...addresses, 8, 9, 22, 23]);

/** Reads numbers and names one behind the other. */
class Cursor {
  /** @param {Uint8Array} bytes @param {number} at */
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return /** @type {number} */ (this.bytes[this.at++]);
  }

  number() {
    return this.#leb()[0] >>> 0;
  }

  signed() {
    const [value, bits, last] = this.#leb();
    return last & 0x40 && bits < 32 ? value | (-1 << bits) : value;
  }

  /** @returns {[value: number, bits: number, last: number]} */
  #leb() {
    let value = 0;
    for (let bits = 0; ; ) {
      const byte = this.byte();
      value |= (byte & 0x7f) << bits;
      bits += 7;
      if (byte < 0x80) return [value, bits, byte];
    }
  }

  name() {
    const length = this.number();
    this.at += length;
    return Buffer.from(this.bytes.subarray(this.at - length, this.at)).toString('latin1');
  }
}

/** @param {Uint8Array} bytes @returns {Generator<{ id: number, name: string, start: number, end: number }>} */
function* sections(bytes) {
  for (const cursor = new Cursor(bytes, 8); cursor.at < bytes.length; ) {
    const id = cursor.byte();
    const length = cursor.number();
    const end = cursor.at + length;
    yield { id, name: id === 0 ? cursor.name() : '', start: cursor.at, end };
    cursor.at = end;
  }
}

/**
 * The data segments of a module.
 * @param {Uint8Array} bytes
 * @returns {Segment[]}
 */
export function segments(bytes) {
  const section = [...sections(bytes)].find(({ id }) => id === 11);
  if (!section) return [];
  const cursor = new Cursor(bytes, section.start);
  return Array.from({ length: cursor.number() }, () => {
    if (cursor.byte() !== 0 || cursor.byte() !== 0x41) throw new Error('a data segment is not at a fixed address');
    const address = cursor.signed() >>> 0;
    cursor.byte();
    const size = cursor.number();
    const start = cursor.at;
    cursor.at += size;
    return { address, start, end: start + size };
  });
}

/**
 * The pieces of data in a module that was linked with `--emit-relocs`.
 * @param {Uint8Array} bytes
 * @returns {Datum[]}
 */
export function pieces(bytes) {
  const found = [...sections(bytes)];
  const linking = found.find(({ name }) => name === 'linking');
  if (!linking) throw new Error('the module was not linked with --emit-relocs');
  const placed = segments(bytes);
  const symbols = readSymbols(new Cursor(bytes, linking.start), linking.end, placed);
  const pieces = symbols.filter((symbol) => symbol !== undefined);
  const dataStart = found.find(({ id }) => id === 11)?.start ?? 0;
  for (const { name, start } of found) {
    if (name !== 'reloc.DATA' && name !== 'reloc.CODE') continue;
    for (const { target, offset, addend } of references(new Cursor(bytes, start), symbols)) {
      const number = target.start + addend;
      if (number < target.start || number >= target.end) target.beside.add(number >>> 0);
      if (name === 'reloc.CODE') continue;
      const at = dataStart + offset;
      const segment = placed.find(({ start, end }) => at >= start && at < end);
      if (!segment) throw new Error(`there is no data at ${at}, where a relocation is`);
      const address = segment.address + at - segment.start;
      for (const piece of pieces) if (address >= piece.start && address < piece.end) piece.refers.add(target);
    }
  }
  return pieces;
}

/**
 * What refers to data, by its place in its section.
 * @param {Cursor} cursor
 * @param {(Datum | undefined)[]} symbols
 */
function* references(cursor, symbols) {
  cursor.number(); // the section
  for (let count = cursor.number(); count > 0; count -= 1) {
    const type = cursor.byte();
    const [offset, index] = [cursor.number(), cursor.number()];
    const addend = withAddend.has(type) ? cursor.signed() : 0;
    const target = addresses.has(type) ? symbols[index] : undefined;
    if (target) yield { target, offset, addend };
  }
}

/** @param {Cursor} cursor @param {number} end @param {Segment[]} placed @returns {(Datum | undefined)[]} */
function readSymbols(cursor, end, placed) {
  cursor.number(); // the version
  while (cursor.at < end) {
    const kind = cursor.byte();
    const behind = cursor.number() + cursor.at;
    if (kind === SYMBOL_TABLE) return Array.from({ length: cursor.number() }, () => readSymbol(cursor, placed));
    cursor.at = behind;
  }
  throw new Error('the module has no table of symbols');
}

/** @param {Cursor} cursor @param {Segment[]} placed @returns {Datum | undefined} */
function readSymbol(cursor, placed) {
  const kind = cursor.byte();
  const flags = cursor.number();
  if (kind === DATA) {
    cursor.name();
    if (flags & UNDEFINED) return undefined;
    const segment = placed[cursor.number()];
    const start = (segment?.address ?? 0) + cursor.number();
    const end = start + cursor.number();
    return segment && { start, end, refers: new Set(), beside: new Set() };
  }
  cursor.number();
  if (kind >= FUNCTION && kind !== SECTION && (!(flags & UNDEFINED) || flags & EXPLICIT_NAME)) cursor.name();
  return undefined;
}

/**
 * The pieces that nothing leads to.
 * @param {Datum[]} pieces
 * @param {string} text the module as text, of which every number that can be an address counts as one
 */
export function unused(pieces, text) {
  const code = text.replaceAll(/^ *\(data .*$/gm, '');
  const numbers = [...new Set([...code.matchAll(/(?:i32\.const |offset=)(-?\d+)/g)].map(([, number]) => Number(number) >>> 0))];
  const live = new Set();
  /** @param {Datum} piece */
  const keep = (piece) => {
    if (live.has(piece)) return;
    live.add(piece);
    piece.refers.forEach(keep);
  };
  for (const piece of pieces) {
    if (numbers.some((number) => (number >= piece.start && number < piece.end) || piece.beside.has(number))) keep(piece);
  }
  return pieces.filter((piece) => !live.has(piece));
}

/**
 * The module with these pieces cleared, which then cost nothing.
 * @param {Uint8Array} bytes
 * @param {Datum[]} pieces
 */
export function clear(bytes, pieces) {
  const cleared = bytes.slice();
  for (const { address, start, end } of segments(bytes)) {
    for (const piece of pieces) {
      const [from, to] = [Math.max(piece.start - address, 0) + start, Math.min(piece.end - address + start, end)];
      if (from < to) cleared.fill(0, from, to);
    }
  }
  return cleared;
}

/**
 * The module without what the linker left for this file.
 * @param {Uint8Array} bytes
 */
export function withoutRelocations(bytes) {
  const left = [bytes.subarray(0, 8)];
  let from = 8;
  for (const { name, end } of sections(bytes)) {
    if (name !== 'linking' && !name.startsWith('reloc.')) left.push(bytes.subarray(from, end));
    from = end;
  }
  return new Uint8Array(Buffer.concat(left));
}
