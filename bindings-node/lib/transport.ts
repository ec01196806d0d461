// What carries an open connection: the small interface that every driver stands behind.

import { OrderFlag, OrderKind, RecordKind } from '../native.js';
import { border, type Sink } from './border.js';
import { fromRecord, type TellsError } from './errors.js';
import { Fragments, isBinaryPart, join } from './fragments.js';

/** Who owns a transport, and hears of it. */
export interface Listener {
  message(data: Buffer, isBinary: boolean): void;
  /** A binary message as its fragments, if the transport was asked for them. Without this, it comes as any other. */
  fragments?(fragments: Buffer[]): void;
  ping(data: Buffer): void;
  pong(data: Buffer): void;
  /** A Close frame came. */
  closing(code: number, reason: Buffer): void;
  /** The peer broke the protocol, or something can't be sent. */
  failed(error: Error): void;
  /** The last call. */
  closed(end: Closed): void;
}

export interface Closed {
  code: number;
  reason: string;
  wasClean: boolean;
}

export type Done = (error?: Error) => void;

/** A message, or a fragment of one. */
export interface Outgoing {
  data: string | Uint8Array;
  isBinary: boolean;
  /** `undefined` for a whole message; else whether the fragment is the last one. */
  fin?: boolean | undefined;
  /** Whether to compress it, where that was agreed on; the first fragment counts for all. Default `true`. */
  compress?: boolean | undefined;
}

/** A connection's transport, whichever driver carries it. */
export abstract class Transport implements Sink {
  /** Payload bytes of all messages that were sent. */
  protected sent = 0;
  /** How many orders asked to be confirmed, and whom to tell. */
  #confirms = 0;
  #waiting: { confirm: number; done: Done }[] | undefined;
  #fragments: Fragments | undefined;

  constructor(
    protected readonly id: number,
    protected readonly listener: Listener,
  ) {
    border.register(id, this);
  }

  /** Bytes that wait to be written. */
  abstract get bufferedAmount(): number;
  abstract pause(): void;
  abstract resume(): void;
  abstract terminate(): void;

  /** Milliseconds that the last answer to a ping of the keepalive took. */
  get latency(): number | undefined {
    return border.hub.latency(this.id) ?? undefined;
  }

  /** Whether the process stays alive for it, as it does unless this says no. */
  keepAlive(_yes: boolean): void {}

  send({ data, isBinary, fin, compress }: Outgoing, done?: Done): void {
    let bits = (isBinary ? OrderKind.Binary : OrderKind.Text) | this.#confirm(done);
    if (compress === false) bits |= OrderFlag.Uncompressed;
    if (fin !== undefined) bits |= OrderFlag.Fragment | (fin ? OrderFlag.Fin : 0);
    this.sent += this.#order(bits, data);
  }

  ping(data: string | Uint8Array, done?: Done): void {
    this.#order(OrderKind.Ping | this.#confirm(done), data);
  }

  pong(data: string | Uint8Array, done?: Done): void {
    this.#order(OrderKind.Pong | this.#confirm(done), data);
  }

  close(code: number | undefined, reason: string): void {
    const bits = code === undefined ? 0 : OrderFlag.Code | (code << 16);
    this.#order(OrderKind.Close | bits, reason);
  }

  /** Whether binary messages that begin from now on are told as their fragments. */
  tellFragments(on: boolean): void {
    if (on) this.#fragments ??= new Fragments();
    border.order(this.id, on ? OrderKind.InParts : OrderKind.Whole);
  }

  /** A frame is about to be sent. */
  protected ordered(): void {}

  #order(bits: number, data: string | Uint8Array): number {
    this.ordered();
    return typeof data === 'string' ? border.orderText(this.id, bits, data) : border.orderBytes(this.id, bits, data);
  }

  #confirm(done: Done | undefined): number {
    if (!done) return 0;
    this.#confirms += 1;
    (this.#waiting ??= []).push({ confirm: this.#confirms, done });
    return OrderFlag.Confirm;
  }

  /** The number of the last order that waits for its confirmation. */
  protected get lastConfirm(): number {
    return this.#waiting?.length ? this.#confirms : 0;
  }

  /** All orders up to this number are written, or can't be. */
  protected confirm(last: number, error?: Error): void {
    const waiting = this.#waiting;
    while (waiting?.length && waiting[0]!.confirm <= last) waiting.shift()!.done(error);
  }

  message(data: Buffer, isBinary: boolean): void {
    this.listener.message(data, isBinary);
  }

  record(kind: RecordKind, value: number, payload: Buffer): void {
    switch (kind) {
      case RecordKind.Ping:
        return this.listener.ping(payload);
      case RecordKind.Pong:
        return this.listener.pong(payload);
      case RecordKind.CloseReceived:
        return this.#ending(() => this.listener.closing(value, payload));
      case RecordKind.Part:
        return this.#part(value, payload);
      case RecordKind.Failed:
        return this.#ending(() => this.listener.failed(fromRecord(parse(payload))));
      case RecordKind.SendFailed:
        return this.#sendFailed(parse(payload));
      case RecordKind.Written:
        return this.confirm(value);
      case RecordKind.Closed:
        return this.#closed(parse(payload));
      default:
        throw new Error(`the addon told something of an unknown kind: ${kind}`);
    }
  }

  /** The last that was read. What was sent until now goes out before this end's Close frame. */
  #ending(tell: () => void): void {
    try {
      tell();
    } finally {
      border.order(this.id, OrderKind.End);
    }
  }

  #part(part: number, payload: Buffer): void {
    const fragments = this.#fragments?.push(part, payload);
    if (!fragments) return;
    const isBinary = isBinaryPart(part);
    if (isBinary && this.listener.fragments) this.listener.fragments(fragments);
    else this.listener.message(join(fragments), isBinary);
  }

  #sendFailed(told: TellsError & { confirm: number }): void {
    const error = fromRecord(told);
    const waiting = this.#waiting ?? [];
    const index = waiting.findIndex(({ confirm }) => confirm === told.confirm);
    // What is lost because the connection was closing meanwhile needs no word: 'close' follows.
    if (index < 0) return told.name === 'not_open' ? undefined : this.listener.failed(error);
    return waiting.splice(index, 1)[0]!.done(error);
  }

  #closed(end: Closed): void {
    border.release(this.id);
    this.ended();
    try {
      this.confirm(this.#confirms, new Error('The connection was closed before the data was written'));
    } finally {
      this.listener.closed(end);
    }
  }

  /** The connection is closed: what the driver holds for it can go. */
  protected abstract ended(): void;
}

export function parse<T>(payload: Buffer): T {
  return JSON.parse(payload.toString()) as T;
}
