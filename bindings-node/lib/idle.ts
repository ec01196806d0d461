// The option `idleTimeout`: a connection on which no message goes either way is closed.

export class IdleTimer {
  readonly #timer: NodeJS.Timeout;

  /** `isBusy`: whether silence means nothing now. `expired` is called at most once. */
  constructor(timeout: number, isBusy: () => boolean, expired: () => void) {
    this.#timer = setTimeout(() => {
      if (isBusy()) this.#timer.refresh();
      else expired();
    }, timeout);
    // The socket keeps the process alive, and nothing else does.
    this.#timer.unref();
  }

  /** A message came or is sent. */
  touch(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
