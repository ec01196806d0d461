// This package's clients: each API over each transport, plain and over TLS.

import { WebSocket } from 'itoden';
import * as whatwg from 'itoden/whatwg';
import { WHATWG, WS, whatwgEnd, wsEnd } from './ends.mjs';

const wsClient = (fixed) => (url, protocols, options) => wsEnd(new WebSocket(url, protocols, { ...options, ...fixed }));
const whatwgClient = (fixed) => (url, protocols, { headers, ca }) => {
  const node = { headers, ...fixed, ...(url.startsWith('wss:') ? { ca } : {}) };
  return whatwgEnd(new whatwg.WebSocket(url, { protocols, node }));
};

export const clients = {
  'a native WebSocket': { scheme: 'ws', deflate: true, own: WS, connect: (url, protocols, { headers }) => wsEnd(new WebSocket(url, protocols, { headers, transport: 'native' })) },
  "a WebSocket over Node's http": { scheme: 'ws', deflate: true, own: WS, connect: wsClient({ transport: 'stream' }) },
  'a WebSocket over TLS, uncompressed': { scheme: 'wss', deflate: false, own: WS, connect: wsClient({ perMessageDeflate: false }) },
  'a WebSocket as in browsers': { scheme: 'ws', deflate: true, own: WHATWG, connect: whatwgClient({}) },
  'a WebSocket as in browsers over TLS': { scheme: 'wss', deflate: true, own: WHATWG, connect: whatwgClient({}) },
};
