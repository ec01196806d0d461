// The two streams of an open WebSocketStream.

import type { Line } from './line.js';
import { toBytesOrText } from './sendable.js';
import { toArrayBuffer } from './bytes.js';
import { deferred } from './deferred.js';
import { isWebSocketError } from './websocket-error.js';

/** What can be written. */
export type Chunk = string | ArrayBuffer | NodeJS.ArrayBufferView;

/** Bytes of unread messages that are kept while this end closes; what is more is thrown away. */
const MOST_LATE = 16 << 20;

export class StreamPair {
  readonly readable: ReadableStream<string | ArrayBuffer>;
  readonly writable: WritableStream<Chunk>;
  readonly #line: Line<object>;
  #reading!: ReadableStreamDefaultController<string | ArrayBuffer>;
  #writing!: WritableStreamDefaultController;
  /** Nobody will read any more. */
  #cancelled = false;
  /** This end has begun the closing handshake. */
  #closing = false;
  /** Bytes that came since, and are not read. */
  #late = 0;
  /** What the writable waits for: a write that can't be done, or the end of the closing handshake. */
  #unsettled: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #closesByWriter = false;

  constructor(line: Line<object>) {
    this.#line = line;
    this.readable = new ReadableStream<string | ArrayBuffer>({
      start: (controller) => void (this.#reading = controller),
      pull: () => this.#resume(),
      cancel: (reason) => this.#cancel(reason),
    });
    this.writable = new WritableStream<Chunk>({
      start: (controller) => void (this.#writing = controller),
      write: (chunk) => this.#write(chunk),
      close: () => this.#closeByWriter(),
      abort: (reason) => this.#closeUsing(reason),
    });
  }

  received(data: Buffer, isBinary: boolean): void {
    if (this.#cancelled || (this.#closing && !this.#keepLate(data.length))) return;
    this.#reading.enqueue(isBinary ? toArrayBuffer(data) : data.toString());
    if ((this.#reading.desiredSize ?? 0) <= 0 && !this.#closing && !this.#line.paused) this.#line.pause();
  }

  /** Begins the closing handshake. Its end lies behind the messages that nobody reads, so nothing is held back any more. */
  startClosing(code: number | null, reason: string): void {
    this.#closing = true;
    this.#resume();
    this.#line.startClosing(code, reason);
  }

  /** What comes while this end closes can be read, as long as it is not too much. */
  #keepLate(length: number): boolean {
    if ((this.#reading.desiredSize ?? 0) > 0) this.#late = 0;
    this.#late += length;
    return this.#late <= MOST_LATE;
  }

  /** The connection has closed cleanly. */
  closed(): void {
    if (!this.#cancelled) this.#reading.close();
    if (this.#closesByWriter) this.#unsettled?.resolve();
    else this.#failWriting(new DOMException('The WebSocket connection is closed', 'InvalidStateError'));
  }

  failed(error: Error): void {
    if (!this.#cancelled) this.#reading.error(error);
    this.#failWriting(error);
  }

  #failWriting(error: Error): void {
    this.#writing.error(error);
    this.#unsettled?.reject(error);
  }

  #resume(): void {
    if (this.#line.paused) this.#line.resume();
  }

  #cancel(reason: unknown): void {
    this.#cancelled = true;
    this.#closeUsing(reason);
  }

  #write(chunk: unknown): Promise<void> {
    const { data, isBinary } = toBytesOrText(chunk);
    return new Promise<void>((resolve, reject) => {
      this.#line.write(data, isBinary, (error) => {
        if (!error) resolve();
        // What is told of it is how the connection ends.
        else this.#unsettled = { resolve, reject };
      });
    });
  }

  /** Done when the closing handshake is. */
  #closeByWriter(): Promise<void> {
    this.#closesByWriter = true;
    const { promise, resolve, reject } = deferred<void>();
    this.#unsettled = { resolve, reject };
    this.startClosing(null, '');
    return promise;
  }

  /** "Close using reason." */
  #closeUsing(reason: unknown): void {
    if (isWebSocketError(reason)) this.startClosing(reason.closeCode, reason.reason);
    else this.startClosing(null, '');
  }
}
