// The border to the native addon, crossed once a batch.
//
// In: records of four numbers (connection, kind, offset, length) come in `#table`, their payloads in `#slab`. A payload is
// handed on as a view of the slab, which is filled from front to back once and then left to those who hold views of it:
// nothing is copied, and nothing is overwritten. (A view costs 40 ns; a copy 90 ns at 64 bytes and 2 µs at 16 KiB.) Chunks
// of streams are decoded in place, so their payloads are views of the chunk. Sockets in the event loop are read straight into
// the slab.
//
// Out: what is asked of connections is collected in `#orders` and `#payloads` and goes over in one call, at the end of the
// batch in which it was asked, or else on the next tick. The addon copies it, so these two are used again and again.
//
// The addon knows all four by their addresses (`Hub.shortcuts`). Only the slab is shared with users, who may detach it: before each
// call `#from` sees whether it is still there.

import { markAsUntransferable } from 'node:worker_threads';
import { type Hub, OrderKind, RecordKind, type Shortcuts, Source } from '../native.js';
import { native } from './addon.js';
import { rethrow } from './errors.js';
import { servesInLoop } from './plane.js';

/** Who hears the records of a connection or a listener. */
export interface Sink {
  message(data: Buffer, isBinary: boolean): void;
  /** Any other record. `value` is its number, the close code, or what a part is. */
  record(kind: RecordKind, value: number, payload: Buffer): void;
}

const HEADER = 4;
const RECORDS = 1024;
/** The addon hands over larger payloads in buffers of their own. */
const SLAB = 64 << 10;
/** For connections that fill a slab with few records. */
const LARGE_SLAB = 256 << 10;
/** A slab with less room than this part of it is left. */
const LEAST_ROOM = 16;
const ORDERS = 1024;
const PAYLOADS = 64 << 10;
/** Larger payloads are not collected but handed over at once, which saves a copy. */
const LARGE_PAYLOAD = 16 << 10;
/** Batches of native sockets that are told before others of the event loop get their turn: of sockets on threads, ... */
const BATCHES_A_TURN = 16;
/** ... and in the loop, where going on costs little. */
const SERVED_A_TURN = 4;

const NOTHING: Buffer = Buffer.alloc(0);

/** Makes a Buffer of some bytes of a memory. `subarray` asks its Buffer for the memory each time, which is half of what it costs. */
const View = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species] as new (
  memory: ArrayBufferLike,
  offset: number,
  length: number,
) => Buffer;

class Border {
  readonly hub: Hub;
  readonly #sinks: (Sink | undefined)[] = [];
  readonly #table = new Int32Array(HEADER + 4 * RECORDS);
  #slab: Buffer = NOTHING;
  #memory: ArrayBufferLike = NOTHING.buffer;
  #used = 0;

  readonly #shortcuts: Shortcuts;

  readonly #orders = new Int32Array(4 * ORDERS);
  readonly #single = new Int32Array(4);
  readonly #payloads = Buffer.allocUnsafeSlow(PAYLOADS);
  #ordered = 0;
  #filled = 0;
  /** Orders were handed over whose outcome was not asked for. */
  #unsettled = false;
  #scheduled = false;

  /** Records are being told: `#table` must not change. */
  #busy = false;
  /** Calls that came meanwhile. Each fills the table and tells its records. */
  readonly #later: (() => void)[] = [];
  #alive = 0;

  constructor() {
    const inLoop = servesInLoop();
    this.hub = new native.Hub(() => this.#receive(), inLoop ? () => this.#serve() : null, process.versions['uv']);
    if (inLoop === 'always' && !this.hub.inLoop) {
      throw new Error(`ITODEN_DATA_PLANE is loop, but the libuv that this host runs on (${process.versions['uv'] ?? 'none'}) is not to be had`);
    }
    this.#shortcuts = this.hub.shortcuts(this.#table, this.#slab, this.#orders, this.#payloads);
  }

  register(id: number, sink: Sink): void {
    this.#sinks[id] = sink;
  }

  /** Its last record was told, or nobody wants any: the number may be used again. */
  release(id: number): void {
    this.#sinks[id] = undefined;
    this.order(id, OrderKind.Release);
  }

  /** A native socket is open, or will be: the process stays alive. */
  retain(): void {
    this.#alive += 1;
    if (this.#alive === 1) this.hub.setAlive(true);
  }

  unretain(): void {
    this.#alive -= 1;
    if (this.#alive === 0) this.hub.setAlive(false);
  }

  /** Asks for something without a payload. */
  order(id: number, bits: number): void {
    this.#push(id, bits, 0);
  }

  /** Asks for something with text as payload; how many bytes that is. */
  orderText(id: number, bits: number, text: string): number {
    // A code unit takes at most three bytes of UTF-8.
    if (text.length * 3 > LARGE_PAYLOAD) return this.orderBytes(id, bits, Buffer.from(text));
    if (text.length * 3 > PAYLOADS - this.#filled) this.#submit();
    const length = text.length === 0 ? 0 : this.#payloads.write(text, this.#filled);
    this.#push(id, bits, length);
    return length;
  }

  /** Asks for something with bytes as payload. They may be changed afterwards. */
  orderBytes(id: number, bits: number, bytes: Uint8Array): number {
    const { length } = bytes;
    if (length > LARGE_PAYLOAD) {
      this.#submit();
      this.#single.set([id, bits, 0, length]);
      this.hub.submit(this.#single, 1, bytes);
      this.#unsettled = true;
      this.#schedule();
      return length;
    }
    if (length > PAYLOADS - this.#filled) this.#submit();
    this.#payloads.set(bytes, this.#filled);
    this.#push(id, bits, length);
    return length;
  }

  /** Hands over everything that was asked, now. */
  flush(): void {
    this.#call(this.#encode);
  }

  /** A chunk came over a stream. */
  feed(id: number, chunk: Buffer): void {
    if (this.#busy) return void this.#later.push(() => this.#decode(id, chunk));
    this.#busy = true;
    try {
      this.#decode(id, chunk);
      this.#settle();
    } finally {
      this.#busy = false;
    }
  }

  /** A stream has ended. */
  eof(id: number): void {
    this.#call(() => {
      const from = this.#from();
      this.hub.eof(id, this.#table, this.#slab, from);
      this.#tell(NOTHING);
    });
  }

  /** The time of a stream's timer has come. */
  timeout(id: number): void {
    this.#call(() => {
      const from = this.#from();
      this.hub.timeout(id, this.#table, this.#slab, from);
      this.#tell(NOTHING);
    });
  }

  #push(id: number, bits: number, length: number): void {
    if (this.#ordered === ORDERS) {
      // The payload, if there is one, lies behind those that are handed over now: it moves to the front.
      const start = this.#filled;
      this.#submit();
      this.#payloads.copyWithin(0, start, start + length);
    }
    const at = 4 * this.#ordered;
    this.#orders[at] = id;
    this.#orders[at + 1] = bits;
    this.#orders[at + 2] = this.#filled;
    this.#orders[at + 3] = length;
    this.#ordered += 1;
    this.#filled += length;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#busy || this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      if (this.#ordered > 0 || this.#unsettled) this.flush();
    });
  }

  /** Hands over orders without asking what comes of them, so that the table stays as it is. */
  #submit(): void {
    if (this.#ordered === 0) return;
    this.hub.submit(this.#orders, this.#ordered, this.#payloads);
    this.#handedOver();
    this.#unsettled = true;
  }

  readonly #encode = (): void => {
    this.#shortcuts.flush(this.#ordered, this.#from());
    this.#handedOver();
    this.#unsettled = false;
    this.#tell(NOTHING);
  };

  #decode(id: number, chunk: Buffer): void {
    this.#shortcuts.feed(id, chunk, this.#from());
    this.#tell(chunk);
  }

  #handedOver(): void {
    this.#ordered = 0;
    this.#filled = 0;
  }

  /** Where in the slab there is room. A slab that somebody detached has none, and is not written to. */
  #from(): number {
    if (this.#slab.length - this.#used <= this.#slab.length / LEAST_ROOM) this.#newSlab(SLAB);
    return this.#used;
  }

  #newSlab(size: number): void {
    this.#slab = Buffer.allocUnsafeSlow(size);
    this.#used = 0;
    // One message must not take the others with it to another thread.
    this.#memory = this.#slab.buffer;
    markAsUntransferable(this.#memory);
    this.#shortcuts.lend(this.#slab);
  }

  /** Makes a call that fills the table, and tells its records; or does so later if records are being told. */
  #call(call: () => void): void {
    if (this.#busy) return void this.#later.push(call);
    this.#busy = true;
    try {
      call();
      this.#settle();
    } finally {
      this.#busy = false;
    }
  }

  /** Makes the calls that came meanwhile. What was asked goes over once everything that came is told. */
  #settle(): void {
    for (;;) {
      if (this.#later.length > 0) this.#later.shift()!();
      else if (this.#ordered > 0 || this.#unsettled) this.#encode();
      else return;
    }
  }

  /** Native sockets have records. */
  #receive(): void {
    let served = false;
    for (let batches = 0; batches < BATCHES_A_TURN; batches += 1) {
      let more = false;
      this.#call(() => {
        const from = this.#from();
        served = this.hub.receive(this.#table, this.#slab, from) || served;
        more = this.#table[2] !== 0;
        // What remains is asked for by the next call of this kind.
        this.#table[2] = 0;
        this.#tell(NOTHING);
      });
      if (!more) return served ? this.#serve() : undefined;
      this.#makeRoom();
    }
    setImmediate(() => this.#receive());
  }

  /** Sockets in the event loop are ready. */
  #serve(): void {
    for (let batches = 0; batches < SERVED_A_TURN; batches += 1) {
      let more = false;
      this.#call(() => {
        const from = this.#from();
        const slab = this.#slab;
        more = this.#shortcuts.serve(from);
        this.#tell(slab);
      });
      if (!more) return;
      // What fills a slab in one batch has use for a larger one.
      if (this.#slab.length - this.#used <= this.#slab.length / LEAST_ROOM) this.#newSlab(LARGE_SLAB);
    }
    setImmediate(() => this.#serve());
  }

  /** More records wait: if it is the slab that had no room for them, there is a new one. */
  #makeRoom(): void {
    if (this.#table[0]! < RECORDS) this.#newSlab(LARGE_SLAB);
  }

  /** Tells the records of the table, and those that found no room in it. */
  #tell(chunk: Buffer): void {
    this.#tellTable(chunk);
    while (this.#table[2]) {
      this.#makeRoom();
      const from = this.#from();
      this.hub.take(this.#table, this.#slab, from);
      this.#tellTable(chunk);
    }
  }

  #tellTable(chunk: Buffer): void {
    const table = this.#table;
    const slab = this.#memory;
    const end = HEADER + 4 * table[0]!;
    this.#used += table[1]!;
    let memory: ArrayBufferLike | undefined;
    for (let at = HEADER; at < end; at += 4) {
      const id = table[at]!;
      const bits = table[at + 1]!;
      const offset = table[at + 2]!;
      const length = table[at + 3]!;
      const source = bits & Source.Value;
      try {
        let payload: Buffer = NOTHING;
        if (source === Source.Large) payload = this.hub.takeLarge() ?? NOTHING;
        else if (source === Source.Chunk) payload = new View((memory ??= chunk.buffer), chunk.byteOffset + offset, length);
        else if (source === Source.Slab && length > 0) payload = new View(slab, offset, length);
        this.#tellOne(id, bits, offset, payload);
      } catch (error) {
        rethrow(error);
      }
    }
  }

  #tellOne(id: number, bits: number, value: number, payload: Buffer): void {
    const kind = bits & 0xff;
    if (kind === RecordKind.Text || kind === RecordKind.Binary) {
      this.#sinks[id]?.message(payload, kind === RecordKind.Binary);
    } else if (kind === RecordKind.Request) {
      // A connection that is not open yet has nobody of its own: its listener hears.
      const { listener } = JSON.parse(payload.toString()) as { listener: number };
      this.#sinks[listener]?.record(kind, id, payload);
    } else {
      const coded = kind === RecordKind.CloseReceived || kind === RecordKind.Part;
      this.#sinks[id]?.record(kind, coded ? bits >>> 16 : value, payload);
    }
  }
}

/** The border of this thread: each worker that loads the package has its own. */
export const border = new Border();
