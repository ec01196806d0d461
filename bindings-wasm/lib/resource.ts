/// <reference lib="esnext.disposable" preserve="true" />

import type { Exports, Handle } from './exports.js';
import type { Slot, Wasm } from './module.js';

/** The functions by which objects are given back. */
type Free = 'decoder_free' | 'connection_free' | 'handshake_free';

/** What an object has in a module. Apart from the object, so that it doesn't hold it. */
interface Held {
  readonly wasm: Wasm;
  readonly handle: Handle;
  readonly free: Free;
}

const release = ({ wasm, handle, free }: Held) => (wasm.exports as Exports & Record<Free, (handle: Handle) => void>)[free](handle);

const collected = new FinalizationRegistry(release);

/**
 * Something with memory in the WebAssembly module. The memory is given back by `free()`, at the end of a `using` block, or
 * when the object is garbage-collected.
 */
export abstract class Resource {
  #held: Held | undefined;
  #busy = false;
  /** @internal The module that has its memory. */
  protected readonly wasm: Wasm;

  /** @internal */
  constructor(slot: Slot, free: Free, make: (wasm: Wasm) => Handle) {
    this.wasm = slot.get();
    this.#held = { wasm: this.wasm, handle: make(this.wasm), free };
    collected.register(this, this.#held, this);
  }

  /** @internal */
  protected get handle(): Handle {
    if (!this.#held) throw new Error(`this ${this.constructor.name} can't be used any more: free() was called`);
    if (this.#busy) throw new Error(`this ${this.constructor.name} is in a call already, and can't be used from within it`);
    return this.#held.handle;
  }

  /** @internal For calls in which functions of the caller are called: the object is not theirs meanwhile. */
  protected exclusively<Result>(call: (handle: Handle) => Result): Result {
    const { handle } = this;
    this.#busy = true;
    try {
      return call(handle);
    } finally {
      this.#busy = false;
    }
  }

  /** Gives the memory back now. Using the object afterwards is an error; freeing it again is not. */
  free(): void {
    if (!this.#held) return;
    const { handle } = this;
    collected.unregister(this);
    release({ ...this.#held, handle });
    this.#held = undefined;
  }
}

export interface Resource extends Disposable {}

// Where the host has no Symbol.dispose, nobody can ask for it either.
if (Symbol.dispose) {
  Object.defineProperty(Resource.prototype, Symbol.dispose, {
    value(this: { free(): void }) {
      this.free();
    },
    configurable: true,
    writable: true,
  });
}
