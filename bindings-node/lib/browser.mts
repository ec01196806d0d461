// import { WebSocket } from 'itoden', in a browser: the platform's own WebSocket. What only Node can do says so when used.

export * from './whatwg/browser.mjs';
export { WebSocket as default } from './whatwg/browser.mjs';

function notHere(name: string): never {
  throw new Error(`itoden: ${name} is for Node; a browser has WebSocket and, in Chromium, WebSocketStream`);
}

export class WebSocketServer {
  constructor() {
    notHere('WebSocketServer');
  }
}

export { WebSocketServer as Server };

export function createWebSocketStream(): never {
  return notHere('createWebSocketStream');
}

/** Nothing throws it here; it is for `instanceof` in code that runs on both sides. */
export class ItodenError extends Error {}
