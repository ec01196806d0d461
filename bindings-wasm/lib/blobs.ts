// Blobs as src/handshake.rs has them: each its length as four bytes in little endian, and then itself.

/** Header fields in order, as WHATWG's `Headers` takes and gives them. */
export type HeaderList = [name: string, value: string][];

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** @internal */
export function toBlobs(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const blobs = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part));
  const out = new Uint8Array(blobs.reduce((sum, blob) => sum + 4 + blob.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const blob of blobs) {
    view.setUint32(at, blob.length, true);
    out.set(blob, at + 4);
    at += 4 + blob.length;
  }
  return out;
}

/** @internal Reads blobs in order. `bytes` is a copy of its own. */
export class Blobs {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const start = this.#at + 4;
    this.#at = start + this.#view.getUint32(this.#at, true);
    return this.#bytes.slice(start, this.#at);
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  /** The rest, in pairs. */
  headers(): HeaderList {
    const list: HeaderList = [];
    while (this.#at < this.#bytes.length) list.push([this.text(), this.text()]);
    return list;
  }
}
