// An EventEmitter that knows its events, and takes others too: users hang their own events on sockets and servers.

import { EventEmitter } from 'node:events';

type Any = (...args: any[]) => void;

export interface Emitter<E> extends Omit<EventEmitter, Listening> {
  on<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  on(event: string | symbol, listener: (this: this, ...args: any[]) => void): this;
  once<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  once(event: string | symbol, listener: (this: this, ...args: any[]) => void): this;
  off<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  off(event: string | symbol, listener: (this: this, ...args: any[]) => void): this;
  addListener<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  addListener(event: string | symbol, listener: (this: this, ...args: any[]) => void): this;
  removeListener<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  removeListener(event: string | symbol, listener: (this: this, ...args: any[]) => void): this;
  prependListener<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  prependListener(event: string | symbol, listener: Any): this;
  prependOnceListener<K extends keyof E>(event: K, listener: (this: this, ...args: Args<E, K>) => void): this;
  prependOnceListener(event: string | symbol, listener: Any): this;
  emit<K extends keyof E>(event: K, ...args: Args<E, K>): boolean;
  emit(event: string | symbol, ...args: any[]): boolean;
}

type Args<E, K extends keyof E> = E[K] extends unknown[] ? E[K] : never;

type Listening =
  | 'on' | 'once' | 'off' | 'addListener' | 'removeListener' | 'prependListener' | 'prependOnceListener' | 'emit'; // prettier-ignore

/** `EventEmitter` itself, with these types. */
export const Emitter = EventEmitter as unknown as { new <E>(): Emitter<E> };
