// A WebSocket as a Duplex of Node: what is written is sent as messages, what comes can be read.

import { Duplex, type DuplexOptions } from 'node:stream';
import type { RawData, WebSocket } from './websocket.js';

/** Each write is one message, binary for Buffers; text messages are read as strings only in object mode. */
export function createWebSocketStream(websocket: WebSocket, options?: DuplexOptions): Duplex {
  return new WebSocketDuplex(websocket, options);
}

class WebSocketDuplex extends Duplex {
  readonly #websocket: WebSocket;
  /** A failed connection closes by itself, so that the peer still hears why. */
  #failed = false;

  constructor(websocket: WebSocket, options: DuplexOptions = {}) {
    super({ ...options, objectMode: false, writableObjectMode: false, allowHalfOpen: true, autoDestroy: true });
    this.#websocket = websocket;
    websocket.on('message', (data: RawData, isBinary: boolean) => {
      const chunk = toChunk(data);
      if (!this.push(!isBinary && this.readableObjectMode ? chunk.toString() : chunk)) websocket.pause();
    });
    websocket.once('error', (error) => {
      this.#failed = true;
      this.destroy(error);
    });
    websocket.once('close', () => {
      if (this.destroyed) return;
      this.push(null);
      // Nobody is there to write to any more.
      if (!this.writableFinished) this.end();
    });
  }

  #whenOpen(run: () => void): void {
    if (this.#websocket.readyState === this.#websocket.CONNECTING) this.#websocket.once('open', run);
    else run();
  }

  override _read(): void {
    if (this.#websocket.isPaused) this.#websocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#whenOpen(() => this.#websocket.send(chunk, callback));
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#whenOpen(() => {
      this.#websocket.close();
      callback();
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const websocket = this.#websocket;
    if (websocket.readyState === websocket.CLOSED) return callback(error);
    websocket.once('close', () => callback(error));
    if (!this.#failed) websocket.terminate();
  }
}

function toChunk(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
