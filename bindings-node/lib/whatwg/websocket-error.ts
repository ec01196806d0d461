// WebSocketError, which a WebSocketStream fails with and can be closed with.

import { checkClose, codeToSend, toCloseInfo, type WebSocketCloseInfo } from './close-info.js';
import { defineInterface, illegalInvocation, isObject, toDOMString } from './webidl.js';

let brand: (object: WebSocketError) => WebSocketError;

/** One that tells how a connection ended, with a code that the constructor does not let pass. */
export let errorOfEnd: (message: string, closeCode: number | null, reason: string) => WebSocketError;

/** Whether it is one, and not something that only inherits from it. */
export let isWebSocketError: (value: unknown) => value is WebSocketError;

export class WebSocketError extends DOMException {
  #closeCode: number | null;
  #reason: string;

  /**
   * @param message what `message` shall be. Default: empty
   * @param init a close code, 1000 or 3000 to 4999, and a reason of at most 123 bytes of UTF-8
   * @throws an `InvalidAccessError` DOMException for another code, a `SyntaxError` one for a longer reason
   */
  constructor(message?: string, init?: WebSocketCloseInfo);
  constructor(message: unknown = undefined, init: unknown = undefined) {
    const text = message === undefined ? '' : toDOMString(message);
    const { code, reason } = toCloseInfo(init, 'init');
    checkClose(code, reason);
    super(text, 'WebSocketError');
    this.#closeCode = codeToSend(code, reason);
    this.#reason = reason;
  }

  /** The close code, or `null` if there is none. */
  get closeCode(): number | null {
    return brand(this).#closeCode;
  }

  get reason(): string {
    return brand(this).#reason;
  }

  static {
    isWebSocketError = (value): value is WebSocketError => isObject(value) && #closeCode in value;
    brand = (object) => {
      if (isWebSocketError(object)) return object;
      throw illegalInvocation('WebSocketError');
    };
    errorOfEnd = (message, closeCode, reason) => {
      const error = new WebSocketError(message);
      error.#closeCode = closeCode;
      error.#reason = reason;
      return error;
    };
    defineInterface(this, 'WebSocketError', ['closeCode', 'reason']);
  }
}
