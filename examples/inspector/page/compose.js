// @ts-check
// Messages that are typed become bytes here, by an end of a connection: what was sent before, and what is being typed.

import { Connection, SendError } from 'itoden-wasm/deflate';
import { byId } from './dom.js';
import { ReadError, readText } from './readers/text.js';
import { counted } from './words.js';

const DEFLATE = 'permessage-deflate';
const NO_TAKEOVER = `${DEFLATE}; client_no_context_takeover; server_no_context_takeover`;

/**
 * @typedef {object} Typed
 * @property {string} kind
 * @property {string} content
 * @property {number} fragments
 * @property {number} code
 * @property {Uint8Array} key
 * @property {boolean} compress
 */

export class Composer {
  #form = byId('panel-type', HTMLElement);
  #help = byId('typed-help', HTMLElement);
  /** @type {Typed[]} */
  #sent = [];
  #onBytes;
  #onProblem;

  /**
   * @param {(bytes: Uint8Array, sender: 'client' | 'server', extensions: string) => void} onBytes
   * @param {(problem: string) => void} onProblem
   */
  constructor(onBytes, onProblem) {
    this.#onBytes = onBytes;
    this.#onProblem = onProblem;
    this.#form.addEventListener('input', () => this.show());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      try {
        this.#sent.push(this.#typed());
      } catch {
        return; // what is wrong is shown already
      }
      this.show();
    });
    byId('start-over', HTMLButtonElement).addEventListener('click', () => {
      this.#sent = [];
      this.show();
    });
  }

  /** Shows what was sent, and what is in the form as if it were sent. */
  show() {
    const fields = this.#fields();
    const role = fields.get('role') === 'server' ? 'server' : 'client';
    const kind = String(fields.get('kind'));
    const isData = kind === 'text' || kind === 'binary';
    this.#reveal('.data-only', isData);
    this.#reveal('.close-only', kind === 'close');
    this.#reveal('.client-only', role === 'client');
    this.#reveal('.takeover-only', isData && fields.has('compress'));
    this.#help.textContent = `${counted(this.#sent.length, 'message')} before this one. ${kind === 'text' ? '' : kind === 'close' ? 'The text is the reason.' : 'Bytes are typed in hex.'}`;
    try {
      const typed = this.#typed();
      const all = [...this.#sent, typed];
      const extensions = all.some(({ compress }) => compress) ? (fields.has('takeover') ? DEFLATE : NO_TAKEOVER) : '';
      this.#onBytes(send(role, all, extensions), role, extensions);
    } catch (error) {
      if (error instanceof SendError) this.#onProblem(`${error.message} (${error.section}).`);
      else if (error instanceof ReadError || error instanceof RangeError) this.#onProblem(error.message);
      else throw error;
    }
  }

  #fields() {
    if (!(this.#form instanceof HTMLFormElement)) throw new Error('#panel-type is no form');
    return new FormData(this.#form);
  }

  /** @param {string} selector @param {boolean} isShown */
  #reveal(selector, isShown) {
    for (const each of this.#form.querySelectorAll(selector)) if (each instanceof HTMLElement) each.hidden = !isShown;
  }

  /** @returns {Typed} */
  #typed() {
    const fields = this.#fields();
    const kind = String(fields.get('kind'));
    const isData = kind === 'text' || kind === 'binary';
    return {
      kind,
      content: String(fields.get('content')),
      fragments: isData ? countOf(fields.get('fragments'), 'The number of fragments', 1, 99) : 1,
      code: kind === 'close' ? countOf(fields.get('code'), 'The close code', 0, 65535) : 0,
      key: fields.get('role') === 'client' ? keyOf(String(fields.get('key'))) : new Uint8Array(4),
      compress: isData && fields.has('compress'),
    };
  }
}

/** @param {unknown} value @param {string} what @param {number} least @param {number} most */
function countOf(value, what, least, most) {
  const count = Number(value);
  if (String(value).trim() && Number.isInteger(count) && count >= least && count <= most) return count;
  throw new ReadError(`${what} is '${value}', but must be a whole number from ${least} to ${most}.`);
}

/** @param {string} text @returns {Uint8Array} */
function keyOf(text) {
  const digits = text.replaceAll(' ', '');
  if (!/^[0-9a-f]{8}$/i.test(digits)) throw new ReadError(`The masking key is '${text}', but must be 8 hex digits (four bytes).`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** What a sender of all of them writes. @param {'client' | 'server'} role @param {Typed[]} messages @param {string} extensions */
function send(role, messages, extensions) {
  /** @type {Uint8Array} */
  let key = new Uint8Array(4);
  const connection = new Connection(role, { extensions, compressionThreshold: 0, ...(role === 'client' && { maskingKey: () => key }) });
  const parts = [];
  for (const message of messages) {
    key = message.key;
    sendOne(connection, message);
    parts.push(connection.takeOutput());
  }
  connection.free();
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

/** @param {Connection} connection @param {Typed} message */
function sendOne(connection, { kind, content, fragments, code, compress }) {
  /** @returns {Uint8Array} */
  const bytes = () => (content.trim() ? readText(content).bytes : new Uint8Array());
  if (kind === 'close') return connection.close(code, content);
  if (kind === 'ping') return connection.ping(bytes());
  if (kind === 'pong') return connection.pong(bytes());
  const whole = kind === 'text' ? new TextEncoder().encode(content) : bytes();
  for (let part = 0; part < fragments; part += 1) {
    const piece = whole.subarray(Math.round((part * whole.length) / fragments), Math.round(((part + 1) * whole.length) / fragments));
    const options = { fin: part === fragments - 1, compress };
    if (kind === 'text') connection.sendTextFragment(piece, options);
    else connection.sendBinaryFragment(piece, options);
  }
}
