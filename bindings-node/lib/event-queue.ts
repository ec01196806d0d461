// Events of one WebSocket in their order: held back while it is paused, and one a turn where that is wished.

import { rethrow } from './errors.js';

type Event = () => void;

/** While this many wait for turns of their own, no more is read. */
const MANY = 128;

export class EventQueue {
  paused = false;
  /** Whether each event gets a turn of the event loop of its own. */
  defers = false;
  #waiting: Event[] = [];
  #last: Event | undefined;
  #scheduled = false;
  /** Reading was stopped because many wait. */
  #throttled = false;
  readonly #flow: (on: boolean) => void;

  /** `flow`: lets the transport read, or stops it. */
  constructor(flow: (on: boolean) => void) {
    this.#flow = flow;
  }

  /** Whether an event that comes is told at once. */
  get isDirect(): boolean {
    return !this.paused && !this.defers && this.#waiting.length === 0;
  }

  /** Tells an event, now or when its turn comes. */
  tell(event: Event): void {
    if (this.isDirect) event();
    else this.#wait(event);
  }

  /** Tells an event that needs no turn of its own, behind those that wait. */
  tellBehind(event: Event): void {
    if (this.paused || this.#waiting.length > 0) this.#wait(event);
    else event();
  }

  /** The last event. Nothing is gained by a pause any more. */
  end(event: Event): void {
    this.paused = false;
    // There is no transport any more.
    this.#throttled = false;
    if (!this.defers) this.#tellAll();
    if (this.#waiting.length === 0) return event();
    this.#last = event;
    this.#schedule();
  }

  /** What waits is not told any more. */
  drop(): void {
    this.#waiting = [];
  }

  pause(): void {
    this.paused = true;
    this.#flow(false);
  }

  resume(): void {
    this.paused = false;
    if (this.defers) this.#schedule();
    else this.#tellAll();
    // A listener may have paused again.
    if (!this.paused && !this.#throttled) this.#flow(true);
  }

  #wait(event: Event): void {
    this.#waiting.push(event);
    if (this.paused) return;
    if (this.defers) this.#schedule();
    if (this.#waiting.length >= MANY && !this.#throttled) {
      this.#throttled = true;
      this.#flow(false);
    }
  }

  #tellAll(): void {
    while (!this.paused && this.#waiting.length > 0) {
      const event = this.#waiting.shift()!;
      try {
        event();
      } catch (error) {
        rethrow(error);
      }
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.paused) return;
      try {
        (this.#waiting.shift() ?? this.#takeLast())?.();
      } finally {
        this.#next();
      }
    });
  }

  #next(): void {
    if (this.paused) return;
    if (this.#waiting.length > 0 || this.#last) return this.#schedule();
    if (this.#throttled) {
      this.#throttled = false;
      this.#flow(true);
    }
  }

  #takeLast(): Event | undefined {
    const last = this.#last;
    this.#last = undefined;
    return last;
  }
}
