// A server over the stream driver: a request that Node's `http` has parsed, and the socket that it came on.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { native } from './addon.js';
import { admit, type Candidate } from './admission.js';
import { border } from './border.js';
import { fromRecord, guarded } from './errors.js';
import type { WebSocketServer } from './server.js';
import { StreamTransport } from './stream-transport.js';
import type { WebSocket } from './websocket.js';

/** Sockets that carry a WebSocket. */
const taken = new WeakSet<Duplex>();

export function handleUpgrade(
  server: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
  opened: (websocket: WebSocket, request: IncomingMessage) => void,
): void {
  const destroy = (): void => void socket.destroy();
  socket.on('error', destroy);
  const { method = '', url = '', httpVersionMinor, rawHeaders } = request;
  const upgrade = new native.UpgradeRequest(method, url, httpVersionMinor, rawHeaders);
  const { error } = upgrade;
  if (error) {
    if (server.listenerCount('wsClientError') > 0) server.emit('wsClientError', fromRecord(error), socket, request);
    else endWith(socket, error.response);
    return;
  }
  const candidate: Candidate = {
    request,
    carrier: 'remoteAddress' in socket || 'session' in socket ? socket : (request.socket ?? socket),
    subprotocols: upgrade.subprotocols,
    isAlive: () => socket.readable && socket.writable,
    preview: (subprotocol) => guarded(() => upgrade.preview(subprotocol ?? null, server.config)),
    accept: (subprotocol, rawHeaders) => {
      if (taken.has(socket)) {
        throw new Error('server.handleUpgrade() was called more than once with the same socket; is there a second server?');
      }
      const { config } = server;
      const { id, response, deflate } = guarded(() => border.hub.acceptStream(upgrade, subprotocol ?? null, rawHeaders, config));
      taken.add(socket);
      socket.write(response!);
      socket.removeListener('error', destroy);
      return { make: (listener) => new StreamTransport(id, listener, socket, head), deflate };
    },
    refuse: (status, rawHeaders, body) => {
      // A socket that carries a WebSocket already is not to be answered on.
      if (!taken.has(socket)) endWith(socket, guarded(() => native.refusal(status, rawHeaders, body)));
    },
    drop: destroy,
  };
  admit(server, candidate, opened);
}

function endWith(socket: Duplex, bytes: Uint8Array): void {
  socket.once('finish', () => socket.destroy());
  socket.end(bytes);
}
