// How long an object is kept though nothing refers to it (the standard, "Garbage collection"), and, by the same rules, the
// process: what could never be told to anyone is no reason to stay.

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;

export class Liveness {
  /** Whether it is known how many listeners there are; if not, all are taken to be there. */
  static watched = false;

  readonly #counts = new Map<string, number>();

  listening(type: string, count: number): void {
    this.#counts.set(type, count);
  }

  /** Whether the object must not be collected, and whether the process has to stay. */
  judge(readyState: number, queued: boolean): { needed: boolean; awake: boolean } {
    const needed = readyState !== CLOSED && (!Liveness.watched || queued || this.#heard(readyState));
    // What connects or closes ends soon by itself.
    return { needed, awake: needed || readyState !== OPEN };
  }

  #heard(readyState: number): boolean {
    const has = (type: string): boolean => (this.#counts.get(type) ?? 0) > 0;
    return (
      (readyState === CONNECTING && has('open')) || (readyState <= OPEN && has('message')) || has('error') || has('close')
    );
  }
}
