// A connection without a transport: bytes in, events and bytes out. It is what the stream driver is made of, for tests.

import { RecordKind } from '../native.js';
import { native } from './addon.js';
import { border } from './border.js';
import { type Closed, type Done, type Listener, Transport } from './transport.js';

export interface SessionOptions {
  /** Makes it the client's end, which masks every frame with these four bytes. */
  maskingKey?: Uint8Array | undefined;
  maxPayload?: number;
  maxFrame?: number;
  maxFragments?: number;
}

export class Session extends Transport {
  readonly #id: number;
  #sent: Buffer[] = [];

  constructor(listener: Listener, { maskingKey, ...limits }: SessionOptions = {}) {
    const config = new native.ConnectionConfig({ closeTimeout: 30_000, autoPong: true, ...limits });
    const id = border.hub.addSession(maskingKey ?? null, config);
    super(id, listener);
    this.#id = id;
  }

  /** Bytes come from the peer. */
  receive(chunk: Buffer): void {
    border.feed(this.#id, chunk);
  }

  /** The peer has ended the transport. */
  end(): void {
    border.eof(this.#id);
  }

  /** What was sent since the last call. */
  takeSent(): Buffer {
    border.flush();
    const sent = Buffer.concat(this.#sent);
    this.#sent = [];
    return sent;
  }

  override record(kind: RecordKind, value: number, payload: Buffer): void {
    if (kind === RecordKind.Write) this.#sent.push(payload);
    // There is no transport to end, and no time that passes.
    else if (kind !== RecordKind.Shutdown && kind !== RecordKind.Timer) super.record(kind, value, payload);
  }

  get bufferedAmount(): number {
    return 0;
  }

  pause(): void {}
  resume(): void {}
  terminate(): void {
    this.end();
  }

  protected ended(): void {}
}

export type { Closed, Done, Listener };
