// What the scenarios of WebSocketStream share.

/** What an error is. */
export function describe(error) {
  if (typeof error !== 'object' || error === null) return error;
  const entry = { kind: error.constructor.name, name: error.name };
  if ('closeCode' in error) Object.assign(entry, { closeCode: error.closeCode, reason: error.reason, code: error.code });
  return entry;
}

/** How a promise is settled. */
export const settled = (promise) => promise.then(
  (value) => ({ fulfilled: value === undefined ? 'undefined' : value }),
  (error) => ({ rejected: describe(error) }),
); // prettier-ignore

/** What a function throws, or `nothing`. */
export function outcome(run) {
  try {
    run();
    return 'nothing';
  } catch (error) {
    return describe(error);
  }
}

/** Whether a promise is not settled, though it had time to be. */
export async function isPending(promise, patience = 100) {
  let settled = false;
  const settle = () => (settled = true);
  promise.then(settle, settle);
  for (let waited = 0; waited < patience && !settled; waited += 10) await new Promise((resolve) => setTimeout(resolve, 10));
  return !settled;
}

export const http = (url) => url.replace('ws:', 'http:');
export const ask = async (url, path) => (await fetch(`${http(url)}${path}`)).text();
export const nameOf = () => `stream-${Math.random()}`;

export function property(object, name) {
  const found = Object.getOwnPropertyDescriptor(object, name);
  const flags = ['enumerable', 'configurable', 'writable'].filter((flag) => found[flag]).join(' ');
  return [name, flags, ...['get', 'set', 'value'].filter((part) => typeof found[part] === 'function').map((part) => `${part} ${found[part].name}/${found[part].length}`)].join(', ');
}

export const shape = (constructor) => ({
  constructor: [constructor.name, constructor.length, Object.getPrototypeOf(constructor).name],
  members: Object.getOwnPropertyNames(constructor.prototype).toSorted().map((name) => property(constructor.prototype, name)),
  tag: constructor.prototype[Symbol.toStringTag],
  parent: Object.getPrototypeOf(constructor.prototype).constructor.name,
});
