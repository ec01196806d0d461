import { Connection } from './connection.js';
import type { ConnectionOptions } from './connection.js';
import type { Role } from './encoder.js';
import type { ConnectionEvent } from './events.js';
import { codec } from './module.js';

/** Whatever carries bytes both ways: a raw socket of an edge runtime, a Direct Socket, a WebTransport stream, a pipe. */
export interface Transport {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** What the opening handshake agreed on, if there was one: see `itoden-wasm/handshake`. */
  readonly subprotocol?: string;
  readonly extensions?: string;
}

/** @internal What an engine tells. */
export interface Listener {
  opened(): void;
  event(event: ConnectionEvent): void;
  /** Resolves once more can be taken. */
  ready(): Promise<unknown> | undefined;
}

/** @internal Drives a `Connection` over a transport: what is read goes in, what is to be written goes out, and time passes. */
export class Engine {
  readonly #transport: Transport;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #listener: Listener;
  #connection: Connection | undefined;
  /** What was asked before the module was there. */
  readonly #early: ((connection: Connection) => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing = false;
  /** Payload bytes that are being written. */
  #inFlight = 0;
  #over = false;

  constructor(transport: Transport, listener: Listener) {
    this.#transport = transport;
    this.#listener = listener;
    this.#reader = transport.readable.getReader();
    this.#writer = transport.writable.getWriter();
    // A failure is seen where it is written or read.
    this.#writer.closed.catch(() => {});
    this.#reader.closed.catch(() => {});
  }

  /** Opens the connection and reads until its end. */
  async run(role: Role, options: ConnectionOptions): Promise<void> {
    const { extensions = '' } = this.#transport;
    try {
      await codec.load();
      // "queue a task" (WHATWG): who gets the session by a promise can listen before anything is told.
      await new Promise((resolve) => setTimeout(resolve));
      this.#connection = new Connection(role, { extensions, ...options });
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#listener.opened();
    for (const command of this.#early) command(this.#connection);
    this.#pump();
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done || this.#over) break;
        this.#tell(this.#connection.steps(value));
        this.#pump();
        await this.#listener.ready();
      }
    } catch {
      // The transport has failed: what follows is its end.
    }
    if (!this.#over) this.#tell(this.#connection.eof());
  }

  /** Asks something of the connection, once it is there and unless it is over. */
  command(command: (connection: Connection) => void): void {
    if (this.#over) return;
    if (!this.#connection) {
      this.#early.push(command);
      return;
    }
    command(this.#connection);
    this.#pump();
  }

  /** Payload bytes of messages that the transport has not taken. */
  get bufferedAmount(): number {
    return (this.#over || !this.#connection ? 0 : this.#connection.bufferedAmount) + this.#inFlight;
  }

  /** Resolves once the transport takes more. */
  get ready(): Promise<unknown> {
    return this.#writer.ready;
  }

  #tell(events: Iterable<ConnectionEvent>): void {
    for (const event of events) {
      const isLast = event.type === 'closed';
      if (isLast) this.#end();
      this.#listener.event(event);
      if (isLast) return;
    }
  }

  #pump(): void {
    this.#arm();
    if (!this.#writing && !this.#over) void this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#connection && !this.#over) {
        await this.#writer.ready;
        if (this.#over) break;
        const waiting = this.#connection.bufferedAmount;
        const output = this.#connection.takeOutput();
        if (output.length === 0) {
          if (this.#connection.shutdown) await this.#writer.close();
          break;
        }
        this.#inFlight = waiting;
        await this.#writer.write(output);
        this.#inFlight = 0;
      }
    } catch {
      // Nothing can be written any more; the end of what is read tells the rest.
    } finally {
      this.#writing = false;
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = this.#over ? null : (this.#connection?.timeout ?? null);
    if (at === null) return;
    this.#timer = setTimeout(() => {
      if (this.#over || !this.#connection) return;
      this.#tell(this.#connection.handleTimeout());
      this.#pump();
    }, Math.max(0, Math.min(at - performance.now(), 0x7fff_ffff)));
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#connection?.free();
    this.#reader.cancel().catch(() => {});
    // An error if it is closed already, which is as well.
    this.#writer.close().catch(() => {});
  }
}
