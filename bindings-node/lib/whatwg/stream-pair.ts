// The two streams of an open WebSocketStream.

import type { Line } from './line.js';
import { toBytesOrText } from './sendable.js';
import { deferred } from './deferred.js';
import { isWebSocketError } from './websocket-error.js';

/** What can be written. */
export type Chunk = string | ArrayBuffer | NodeJS.ArrayBufferView;

export class StreamPair {
  readonly readable: ReadableStream<string | Uint8Array>;
  readonly writable: WritableStream<Chunk>;
  readonly #line: Line<object>;
  #reading!: ReadableStreamDefaultController<string | Uint8Array>;
  #writing!: WritableStreamDefaultController;
  /** Nobody will read any more. */
  #cancelled = false;
  /** What the writable waits for: a write that can't be done, or the end of the closing handshake. */
  #unsettled: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #closesByWriter = false;

  constructor(line: Line<object>) {
    this.#line = line;
    this.readable = new ReadableStream<string | Uint8Array>({
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
    if (this.#cancelled) return;
    // The memory behind `data` is shared with other messages.
    this.#reading.enqueue(isBinary ? new Uint8Array(data) : data.toString());
    if ((this.#reading.desiredSize ?? 0) <= 0 && !this.#line.paused) this.#line.pause();
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
    // The answer to the Close frame is to be read, and lies behind what nobody wants.
    this.#resume();
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
    this.#line.startClosing(null, '');
    return promise;
  }

  /** "Close using reason." */
  #closeUsing(reason: unknown): void {
    if (isWebSocketError(reason)) this.#line.startClosing(reason.closeCode, reason.reason);
    else this.#line.startClosing(null, '');
  }
}
