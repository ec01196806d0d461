// The server of the scenarios: what it does depends on the path. It writes its frames byte by byte, so that it can break
// every rule, and it shares no code with what is tested.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** A frame of a server. @param {number} first @param {Uint8Array} [payload] */
function frame(first, payload = new Uint8Array()) {
  const { length } = payload;
  const head = length < 126 ? [first, length] : length < 65536 ? [first, 126, length >> 8, length & 255] : undefined;
  if (head) return Buffer.concat([Buffer.from(head), payload]);
  const long = Buffer.from([first, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  long.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([long, payload]);
}

/** @param {string | Uint8Array} data */
const message = (data) => (typeof data === 'string' ? frame(0x81, Buffer.from(data)) : frame(0x82, data));

/** @param {number} [code] @param {string} [reason] */
function closeFrame(code, reason = '') {
  if (code === undefined) return frame(0x88);
  return frame(0x88, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
}

/** Calls `onMessage` for each control frame and each whole message of a client. @param {import('node:stream').Duplex} socket @param {(opcode: number, payload: Buffer) => void} onMessage */
function readMessages(socket, onMessage) {
  let bytes = Buffer.alloc(0);
  /** @type {Buffer[]} */
  let parts = [];
  let opcode = 0;
  const onFrame = (/** @type {number} */ first, /** @type {Buffer} */ payload) => {
    if (first & 8) return onMessage(first & 15, payload);
    if (first & 15) opcode = first & 15;
    parts.push(payload);
    if (!(first & 128)) return;
    onMessage(opcode, Buffer.concat(parts));
    parts = [];
  };
  socket.on('data', (/** @type {Buffer} */ chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      if (bytes.length < 2) return;
      const short = bytes[1] & 127;
      const headLength = 6 + (short === 126 ? 2 : short === 127 ? 8 : 0);
      if (bytes.length < headLength) return;
      const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
      if (bytes.length < headLength + length) return;
      const key = bytes.subarray(headLength - 4, headLength);
      const payload = Buffer.from(bytes.subarray(headLength, headLength + length));
      for (let index = 0; index < length; index += 1) payload[index] ^= key[index % 4];
      const first = bytes[0];
      bytes = bytes.subarray(headLength + length);
      onFrame(first, payload);
    }
  });
}

/** @typedef {{ socket: import('node:stream').Duplex, query: URLSearchParams, write: (...frames: Uint8Array[]) => void }} Client */

/** What is done once the handshake is done. @type {Record<string, (client: Client) => void>} */
const behaviours = {
  echo: (client) => answer(client),
  /** Says what was asked, in one write, then answers as usual. */
  say(client) {
    const { query, socket, write } = client;
    const frames = query.getAll('text').map((text) => message(text));
    for (const hex of query.getAll('binary')) frames.push(message(Buffer.from(hex, 'hex')));
    for (const hex of query.getAll('raw')) frames.push(Buffer.from(hex, 'hex'));
    const code = query.get('code');
    const closing = query.has('close');
    if (closing) frames.push(code === null ? closeFrame() : closeFrame(Number(code), query.get('reason') ?? ''));
    answer(client, closing);
    if (frames.length > 0) write(...frames);
    if (query.has('end')) socket.end();
    if (query.has('drop')) socket.destroy();
  },
  /** Sends raw bytes when a message comes. */
  then({ query, socket, write }) {
    readMessages(socket, (opcode) => {
      if (opcode === 8) socket.end();
      else write(Buffer.from(query.get('raw') ?? '', 'hex'));
    });
  },
  /** Answers a Close frame with another one. */
  contradict({ socket, query, write }) {
    readMessages(socket, (opcode) => {
      if (opcode !== 8) return;
      write(closeFrame(Number(query.get('code')), query.get('reason') ?? ''));
      socket.end();
    });
  },
  /** Answers a Close frame with messages first, which are on their way when the client has already closed. */
  last({ socket, write }) {
    readMessages(socket, (opcode, payload) => {
      if (opcode !== 8) return;
      write(message('a'), message(Uint8Array.of(1, 2)), message('b'), frame(0x88, payload));
      socket.end();
    });
  },
  /** Ends the transport when a Close frame comes, without an answer. */
  rude({ socket }) {
    readMessages(socket, (opcode) => opcode === 8 && socket.destroy());
  },
  /** Sends messages for ever, as fast as they are taken; counts them for `/told/NAME`. */
  flood({ socket, query, write }) {
    const size = Number(query.get('size'));
    const one = message(new Uint8Array(size));
    let sent = 0;
    const more = () => {
      while (!socket.destroyed && !socket.writableEnded && socket.writableLength < size) {
        write(one);
        sent += 1;
        told.set(query.get('name') ?? '', String(sent));
      }
    };
    socket.on('drain', more);
    readMessages(socket, (opcode, payload) => {
      if (opcode !== 8) return;
      socket.off('drain', more);
      write(frame(0x88, payload));
      socket.end();
    });
    more();
  },
  /** Reads nothing until it is released. */
  deaf(client) {
    client.socket.pause();
    waiting.set(client.query.get('name') ?? '', () => {
      answer(client);
      client.socket.resume();
    });
  },
};

/** Sends messages back and answers Close frames. @param {Client} client */
function answer({ query, socket, write }, closing = false) {
  readMessages(socket, (opcode, payload) => {
    if (opcode === 1 || opcode === 2) write(frame(0x80 | opcode, payload));
    else if (opcode === 9) write(frame(0x8a, payload));
    else if (opcode === 8) {
      told.set(query.get('name') ?? '', payload.toString('hex'));
      if (!closing) write(frame(0x88, payload));
      socket.end();
    }
  });
}

/** What `/told/NAME` answers: the body of the Close frame that came. @type {Map<string, string>} */
const told = new Map();

/** Handshakes and deaf connections that wait for `/release/NAME`. @type {Map<string, () => void>} */
const waiting = new Map();

/** What of a handshake is answered wrongly, by the query's `wrong`. @type {Record<string, (headers: Record<string, string>) => void>} */
const mistakes = {
  accept: (headers) => void (headers['Sec-WebSocket-Accept'] = 'AAAAAAAAAAAAAAAAAAAAAAAAAAA='),
  'no-accept': (headers) => void delete headers['Sec-WebSocket-Accept'],
  'no-upgrade': (headers) => void delete headers['Upgrade'],
  upgrade: (headers) => void (headers['Upgrade'] = 'h2c'),
  'no-connection': (headers) => void delete headers['Connection'],
  extension: (headers) => void (headers['Sec-WebSocket-Extensions'] = 'x-unasked'),
};

/**
 * Starts it on a port of the system's choice.
 * @param {Record<string, string>} [files] what else it serves: paths and the files' names
 */
export async function startScenarioServer(files = {}) {
  /** By name: handshakes that are not answered yet, and the most that there were at a time. @type {Map<string, { now: number, most: number }>} */
  const pendings = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname in files) {
      const type = pathname.endsWith('.mjs') ? 'text/javascript' : 'text/html';
      response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(readFileSync(files[pathname]));
    } else if (pathname.startsWith('/release/')) {
      const name = decodeURIComponent(pathname.slice('/release/'.length));
      waiting.get(name)?.();
      waiting.delete(name);
      response.end();
    } else if (pathname.startsWith('/told/')) {
      response.end(told.get(decodeURIComponent(pathname.slice('/told/'.length))) ?? '');
    } else if (pathname.startsWith('/most/')) {
      response.end(String(pendings.get(decodeURIComponent(pathname.slice('/most/'.length)))?.most));
    } else {
      response.writeHead(404).end();
    }
  });

  /** @type {Set<import('node:stream').Duplex>} */
  const sockets = new Set();
  server.on('upgrade', (request, socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    const url = new URL(request.url ?? '/', 'http://localhost');
    const query = url.searchParams;
    const status = query.get('status');
    if (status) {
      const location = query.has('location') ? 'Location: /echo\r\n' : '';
      return void socket.end(`HTTP/1.1 ${status} Some Status\r\n${location}Content-Length: 0\r\n\r\n`);
    }
    /** @type {Record<string, string>} */
    const headers = {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Accept': createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64'),
    };
    if (query.has('pick')) headers['Sec-WebSocket-Protocol'] = query.get('pick') ?? '';
    mistakes[query.get('wrong') ?? '']?.(headers);
    const open = () => {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      const write = (/** @type {Uint8Array[]} */ ...frames) => void socket.write(Buffer.concat(frames));
      behaviours[url.pathname.slice(1)]?.({ socket, query, write });
    };
    const name = query.get('wait');
    if (name === null) return open();
    const key = query.get('name') ?? '';
    const pending = pendings.get(key) ?? { now: 0, most: 0 };
    pendings.set(key, pending);
    pending.now += 1;
    pending.most = Math.max(pending.most, pending.now);
    let over = false;
    const leave = () => {
      if (!over) pending.now -= 1;
      over = true;
    };
    socket.once('close', leave);
    if (name !== 'a-moment') return void waiting.set(name, () => (leave(), open()));
    // Long enough for others to come, if they are let.
    setTimeout(() => (leave(), open()), 20);
  });

  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    origin: `http://127.0.0.1:${address.port}`,
    url: `ws://127.0.0.1:${address.port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
    },
  };
}
