// This package's end of a connection, the same for the API of ws and that of browsers: what the exchanges work with.

/** @typedef {{ code: number, reason: string, clean: boolean }} Ending */

/** Messages in the order they came, for whoever asks for the next one. */
class Inbox {
  #messages = [];
  #waiting = [];
  #ended;

  push(message) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(message);
    else this.#messages.push(message);
  }

  end(how) {
    this.#ended = how;
    for (const { reject } of this.#waiting) reject(this.#error());
  }

  next() {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    if (this.#ended) return Promise.reject(this.#error());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #error() {
    return new Error(`the connection ended: ${JSON.stringify(this.#ended)}`);
  }
}

/** What an end with the API of ws can. @type {import('./exchanges.mjs').Ability[]} */
export const WS = ['ping', 'drop', 'close with 1001', 'headers', 'cookies'];

/** What an end with the API of browsers can. @type {import('./exchanges.mjs').Ability[]} */
export const WHATWG = ['headers', 'cookies'];

/** An end with the API of ws, a server's or a client's. */
export function wsEnd(ws) {
  const inbox = new Inbox();
  const errors = [];
  ws.on('error', (error) => errors.push(error));
  ws.on('message', (data, isBinary) => inbox.push(isBinary ? data : data.toString()));
  const closed = new Promise((resolve) => {
    ws.on('close', (code, reason) => {
      const ending = { code, reason: reason.toString(), clean: ws.wasClean };
      inbox.end({ ...ending, errors: errors.map(String) });
      resolve(ending);
    });
  });
  const pong = () => new Promise((resolve) => ws.once('pong', (data) => resolve(data.toString())));
  return {
    ws,
    /** Until it is open; fails if it does not open. */
    opened: new Promise((resolve, reject) => {
      if (ws.readyState === ws.OPEN) return resolve();
      ws.once('open', resolve);
      void closed.then(() => reject(errors[0] ?? new Error('it was closed before it was open')));
    }),
    closed,
    next: () => inbox.next(),
    send: (data) => ws.send(data),
    close: (...args) => ws.close(...args),
    drop: () => ws.terminate(),
    /** Pings, and gives what the pong brings. */
    ping(data) {
      const answer = pong();
      ws.ping(data);
      return answer;
    },
  };
}

/** An end with the API of browsers, which can neither ping nor drop the connection. */
export function whatwgEnd(ws) {
  const inbox = new Inbox();
  ws.binaryType = 'arraybuffer';
  ws.addEventListener('message', ({ data }) => inbox.push(typeof data === 'string' ? data : Buffer.from(data)));
  const closed = new Promise((resolve) => {
    ws.addEventListener('close', ({ code, reason, wasClean }) => {
      const ending = { code, reason, clean: wasClean };
      inbox.end(ending);
      resolve(ending);
    });
  });
  return {
    ws,
    opened: new Promise((resolve, reject) => {
      ws.addEventListener('open', resolve);
      void closed.then(() => reject(new Error('it was closed before it was open')));
    }),
    closed,
    next: () => inbox.next(),
    send: (data) => ws.send(data),
    close: (...args) => ws.close(...args),
  };
}
