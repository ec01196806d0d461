// Whether an argument is of the kind that is asked for; what the protocol allows is not decided here.

/** How a value is shown in a message. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 80 ? `${value.slice(0, 80)}…` : value}'`;
  if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value).slice(8, -1);
  return typeof value === 'function' ? 'a function' : String(value);
}

/** @internal A Uint8Array of any realm: Node's Buffer is one, so are those of other frames of a page. */
export function checkBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!ArrayBuffer.isView(value) || (value as Partial<Uint8Array>)[Symbol.toStringTag] !== 'Uint8Array') {
    throw new TypeError(`${what} is ${shown(value)}, but must be a Uint8Array`);
  }
}

/** @internal */
export function checkText(value: unknown, what: string): asserts value is string {
  if (typeof value !== 'string') throw new TypeError(`${what} is ${shown(value)}, but must be a string`);
}

/** @internal */
export function checkBoolean(value: unknown, what: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${what} is ${shown(value)}, but must be true or false`);
}

/** @internal */
export function checkRole<Role extends string>(value: Role, allowed: readonly Role[]): void {
  if (allowed.includes(value)) return;
  throw new TypeError(`the role is ${shown(value)}, but must be ${allowed.map((role) => `'${role}'`).join(' or ')}`);
}

/** @internal A whole number from 0 to `largest`. */
export function checkCount(value: unknown, what: string, largest: number): asserts value is number {
  const isCount = typeof value === 'number' && value >= 0 && value <= largest;
  if (isCount && (Number.isInteger(value) || value === Infinity)) return;
  const message = `${what} is ${shown(value)}, but must be an integer from 0 to ${largest}`;
  throw typeof value === 'number' ? new RangeError(message) : new TypeError(message);
}

/** @internal The number that Rust takes for a masking key: its first byte is the highest. */
export function keyNumber(key: unknown): number {
  checkBytes(key, 'the masking key');
  if (key.length !== 4) throw new RangeError(`the masking key has ${key.length} bytes, but must have 4 (RFC 6455 §5.3)`);
  return new DataView(key.buffer, key.byteOffset, 4).getUint32(0);
}

/** @internal The bytes of that number. */
export function keyBytes(key: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(key >>> 24, key >>> 16, key >>> 8, key);
}

/** @internal */
export function refuseServerKey(): never {
  throw new TypeError('a masking key was given, but a server must not mask its frames (RFC 6455 §5.1)');
}
