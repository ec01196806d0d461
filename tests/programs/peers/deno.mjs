// The peer Deno, as server and as client.

import { echo } from './echo.mjs';
import { authority, certificate, idOf, key, live, say } from './life.mjs';

const serve = (tls) => Deno.serve({ hostname: '127.0.0.1', port: 0, onListen() {}, ...tls }, (request) => {
  // As most servers of Deno are: it agrees to the first that is asked for.
  const protocol = request.headers.get('sec-websocket-protocol')?.split(',')[0];
  // What belongs to the request can't be read any more once it is upgraded.
  const id = idOf(request.url);
  const headers = Object.fromEntries(request.headers);
  // What was agreed on, its object does not tell.
  // Without a limit for silence: Deno would ping by itself.
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol, idleTimeout: 0 });
  void echo(socket).then((report) => say({ id: id, headers, ...report, protocol: protocol ?? '' }));
  return response;
}); // prettier-ignore

const plain = serve({});
const secure = serve({ cert: Deno.readTextFileSync(certificate), key: Deno.readTextFileSync(key) });
say({ ws: `ws://127.0.0.1:${plain.addr.port}`, wss: `wss://127.0.0.1:${secure.addr.port}` });

const client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(authority)] });
await live(({ url, protocols, headers }) => echo(new WebSocket(url, { protocols, headers, client })));
