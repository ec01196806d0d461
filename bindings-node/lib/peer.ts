// The life of one WebSocket, from CONNECTING to CLOSED, and what its owner is told of it.

import { Blob } from 'node:buffer';
import type { EventEmitter } from 'node:events';
import type { Compression } from './deflate.js';
import { ItodenError } from './errors.js';
import { EventQueue } from './event-queue.js';
import { join } from './fragments.js';
import { Backpressure, HIGH_WATER_MARK } from './backpressure.js';
import { IdleTimer } from './idle.js';
import type { Opening } from './opening.js';
import type { Habits } from './options.js';
import { type BlobLike, Outbox } from './outbox.js';
import { channels } from './tracing.js';
import type { Closed, Done, Listener, Transport } from './transport.js';

export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState];

const NAMES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const;

export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'blob' | 'fragments';

export const BINARY_TYPES: readonly string[] = ['nodebuffer', 'arraybuffer', 'blob', 'fragments'];

/** What a client does while it connects. */
export interface Attempt {
  /** Gives up; nothing more is heard of the attempt. */
  abort(): void;
}

/** "An endpoint is 'going away'" (RFC 6455 §7.4.1). */
const IDLE_CODE = 1001;

/** Sends a payload by a transport. */
type Act = (transport: Transport, data: string | Uint8Array) => void;

export class Peer implements Listener {
  readyState: ReadyState = ReadyState.CONNECTING;
  protocol = '';
  url = '';
  wasClean = false;
  /** How it was closed. */
  end: Closed | undefined;
  attempt: Attempt | undefined;
  /** Called once, when it is CLOSED. */
  whenClosed: (() => void) | undefined;
  opening: Opening | undefined;
  compression: Compression | undefined;
  /** Made for those that are paused, or defer. */
  #events: EventQueue | undefined;
  #binaryType: BinaryType = 'nodebuffer';
  #transport: Transport | undefined;
  #outbox: Outbox | undefined;
  #idleTimeout = 0;
  #idle: IdleTimer | undefined;
  #backpressure: Backpressure | undefined;
  /** Payload bytes that were sent too late: they count as buffered for ever. */
  #lost = 0;

  constructor(readonly emitter: EventEmitter) {}

  get transport(): Transport | undefined {
    return this.#transport;
  }

  get paused(): boolean {
    return this.#events?.paused ?? false;
  }

  /** Taken on before it opens. */
  set habits({ defersEvents, idleTimeout, highWaterMark }: Habits) {
    if (defersEvents) this.#queue.defers = true;
    this.#idleTimeout = idleTimeout;
    if (highWaterMark !== undefined) this.#startTracking(highWaterMark);
  }

  get #queue(): EventQueue {
    this.#events ??= new EventQueue((flow) => (flow ? this.#transport?.resume() : this.#transport?.pause()));
    return this.#events;
  }

  /** Whether observers of the process hear of it, as a `WebSocket` of the API of ws. */
  protected get isTraced(): boolean {
    return true;
  }

  /** Whether the sender should wait for 'drain'. Who asks is one who will, so from now on it is emitted. */
  get needsDrain(): boolean {
    this.#startTracking(HIGH_WATER_MARK);
    return this.#backpressure!.needsDrain;
  }

  #startTracking(highWaterMark: number): void {
    this.#backpressure ??= new Backpressure(highWaterMark, () => {
      if (this.readyState === ReadyState.OPEN) this.emitter.emit('drain');
    });
  }

  /** A message is about to be sent: what its callback is to be. */
  sending(data: string | Uint8Array | BlobLike, done: Done | undefined): Done | undefined {
    if (this.readyState !== ReadyState.OPEN) return done;
    this.#idle?.touch();
    return this.#backpressure ? this.#backpressure.track(data, () => this.bufferedAmount, done) : done;
  }

  get latency(): number | undefined {
    return this.#transport?.latency;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    const [before, after] = [this.#binaryType === 'fragments', type === 'fragments'];
    this.#binaryType = type;
    if (before !== after && this.#isLive) this.#transport?.tellFragments(after);
  }

  get #isLive(): boolean {
    return this.readyState === ReadyState.OPEN || this.readyState === ReadyState.CLOSING;
  }

  get bufferedAmount(): number {
    return this.#lost + (this.#outbox?.size ?? 0) + (this.#transport?.bufferedAmount ?? 0);
  }

  /** The handshake is done. */
  open(make: (listener: Listener) => Transport, protocol: string | undefined, compression?: Compression): void {
    this.attempt = undefined;
    this.protocol = protocol ?? '';
    this.compression = compression;
    this.readyState = ReadyState.OPEN;
    this.#transport = make(this);
    if (this.#binaryType === 'fragments') this.#transport.tellFragments(true);
    if (this.#idleTimeout > 0) this.#watchIdleness();
    if (channels.open.hasSubscribers && this.isTraced) this.#traceOpen();
    this.emitter.emit('open');
  }

  #watchIdleness(): void {
    const isBusy = (): boolean => this.paused || this.bufferedAmount > 0;
    this.#idle = new IdleTimer(this.#idleTimeout, isBusy, () => this.close(IDLE_CODE, 'idle timeout'));
  }

  #traceOpen(): void {
    const { emitter: websocket, url, protocol, compression } = this;
    const role = url === '' ? 'server' : 'client';
    const target = url === '' ? (this.opening?.handshake.url ?? '') : url;
    channels.open.publish({ websocket, role, url: target, protocol, extensions: compression?.extension ?? '' });
  }

  #tellError(error: Error): void {
    if (channels.error.hasSubscribers) channels.error.publish({ websocket: this.emitter, error });
    this.emitter.emit('error', error);
  }

  #tellMessage(data: unknown, isBinary: boolean): void {
    if (channels.message.hasSubscribers) channels.message.publish({ websocket: this.emitter, data, isBinary });
    this.emitter.emit('message', data, isBinary);
  }

  #tellControl(type: 'ping' | 'pong', payload: Buffer): void {
    if (channels[type].hasSubscribers) channels[type].publish({ websocket: this.emitter, payload });
    this.emitter.emit(type, payload);
  }

  /** The handshake failed: 'error', then 'close'. */
  fail(error: Error): void {
    this.attempt = undefined;
    this.readyState = ReadyState.CLOSING;
    try {
      this.#tellError(error);
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

  /** The transport, if something can be sent and need not wait. */
  get direct(): Transport | undefined {
    return this.readyState === ReadyState.OPEN && !this.#outbox?.isBusy ? this.#transport : undefined;
  }

  /** Sends something, if that is possible; else `done` hears why not. Throws while CONNECTING. */
  post(data: string | Uint8Array, done: Done | undefined, act: Act): void {
    const transport = this.#writable(() => (typeof data === 'string' ? Buffer.byteLength(data) : data.length), done);
    if (!transport) return;
    if (!this.#outbox?.isBusy) return act(transport, data);
    // The caller may change it as soon as this returns.
    const bytes = Buffer.from(data as Uint8Array);
    this.#outbox.wait(bytes.length, () => act(transport, typeof data === 'string' ? data : bytes), done);
  }

  /** As `post`, with the bytes of a Blob. */
  postBlob(blob: BlobLike, done: Done | undefined, act: Act): void {
    const transport = this.#writable(() => blob.size, done);
    if (!transport) return;
    this.#outbox ??= new Outbox();
    this.#outbox.read(blob, done, (bytes) => act(transport, bytes), (error) => this.#broken(error));
  }

  #writable(length: () => number, done: Done | undefined): Transport | undefined {
    if (this.readyState === ReadyState.OPEN) return this.#transport;
    const name = NAMES[this.readyState];
    const error = new ItodenError('not_open', `WebSocket is not open: readyState ${this.readyState} (${name})`);
    if (this.readyState === ReadyState.CONNECTING) throw error;
    this.#lost += length();
    if (done) process.nextTick(done, error);
    return undefined;
  }

  /** Something that was to be sent can't be, and what is behind it makes no sense without it. */
  #broken(error: Error): void {
    if (this.readyState === ReadyState.CLOSED) return;
    try {
      this.#tellError(error);
    } finally {
      this.terminate();
    }
  }

  close(code: number | undefined, reason: string): void {
    if (this.readyState !== ReadyState.OPEN) return;
    this.readyState = ReadyState.CLOSING;
    const close = (): void => this.#transport?.close(code, reason);
    if (this.#outbox?.isBusy) this.#outbox.wait(0, close, undefined);
    else close();
  }

  terminate(): void {
    if (this.readyState === ReadyState.CLOSED) return;
    this.readyState = ReadyState.CLOSING;
    this.#events?.drop();
    if (this.#outbox) process.nextTick(() => this.#outbox?.giveUp(unread()));
    this.#transport?.terminate();
  }

  pause(): void {
    if (this.#transport && this.#isLive) this.#queue.pause();
  }

  resume(): void {
    if (this.#transport && this.#isLive) this.#queue.resume();
  }

  message(data: Buffer, isBinary: boolean): void {
    this.#idle?.touch();
    // Most messages need not wait, and are Buffers as they are.
    const events = this.#events;
    if (events && !events.isDirect) events.tell(() => this.#tellMessage(isBinary ? this.#convert([data]) : data, isBinary));
    else if (!isBinary || this.#binaryType === 'nodebuffer') this.#tellMessage(data, isBinary);
    else this.#tellMessage(this.#convert([data]), isBinary);
  }

  /** Tells an event, now or when its turn comes. */
  #tell(event: () => void): void {
    if (this.#events) this.#events.tell(event);
    else event();
  }

  fragments(fragments: Buffer[]): void {
    this.#idle?.touch();
    this.#tell(() => this.#tellMessage(this.#convert(fragments), true));
  }

  ping(data: Buffer): void {
    this.#tell(() => this.#tellControl('ping', data));
  }

  pong(data: Buffer): void {
    this.#tell(() => this.#tellControl('pong', data));
  }

  closing(): void {
    this.readyState = ReadyState.CLOSING;
  }

  failed(error: Error): void {
    if (error instanceof ItodenError && error.closeCode !== undefined) this.readyState = ReadyState.CLOSING;
    if (this.#events) this.#events.tellBehind(() => this.#tellError(error));
    else this.#tellError(error);
  }

  closed(end: Closed): void {
    this.readyState = ReadyState.CLOSING;
    this.#idle?.stop();
    // Its number may belong to another connection from here on.
    this.#transport = undefined;
    this.#outbox?.giveUp(unread());
    if (this.#events) this.#events.end(() => this.#end(end));
    else this.#end(end);
  }

  #end(end: Closed): void {
    const { code, reason, wasClean } = end;
    this.readyState = ReadyState.CLOSED;
    this.wasClean = wasClean;
    this.end = end;
    this.whenClosed?.();
    if (channels.close.hasSubscribers) channels.close.publish({ websocket: this.emitter, ...end });
    this.emitter.emit('close', code, Buffer.from(reason));
  }

  /** A binary message, as it is wanted when it is told. */
  #convert(fragments: Buffer[]): Buffer | ArrayBuffer | Blob | Buffer[] {
    switch (this.#binaryType) {
      case 'arraybuffer': {
        const { buffer, byteOffset, length } = join(fragments);
        return buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer;
      }
      case 'blob':
        return new Blob(fragments);
      case 'fragments':
        return fragments.filter(({ length }) => length > 0);
      default:
        return join(fragments);
    }
  }
}

const unread = (): Error => new Error('The socket was closed while the blob was being read');
