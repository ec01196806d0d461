// What the scenarios share; it runs in pages and in Node.

export function outcome(run) {
  try {
    return show(run());
  } catch (error) {
    return thrown(error);
  }
}

export function thrown(error) {
  const kind = error instanceof DOMException ? 'DOMException' : error?.constructor?.name;
  return `throws ${kind} ${error?.name}`;
}

export function show(value) {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'function' ? 'function' : typeof value === 'object' ? Object.prototype.toString.call(value) : value;
}

export const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

export async function dataOf(data) {
  if (typeof data === 'string') return Array.from(data, (unit) => (unit < ' ' || unit > '~' ? `U+${unit.codePointAt(0).toString(16)}` : unit)).join('');
  if (data instanceof Blob) return `Blob ${hex(await data.arrayBuffer())}`;
  return `${data.constructor.name} ${hex(data)}`;
}

export const TYPES = ['open', 'message', 'error', 'close'];

/** Writes all events to the log; fulfilled after `close`. `on` says what is done in an event, after it is written. */
export function record(ws, log, on = {}) {
  return new Promise((resolve) => {
    for (const type of TYPES) {
      ws.addEventListener(type, (event) => {
        const entry = { type, state: ws.readyState, is: event.constructor.name };
        if (type === 'close') Object.assign(entry, { code: event.code, reason: event.reason, clean: event.wasClean });
        if (type === 'message') entry.data = typeof event.data === 'string' ? event.data.slice(0, 40) : show(event.data);
        log.push(entry);
        on[type]?.(event);
        if (type === 'close') resolve();
      });
    }
  });
}

export const opened = (ws) => new Promise((resolve, reject) => {
  ws.addEventListener('open', resolve, { once: true });
  ws.addEventListener('error', () => reject(new Error(`${ws.url} did not open`)), { once: true });
});

export const next = (ws, type) => new Promise((resolve) => ws.addEventListener(type, resolve, { once: true }));

/** Another task. */
export const task = () => new Promise((resolve) => setTimeout(resolve));

/** Waits for a condition. */
export async function until(condition) {
  while (!condition()) await task();
}

export const http = (url) => url.replace('ws:', 'http:');

export const MEMBERS = ['url', 'readyState', 'bufferedAmount', 'onopen', 'onerror', 'onclose', 'extensions', 'protocol', 'close', 'onmessage', 'binaryType', 'send'];

/** How a property is defined. */
export function property(object, name) {
  const found = Object.getOwnPropertyDescriptor(object, name);
  if (!found) return 'missing';
  const flags = ['enumerable', 'configurable', 'writable'].filter((flag) => found[flag]).join(' ');
  const parts = ['get', 'set', 'value'].filter((part) => typeof found[part] === 'function');
  return [flags, ...parts.map((part) => `${part} ${found[part].name}/${found[part].length}`)].join(', ');
}

export function shape(constructor) {
  const prototype = constructor.prototype;
  const own = Object.getOwnPropertyNames(prototype).toSorted();
  return {
    constructor: [constructor.name, constructor.length, Object.getPrototypeOf(constructor).name, property(constructor, 'prototype')],
    statics: Object.keys(constructor).map((name) => `${name} ${property(constructor, name)} ${constructor[name]}`),
    members: own.map((name) => `${name}: ${property(prototype, name)}`),
    enumerated: Object.keys(prototype).toSorted(),
    tag: [prototype[Symbol.toStringTag], property(prototype, Symbol.toStringTag)],
    parent: Object.getPrototypeOf(prototype).constructor.name,
  };
}

export const listen = 'ws://127.0.0.1:9/';
