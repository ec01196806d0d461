// The life of one WebSocket, from CONNECTING to CLOSED, and what its owner is told of it.

import type { EventEmitter } from 'node:events';
import { ItodenError, rethrow } from './errors.js';
import type { Closed, Done, Listener, Transport } from './transport.js';

export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState];

const NAMES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const;

export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'fragments';

export const BINARY_TYPES: readonly string[] = ['nodebuffer', 'arraybuffer', 'fragments'];

/** What a client does while it connects. */
export interface Attempt {
  /** Gives up; nothing more is heard of the attempt. */
  abort(): void;
}

export class Peer implements Listener {
  readyState: ReadyState = ReadyState.CONNECTING;
  binaryType: BinaryType = 'nodebuffer';
  protocol = '';
  url = '';
  paused = false;
  wasClean = false;
  attempt: Attempt | undefined;
  #transport: Transport | undefined;
  /** What came while paused. */
  #held: (() => void)[] = [];
  /** Payload bytes that were sent too late: they count as buffered for ever. */
  #lost = 0;

  constructor(readonly emitter: EventEmitter) {}

  get transport(): Transport | undefined {
    return this.#transport;
  }

  get bufferedAmount(): number {
    const closed = this.readyState === ReadyState.CLOSED;
    return this.#lost + (closed ? 0 : (this.#transport?.bufferedAmount ?? 0));
  }

  /** The handshake is done. */
  open(make: (listener: Listener) => Transport, protocol: string | undefined): void {
    this.attempt = undefined;
    this.protocol = protocol ?? '';
    this.readyState = ReadyState.OPEN;
    this.#transport = make(this);
    this.emitter.emit('open');
  }

  /** The handshake failed: 'error', then 'close'. */
  fail(error: Error): void {
    this.attempt = undefined;
    this.readyState = ReadyState.CLOSING;
    try {
      this.emitter.emit('error', error);
    } finally {
      this.#end({ code: 1006, reason: '', wasClean: false });
    }
  }

  /** The owner gives up while CONNECTING. */
  abort(error: Error): void {
    if (this.readyState !== ReadyState.CONNECTING) return;
    this.readyState = ReadyState.CLOSING;
    this.attempt?.abort();
    this.attempt = undefined;
    process.nextTick(() => this.fail(error));
  }

  /** The transport, if something can be sent; else `done` hears why not. Throws while CONNECTING. */
  sendable(data: string | Uint8Array, done: Done | undefined): Transport | undefined {
    if (this.readyState === ReadyState.OPEN) return this.#transport;
    const name = NAMES[this.readyState];
    const error = new ItodenError('not_open', `WebSocket is not open: readyState ${this.readyState} (${name})`);
    if (this.readyState === ReadyState.CONNECTING) throw error;
    this.#lost += typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    if (done) process.nextTick(done, error);
    return undefined;
  }

  close(code: number | undefined, reason: string): void {
    if (this.readyState !== ReadyState.OPEN) return;
    this.readyState = ReadyState.CLOSING;
    this.#transport?.close(code, reason);
  }

  terminate(): void {
    if (this.readyState === ReadyState.CLOSED) return;
    this.readyState = ReadyState.CLOSING;
    this.#held = [];
    this.#transport?.terminate();
  }

  pause(): void {
    if (!this.#transport || this.readyState === ReadyState.CLOSED) return;
    this.paused = true;
    this.#transport.pause();
  }

  resume(): void {
    if (!this.#transport || this.readyState === ReadyState.CLOSED) return;
    this.paused = false;
    this.#tellHeld();
    // A listener may have paused again.
    if (!this.paused) this.#transport.resume();
  }

  message(data: Buffer, isBinary: boolean): void {
    if (this.paused) this.#held.push(() => this.message(data, isBinary));
    else this.emitter.emit('message', isBinary ? this.#convert(data) : data, isBinary);
  }

  ping(data: Buffer): void {
    this.#tell(() => this.emitter.emit('ping', data));
  }

  pong(data: Buffer): void {
    this.#tell(() => this.emitter.emit('pong', data));
  }

  closing(): void {
    this.readyState = ReadyState.CLOSING;
  }

  failed(error: Error): void {
    if (error instanceof ItodenError && error.closeCode !== undefined) this.readyState = ReadyState.CLOSING;
    this.#tell(() => this.emitter.emit('error', error));
  }

  closed(end: Closed): void {
    // Nothing more comes, so nothing is gained by waiting.
    this.paused = false;
    this.#tellHeld();
    this.#end(end);
  }

  #end({ code, reason, wasClean }: Closed): void {
    this.readyState = ReadyState.CLOSED;
    this.wasClean = wasClean;
    this.emitter.emit('close', code, Buffer.from(reason));
  }

  #convert(data: Buffer): Buffer | ArrayBuffer | Buffer[] {
    switch (this.binaryType) {
      case 'arraybuffer':
        return data.buffer.slice(data.byteOffset, data.byteOffset + data.length) as ArrayBuffer;
      case 'fragments':
        return [data];
      default:
        return data;
    }
  }

  #tell(event: () => void): void {
    if (this.paused) this.#held.push(event);
    else event();
  }

  #tellHeld(): void {
    while (!this.paused && this.#held.length > 0) {
      const event = this.#held.shift()!;
      try {
        event();
      } catch (error) {
        rethrow(error);
      }
    }
  }
}
