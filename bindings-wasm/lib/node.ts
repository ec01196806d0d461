/**
 * itoden-wasm in Node: the same, with the module read from the package's own file.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { loadOnce, loadOnceSync } from './module.js';
import type { ModuleSource } from './module.js';

const file = new URL('./itoden_wasm_bg.wasm', import.meta.url);

/**
 * Loads the WebAssembly module; everything else here needs it. Without an argument it is read from beside this file.
 * Calling it again is harmless: the first call counts. After a failure it can be called again.
 */
export default function init(source?: ModuleSource | Promise<ModuleSource>): Promise<void> {
  return loadOnce(() => source ?? readFile(file));
}

/** Loads it at once, from beside this file unless its bytes or a compiled module are given. Calling it again is harmless. */
export function initSync(source?: BufferSource | WebAssembly.Module): void {
  loadOnceSync(() => source ?? readFileSync(file));
}

export * from './index.js';
