// @ts-check
// The page's WebSocket: it comes back by itself when the connection is lost, later and later the longer that takes.

/** @typedef {import('../events.js').ChatEvent} ChatEvent */

/**
 * 'refused' is for good: the server won't have this name, and says why.
 * @typedef {{ name: 'connecting' } | { name: 'open' } | { name: 'closed', retryAt: number }
 *   | { name: 'refused', reason: string }} State
 */

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30_000;

export class Connection {
  #name = '';
  #failures = 0;
  /** @type {WebSocket | undefined} */ #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #onState;
  #onEvent;

  /**
   * @param {(state: State) => void} onState
   * @param {(event: ChatEvent) => void} onEvent
   */
  constructor(onState, onEvent) {
    this.#onState = onState;
    this.#onEvent = onEvent;
  }

  /**
   * Joins under this name, and stays until told otherwise.
   * @param {string} name
   */
  join(name) {
    this.#name = name;
    this.#failures = 0;
    this.connect();
  }

  /** Connects now; a connection that there is already is given up. */
  connect() {
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    const url = new URL('/chat', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('name', this.#name);
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#onState({ name: 'connecting' });

    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      /** @type {ChatEvent} */
      const event = JSON.parse(data);
      // Only now is it sure that the name is welcome.
      if (event.type === 'welcome') {
        this.#failures = 0;
        this.#onState({ name: 'open' });
      }
      this.#onEvent(event);
    };
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      if (code === 1008) return this.#onState({ name: 'refused', reason });
      // Half of the delay is left to chance, so that a restarted server isn't met by everyone at once.
      const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures) * (0.5 + Math.random() / 2);
      this.#failures += 1;
      this.#timer = setTimeout(() => this.connect(), delay);
      this.#onState({ name: 'closed', retryAt: Date.now() + delay });
    };
  }

  /**
   * @param {string} text
   */
  send(text) {
    this.#socket?.send(text);
  }
}
