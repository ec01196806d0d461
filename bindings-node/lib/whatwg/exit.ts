// "Make disappear": what an open connection for which nobody listens is told when the process ends.

import type { Peer } from '../peer.js';

/** Milliseconds that servers have to answer; the process ends after them in any case. */
const PATIENCE = 1000;

/** Open connections that don't keep the process alive. */
const idle = new Set<Peer>();

export function disappearAtExit(peer: Peer, yes: boolean): void {
  if (!yes) {
    idle.delete(peer);
    if (idle.size === 0) process.off('beforeExit', disappear);
  } else {
    if (idle.size === 0) process.once('beforeExit', disappear);
    idle.add(peer);
  }
}

/** "Start the WebSocket closing handshake, with the status code to use in the WebSocket Close message being 1001." */
function disappear(): void {
  for (const peer of [...idle]) {
    disappearAtExit(peer, false);
    peer.transport?.keepAlive(true);
    peer.close(1001, '');
    setTimeout(() => peer.terminate(), PATIENCE).unref();
  }
}
