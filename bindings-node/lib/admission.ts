// Whether a valid request becomes a connection: the server's hooks, one after the other, for every driver alike.

import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { DeflateAgreement } from '../native.js';
import { Compression } from './deflate.js';
import { Opening } from './opening.js';
import { listHeaders, wrong } from './options.js';
import type { Listener, Transport } from './transport.js';
import type { WebSocketServer } from './server.js';
import { peerOf, type WebSocket } from './websocket.js';

/** A valid request, however it came. */
export interface Candidate {
  request: IncomingMessage;
  /** What has the addresses of both ends. */
  carrier: object;
  subprotocols: readonly string[];
  /** Whether the client is still there. */
  isAlive(): boolean;
  /** The lines of the response with this subprotocol. */
  preview(subprotocol: string | undefined): string[];
  /** Accepts, or throws if what is to be sent can't be. */
  accept(subprotocol: string | undefined, rawHeaders: string[]): Accepted;
  refuse(status: number, rawHeaders: string[], body: string): void;
  /** The client is gone, or what the server's owner does can't be: nothing is answered. */
  drop(): void;
}

export interface Accepted {
  make: (listener: Listener) => Transport;
  /** The compression that was agreed on. */
  deflate: DeflateAgreement | null | undefined;
}

/** What `verifyClient` is told. */
export interface VerifyClientInfo<R = IncomingMessage> {
  /** The Origin header; it is not there unless a browser or a careful client asks. */
  origin: string;
  secure: boolean;
  req: R;
}

export type VerifyClientSync<R = IncomingMessage> = (info: VerifyClientInfo<R>) => boolean;

export type VerifyClientAsync<R = IncomingMessage> = (
  info: VerifyClientInfo<R>,
  callback: (verified: boolean, code?: number, message?: string, headers?: OutgoingHttpHeaders) => void,
) => void;

export type VerifyClient<R = IncomingMessage> = VerifyClientSync<R> | VerifyClientAsync<R>;

/** Asks the server's hooks; `opened` is called if all agree. */
export function admit(
  server: WebSocketServer,
  candidate: Candidate,
  opened: (websocket: WebSocket, request: IncomingMessage) => void,
): void {
  const { request } = candidate;
  if (!server.shouldHandle(request)) return refuse(candidate, 400);
  const { verifyClient } = server.options;
  if (!verifyClient) return complete(server, candidate, opened);

  const socket = request.socket as { encrypted?: boolean; authorized?: boolean };
  const info = {
    origin: request.headers.origin as string,
    secure: Boolean(socket.encrypted || socket.authorized),
    req: request,
  };
  if (verifyClient.length < 2) {
    if ((verifyClient as (info: VerifyClientInfo) => boolean)(info)) complete(server, candidate, opened);
    else refuse(candidate, 401);
    return;
  }
  let answered = false;
  verifyClient(info, (verified, code = 401, message, headers) => {
    if (answered) return;
    answered = true;
    if (verified) complete(server, candidate, opened);
    else refuse(candidate, code, message, headers);
  });
}

function refuse(candidate: Candidate, status: number, message?: string, headers?: OutgoingHttpHeaders): void {
  candidate.refuse(status, listHeaders(headers), message ?? STATUS_CODES[status] ?? '');
}

function complete(
  server: WebSocketServer,
  candidate: Candidate,
  opened: (websocket: WebSocket, request: IncomingMessage) => void,
): void {
  if (!candidate.isAlive()) return candidate.drop();
  if (!server.isRunning) return refuse(candidate, 503);
  let accepted: Accepted;
  let subprotocol: string | undefined;
  try {
    subprotocol = chooseSubprotocol(server, candidate);
    accepted = candidate.accept(subprotocol, addedHeaders(server, candidate, subprotocol));
  } catch (error) {
    // A hook threw, or gave what can't be sent: whoever called hears it, and the client does not wait for ever.
    refuse(candidate, 500);
    throw error;
  }
  const { options } = server;
  const websocket = new options.WebSocket(null, undefined, options);
  server.track(websocket);
  const peer = peerOf(websocket);
  peer.habits = server.habits;
  const { url, rawHeaders } = candidate.request;
  peer.opening = new Opening(candidate.carrier, { url, rawHeaders });
  peer.open(accepted.make, subprotocol, Compression.of(accepted.deflate, 'server', server.threshold));
  opened(websocket, candidate.request);
}

function chooseSubprotocol(server: WebSocketServer, { subprotocols, request }: Candidate): string | undefined {
  if (subprotocols.length === 0) return undefined;
  const { handleProtocols } = server.options;
  const chosen = handleProtocols ? handleProtocols(new Set(subprotocols), request) : subprotocols[0];
  if (chosen === undefined || chosen === false || chosen === '') return undefined;
  if (typeof chosen !== 'string') throw wrong('What handleProtocols returned', chosen, 'a subprotocol or false');
  return chosen;
}

/** The lines that listeners of 'headers' put behind those of the response. */
function addedHeaders(server: WebSocketServer, candidate: Candidate, subprotocol: string | undefined): string[] {
  if (server.listenerCount('headers') === 0) return [];
  const given = candidate.preview(subprotocol);
  const lines = [...given];
  server.emit('headers', lines, candidate.request);
  return lines
    .filter((line) => !given.includes(line))
    .flatMap((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1).trim()];
    });
}
