// The stream driver: Node owns a Duplex (a socket of `http` or `tls`, or anything else), the addon decodes its chunks.

import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { OrderKind, RecordKind } from '../native.js';
import { border } from './border.js';
import { type GenerateMask, KeySupply } from './masking.js';
import { type Done, type Listener, type Outgoing, Transport } from './transport.js';

export class StreamTransport extends Transport {
  readonly #socket: Duplex;
  #timer: NodeJS.Timeout | undefined;
  #due: NodeJS.Immediate | undefined;
  /** Payload bytes that were sent but not yet given to the stream. */
  #unwritten = 0;
  #timedOut = false;
  #eofTold = false;

  readonly #keys: KeySupply | undefined;

  /** `head`: what came behind the handshake. */
  constructor(id: number, listener: Listener, socket: Duplex, head: Uint8Array, generateMask?: GenerateMask) {
    super(id, listener);
    this.#socket = socket;
    this.#keys = generateMask && new KeySupply(id, generateMask);
    if ('setTimeout' in socket) (socket as Socket).setTimeout(0);
    if ('setNoDelay' in socket) (socket as Socket).setNoDelay();
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (chunk: Buffer) => {
      if (this.#eofTold) return;
      try {
        this.#keys?.refill();
      } finally {
        // A user's function that throws loses nothing that came.
        border.feed(this.id, chunk);
      }
    });
    socket.on('end', () => this.#eof());
    socket.on('close', () => this.#eof());
    // 'close' follows, and says all that the API of ws lets one hear of it.
    socket.on('error', () => socket.destroy());
    // A first order makes the addon tell when its first timer is to run.
    border.order(id, OrderKind.Resume);
    // Whoever handed the stream over may have paused it.
    socket.resume();
  }

  /** Bytes, as the stream counts them: frames with their headers. */
  get bufferedAmount(): number {
    return this.#unwritten + this.#socket.writableLength;
  }

  override send(outgoing: Outgoing, done?: Done): void {
    const before = this.sent;
    super.send(outgoing, done);
    this.#unwritten += this.sent - before;
  }

  protected override ordered(): void {
    this.#keys?.add();
  }

  pause(): void {
    this.#socket.pause();
    border.order(this.id, OrderKind.Pause);
  }

  resume(): void {
    border.order(this.id, OrderKind.Resume);
    this.#socket.resume();
  }

  terminate(): void {
    this.#socket.destroy();
    border.order(this.id, OrderKind.Terminate);
  }

  override keepAlive(yes: boolean): void {
    const socket = this.#socket as Partial<Socket>;
    if (yes) socket.ref?.();
    else socket.unref?.();
  }

  override record(kind: RecordKind, value: number, payload: Buffer): void {
    switch (kind) {
      case RecordKind.Write:
        return this.#write(payload);
      case RecordKind.Shutdown:
        this.#socket.end();
        return;
      case RecordKind.Timer:
        return this.#setTimer(value);
      default:
        return super.record(kind, value, payload);
    }
  }

  #write(bytes: Buffer): void {
    this.#unwritten = 0;
    const last = this.lastConfirm;
    if (last === 0) this.#socket.write(bytes);
    // If it fails the stream closes, and with it the connection: that answers whoever waits.
    else this.#socket.write(bytes, (error) => error ?? this.confirm(last));
  }

  #setTimer(delay: number): void {
    this.#clearTimer();
    if (delay < 0) return;
    this.#timer = setTimeout(() => {
      // If this thread was busy for long, a sign of life may wait in the socket. It is read before immediates run.
      this.#due = setImmediate(() => {
        this.#timedOut = true;
        border.timeout(this.id);
      });
    }, delay);
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#due);
  }

  #eof(): void {
    if (this.#eofTold) return;
    this.#eofTold = true;
    border.eof(this.id);
  }

  protected ended(): void {
    // From here on the number may belong to another connection.
    this.#eofTold = true;
    this.#clearTimer();
    const socket = this.#socket;
    if (this.#timedOut || socket.writableFinished) {
      socket.destroy();
    } else {
      // What was written before is still to go out.
      socket.once('finish', () => socket.destroy());
      socket.end();
    }
    // Nobody reads what may still come; unread, it would hold up the end of the stream.
    socket.resume();
  }
}
