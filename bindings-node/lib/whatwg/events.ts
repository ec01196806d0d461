// Events and event handler attributes on Node's EventTarget.

import { isObject } from './webidl.js';

type EventInit = NonNullable<ConstructorParameters<typeof Event>[1]>;

export interface CloseEventInit extends EventInit {
  wasClean?: boolean;
  code?: number;
  reason?: string;
}

/** `CloseEvent` for Node before 23, which has no global one. */
class OwnCloseEvent extends Event {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: string, init: CloseEventInit = {}) {
    if (arguments.length === 0) throw new TypeError('CloseEvent: 1 argument required, but only 0 present');
    super(type, init);
    const { wasClean = false, code = 0, reason = '' } = init ?? {};
    this.#wasClean = Boolean(wasClean);
    this.#code = new Uint16Array([code])[0]!;
    this.#reason = `${reason}`.toWellFormed();
  }

  /** Whether the connection closed cleanly. */
  get wasClean(): boolean {
    return this.#wasClean;
  }

  get code(): number {
    return this.#code;
  }

  get reason(): string {
    return this.#reason;
  }

  static {
    Object.defineProperty(this, 'name', { configurable: true, value: 'CloseEvent' });
    Object.defineProperty(this.prototype, Symbol.toStringTag, { configurable: true, value: 'CloseEvent' });
    for (const name of ['wasClean', 'code', 'reason']) Object.defineProperty(this.prototype, name, { enumerable: true });
  }
}

export interface CloseEvent extends Event {
  /** Whether the connection closed cleanly. */
  readonly wasClean: boolean;
  readonly code: number;
  readonly reason: string;
}

export interface CloseEventConstructor {
  new (type: string, init?: CloseEventInit): CloseEvent;
  readonly prototype: CloseEvent;
}

/** The global one, where there is one. */
export const CloseEvent: CloseEventConstructor =
  (globalThis as { CloseEvent?: CloseEventConstructor }).CloseEvent ?? OwnCloseEvent;

const { addEventListener, dispatchEvent, removeEventListener } = EventTarget.prototype;

const trusted: PropertyDescriptor = { enumerable: true, configurable: false, get: () => true };

/** Node makes trusted events itself only; where it lets the attribute be shadowed, these are trusted, too. */
const canTrust = Reflect.defineProperty(new Event('x'), 'isTrusted', trusted);

/** "Fire an event." */
export function fire(target: EventTarget, event: Event): void {
  if (canTrust) Object.defineProperty(event, 'isTrusted', trusted);
  Reflect.apply(dispatchEvent, target, [event]);
}

/** `EventHandler`: a function, or an object that does nothing (`[LegacyTreatNonObjectAsNull]`), or `null`. */
export type EventHandler<T, E> = ((this: T, event: E) => unknown) | null;

interface Handler {
  value: object;
  /** What stands in the list of listeners, at the place of the first handler that was set. */
  listener: (event: Event) => void;
}

/** The event handlers of one object (the HTML standard, "event handlers"). */
export class Handlers {
  readonly #handlers = new Map<string, Handler>();

  get(type: string): unknown {
    return this.#handlers.get(type)?.value ?? null;
  }

  set(target: EventTarget, type: string, value: unknown): void {
    const known = this.#handlers.get(type);
    if (!isObject(value)) {
      // "Deactivate": it loses its place.
      if (known) Reflect.apply(removeEventListener, target, [type, known.listener]);
      this.#handlers.delete(type);
    } else if (known) {
      known.value = value;
    } else {
      const handler: Handler = { value, listener: (event) => run(handler.value, event) };
      this.#handlers.set(type, handler);
      Reflect.apply(addEventListener, target, [type, handler.listener]);
    }
  }
}

/** "The event handler processing algorithm." */
function run(handler: object, event: Event): void {
  if (typeof handler !== 'function') return;
  if (Reflect.apply(handler, event.currentTarget, [event]) === false) event.preventDefault();
}

type ListenerHook = (this: EventTarget, size: number, type: string, ...rest: unknown[]) => void;

/**
 * Lets a class hear how many listeners its objects have for a type, each time that changes. Node tells its own classes by
 * methods with these symbols; `false` where there are none, as on other runtimes.
 */
export function watchListeners(prototype: EventTarget, changed: (target: EventTarget, type: string, count: number) => void): boolean {
  const symbols = Object.getOwnPropertySymbols(EventTarget.prototype);
  const found = ['kNewListener', 'kRemoveListener'].map((name) => symbols.find((symbol) => symbol.description === name));
  const [added, removed] = found;
  if (!added || !removed) return false;
  for (const symbol of [added, removed]) {
    const inherited = (EventTarget.prototype as unknown as Record<symbol, ListenerHook>)[symbol]!;
    const hook: ListenerHook = function (size, type, ...rest) {
      Reflect.apply(inherited, this, [size, type, ...rest]);
      changed(this, type, size);
    };
    Object.defineProperty(prototype, symbol, { configurable: true, writable: true, value: hook });
  }
  return true;
}
