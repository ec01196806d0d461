// Members of a WebSocket that ws does not have, and where each comes from.

import type { Peer } from './peer.js';

export const BEYOND = {
  handshake: ({ opening }) => opening?.handshake,
  remoteAddress: ({ opening }) => opening?.carrier.remoteAddress,
  remotePort: ({ opening }) => opening?.carrier.remotePort,
  remoteFamily: ({ opening }) => opening?.carrier.remoteFamily,
  localAddress: ({ opening }) => opening?.localAddress,
  localPort: ({ opening }) => opening?.localPort,
  encrypted: ({ opening }) => opening?.carrier.encrypted ?? false,
  authorized: ({ opening }) => opening?.carrier.authorized ?? false,
  latency: ({ latency }) => latency,
  writableNeedDrain: ({ needsDrain }) => needsDrain,
  closeCode: ({ end }) => end?.code,
  closeReason: ({ end }) => end?.reason,
} satisfies Record<string, (peer: Peer) => unknown>;
