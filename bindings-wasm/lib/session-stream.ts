import { checkRole } from './check.js';
import { roles } from './encoder.js';
import { Engine } from './engine.js';
import type { Transport } from './engine.js';
import { owned } from './events.js';
import type { SessionOptions } from './session.js';

/** What `opened` resolves with. */
export interface OpenedSession {
  readonly readable: ReadableStream<string | Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<string | Uint8Array>;
  readonly protocol: string;
  readonly extensions: string;
}

/** How a session is closed, and how it was. */
export interface CloseInfo {
  closeCode?: number;
  reason?: string;
}

/**
 * A session in the shape of `WebSocketStream`, with backpressure both ways: the transport is not read while nobody reads
 * the messages, and a write resolves when the transport takes more.
 */
export class WebSocketSessionStream {
  /** Resolves once messages can be read and written; rejects if the session can't be opened. */
  readonly opened: Promise<OpenedSession>;
  /** Resolves with how a session has ended cleanly; rejects if it hasn't. */
  readonly closed: Promise<Required<CloseInfo>>;
  readonly #engine: Engine;

  constructor(transport: Transport, { role = 'client', ...options }: SessionOptions = {}) {
    checkRole(role, roles);
    let messages!: ReadableStreamDefaultController<string | Uint8Array<ArrayBuffer>>;
    let wanted: (() => void) | undefined;
    const readable = new ReadableStream<string | Uint8Array<ArrayBuffer>>({
      start: (controller) => void (messages = controller),
      pull: () => wanted?.(),
      cancel: () => this.close(),
    });
    let failed!: (error: unknown) => void;
    const failure = new Promise<never>((_, reject) => (failed = reject));
    failure.catch(() => {});
    const writable = new WritableStream<string | Uint8Array>({
      start: (controller) => void failure.catch((error) => controller.error(error)),
      write: async (message) => {
        this.#engine.command((connection) => {
          if (typeof message === 'string') connection.sendText(message);
          else connection.sendBinary(message);
        });
        await Promise.race([this.#engine.ready, failure]);
      },
      close: () => this.close({ closeCode: 1000 }),
      abort: () => this.close(),
    });
    let settle!: { opened: (session: OpenedSession) => void; closed: (info: Required<CloseInfo>) => void; never: (error: unknown) => void };
    this.opened = new Promise((opened, never) => (settle = { ...settle, opened, never }));
    this.closed = new Promise((closed) => (settle = { ...settle, closed }));
    this.closed = Promise.race([this.closed, failure]);
    this.closed.catch(() => {});
    let cause: unknown;
    let open = true;
    this.#engine = new Engine(transport, {
      opened: () => {
        const extensions = options.extensions ?? transport.extensions ?? '';
        settle.opened({ readable, writable, protocol: transport.subprotocol ?? '', extensions });
      },
      event: (event) => {
        if (event.type === 'text' && open) messages.enqueue(event.text);
        else if (event.type === 'binary' && open) messages.enqueue(owned(event.payload));
        else if (event.type === 'failed') cause = event.error;
        if (event.type !== 'closed') return;
        open = false;
        wanted?.();
        if (event.wasClean) {
          settle.closed({ closeCode: event.code, reason: event.reason });
          failed(new Error('the session is closed'));
          try {
            messages.close();
          } catch {
            // Its reader has cancelled it.
          }
        } else {
          const error = new Error(`the session ended with the code ${event.code} and without a closing handshake`, { cause });
          failed(error);
          messages.error(error);
        }
      },
      ready: () => {
        if (!open || (messages.desiredSize ?? 0) > 0) return undefined;
        return new Promise<void>((resolve) => (wanted = resolve));
      },
    });
    this.#engine.run(role, options).catch((error) => {
      settle.never(error);
      failed(error);
      messages.error(error);
    });
  }

  /** Begins the closing handshake. */
  close({ closeCode, reason = '' }: CloseInfo = {}): void {
    this.#engine.command((connection) => connection.close(closeCode ?? (reason === '' ? undefined : 1000), reason));
  }
}
