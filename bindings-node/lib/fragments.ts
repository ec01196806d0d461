// Messages that the addon tells in parts, put together to their fragments: for `binaryType` 'fragments'.

import { Part } from '../native.js';

/** The flags of a part as they come in a record's number. */
const flags = (part: Part): number => part >>> 16;

const LAST = flags(Part.Last);
const ENDS = flags(Part.EndsFragment) | LAST;
const BINARY = flags(Part.Binary);

export class Fragments {
  #whole: Buffer[] = [];
  #parts: Buffer[] = [];

  /** The fragments of a message that are not empty, if this was its last part. */
  push(part: number, payload: Buffer): Buffer[] | undefined {
    if (payload.length > 0) this.#parts.push(payload);
    if (part & ENDS && this.#parts.length > 0) {
      this.#whole.push(join(this.#parts));
      this.#parts = [];
    }
    if (!(part & LAST)) return undefined;
    const fragments = this.#whole;
    this.#whole = [];
    return fragments;
  }
}

export const isBinaryPart = (part: number): boolean => (part & BINARY) !== 0;

/** One Buffer of several; without a copy if there is one only. */
export function join(buffers: readonly Buffer[]): Buffer {
  return buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers);
}
