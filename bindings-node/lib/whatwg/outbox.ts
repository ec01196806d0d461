// What `send` has queued: how many bytes of it are not written yet, and the order of it, since a Blob has to be read first.

import { queueTask } from './task.js';

export type Sendable = string | Uint8Array | Blob;

/** Where things go. */
export interface Below {
  transmit(data: string | Uint8Array, isBinary: boolean, done: (error?: Error) => void): void;
  close(code: number | undefined, reason: string): void;
  /** A Blob could not be read. */
  unreadable(error: Error): void;
  /** Nothing is queued any more. */
  drained(): void;
}

type Waiting = { data: Sendable; isBinary: boolean; size: number } | { code: number | undefined; reason: string };

const { arrayBuffer } = Blob.prototype;

export class Outbox {
  readonly #below: Below;
  /** What waits for the Blob in front to be read. */
  #waiting: Waiting[] = [];
  #amount = 0;
  /** Bytes that are written, but count as buffered until the task ends. */
  #written = 0;
  #over = false;

  constructor(below: Below) {
    this.#below = below;
  }

  /** Payload bytes that were not written when this task began, and those that were sent since. */
  get amount(): number {
    return this.#amount;
  }

  /** Counts in any case; what can't be sent any more counts for ever. */
  send(data: Sendable, isBinary: boolean, size: number, possible: boolean): void {
    this.#amount += size;
    if (!possible || this.#over) return;
    if (this.#waiting.length === 0 && !(data instanceof Blob)) return this.#transmit(data, isBinary, size);
    // The caller may change what he sent as soon as `send` has returned.
    const kept = data instanceof Uint8Array ? data.slice() : data;
    this.#wait({ data: kept, isBinary, size });
  }

  /** Begins the closing handshake once all that was sent before is on its way. */
  close(code: number | undefined, reason: string): void {
    if (this.#waiting.length === 0) this.#below.close(code, reason);
    else this.#wait({ code, reason });
  }

  /** Nothing can be sent any more. */
  stop(): void {
    this.#over = true;
    this.#waiting = [];
  }

  #transmit(data: string | Uint8Array, isBinary: boolean, size: number): void {
    this.#below.transmit(data, isBinary, (error) => {
      if (!error) this.#wrote(size);
    });
  }

  /** "As of the last time the event loop reached step 1": the amount falls between tasks only. */
  #wrote(size: number): void {
    if (this.#written === 0) {
      queueTask(() => {
        this.#amount -= this.#written;
        this.#written = 0;
        if (this.#amount === 0) this.#below.drained();
      });
    }
    this.#written += size;
  }

  #wait(next: Waiting): void {
    this.#waiting.push(next);
    if (this.#waiting.length === 1) void this.#sendWaiting();
  }

  async #sendWaiting(): Promise<void> {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (!('data' in next)) {
        this.#below.close(next.code, next.reason);
      } else {
        const { data, isBinary, size } = next;
        let payload: string | Uint8Array;
        try {
          payload = data instanceof Blob ? new Uint8Array(await Reflect.apply(arrayBuffer, data, [])) : data;
        } catch (error) {
          return this.#over ? undefined : this.#below.unreadable(error as Error);
        }
        if (this.#over) return;
        this.#transmit(payload, isBinary, size);
      }
      this.#waiting.shift();
    }
  }
}
