// Conversions of Web IDL (webidl.spec.whatwg.org), as far as these interfaces need them. The number in brackets is that of
// the arguments that were given.

import * as worker from 'node:worker_threads';

/** `USVString`: lone surrogates become U+FFFD. Throws a TypeError for a symbol, as `String()` would not. */
export function toUSVString(value: unknown): string {
  const text = toDOMString(value);
  return text.isWellFormed() ? text : text.toWellFormed();
}

/** `DOMString`. */
export function toDOMString(value: unknown): string {
  return typeof value === 'string' ? value : `${value as string}`;
}

/** `[Clamp] unsigned short`: the nearest integer of 0 to 65535, an even one where two are equally near; 0 for NaN. */
export function clampToUnsignedShort(value: unknown): number {
  // The unary plus, unlike Number(), throws for a BigInt too.
  const number = +(value as number);
  if (Number.isNaN(number)) return 0;
  const clamped = Math.min(Math.max(number, 0), 0xffff);
  const floor = Math.floor(clamped);
  const above = clamped - floor;
  const up = above > 0.5 || (above === 0.5 && floor % 2 === 1);
  return up ? floor + 1 : floor;
}

/** A dictionary: an object, or nothing. `what` names the value in the TypeError. */
export function toDictionary(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw new TypeError(`${what} is ${typeof value === 'symbol' ? 'a symbol' : toDOMString(value)}; it must be an object`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** `sequence<DOMString>` and the like, or `undefined` for what can't be iterated. */
export function toSequence<T>(value: object, convert: (one: unknown) => T, what: string): T[] | undefined {
  const method: unknown = (value as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  if (method === undefined || method === null) return undefined;
  if (typeof method !== 'function') throw new TypeError(`${what} has a Symbol.iterator that is not a function`);
  const iterable: Iterable<unknown> = { [Symbol.iterator]: () => Reflect.apply(method, value, []) as Iterator<unknown> };
  const items: T[] = [];
  for (const item of iterable) items.push(convert(item));
  return items;
}

/** Throws unless at least `wanted` arguments were given. */
export function requireArguments(given: number, wanted: number, what: string): void {
  if (given >= wanted) return;
  throw new TypeError(`${what}: ${wanted} argument${wanted === 1 ? '' : 's'} required, but only ${given} present`);
}

/** For a method or an attribute that was reached through an object of another kind. */
export function illegalInvocation(name: string): TypeError {
  return new TypeError(`Illegal invocation: this is not a ${name}`);
}

const { markAsUncloneable } = worker as { markAsUncloneable?: (object: object) => void };

/**
 * Lets structured cloning throw for an object, as it does for platform objects that are not serializable. Node before 22.10
 * can't be told, and clones it into an empty object, as it does with its own.
 */
export function forbidCloning(object: object): void {
  markAsUncloneable?.(object);
}

/** Operations and attributes are enumerable, unlike those of a class; `Symbol.toStringTag` is the name. */
export function defineInterface(constructor: Function, name: string, members: readonly string[]): void {
  const prototype = constructor.prototype as object;
  for (const member of members) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, member)!;
    Object.defineProperty(prototype, member, { ...descriptor, enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { configurable: true, value: name });
}

/** Constants stand on the interface and on its prototype. */
export function defineConstants(constructor: Function, constants: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(constants)) {
    for (const object of [constructor, constructor.prototype as object]) {
      Object.defineProperty(object, name, { enumerable: true, value });
    }
  }
}
