// A client over the native driver: the addon resolves, connects and shakes hands.

import { type DeflateAgreement, OrderKind, RecordKind } from '../native.js';
import { border, type Sink } from './border.js';
import { type Dial, missingSubprotocol } from './client.js';
import { Compression } from './deflate.js';
import { fromRecord, ItodenError, systemError, type TellsError } from './errors.js';
import { type Addresses, makeResponse, type ResponseHead } from './messages.js';
import { NativeTransport } from './native-transport.js';
import { Opening } from './opening.js';
import type { Attempt } from './peer.js';
import { parse } from './transport.js';

interface Opened extends ResponseHead {
  subprotocol: string | null;
  addresses: Addresses | null;
  deflate: DeflateAgreement | null;
}

interface Failed extends TellsError {
  system?: string;
  timeout?: boolean;
}

class NativeClient implements Sink, Attempt {
  readonly #dial: Dial;
  readonly #id: number;
  #aborted = false;

  constructor(dial: Dial) {
    this.#dial = dial;
    const { url, subprotocols, rawHeaders, handshakeTimeout, config } = dial;
    const bare = new URL(url);
    bare.username = '';
    bare.password = '';
    this.#id = border.hub.connect(bare.href, subprotocols, rawHeaders, handshakeTimeout ?? null, config);
    border.register(this.#id, this);
    border.retain();
  }

  abort(): void {
    this.#aborted = true;
    border.order(this.#id, OrderKind.Terminate);
  }

  message(): void {
    if (!this.#aborted) throw new Error('a message came before the connection was open');
  }

  record(kind: RecordKind, _value: number, payload: Buffer): void {
    const { peer } = this.#dial;
    if (kind === RecordKind.Opened && !this.#aborted) {
      const opened = parse<Opened>(payload);
      this.#dial.upgraded(makeResponse(opened, opened.addresses));
      // The listener may have given up.
      if (this.#aborted) return;
      const missing = missingSubprotocol(this.#dial, opened.subprotocol);
      if (missing) {
        // Its last record is still to come.
        this.abort();
        return peer.fail(missing);
      }
      const compression = Compression.of(opened.deflate, 'client', this.#dial.threshold);
      peer.opening = new Opening(opened.addresses ?? {}, { statusCode: opened.status, rawHeaders: opened.rawHeaders });
      peer.open((listener) => new NativeTransport(this.#id, listener), opened.subprotocol ?? undefined, compression);
      border.unretain();
    } else if (kind === RecordKind.ConnectFailed || kind === RecordKind.Closed) {
      // The last record of this number: only now can another connection have it.
      border.release(this.#id);
      border.unretain();
      if (!this.#aborted) peer.fail(this.#failure(parse<Failed>(payload)));
    }
  }

  #failure(failed: Failed): Error {
    const { hostname, port } = this.#dial.url;
    if (failed.timeout) return new Error('Opening handshake has timed out');
    if (failed.system) {
      const syscall = failed.system === 'ENOTFOUND' ? 'getaddrinfo' : 'connect';
      return systemError(syscall, failed.system, hostname, Number(port || 80), '');
    }
    if (failed.name === 'unexpected_status' && failed.statusCode) return unexpectedStatus(failed.statusCode);
    return fromRecord(failed);
  }
}

/** The server answered, but not with 101. */
export function unexpectedStatus(status: number): Error {
  return new ItodenError('unexpected_status', `Unexpected server response: ${status}`, status);
}

export function dialNative(dial: Dial): Attempt {
  return new NativeClient(dial);
}
