// @ts-check
// The opening handshake of a capture: the two heads, and what the core says of them.

import { ClientHandshake, HandshakeError, ServerHandshake } from 'itoden-wasm/handshake';

/** @typedef {import('itoden-wasm/handshake').UpgradeRequest} UpgradeRequest */
/** @typedef {{ text: string, section: string }} Problem */

/** A head is no longer than this; what is longer is no head. */
export const LONGEST_HEAD = 64 << 10;
const latin1 = new TextDecoder('latin1');

/** Whether bytes begin as a request or an answer does, as far as there are any. @param {Uint8Array} bytes */
export function mayBeHead(bytes) {
  return ['GET /', 'GET h', 'HTTP/1.'].some((start) => {
    const shown = latin1.decode(bytes.subarray(0, start.length));
    return shown.length > 0 && start.startsWith(shown);
  });
}

/** Where the head ends that these bytes begin with; undefined if it doesn't yet. @param {Uint8Array} bytes @param {number} [from] */
export function endOfHead(bytes, from = 0) {
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (at >= 3 && bytes[at - 1] === 13 && bytes[at - 2] === 10 && bytes[at - 3] === 13) return at + 1;
  }
  return undefined;
}

/** What is known of a connection's opening. */
export class Opening {
  /** @type {string | undefined} the head as it came */
  request;
  /** @type {string | undefined} */
  response;
  /** @type {Problem[]} what the core has against them */
  problems = [];
  /** What both agreed on, as a `Connection` takes it. */
  extensions = '';
  subprotocol = '';
  /** Whether the answer opens a WebSocket, or might: so whether frames follow. */
  opened = false;
  /** @type {UpgradeRequest | undefined} */
  #asked;

  /** @param {Uint8Array} head */
  takeRequest(head) {
    this.request = latin1.decode(head);
    this.#judge(() => (this.#asked = new ServerHandshake({ maxHeadSize: LONGEST_HEAD }).receive(head) ?? undefined));
  }

  /** @param {Uint8Array} head @returns {boolean} whether it was the answer; another follows one that is interim (1xx) */
  takeResponse(head) {
    this.response = latin1.decode(head);
    this.opened = /^HTTP\/1\.\d 101\b/.test(this.response);
    // Without a request, or against a bad one, an answer can't be judged; what it says is taken as it is.
    this.extensions = headerOf(this.response, 'sec-websocket-extensions');
    this.subprotocol = headerOf(this.response, 'sec-websocket-protocol');
    const asked = this.#asked;
    if (!asked) return true;
    let isFinal = true;
    this.#judge(() => {
      const client = repeated(asked);
      isFinal = client.receive(head) !== null;
      if (isFinal) Object.assign(this, client.open());
    });
    return isFinal;
  }

  /** Heads that a HAR file has as lists. @param {string} request @param {string} response */
  static fromText(request, response) {
    const opening = new Opening();
    const bytes = (/** @type {string} */ text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
    opening.takeRequest(bytes(request));
    opening.takeResponse(bytes(response));
    return opening;
  }

  /** @param {() => void} action */
  #judge(action) {
    try {
      action();
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      this.problems.push({ text: error.message, section: error.section });
    }
  }
}

/** The client that asked so: with its key, for the core to compare the answer with. @param {UpgradeRequest} asked */
function repeated({ host, path, subprotocols, headers }) {
  const value = (/** @type {string} */ wanted) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '';
  const nonce = Uint8Array.from(atob(value('sec-websocket-key')), (character) => character.charCodeAt(0));
  const deflate = /permessage-deflate/i.test(value('sec-websocket-extensions'));
  return new ClientHandshake({ host, path, subprotocols, deflate, nonce, maxHeadSize: LONGEST_HEAD });
}

/** @param {string} head @param {string} wanted in lower case */
function headerOf(head, wanted) {
  const values = head.split('\r\n').flatMap((line) => {
    const [name = '', ...rest] = line.split(':');
    return name.toLowerCase() === wanted ? [rest.join(':').trim()] : [];
  });
  return values.join(', ');
}
