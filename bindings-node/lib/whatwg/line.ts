// The connection below a WebSocket or a WebSocketStream: what the standard leaves to the protocol ("establish", "fail",
// "start the closing handshake", "send"), over the drivers of this package. What comes of it is told as tasks.

import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { debuglog } from 'node:util';
import { dial } from '../client.js';
import { Peer, ReadyState } from '../peer.js';
import type { Closed } from '../transport.js';
import { disappearAtExit } from './exit.js';
import { Outbox, type Sendable } from './outbox.js';
import type { Wanted } from './protocols.js';
import { queueTask } from './task.js';
import { takeTurn, type Turn } from './turns.js';
import { isBadPort, portOf } from './url.js';

/** What an interface does, each in a task of its own. The object is passed, so that these functions don't keep it alive. */
export interface Feedback<T> {
  /** "The WebSocket connection is established." */
  established(target: T, protocol: string, extensions: string): void;
  /** "A WebSocket message has been received." The bytes of a text are UTF-8. */
  received(target: T, data: Buffer, isBinary: boolean): void;
  /** "The WebSocket closing handshake is started" by the server. */
  closing(target: T): void;
  /** It was never established, or this end had to "fail the WebSocket connection". `closed` follows. */
  failed(target: T): void;
  /** "The WebSocket connection is closed." The last of these calls. */
  closed(target: T, end: Closed): void;
  /** What was queued has left. */
  drained(target: T): void;
}

/** Objects that must not be collected. */
const held = new Set<object>();

const FAILED: Closed = { code: 1006, reason: '', wasClean: false };

/** The standard keeps the reasons of failures from scripts; NODE_DEBUG=itoden shows them. */
const debug = debuglog('itoden');

export class Line<T extends object> extends Peer {
  readonly #feedback: Feedback<T>;
  readonly #weak: WeakRef<T>;
  readonly #subprotocols: readonly string[];
  readonly #outbox: Outbox;
  #turn: Turn | undefined;
  #extensions = '';
  /** The closing handshake is asked for, or the connection given up. */
  #closeAsked = false;
  #givenUp = false;
  #failed = false;
  #ended = false;
  #alive = true;

  constructor(target: T, feedback: Feedback<T>, url: URL, { protocols, node }: Wanted) {
    super(new EventEmitter());
    this.#feedback = feedback;
    this.#weak = new WeakRef(target);
    this.#subprotocols = protocols;
    this.#outbox = new Outbox({
      transmit: (data, isBinary, done) => this.transport?.send({ data, isBinary }, done),
      close: (code, reason) => this.transport?.close(code, reason),
      unreadable: (error) => this.#breakOff(error),
      drained: () => this.#tell((owner) => feedback.drained(owner)),
    });
    this.emitter.once('upgrade', (response: IncomingMessage) => this.#check(response));
    // Wrong options throw here, before anything is begun.
    let begin = (): void => {};
    dial(this, url, [...protocols], node, (run) => (begin = run));
    if (isBadPort(portOf(url))) {
      this.attempt?.abort();
      this.fail(new Error(`the port ${portOf(url)} is blocked, as the Fetch standard says`));
      return;
    }
    this.#turn = takeTurn(url, node, begin, (error) => this.fail(error));
  }

  /** Whoever made it does not want it any more. */
  get givenUp(): boolean {
    return this.#givenUp;
  }

  /** Payload bytes that are queued and, as of the last task, not written. */
  get queued(): number {
    return this.#outbox.amount;
  }

  /** Whether the object must not be collected, though nothing else may refer to it. */
  hold(target: T, yes: boolean): void {
    if (yes) held.add(target);
    else held.delete(target);
  }

  /** Whether the process stays alive for an open connection. One that connects or closes always keeps it. */
  keepAlive(yes: boolean): void {
    if (yes === this.#alive || this.#ended) return;
    this.#alive = yes;
    this.transport?.keepAlive(yes);
    disappearAtExit(this, !yes);
  }

  send(data: Sendable, isBinary: boolean, size: number): void {
    this.#outbox.send(data, isBinary, size, this.readyState === ReadyState.OPEN && !this.#closeAsked);
  }

  /** As `send`, without a count: `done` hears that it is written, or can't be. */
  write(data: string | Uint8Array, isBinary: boolean, done: (error?: Error) => void): void {
    if (this.readyState === ReadyState.OPEN && !this.#closeAsked) this.transport?.send({ data, isBinary }, done);
    else done(new Error('the connection is closing'));
  }

  /** "Close the WebSocket", once its arguments are checked. */
  startClosing(code: number | null, reason: string): void {
    if (this.#closeAsked || this.#ended) return;
    this.#closeAsked = true;
    this.keepAlive(true);
    if (this.readyState === ReadyState.OPEN) this.#outbox.close(code ?? undefined, reason);
  }

  /** Fails the connection, because it is not wanted any more while it is not established for those who use it. */
  giveUp(): void {
    this.#givenUp = true;
    this.#breakOff(new Error('it was closed before the connection was established'));
  }

  /** Nobody refers to the object any more. */
  collected(): void {
    debug('a WebSocket to %s was collected', this.url);
    if (this.transport) this.startClosing(null, '');
    else this.giveUp();
  }

  /** Fails the connection for a reason of this end, without a word to the server. */
  #breakOff(error: Error): void {
    if (this.#ended) return;
    if (this.transport) {
      this.failed(error);
      this.terminate();
    } else {
      this.attempt?.abort();
      this.fail(error);
    }
  }

  /** "This covers a subprotocol requested by the client, but not acknowledged by the server." */
  #check({ headers }: IncomingMessage): void {
    this.#extensions = headers['sec-websocket-extensions'] ?? '';
    if (this.#subprotocols.length === 0 || headers['sec-websocket-protocol']) return;
    this.#breakOff(new Error('the server chose none of the subprotocols'));
  }

  #tell(run: (target: T) => void): void {
    queueTask(() => {
      const target = this.#weak.deref();
      if (target) run(target);
    });
  }

  /** Observers would get something that is not a WebSocket. */
  protected override get isTraced(): boolean {
    return false;
  }

  override open(...args: Parameters<Peer['open']>): void {
    if (this.#ended) return;
    super.open(...args);
    this.#turn?.end();
    const { protocol } = this;
    this.#tell((target) => this.#feedback.established(target, protocol, this.#extensions));
  }

  override message(data: Buffer, isBinary: boolean): void {
    if (this.#weak.deref()) this.#tell((target) => this.#feedback.received(target, data, isBinary));
  }

  override ping(): void {}

  override pong(): void {}

  override closing(): void {
    super.closing();
    this.#outbox.stop();
    this.#tell((target) => this.#feedback.closing(target));
  }

  override failed(error: Error): void {
    debug('the connection to %s failed: %s', this.url, error.message);
    this.#failed = true;
    this.readyState = ReadyState.CLOSING;
    this.#outbox.stop();
  }

  /** There is no connection. */
  override fail(error: Error): void {
    if (this.#ended) return;
    this.attempt = undefined;
    this.failed(error);
    this.#end(FAILED);
  }

  override closed({ code, reason, wasClean }: Closed): void {
    this.#end(this.#failed ? FAILED : { code, reason, wasClean });
  }

  #end(end: Closed): void {
    this.#ended = true;
    this.readyState = ReadyState.CLOSED;
    this.wasClean = end.wasClean;
    this.whenClosed?.();
    this.#outbox.stop();
    this.#turn?.end();
    disappearAtExit(this, false);
    // Two tasks, so that promises that `error` settled are told before `close`. Nothing comes between them.
    if (this.#failed) this.#tell((target) => this.#feedback.failed(target));
    this.#tell((target) => {
      // Whoever listens was to hear this.
      held.delete(target);
      this.#feedback.closed(target, end);
    });
  }
}
