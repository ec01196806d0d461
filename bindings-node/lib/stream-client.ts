// A client over the stream driver: Node's `http` or `https` connects and carries the handshake, which the core checks.

import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { border } from './border.js';
import { type Dial, splitUnixPath } from './client.js';
import { guarded } from './errors.js';
import { unexpectedStatus } from './native-client.js';
import type { Attempt } from './peer.js';
import { StreamTransport } from './stream-transport.js';

/** Options of ours, which `http.request` shall not see. */
const OWN_OPTIONS: readonly string[] = [
  'headers', 'origin', 'protocolVersion', 'protocols', 'handshakeTimeout', 'transport', 'finishRequest',
  'maxPayload', 'maxFragments', 'closeTimeout', 'autoPong',
  'perMessageDeflate', 'allowSynchronousEvents', 'skipUTF8Validation', 'followRedirects', 'maxRedirects',
  'maxBufferedChunks', 'maxPendingAutoPongs',
  'auth', 'protocol', 'timeout', 'method', 'host', 'hostname', 'path', 'port', 'socketPath',
]; // prettier-ignore

class StreamClient implements Attempt {
  readonly #dial: Dial;
  readonly #request: http.ClientRequest;
  readonly #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(dial: Dial) {
    this.#dial = dial;
    const { handshakeTimeout, options, peer } = dial;
    this.#request = makeRequest(dial);
    this.#request.on('upgrade', (response, socket, head) => this.#upgrade(response, socket, head));
    this.#request.on('response', (response) => this.#respond(response));
    this.#request.on('error', (error) => this.#fail(error));
    if (handshakeTimeout) {
      this.#timer = setTimeout(() => this.#fail(new Error('Opening handshake has timed out')), handshakeTimeout);
    }
    if (options.finishRequest) options.finishRequest(this.#request, peer.emitter);
    else this.#request.end();
  }

  abort(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.destroy();
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.abort();
    this.#dial.peer.fail(error);
  }

  #respond(response: http.IncomingMessage): void {
    clearTimeout(this.#timer);
    // Whoever listens has taken over the request and the response, and closes the WebSocket when he is done.
    if (this.#dial.peer.emitter.emit('unexpected-response', this.#request, response)) return;
    this.#fail(unexpectedStatus(response.statusCode ?? 0));
  }

  #upgrade(response: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const { peer, upgrade, config } = this.#dial;
    if (this.#over) return void socket.destroy();
    socket.on('error', () => socket.destroy());
    this.#dial.upgraded(response);
    // The listener may have given up.
    if (this.#over) return void socket.destroy();
    const { statusCode = 0, httpVersionMinor, rawHeaders } = response;
    let opened: ReturnType<typeof border.hub.openStream>;
    try {
      opened = guarded(() => border.hub.openStream(upgrade, statusCode, httpVersionMinor, rawHeaders, config));
    } catch (error) {
      socket.destroy();
      return this.#fail(error as Error);
    }
    this.#over = true;
    clearTimeout(this.#timer);
    peer.open((listener) => new StreamTransport(opened.id, listener, socket, head), opened.subprotocol);
  }
}

function makeRequest({ url, upgrade, options }: Dial): http.ClientRequest {
  const passed = Object.fromEntries(Object.entries(options).filter(([name]) => !OWN_OPTIONS.includes(name)));
  const headers: Record<string, string | string[]> = {};
  const raw = upgrade.rawHeaders;
  for (let index = 0; index < raw.length; index += 2) {
    const [name, value] = [raw[index]!, raw[index + 1]!];
    headers[name] = name in headers ? [headers[name]!, value].flat() : value;
  }
  // A socket of its own, since it stays with the WebSocket; an agent would keep Node from asking createConnection.
  const own = options.createConnection ? {} : { agent: false as const };
  const common = { ...own, ...passed, method: 'GET', headers, setHost: false };
  if (url.protocol === 'ws+unix:') {
    const { socketPath, target } = splitUnixPath(url);
    return http.request({ ...common, socketPath, path: target });
  }
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  const path = `${url.pathname}${url.search}`;
  if (url.protocol === 'ws:') return http.request({ ...common, host, port: url.port || 80, path });
  const servername = net.isIP(host) ? '' : host;
  return https.request({ servername, ...common, host, port: url.port || 443, path });
}

export function dialStream(dial: Dial): Attempt {
  return new StreamClient(dial);
}
