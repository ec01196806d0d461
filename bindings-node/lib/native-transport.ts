// The native driver: the addon owns the TCP socket.

import { OrderKind } from '../native.js';
import { border } from './border.js';
import { type Listener, Transport } from './transport.js';

export class NativeTransport extends Transport {
  #retained = true;

  constructor(id: number, listener: Listener) {
    super(id, listener);
    border.retain();
  }

  /** Payload bytes of messages. */
  get bufferedAmount(): number {
    return this.sent === 0 ? 0 : Math.max(0, this.sent - border.hub.settled(this.id));
  }

  pause(): void {
    border.order(this.id, OrderKind.Pause);
  }

  resume(): void {
    border.order(this.id, OrderKind.Resume);
  }

  terminate(): void {
    border.order(this.id, OrderKind.Terminate);
  }

  override keepAlive(yes: boolean): void {
    if (yes === this.#retained) return;
    this.#retained = yes;
    if (yes) border.retain();
    else border.unretain();
  }

  protected ended(): void {
    this.keepAlive(false);
  }
}
