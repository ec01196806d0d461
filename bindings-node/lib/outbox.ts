// Order among what is sent while a Blob is being read: everything behind it waits.

import type { Done } from './transport.js';

/** A Blob, of Node's types or of the browser's. */
export interface BlobLike {
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  stream(): unknown;
}

interface Waiting {
  size: number;
  /** Sends it. May begin to read another Blob. */
  run(): void;
  done: Done | undefined;
}

export class Outbox {
  /** Bytes that wait: those of the Blob that is being read, and of all behind it. */
  size = 0;
  #reading: Waiting | undefined;
  #queue: Waiting[] = [];
  #given = false;

  /** Whether what is sent now has to wait. */
  get isBusy(): boolean {
    return this.#reading !== undefined;
  }

  /** Something that is sent behind a Blob. */
  wait(size: number, run: () => void, done: Done | undefined): void {
    this.size += size;
    this.#queue.push({ size, run, done });
  }

  /** A Blob: `send` gets its bytes. `failed` hears if it can't be read; nothing is sent any more then. */
  read(blob: BlobLike, done: Done | undefined, send: (bytes: Uint8Array) => void, failed: (error: Error) => void): void {
    if (this.isBusy) return this.wait(blob.size, () => this.read(blob, done, send, failed), done);
    this.size += blob.size;
    const reading = { size: blob.size, run: () => {}, done };
    this.#reading = reading;
    blob.arrayBuffer().then(
      // Out of the promise's reach, so that what a callback throws is thrown.
      (bytes) => process.nextTick(() => this.#finish(reading, () => send(new Uint8Array(bytes)))),
      (error: Error) =>
        process.nextTick(() => {
          if (this.#given) return;
          this.giveUp(error);
          failed(error);
        }),
    );
  }

  #finish(reading: Waiting, send: () => void): void {
    if (this.#given) return;
    this.size -= reading.size;
    this.#reading = undefined;
    send();
    while (!this.isBusy && this.#queue.length > 0) {
      const next = this.#queue.shift()!;
      this.size -= next.size;
      next.run();
    }
  }

  /** Nothing can be sent any more: whoever waits hears the error. What waited still counts as not written. */
  giveUp(error: Error): void {
    if (this.#given) return;
    this.#given = true;
    const waiting = [this.#reading, ...this.#queue];
    this.#queue = [];
    for (const { done } of waiting.filter((one) => one !== undefined)) done?.(error);
  }
}

/** Whether this is a Blob, of this realm or another. */
export function isBlob(value: unknown): value is BlobLike {
  if (typeof value !== 'object' || value === null || !('arrayBuffer' in value) || !('stream' in value)) return false;
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return typeof value.arrayBuffer === 'function' && (tag === 'Blob' || tag === 'File');
}
