// 'drain': when to send on, in the words of Node's streams.

import type { Done } from './transport.js';

/** What may wait before a sender should, where nothing is said: as much as for Node's file streams. */
export const HIGH_WATER_MARK = 64 << 10;

export class Backpressure {
  /** Whether as much waits as may, so that 'drain' will follow. */
  needsDrain = false;
  /** No fewer bytes wait than these: what waited when it was looked at, and all that was sent since. */
  #most = 0;
  /** How many messages are to be written before 'drain'. */
  #tracked = 0;
  readonly #highWaterMark: number;
  readonly #drained: () => void;

  constructor(highWaterMark: number, drained: () => void) {
    this.#highWaterMark = highWaterMark;
    this.#drained = drained;
  }

  /**
   * A message is about to be sent: what its callback is to be. `waiting` tells how many bytes wait, and is asked only when it
   * could matter, since the answer is a call into the addon.
   */
  track(data: string | { readonly length: number } | { readonly size: number }, waiting: () => number, done: Done | undefined): Done | undefined {
    if (!this.needsDrain) {
      // A code unit takes at most three bytes of UTF-8.
      const most = typeof data === 'string' ? 3 * data.length : sizeOf(data);
      this.#most += most;
      if (this.#most < this.#highWaterMark) return done;
      this.#most = waiting() + (typeof data === 'string' ? Buffer.byteLength(data) : most);
      if (this.#most < this.#highWaterMark) return done;
      this.needsDrain = true;
    }
    this.#tracked += 1;
    return (error) => {
      this.#tracked -= 1;
      try {
        done?.(error);
      } finally {
        if (this.#tracked === 0) this.#drain(error);
      }
    };
  }

  #drain(error: Error | undefined): void {
    this.needsDrain = false;
    this.#most = 0;
    // Nothing can be sent on a connection that has ended, so nobody is asked to.
    if (!error) this.#drained();
  }
}

function sizeOf(data: { readonly length: number } | { readonly size: number }): number {
  return 'size' in data ? data.size : data.length;
}
