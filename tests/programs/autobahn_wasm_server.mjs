// The server under test of the Autobahn suite, with the session in WebAssembly: `wstest -m fuzzingclient`.
//
//   node autobahn_wasm_server.mjs 127.0.0.1:9001
import { createServer } from 'node:net';
import { accept, echo } from './wasm_session.mjs';

const [host, port] = process.argv[2].split(':');
createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  // The suite tries whether anybody listens, and says nothing; and it breaks off connections.
  socket.on('error', () => {});
  accept(socket).then(echo, () => socket.destroy());
}).listen(Number(port), host);
