// The server under test of the Autobahn suite, in Node: `wstest -m fuzzingclient`.
//
//   node autobahn_server.mjs 127.0.0.1:9001 native    the addon owns the sockets
//   node autobahn_server.mjs 127.0.0.1:9001 stream    Node's http server owns them and hands them over
import { createServer } from 'node:http';
import { WebSocketServer } from 'itoden';

const [address, driver] = process.argv.slice(2);
const [host, port] = address.split(':');

/** For clients that offer it, every message is compressed, short ones too. */
const perMessageDeflate = { threshold: 0 };

/** @type {Record<string, () => WebSocketServer>} */
const servers = {
  native: () => new WebSocketServer({ host, port: Number(port), perMessageDeflate }),
  stream() {
    const server = createServer();
    const wss = new WebSocketServer({ server, perMessageDeflate });
    server.listen(Number(port), host);
    return wss;
  },
};
if (!servers[driver]) throw new Error(`'${driver}' is no driver; there are ${Object.keys(servers).join(' and ')}`);

servers[driver]().on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  // Most cases break the protocol: the connection fails, as it must, and nothing more is to be done here.
  socket.on('error', () => {});
});
