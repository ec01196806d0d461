// A client over the stream driver: Node's `http` or `https` connects and carries the handshake, which the core checks.

import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import { border } from './border.js';
import { type Dial, missingSubprotocol } from './client.js';
import { Compression } from './deflate.js';
import { guarded } from './errors.js';
import { unexpectedStatus } from './native-client.js';
import { Opening } from './opening.js';
import { LONGEST } from './options.js';
import type { Attempt } from './peer.js';
import { follow } from './redirect.js';
import { StreamTransport } from './stream-transport.js';
import type { Listener } from './transport.js';
import { isSecure, isUnix, splitUnixPath, targetOf } from './url.js';
import type { WebSocket } from './websocket.js';

/** Options of ours, which `http.request` shall not see. */
const OWN_OPTIONS: readonly string[] = [
  'headers', 'origin', 'protocolVersion', 'protocols', 'handshakeTimeout', 'transport', 'finishRequest', 'generateMask',
  'maxPayload', 'maxFragments', 'closeTimeout', 'autoPong', 'maxPendingAutoPongs',
  'perMessageDeflate', 'allowSynchronousEvents', 'skipUTF8Validation', 'followRedirects', 'maxRedirects', 'maxBufferedChunks',
  'pingInterval', 'pingTimeout', 'idleTimeout', 'highWaterMark', 'signal',
  'auth', 'protocol', 'timeout', 'method', 'host', 'hostname', 'path', 'port', 'socketPath',
]; // prettier-ignore

class StreamClient implements Attempt {
  readonly #dial: Dial;
  readonly #request: http.ClientRequest;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(dial: Dial) {
    this.#dial = dial;
    this.#request = makeRequest(dial);
    this.#request.on('upgrade', (response, socket, head) => this.#upgrade(response, socket, head));
    this.#request.on('response', (response) => this.#respond(response));
    this.#request.on('error', (error) => this.#fail(error));
  }

  start(): void {
    const { handshakeTimeout, options, peer, trail, url } = this.#dial;
    if (handshakeTimeout) {
      const limit = Math.min(handshakeTimeout, LONGEST);
      this.#timer = setTimeout(() => this.#fail(new Error('Opening handshake has timed out')), limit);
    }
    if (trail?.changed) peer.emitter.emit('redirect', url.href, this.#request);
    if (options.finishRequest) options.finishRequest(this.#request, peer.emitter as unknown as WebSocket);
    else this.#request.end();
  }

  abort(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#request.destroy();
    // Not every request takes its socket with it once it is answered.
    this.#request.socket?.destroy();
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.abort();
    this.#dial.peer.fail(error);
  }

  #respond(response: http.IncomingMessage): void {
    if (this.#over) return void response.destroy();
    clearTimeout(this.#timer);
    const { statusCode = 0, headers } = response;
    const { peer, trail } = this.#dial;
    if (trail && statusCode >= 300 && statusCode < 400 && headers.location) return this.#redirect(headers.location);
    // Whoever listens has taken over the request and the response, and closes the WebSocket when he is done.
    if (peer.emitter.emit('unexpected-response', this.#request, response)) return;
    this.#fail(unexpectedStatus(statusCode));
  }

  #redirect(location: string): void {
    const { peer, trail } = this.#dial;
    this.abort();
    let next: Dial;
    try {
      next = follow(this.#dial, trail!, location);
    } catch (error) {
      return peer.fail(error as Error);
    }
    dialStream(next);
  }

  #upgrade(response: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const { peer, upgrade, config, options, threshold } = this.#dial;
    if (this.#over) return void socket.destroy();
    socket.on('error', () => socket.destroy());
    this.#dial.upgraded(response);
    // The listener may have given up.
    if (this.#over) return void socket.destroy();
    const { statusCode = 0, httpVersionMinor, rawHeaders } = response;
    const { generateMask } = options;
    let opened: ReturnType<typeof border.hub.openStream>;
    try {
      const supplied = generateMask !== undefined;
      opened = guarded(() => border.hub.openStream(upgrade, statusCode, httpVersionMinor, rawHeaders, config, supplied));
    } catch (error) {
      socket.destroy();
      return this.#fail(error as Error);
    }
    const missing = missingSubprotocol(this.#dial, opened.subprotocol);
    if (missing) {
      border.release(opened.id);
      socket.destroy();
      return this.#fail(missing);
    }
    this.#over = true;
    clearTimeout(this.#timer);
    const compression = Compression.of(opened.deflate, 'client', threshold);
    const make = (listener: Listener): StreamTransport =>
      new StreamTransport(opened.id, listener, socket, head, generateMask);
    peer.opening = new Opening(socket, response);
    peer.open(make, opened.subprotocol, compression);
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
  // The frames of that draft are those of RFC 6455; only the number is another.
  if (options.protocolVersion === 8) headers['Sec-WebSocket-Version'] = '8';
  // A socket of its own, since it stays with the WebSocket; an agent would keep Node from asking createConnection.
  const own = options.createConnection ? {} : { agent: false as const };
  const common = { ...own, ...passed, method: 'GET', headers, setHost: false, path: targetOf(url) };
  const request = isSecure(url) ? https.request : http.request;
  if (isUnix(url)) return request({ ...common, socketPath: splitUnixPath(url).socketPath });
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  if (!isSecure(url)) return request({ ...common, host, port: url.port || 80 });
  const servername = net.isIP(host) ? '' : host;
  return https.request({ servername, ...common, host, port: url.port || 443 });
}

/** Connects. What Node's `http` does not take, as an agent that is none, is told as an error of the WebSocket. */
export function dialStream(dial: Dial): void {
  const { peer } = dial;
  let client: StreamClient;
  try {
    client = new StreamClient(dial);
  } catch (error) {
    return peer.fail(error as Error);
  }
  peer.attempt = client;
  client.start();
}
