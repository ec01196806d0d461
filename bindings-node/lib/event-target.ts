// The browser's way of listening, as far as ws offers it: addEventListener and on… over an EventEmitter.

import type { EventEmitter } from 'node:events';

export class Event<T> {
  constructor(
    readonly type: string,
    readonly target: T,
  ) {}
}

export class MessageEvent<T> extends Event<T> {
  constructor(
    target: T,
    /** A string for a text message. */
    readonly data: string | Buffer | ArrayBuffer | Buffer[],
  ) {
    super('message', target);
  }
}

export class CloseEvent<T> extends Event<T> {
  constructor(
    target: T,
    readonly code: number,
    readonly reason: string,
    readonly wasClean: boolean,
  ) {
    super('close', target);
  }
}

export class ErrorEvent<T> extends Event<T> {
  readonly message: string;

  constructor(
    target: T,
    readonly error: Error,
  ) {
    super('error', target);
    this.message = error.message;
  }
}

export interface EventMap<T> {
  open: Event<T>;
  message: MessageEvent<T>;
  close: CloseEvent<T>;
  error: ErrorEvent<T>;
}

export type Handler<E> = ((event: E) => void) | { handleEvent(event: E): void };

type AnyHandler = Handler<any>;

interface Listening extends Function {
  handler: AnyHandler;
  /** Whether it was set as `on…`. */
  attribute: boolean;
}

type Emitter = EventEmitter & { readonly wasClean: boolean };

function makeEvent(target: Emitter, type: string, args: readonly unknown[]): unknown {
  switch (type) {
    case 'message': {
      const [data, isBinary] = args as [Buffer, boolean];
      return new MessageEvent(target, isBinary ? data : data.toString());
    }
    case 'close': {
      const [code, reason] = args as [number, Buffer];
      return new CloseEvent(target, code, reason.toString(), target.wasClean);
    }
    case 'error':
      return new ErrorEvent(target, args[0] as Error);
    default:
      return new Event(type, target);
  }
}

const TYPES: readonly string[] = ['open', 'message', 'close', 'error'];

const listenings = (target: Emitter, type: string): Listening[] =>
  (target.listeners(type) as Function[]).filter((listener): listener is Listening => 'handler' in listener);

export function add(target: Emitter, type: string, handler: AnyHandler, once: boolean, attribute = false): void {
  if (!TYPES.includes(type)) return;
  if (!attribute && listenings(target, type).some((known) => !known.attribute && known.handler === handler)) return;
  const listener = (...args: unknown[]): void => {
    if (once) target.removeListener(type, listening);
    const event = makeEvent(target, type, args);
    if (typeof handler === 'function') handler.call(target, event);
    else handler.handleEvent(event);
  };
  const listening = Object.assign(listener, { handler, attribute });
  target.on(type, listening);
}

export function remove(target: Emitter, type: string, handler: AnyHandler): void {
  for (const listening of listenings(target, type)) {
    if (listening.handler === handler && !listening.attribute) {
      target.removeListener(type, listening as unknown as () => void);
    }
  }
}

export function getAttribute(target: Emitter, type: string): AnyHandler | null {
  return listenings(target, type).find((listening) => listening.attribute)?.handler ?? null;
}

export function setAttribute(target: Emitter, type: string, handler: unknown): void {
  for (const listening of listenings(target, type)) {
    if (listening.attribute) target.removeListener(type, listening as unknown as () => void);
  }
  if (typeof handler === 'function') add(target, type, handler as AnyHandler, false, true);
}
