// The peer Bun, as server and as client.

import { echo } from './echo.mjs';
import { authority, certificate, idOf, key, live, say } from './life.mjs';

/** Bun's server has one set of functions for all its connections; each gets an object with the API of browsers. */
class Served {
  constructor(socket, protocol) {
    this.socket = socket;
    this.protocol = protocol;
    this.extensions = undefined; // Bun does not tell
  }
  send(data) {
    this.socket.send(data, true);
  }
  close(...args) {
    this.socket.close(...args);
  }
}

const abilities = {
  drop: ({ socket }) => socket.terminate(),
  ping({ socket }) {
    socket.data.ponged = () => socket.send('ponged');
    socket.ping('from Bun');
  },
};

const serve = (tls) => Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  tls,
  fetch(request, server) {
    // As most servers of Bun are: it agrees to the first that is asked for.
    const protocol = request.headers.get('sec-websocket-protocol')?.split(',')[0];
    const headers = protocol ? { 'Sec-WebSocket-Protocol': protocol } : {};
    const data = { id: idOf(request.url), protocol, headers: Object.fromEntries(request.headers) };
    return server.upgrade(request, { data, headers }) ? undefined : new Response('not a handshake', { status: 400 });
  },
  websocket: {
    perMessageDeflate: true,
    maxPayloadLength: 4 << 20,
    async open(socket) {
      const { id, headers, protocol } = socket.data;
      socket.data.ws = new Served(socket, protocol ?? '');
      say({ id, headers, ...(await echo(socket.data.ws, abilities)) });
    },
    message({ data }, message) {
      data.ws.onmessage({ data: message });
    },
    pong({ data }) {
      data.ponged?.();
    },
    close({ data }, code, reason) {
      data.ws.onclose({ code, reason, wasClean: code !== 1006 });
    },
  },
}); // prettier-ignore

const plain = serve();
const secure = serve({ cert: Bun.file(certificate), key: Bun.file(key) });
say({ ws: `ws://127.0.0.1:${plain.port}`, wss: `wss://127.0.0.1:${secure.port}` });

const tls = { ca: await Bun.file(authority).text() };
await live(({ url, protocols, headers }) => echo(new WebSocket(url, { protocols, headers, tls }), {
  drop: (ws) => ws.terminate(),
  ping(ws) {
    ws.addEventListener('pong', () => ws.send('ponged'), { once: true });
    ws.ping('from Bun');
  },
})); // prettier-ignore
