/// <reference lib="esnext.disposable" preserve="true" />

import { checkLoaded } from './module.js';

/**
 * Something with memory in the WebAssembly module. The memory is given back by `free()`, at the end of a `using` block, or
 * when the object is garbage-collected.
 */
export abstract class Resource<Raw extends { free(): void }> {
  #raw: Raw | undefined;

  /** @internal */
  constructor(make: () => Raw) {
    checkLoaded();
    this.#raw = make();
  }

  /** @internal */
  protected get raw(): Raw {
    return this.#raw ?? this.#refuse();
  }

  #refuse(): never {
    throw new Error(`this ${this.constructor.name} can't be used any more: free() was called`);
  }

  /** Gives the memory back now. Using the object afterwards is an error; freeing it again is not. */
  free(): void {
    this.#raw?.free();
    this.#raw = undefined;
  }
}

export interface Resource<Raw extends { free(): void }> extends Disposable {}

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
