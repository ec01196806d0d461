// The opening handshake over a transport, from its first byte until a session can take it.

import init, { ClientHandshake, HandshakeError, ServerHandshake } from './handshake.js';
import type { AcceptOptions, ClientHandshakeOptions, HandshakeLimits, UpgradeRequest, UpgradeResponse } from './handshake.js';

/** Whatever carries bytes both ways, before anybody has read from it or written to it. */
export interface RawTransport {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** A transport whose opening handshake is done: what a `WebSocketSession` takes. */
export interface OpenTransport extends RawTransport {
  /** The subprotocol, or `''` if there is none. */
  readonly subprotocol: string;
  /** The extensions. Where there are some the session must be one of `itoden-wasm/deflate`. */
  readonly extensions: string;
}

/** Refuses a request: a status from 300 to 599, and what is sent with it. */
export interface RefuseOptions {
  readonly status: number;
  readonly headers?: Iterable<readonly [string, string]>;
  readonly body?: string;
}

type Decision = AcceptOptions | RefuseOptions | undefined;

/**
 * Opens a WebSocket as client over a transport that is connected. The module is loaded if it isn't yet.
 *
 * Rejects with a {@link HandshakeError} if the answer doesn't open a WebSocket or does not come in time (`openTimeout`,
 * 10,000 ms by default), and with the transport's own error if that fails; the transport is then ended.
 */
export async function connectOver(
  transport: RawTransport,
  options: ClientHandshakeOptions,
): Promise<OpenTransport & { readonly response: UpgradeResponse }> {
  await init();
  return withLine(transport, async (line) => {
    const handshake = new ClientHandshake(options);
    try {
      line.write(handshake.request);
      const response = await line.receive(handshake);
      const agreed = handshake.open();
      return { ...line.release(response.rest), ...agreed, response };
    } finally {
      handshake.free();
    }
  });
}

/**
 * Opens a WebSocket as server over a transport that a client has connected to. Every valid request is accepted, unless
 * `decide` returns what to refuse it with; else it returns what is accepted, or nothing. The module is loaded if it isn't yet.
 *
 * `null` if the request was refused. Rejects with a {@link HandshakeError}, once that is answered, if the request is no valid
 * one or does not come in time (`openTimeout`, 10,000 ms by default), with what `decide` throws, once that is answered with 500,
 * and with the transport's own error if that fails; the transport is then ended.
 */
export async function acceptOver(transport: RawTransport, decide?: undefined, limits?: HandshakeLimits): Promise<OpenTransport & { readonly request: UpgradeRequest }>;
export async function acceptOver(
  transport: RawTransport,
  decide: ((request: UpgradeRequest) => Decision | PromiseLike<Decision>) | undefined,
  limits?: HandshakeLimits,
): Promise<(OpenTransport & { readonly request: UpgradeRequest }) | null>;
export async function acceptOver(
  transport: RawTransport,
  decide?: (request: UpgradeRequest) => Decision | PromiseLike<Decision>,
  limits: HandshakeLimits = {},
): Promise<(OpenTransport & { readonly request: UpgradeRequest }) | null> {
  await init();
  return withLine(transport, async (line) => {
    const handshake = new ServerHandshake(limits);
    let request: UpgradeRequest | undefined;
    try {
      request = await line.receive(handshake);
      const decision = await decide?.(request);
      if (decision && 'status' in decision) {
        line.write(handshake.refuse(decision.status, decision).bytes);
        line.end();
        return null;
      }
      const { bytes, subprotocol, extensions } = handshake.accept(decision);
      line.write(bytes);
      return { ...line.release(request.rest), subprotocol, extensions, request };
    } catch (error) {
      const answer = error instanceof HandshakeError && error.answer;
      // Not the client's fault.
      if (answer || request) line.write((answer || handshake.refuse(500)).bytes);
      throw error;
    } finally {
      handshake.free();
    }
  });
}

/** Does the work; ends the transport if that fails. */
async function withLine<T>(transport: RawTransport, work: (line: Line) => Promise<T>): Promise<T> {
  const line = new Line(transport);
  try {
    return await work(line);
  } catch (error) {
    line.end();
    throw error;
  }
}

/** What both sides read: the head that they wait for. */
interface Receiver<Head> {
  readonly timeout: number | null;
  handleTimeout(): void;
  receive(bytes: Uint8Array): Head | null;
}

/** A transport during its handshake. */
class Line {
  readonly #transport: RawTransport;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #failed: Promise<never>;
  #fail!: (reason: unknown) => void;

  constructor(transport: RawTransport) {
    this.#transport = transport;
    this.#reader = transport.readable.getReader();
    this.#writer = transport.writable.getWriter();
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    // A failure is seen where something is waited for.
    for (const { closed } of [this.#reader, this.#writer]) closed.catch(() => {});
    this.#failed.catch(() => {});
  }

  /** Does not wait until the peer takes it, which may be never. */
  write(bytes: Uint8Array): void {
    this.#writer.write(bytes).catch(this.#fail);
  }

  /** Reads until the whole head has come, for as long as that may take. */
  async receive<Head>(handshake: Receiver<Head>): Promise<Head> {
    handshake.handleTimeout(); // the clock starts when it is first told the time
    const { timeout } = handshake;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const expire = () => {
        try {
          handshake.handleTimeout();
          timer = setTimeout(expire, 1); // it was early
        } catch (error) {
          reject(error);
        }
      };
      if (timeout !== null) timer = setTimeout(expire, Math.min(Math.max(0, timeout - performance.now()), 0x7fff_ffff));
    });
    try {
      for (;;) {
        const { value, done } = await Promise.race([this.#reader.read(), this.#failed, late]);
        if (done) throw new Error('the transport ended before the opening handshake was done');
        const head = handshake.receive(value);
        if (head) return head;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives the transport to who comes next; what came behind the head is read first. */
  release(rest: Uint8Array): RawTransport {
    this.#writer.releaseLock();
    const { writable } = this.#transport;
    const reader = this.#reader;
    if (rest.length === 0) {
      reader.releaseLock();
      return { readable: this.#transport.readable, writable };
    }
    const readable = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(rest),
      async pull(controller) {
        const { value, done } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
    return { readable, writable };
  }

  /** Ends both directions, behind what was written. */
  end(): void {
    const ignored = () => {}; // whichever has ended or failed already needs no end
    this.#writer.close().catch(ignored).then(() => this.#reader.cancel()).catch(ignored);
  }
}
