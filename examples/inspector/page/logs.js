// @ts-check
// Bytes that grow, as one piece.

/** Bytes as they come, in one buffer that doubles: so a payload is one view, wherever its packets ended. */
export class ByteLog {
  #buffer = new Uint8Array(1024);
  length = 0;

  /** @param {Uint8Array} bytes */
  append(bytes) {
    const needed = this.length + bytes.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.length);
    this.length = needed;
  }

  /** A view, which holds until the next `append`. @param {number} from @param {number} [to] */
  view(from, to = this.length) {
    return this.#buffer.subarray(from, Math.min(to, this.length));
  }
}

/** Numbers as they come, eight bytes each however many there are: a capture may have millions of frames. */
export class NumberLog {
  #buffer = new Float64Array(256);
  length = 0;

  /** @param {number} value */
  push(value) {
    if (this.length === this.#buffer.length) {
      const grown = new Float64Array(this.length * 2);
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    this.#buffer[this.length] = value;
    this.length += 1;
  }

  /** @param {number} index */
  at(index) {
    return index < this.length ? (this.#buffer[index] ?? NaN) : NaN;
  }

  /** @param {number} index @param {number} value */
  set(index, value) {
    this.#buffer[index] = value;
  }

  /** How many numbers come before the first that is above `value`, where they only grow. @param {number} value */
  countUpTo(value) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#buffer[middle] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
