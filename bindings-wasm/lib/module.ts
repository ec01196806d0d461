// The WebAssembly module: loaded once, and the way bytes cross into its memory and out of it.

import load, { initSync as loadSync, mask_border, opcode_name, reserve } from './itoden_wasm.js';
import type { InitOutput } from './itoden_wasm.js';

/** Where the module can come from: its bytes, a compiled module, a response that brings it, or its URL. */
export type ModuleSource = BufferSource | WebAssembly.Module | Response | Request | URL | string;

let wasm: InitOutput | undefined;
let loading: Promise<void> | undefined;

/** Why a load failed, in one sentence. */
function loadError(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`itoden-wasm could not load its WebAssembly module: ${reason}`, { cause });
}

async function start(source: () => ModuleSource | Promise<ModuleSource> | undefined): Promise<void> {
  try {
    const given = await source();
    wasm = await load(given === undefined ? undefined : { module_or_path: given });
  } catch (cause) {
    throw loadError(cause);
  } finally {
    loading = undefined;
  }
}

/** @internal Loads the module unless that is done or under way; `source` is not asked otherwise. */
export function loadOnce(source: () => ModuleSource | Promise<ModuleSource> | undefined): Promise<void> {
  if (wasm) return Promise.resolve();
  return (loading ??= start(source));
}

/** @internal */
export function loadOnceSync(source: () => BufferSource | WebAssembly.Module): void {
  if (wasm) return;
  // Two instances would have two memories, and what was made in one would be used in the other.
  if (loading) throw new Error('itoden-wasm is loading already: await the promise of init() instead of calling initSync()');
  try {
    wasm = loadSync({ module: source() });
  } catch (cause) {
    throw loadError(cause);
  }
}

/** @internal */
export function checkLoaded(): void {
  if (!wasm) throw new Error('itoden-wasm is not loaded yet: first `await init()`, or call `initSync(module)`');
}

/** @internal The memory as it is now; growing it detaches every earlier buffer. */
export function memory(): ArrayBuffer {
  return wasm!.memory.buffer as ArrayBuffer;
}

/** @internal Where the border began when room in it was last asked for; see src/border.rs. */
export let border = 0;

function makeRoom(length: number): void {
  border = length <= 0x7fff_ffff ? reserve(length) : 0;
  if (border === 0) throw new RangeError(`${length} bytes don't fit into the memory of itoden-wasm`);
}

/** @internal Copies `bytes` into the border, `headroom` bytes in. Returns their length. */
export function putBytes(bytes: Uint8Array, headroom = 0): number {
  makeRoom(headroom + bytes.length);
  new Uint8Array(memory(), border + headroom, bytes.length).set(bytes);
  return bytes.length;
}

/** Up to this length, text has room made for the most bytes that it can need, which is three a UTF-16 code unit. */
const SHORT_TEXT = 16_384;
const utf8 = new TextEncoder();

/** @internal Writes `text` as UTF-8 into the border, `headroom` bytes in. Returns its length in bytes. */
export function putText(text: string, headroom = 0): number {
  if (text.length > SHORT_TEXT) return putBytes(utf8.encode(text), headroom);
  makeRoom(headroom + text.length * 3);
  return utf8.encodeInto(text, new Uint8Array(memory(), border + headroom, text.length * 3)).written;
}

/** @internal A copy of `length` bytes of memory. */
export function copyOut(address: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(memory(), address, length).slice();
}

/** @internal `bytes` masked with `key`, or unmasked (RFC 6455 §5.3). */
export function masked(bytes: Uint8Array, key: number): Uint8Array<ArrayBuffer> {
  const length = putBytes(bytes);
  mask_border(key, length);
  return copyOut(border, length);
}

let opcodeNames: (string | undefined)[] | undefined;

/** @internal The core's name of an opcode. */
export function opcodeName(opcode: number): string | undefined {
  opcodeNames ??= Array.from({ length: 16 }, (_, bits) => opcode_name(bits));
  return opcodeNames[opcode];
}
