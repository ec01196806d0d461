// A WebAssembly module: loaded once, and the way bytes cross into its memory and out of it.

import type { Exports } from './exports.js';

/** Where a module can come from: its bytes, a compiled module, a response that brings it, or its URL. */
export type ModuleSource = BufferSource | WebAssembly.Module | Response | Request | URL | string;

/** @internal Up to this length, text has room made for the most bytes that it can need, which is three a UTF-16 code unit. */
export const SHORT_TEXT = 16_384;
const encoder = new TextEncoder();
/** @internal */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  const { length } = text;
  // What is likely to be ASCII is written where it is to be; an encoder that does not know its length writes it twice.
  for (let at = 0; at < length; at += (length >> 4) + 1) if (text.charCodeAt(at) > 0x7f) return encoder.encode(text);
  const bytes = new Uint8Array(length);
  return encoder.encodeInto(text, bytes).read === length ? bytes : encoder.encode(text);
}
// The core has checked the text already; a byte order mark is part of it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Up to this length a string of ASCII is made faster here than by a decoder. */
const SHORT_ASCII = 48;

/** @internal The text, unless it is longer than that or not ASCII. */
export function shortAscii(bytes: Uint8Array, from: number, length: number): string | undefined {
  if (length > SHORT_ASCII) return undefined;
  let text = '';
  let at = from;
  for (const end = from + length; at < end; ) {
    const a = bytes[at]!;
    // Eight at a time take a quarter of the time.
    if (at + 8 > end) {
      if (a > 0x7f) return undefined;
      text += String.fromCharCode(a);
      at += 1;
      continue;
    }
    const [b, c, d] = [bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
    const [e, f, g, h] = [bytes[at + 4]!, bytes[at + 5]!, bytes[at + 6]!, bytes[at + 7]!];
    if ((a | b | c | d | e | f | g | h) > 0x7f) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
    at += 8;
  }
  return text;
}

/** @internal Where the keys of connections come from that choose them: by the numbers that Rust knows them by. */
export const keySources = new Map<number, () => number>();

/** Most bytes that `crypto.getRandomValues` gives at once. */
const MOST_RANDOM = 65_536;

/** @internal An instance of a module. */
export class Wasm {
  readonly exports: Exports;
  /** Where the border began when room in it was last asked for; see src/border.rs. */
  border = 0;
  readonly #words: number;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array();
  #view = new Uint32Array();

  constructor(module: WebAssembly.Module) {
    const random = (address: number, length: number) => {
      for (let at = 0; at < length; at += MOST_RANDOM) {
        crypto.getRandomValues(this.bytes().subarray(address + at, address + Math.min(at + MOST_RANDOM, length)));
      }
    };
    const key = (source: number) => keySources.get(source)!();
    const { exports } = new WebAssembly.Instance(module, { itoden: { random, key } });
    this.exports = exports as unknown as Exports;
    this.#words = this.exports.words() >> 2;
  }

  /** The memory as it is now. */
  bytes(): Uint8Array<ArrayBuffer> {
    // Growing it detaches every earlier buffer, which is then empty. To ask for the buffer takes longer than all else here.
    if (this.#bytes.length === 0) {
      const buffer = this.exports.memory.buffer as ArrayBuffer;
      this.#bytes = new Uint8Array(buffer);
      this.#view = new Uint32Array(buffer);
    }
    return this.#bytes;
  }

  /** The same in words of 32 bits. */
  words(): Uint32Array {
    this.bytes();
    return this.#view;
  }

  /** A word that the last call left: see src/abi.rs. */
  told(index: number): number {
    return this.words()[this.#words + index]!;
  }

  /** The text whose address is the word `index`, and whose length is the next. */
  toldText(index: number): string {
    return this.text(this.told(index), this.told(index + 1));
  }

  /** The bytes of a copy of memory. */
  copy(address: number, length: number): Uint8Array<ArrayBuffer> {
    return this.bytes().slice(address, address + length);
  }

  text(address: number, length: number): string {
    return shortAscii(this.bytes(), address, length) ?? this.decode(address, length);
  }

  /** The same, for what is not short. */
  decode(address: number, length: number): string {
    return decoder.decode(this.bytes().subarray(address, address + length));
  }

  /** Copies `bytes` into the border, `headroom` bytes in. Returns their length. */
  put(bytes: Uint8Array, headroom = 0): number {
    this.#reserve(headroom + bytes.length);
    this.bytes().set(bytes, this.border + headroom);
    return bytes.length;
  }

  /** Writes `text` as UTF-8 into the border, `headroom` bytes in. Returns its length in bytes. */
  putText(text: string, headroom = 0): number {
    const { length } = text;
    if (length > SHORT_TEXT) return this.put(encoder.encode(text), headroom);
    this.#reserve(headroom + length * 3);
    const start = this.border + headroom;
    return encoder.encodeInto(text, this.bytes().subarray(start, start + length * 3)).written;
  }

  #reserve(length: number): void {
    // As an address Rust's is signed here.
    this.border = length <= 0x3fff_ffff ? this.exports.reserve(length) >>> 0 : 0;
    if (this.border === 0) throw new RangeError(`${length} bytes don't fit into the memory of itoden-wasm`);
  }
}

/** Why a load failed, in one sentence. */
function loadError(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`itoden-wasm could not load its WebAssembly module: ${reason}`, { cause });
}

async function compile(source: ModuleSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (ArrayBuffer.isView(source) || source instanceof ArrayBuffer) return WebAssembly.compile(source as BufferSource);
  const isResponse = typeof Response === 'function' && source instanceof Response;
  const response = isResponse ? source : await fetch(source as Request | URL | string);
  if (!response.ok) throw new Error(`${response.url} was answered with the status ${response.status}`);
  // A server that doesn't know the type of .wasm is forgiven.
  if (response.headers.get('Content-Type') === 'application/wasm') return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** @internal What a module has: each has what those before it have. */
export const enum Has {
  nothing,
  frames,
  connections,
  compression,
}

type Sources = Pick<Slot, 'source' | 'sourceNow'>;

/**
 * @internal The place of a module in this thread: empty, being loaded, or with an instance. Where several entries are imported, the
 * one that has most is loaded; what was made with a smaller one before keeps that.
 */
export class Slot {
  #wasm: Wasm | undefined;
  #has = Has.nothing;
  /** What is being loaded, and what it has. */
  #loading: { readonly done: Promise<void>; readonly has: Has } | undefined;
  readonly #name: string;
  /** The most that an imported entry has. */
  #most = Has.nothing;
  /** Where the module is, if nobody says otherwise. */
  source?: (() => ModuleSource | Promise<ModuleSource>) | undefined;
  /** Where it can be had at once, in hosts that have such a place: then it is loaded when it is first used. */
  sourceNow?: (() => BufferSource | WebAssembly.Module) | undefined;

  /** `name`: what the function to load it is called, for messages. */
  constructor(name: string) {
    this.#name = name;
  }

  /** An imported entry says where its module is. */
  offer(has: Has, { source, sourceNow }: Sources): void {
    if (has < this.#most) return;
    if (has > this.#most) this.source = this.sourceNow = undefined;
    this.#most = has;
    this.source ??= source;
    this.sourceNow ??= sourceNow;
  }

  /** The instance. */
  get(): Wasm {
    if (this.#has < this.#most && !this.#loading && this.sourceNow) this.loadSync();
    if (this.#wasm) return this.#wasm;
    throw new Error(`itoden-wasm is not loaded yet: first \`await ${this.#name}()\`, or call \`${this.#name}Sync(module)\``);
  }

  /** Loads the module unless that is done or under way. `has`: what `source` has. */
  load(source?: ModuleSource | Promise<ModuleSource>, has = this.#most): Promise<void> {
    const loading = this.#loading;
    if (loading && loading.has < has) return loading.done.catch(() => {}).then(() => this.load(source, has));
    if (loading || this.#has >= has) {
      // Nobody waits for it.
      Promise.resolve(source).catch(() => {});
      return loading?.done ?? Promise.resolve();
    }
    const loaded = source === undefined ? this.#most : has;
    const done = this.#start(source, loaded);
    this.#loading = { done, has: loaded };
    return done;
  }

  loadSync(source?: BufferSource | WebAssembly.Module, has = this.#most): void {
    if (this.#has >= has) return;
    // The one that comes last would take the place of the other.
    if (this.#loading) {
      throw new Error(`itoden-wasm is loading already: await the promise of ${this.#name}() instead of calling ${this.#name}Sync()`);
    }
    try {
      const given = source ?? this.sourceNow?.();
      if (given === undefined) throw new TypeError('there is no module to be had at once here: it must be given');
      this.#wasm = new Wasm(given instanceof WebAssembly.Module ? given : new WebAssembly.Module(given));
      this.#has = source === undefined ? this.#most : has;
    } catch (cause) {
      throw loadError(cause);
    }
  }

  async #start(source: ModuleSource | Promise<ModuleSource> | undefined, has: Has): Promise<void> {
    try {
      const given = (await source) ?? (await (this.sourceNow ?? this.source)?.());
      if (given === undefined) throw new TypeError('there is no module');
      this.#wasm = new Wasm(await compile(given));
      this.#has = has;
    } catch (cause) {
      throw loadError(cause);
    } finally {
      this.#loading = undefined;
    }
  }
}

/** @internal Frames and connections, with compression or without. */
export const codec = new Slot('init');
