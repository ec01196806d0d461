// The codec that one would write in JavaScript, for the comparison with WebAssembly: whole messages, every rule of
// RFC 6455 that bytes to messages need, and the loops that come to mind first. Compression is by pako, if it is given.

const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

/** @param {Uint8Array} a @param {Uint8Array} b */
function joined(a, b) {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Reads messages of a client's (masked) frames or of a server's. */
export class JavaScriptDecoder {
  #rest = new Uint8Array();
  #fragments = [];
  #opcode = 0;
  #compressed = false;
  #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #masked;
  #inflate;

  constructor({ masked, pako }) {
    this.#masked = masked;
    if (pako) this.#inflate = new pako.Inflate({ raw: true, chunkSize: 16_384 });
  }

  /** @param {Uint8Array} chunk */
  push(chunk) {
    let bytes = this.#rest.length > 0 ? joined(this.#rest, chunk) : chunk;
    const messages = [];
    for (;;) {
      const end = this.#frame(bytes, messages);
      if (end === 0) break;
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes.slice();
    return messages;
  }

  /** One frame; where it ends, or 0 if it is not whole. */
  #frame(bytes, messages) {
    if (bytes.length < 2) return 0;
    const [first, second] = bytes;
    const opcode = first & 0xf;
    if (first & 0x30 || (first & 0x40 && !this.#inflate)) throw new Error('reserved bits');
    if ((second & 0x80) !== (this.#masked ? 0x80 : 0)) throw new Error('masking');
    let length = second & 0x7f;
    let at = 2;
    if (length > 125) {
      at = length === 126 ? 4 : 10;
      if (bytes.length < at) return 0;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      length = length === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
    }
    const key = this.#masked ? bytes.subarray(at, at + 4) : undefined;
    if (key) at += 4;
    if (bytes.length < at + length) return 0;
    const payload = bytes.slice(at, at + length);
    if (key) for (let index = 0; index < length; index += 1) payload[index] ^= key[index & 3];
    if (opcode >= 8) messages.push({ opcode, payload });
    else this.#data(first, opcode, payload, messages);
    return at + length;
  }

  #data(first, opcode, payload, messages) {
    if ((opcode === 0) === (this.#fragments.length === 0)) throw new Error('fragments');
    if (opcode !== 0) {
      this.#opcode = opcode;
      this.#compressed = (first & 0x40) !== 0;
    }
    this.#fragments.push(payload);
    if (!(first & 0x80)) return;
    let whole = this.#fragments.length === 1 ? payload : this.#fragments.reduce(joined);
    this.#fragments = [];
    if (this.#compressed) whole = this.#inflated(whole);
    messages.push(this.#opcode === 1 ? this.#text.decode(whole) : whole);
  }

  #inflated(bytes) {
    const parts = [];
    this.#inflate.onData = (part) => parts.push(part);
    // pako hands out what it has at a sync flush (2), which is where a message ends (RFC 7692 §7.2.2).
    this.#inflate.push(bytes, 2);
    this.#inflate.push(TAIL, 2);
    if (this.#inflate.err) throw new Error(this.#inflate.msg);
    return parts.length === 1 ? parts[0] : parts.reduce(joined, new Uint8Array());
  }
}

/** Makes a frame a message, masked as a client's or not. */
export class JavaScriptEncoder {
  #text = new TextEncoder();
  #masks;
  #deflate;

  constructor({ masks, pako }) {
    this.#masks = masks;
    if (pako) this.#deflate = new pako.Deflate({ raw: true, level: 6 });
  }

  /** @param {string | Uint8Array} message */
  encode(message) {
    let payload = typeof message === 'string' ? this.#text.encode(message) : message;
    if (this.#deflate) payload = this.#deflated(payload);
    const { length } = payload;
    const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const start = 2 + extended + (this.#masks ? 4 : 0);
    const frame = new Uint8Array(start + length);
    frame[0] = 0x80 | (this.#deflate ? 0x40 : 0) | (typeof message === 'string' ? 1 : 2);
    frame[1] = (this.#masks ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
    const view = new DataView(frame.buffer);
    if (extended === 2) view.setUint16(2, length);
    if (extended === 8) view.setBigUint64(2, BigInt(length));
    frame.set(payload, start);
    if (this.#masks) {
      const key = crypto.getRandomValues(frame.subarray(start - 4, start));
      for (let index = 0; index < length; index += 1) frame[start + index] ^= key[index & 3];
    }
    return frame;
  }

  #deflated(bytes) {
    const parts = [];
    this.#deflate.onData = (part) => parts.push(part);
    this.#deflate.push(bytes, 2);
    return parts.reduce(joined, new Uint8Array()).slice(0, -4);
  }
}
