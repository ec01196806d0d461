// A server over the native driver: the addon listens, accepts and reads requests.

import * as dns from 'node:dns';
import * as net from 'node:net';
import { RecordKind } from '../native.js';
import { admit, type Candidate } from './admission.js';
import { border, type Sink } from './border.js';
import { fromRecord, guarded, systemError, type TellsError } from './errors.js';
import { type Addresses, makeRequest, type RequestHead } from './messages.js';
import { NativeTransport } from './native-transport.js';
import type { WebSocketServer } from './server.js';
import { parse } from './transport.js';

interface Request extends RequestHead {
  subprotocols: string[];
  addresses: Addresses;
}

/** What Node asks the system for. */
const BACKLOG = 511;

export class NativeListener implements Sink {
  address: net.AddressInfo | null = null;
  readonly #server: WebSocketServer;
  #id: number | undefined;
  #whenClosed: (() => void) | undefined;

  constructor(server: WebSocketServer, host: string | undefined, port: number, backlog = BACKLOG) {
    this.#server = server;
    // A name that is being resolved keeps the process alive by itself.
    if (host === undefined || net.isIP(host)) this.#listen(host, port, backlog);
    else dns.lookup(host, (error, address) => (error ? this.#fail(error) : this.#listen(address, port, backlog)));
  }

  #listen(address: string | undefined, port: number, backlog: number): void {
    if (this.#whenClosed) return this.#closed();
    try {
      const listening = border.hub.listen(address ?? null, port, backlog);
      this.#id = listening.id;
      this.address = { address: listening.address, family: listening.family, port: listening.port };
    } catch (error) {
      const { code, message } = error as Error & { code: string };
      return this.#fail(systemError('listen', code, address ?? '::', port, code === 'EADDRINUSE' ? IN_USE : message));
    }
    border.register(this.#id, this);
    border.retain();
    process.nextTick(() => {
      if (this.#server.isRunning) this.#server.emit('listening');
    });
  }

  #fail(error: Error): void {
    process.nextTick(() => this.#server.emit('error', error));
  }

  /** Stops to listen; `done` is called when the port is free. */
  close(done: () => void): void {
    this.#whenClosed = done;
    if (this.#id !== undefined) border.hub.stopListening(this.#id);
    else process.nextTick(() => this.#closed());
  }

  #closed(): void {
    this.address = null;
    const done = this.#whenClosed;
    this.#whenClosed = () => {};
    done?.();
  }

  message(): void {
    throw new Error('a listener got a message');
  }

  record(kind: RecordKind, value: number, payload: Buffer): void {
    if (kind === RecordKind.Request) this.#request(value, parse<Request>(payload));
    else if (kind === RecordKind.RequestFailed) this.#requestFailed(parse(payload));
    else if (kind === RecordKind.ListenerClosed && this.#id !== undefined) {
      border.release(this.#id);
      border.unretain();
      this.#id = undefined;
      this.#closed();
    }
  }

  #request(id: number, head: Request): void {
    const { hub } = border;
    const candidate: Candidate = {
      request: makeRequest(head, head.addresses),
      carrier: head.addresses,
      subprotocols: head.subprotocols,
      // Whether it is shows when the response is written; 'close' follows if it is gone.
      isAlive: () => true,
      preview: (subprotocol) => guarded(() => hub.preview(id, subprotocol ?? null, this.#server.config)),
      accept: (subprotocol, rawHeaders) => {
        const { config } = this.#server;
        const deflate = guarded(() => hub.accept(id, subprotocol ?? null, rawHeaders, config));
        return { make: (listener) => new NativeTransport(id, listener), deflate };
      },
      refuse: (status, rawHeaders, body) => guarded(() => hub.refuse(id, status, rawHeaders, body)),
      drop: () => border.release(id),
    };
    admit(this.#server, candidate, (websocket, request) => this.#server.emit('connection', websocket, request));
  }

  /** The addon has answered the request with the status of its error already. */
  #requestFailed(told: TellsError & { addresses: Addresses }): void {
    // A client that went away, or was too slow, did not ask for anything.
    if (told.name === undefined || told.name === 'unexpected_eof') return;
    this.#server.emit('wsClientError', fromRecord(told), told.addresses, undefined);
  }
}

const IN_USE = 'address already in use';
