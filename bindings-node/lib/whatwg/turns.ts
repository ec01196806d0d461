// "There MUST be no more than one connection in a CONNECTING state" to one address and port (RFC 6455 §4.1, item 2): all
// attempts of this thread wait here for their turn.
//
// A host is known by its addresses, so two names of one host wait for each other. They are looked up here, and once more by
// whoever connects; what differs between the two, if a name server gives other addresses each time, is not seen. Where the
// address is nobody's business (an agent, a proxy) the RFC lets the name count.

import * as dns from 'node:dns';
import { isIP } from 'node:net';
import type { NodeOptions } from './protocols.js';
import { portOf } from './url.js';

/** A place in the queues of all keys; the attempt may begin once it is first in each. */
export class Turn {
  readonly #begin: () => void;
  #keys: readonly string[] = [];
  #begun = false;
  #over = false;

  constructor(begin: () => void) {
    this.#begin = begin;
  }

  get over(): boolean {
    return this.#over;
  }

  wait(keys: readonly string[]): void {
    if (this.#over) return;
    this.#keys = keys;
    for (const key of keys) {
      const queue = queues.get(key);
      if (queue) queue.add(this);
      else queues.set(key, new Set([this]));
    }
    this.#beginIfFirst();
  }

  /** The connection is established, or failed, or is not wanted any more. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    const next = new Set<Turn>();
    for (const key of this.#keys) {
      const queue = queues.get(key)!;
      queue.delete(this);
      if (queue.size === 0) queues.delete(key);
      else next.add(first(queue));
    }
    for (const turn of next) turn.#beginIfFirst();
  }

  #beginIfFirst(): void {
    if (this.#begun || this.#over) return;
    if (!this.#keys.every((key) => first(queues.get(key)!) === this)) return;
    this.#begun = true;
    this.#begin();
  }
}

/** Those who wait for an address and port, in order; the first one is connecting. */
const queues = new Map<string, Set<Turn>>();

const first = (queue: Set<Turn>): Turn => queue.values().next().value!;

/** An IPv4 address that is written as an IPv6 one is the same host: `::ffff:7f00:1` is 127.0.0.1. */
function withoutMapping(address: string): string {
  const mapped = /^::ffff:(?:([0-9a-f]{1,4}):([0-9a-f]{1,4})|([0-9.]+))$/i.exec(address);
  if (!mapped) return address;
  if (mapped[3]) return mapped[3];
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** Takes a turn. `fail` hears that the host has no address. */
export function takeTurn(url: URL, options: NodeOptions, begin: () => void, fail: (error: Error) => void): Turn {
  const turn = new Turn(begin);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = portOf(url);
  if (isIP(host) || options.agent || options.createConnection || options.socketPath) {
    turn.wait([`${withoutMapping(host)} ${port}`]);
    return turn;
  }
  const lookup = options.lookup ?? dns.lookup;
  const heard = (error: Error | null, found: string | { address: string }[]): void => {
    if (turn.over) return;
    if (error) return fail(error);
    const addresses = typeof found === 'string' ? [found] : found.map(({ address }) => address);
    turn.wait(addresses.map((address) => `${withoutMapping(address)} ${port}`));
  };
  lookup(host, { all: true }, heard);
  return turn;
}
