// Who may know whom. A crate's dependencies, however deep, must not name what lies beyond its wall.

/** @typedef {{ crate: string, forbidden: string[] }} Wall */

const runtime = ['tokio', 'mio', 'rustls', 'hyper', 'h2'];
const bindings = ['itoden-node', 'itoden-python', 'itoden-wasm'];

/** @type {Wall[]} */
export const walls = [
  { crate: 'itoden-core', forbidden: [...runtime, 'itoden-net', ...bindings] },
  { crate: 'itoden-wasm', forbidden: [...runtime, 'itoden-net', 'itoden-node', 'itoden-python'] },
  { crate: 'itoden-python', forbidden: [...runtime, 'itoden-net', 'itoden-node', 'itoden-wasm'] },
  { crate: 'itoden-node', forbidden: ['itoden-python', 'itoden-wasm'] },
  { crate: 'itoden-net', forbidden: bindings },
];

/** What cargo is asked for a crate's dependencies on every platform, one 'name vX.Y.Z' a line. @param {string} crate */
export function treeArguments(crate) {
  return ['tree', '--locked', '-p', crate, '-e', 'normal,build', '--target', 'all', '--prefix', 'none', '--no-dedupe'];
}

/**
 * The forbidden names in cargo's answer; a name stands for its family too (tokio for tokio-util).
 * @param {string} tree
 * @param {string[]} forbidden
 */
export function breaches(tree, forbidden) {
  const names = new Set(tree.split('\n').map((line) => line.trim().split(' ')[0]));
  return [...names].filter((name) => forbidden.some((bad) => name === bad || name.startsWith(`${bad}-`))).sort();
}
