// WebSocket over a TCP socket of Node's with nothing but itoden-wasm: the handshake and the session run in WebAssembly.
import { createConnection } from 'node:net';
import { Duplex } from 'node:stream';
import { WebSocketSession } from 'itoden-wasm/deflate';
import { ClientHandshake, ServerHandshake } from 'itoden-wasm/handshake';

/** Every message is compressed, short ones too, where the peer agrees to it. */
const options = { compressionThreshold: 0 };

/** Gives `handshake` what the socket brings until it has what it waits for. */
function answered(socket, handshake) {
  return new Promise((resolve, reject) => {
    const take = (chunk) => {
      try {
        const head = handshake.receive(chunk);
        if (!head) return;
        // What comes from now on is the session's, behind what came with the head.
        socket.pause();
        socket.off('data', take);
        socket.off('close', lost);
        if (head.rest.length > 0) socket.unshift(head.rest);
        resolve(head);
      } catch (error) {
        reject(error);
      }
    };
    const lost = () => reject(new Error('the socket was closed during the handshake'));
    socket.on('data', take).once('close', lost);
  });
}

function session(socket, agreed, role) {
  const made = new WebSocketSession({ ...Duplex.toWeb(socket), ...agreed }, { ...options, role });
  made.binaryType = 'arraybuffer';
  return made;
}

/** The server's end of a connection, which agrees on compression if it is offered. */
export async function accept(socket) {
  const handshake = new ServerHandshake();
  await answered(socket, handshake);
  const { bytes, ...agreed } = handshake.accept({ deflate: true });
  handshake.free();
  socket.write(bytes);
  return session(socket, agreed, 'server');
}

/** A client's connection to `ws://host:port/path`. */
export async function connect(host, port, path) {
  // The peer may end its side first; the session then ends this one.
  const socket = createConnection({ host, port, allowHalfOpen: true, noDelay: true });
  const handshake = new ClientHandshake({ host: `${host}:${port}`, path, deflate: true });
  socket.on('error', () => {});
  socket.write(handshake.request);
  await answered(socket, handshake);
  const agreed = handshake.open();
  handshake.free();
  return session(socket, agreed, 'client');
}

/** Sends every message back. */
export function echo(session) {
  session.onmessage = ({ data }) => session.send(data);
  return session;
}
