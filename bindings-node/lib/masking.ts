// The option `generateMask`: masking keys that the user makes.

import { border } from './border.js';

/** Keys that wait for frames that the core sends by itself: answers to pings and to a Close frame. */
const SPARE = 16;

export type GenerateMask = (mask: Buffer) => void;

/** Hands a connection's keys over, one for each frame that is sent, and some beforehand. */
export class KeySupply {
  readonly #id: number;
  readonly #generate: GenerateMask;

  constructor(id: number, generate: GenerateMask) {
    this.#id = id;
    this.#generate = generate;
    this.refill();
  }

  /** For a frame that is about to be sent. */
  add(): void {
    border.hub.supplyKeys(this.#id, this.#make());
  }

  /** For frames that the core may answer with. */
  refill(): void {
    const none = Buffer.alloc(0);
    for (let ready = border.hub.supplyKeys(this.#id, none); ready < SPARE; ready += 1) this.add();
  }

  #make(): Buffer {
    const mask = Buffer.alloc(4);
    this.#generate(mask);
    return mask;
  }
}
