// @ts-check
// What the tests share: readings without pauses, captures made of a session, and a writer of packets.

import { Connection } from 'itoden-wasm/deflate';
import { ClientHandshake, ServerHandshake } from 'itoden-wasm/handshake';

export const anything = { sender: /** @type {const} */ ('any'), extensions: '', midstream: false };

/** Runs a reading to its end. @template T @param {Generator<unknown, T>} steps @returns {T} */
export function finished(steps) {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** @param {string} digits spaces are for readers */
export const unhex = (digits) => Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'));

/** @param {Uint8Array[]} parts */
export const concat = (parts) => Uint8Array.from(Buffer.concat(parts));

/** @param {string} text */
export const utf8 = (text) => new TextEncoder().encode(text);

/** Bytes that one end wrote. @typedef {{ from: 'client' | 'server', bytes: Uint8Array }} Piece */

/**
 * A whole session of two ends: the handshake, a compressed text, the same again, a fragmented one with a ping between, the
 * closing handshake.
 * @returns {Piece[]}
 */
export function recordSession() {
  /** @type {Piece[]} */
  const pieces = [];
  const asking = new ClientHandshake({ host: 'example.com', path: '/room', subprotocols: ['chat'], deflate: true });
  const answering = new ServerHandshake();
  answering.receive(asking.request);
  const accepted = answering.accept({ subprotocol: 'chat', deflate: true });
  asking.receive(accepted.bytes);
  pieces.push({ from: 'client', bytes: asking.request }, { from: 'server', bytes: accepted.bytes });
  const client = new Connection('client', { extensions: asking.open().extensions, compressionThreshold: 16 });
  const server = new Connection('server', { extensions: accepted.extensions, compressionThreshold: 16 });
  /** @param {() => void} action */
  const step = (action) => {
    action();
    const [there, back] = [client.takeOutput(), server.takeOutput()];
    if (there.length) pieces.push({ from: 'client', bytes: there });
    if (back.length) pieces.push({ from: 'server', bytes: back });
    server.receive(there);
    client.receive(back);
  };
  const text = 'A text that is long enough to be compressed, compressed, compressed.';
  step(() => client.sendText(text));
  step(() => server.sendText(text));
  step(() => client.sendText(text));
  step(() => client.sendTextFragment('Hel', { fin: false, compress: false }));
  step(() => client.ping(utf8('still there?')));
  step(() => client.sendTextFragment('lo', { compress: false }));
  step(() => client.close(1000, 'done'));
  step(() => {});
  return pieces;
}

/** @typedef {{ link: number, wrap: (ip: Uint8Array, version: 4 | 6) => Uint8Array }} Link */

const ethernetType = (/** @type {number} */ version) => (version === 6 ? '86dd' : '0800');
/** How a packet of IP is framed in a capture. @type {Readonly<Record<string, Link>>} */
export const links = {
  Ethernet: { link: 1, wrap: (ip, version) => concat([unhex(`020000000001 020000000002 ${ethernetType(version)}`), ip]) },
  'Ethernet with a VLAN tag': { link: 1, wrap: (ip, version) => concat([unhex(`020000000001 020000000002 8100 0007 ${ethernetType(version)}`), ip]) },
  'Linux cooked (SLL)': { link: 113, wrap: (ip, version) => concat([unhex(`0000 0001 0006 0200000000010000 ${ethernetType(version)}`), ip]) },
  'Linux cooked 2 (SLL2)': { link: 276, wrap: (ip, version) => concat([unhex(`${ethernetType(version)} 0000 00000001 0001 00 06 0200000000010000`), ip]) },
  'loopback of macOS (null)': { link: 0, wrap: (ip, version) => concat([unhex(version === 6 ? '1e000000' : '02000000'), ip]) },
  'loopback of OpenBSD': { link: 108, wrap: (ip, version) => concat([unhex(version === 6 ? '00000018' : '00000002'), ip]) },
  'raw IP': { link: 101, wrap: (ip) => ip },
};

/** @param {{ from: 'client' | 'server', sequence: number, flags: number, payload: Uint8Array, version?: 4 | 6, port?: number }} given */
export function ipPacket({ from, sequence, flags, payload, version = 4, port = 50000 }) {
  const tcp = new Uint8Array(20 + payload.length);
  const view = new DataView(tcp.buffer);
  const ports = from === 'client' ? [port, 80] : [80, port];
  view.setUint16(0, ports[0] ?? 0);
  view.setUint16(2, ports[1] ?? 0);
  view.setUint32(4, sequence >>> 0);
  view.setUint8(12, 5 << 4);
  view.setUint8(13, flags);
  tcp.set(payload, 20);
  const hosts = version === 4 ? ['0a000001', '0a000002'] : ['20010db8000000000000000000000001', '20010db8000000000000000000000002'];
  const [source, target] = from === 'client' ? hosts : hosts.toReversed();
  const length = (/** @type {number} */ bytes) => bytes.toString(16).padStart(4, '0');
  const header = version === 4 ? `4500 ${length(20 + tcp.length)} 0000 4000 40 06 0000 ${source} ${target}` : `60000000 ${length(tcp.length)} 06 40 ${source} ${target}`;
  return concat([unhex(header), tcp]);
}

export const SYN = 2;
export const ACK = 16;
export const FIN = 1;

/**
 * The packets of a session, a handshake of TCP before it.
 * @param {Piece[]} pieces
 * @param {{ version?: 4 | 6, segment?: number, port?: number, begins?: number }} [options] begins: the first sequence numbers
 */
export function tcpPackets(pieces, { version = 4, segment = 1460, port = 50000, begins = 1000 } = {}) {
  const next = { client: begins >>> 0, server: (begins + 7000) >>> 0 };
  const packet = (/** @type {'client' | 'server'} */ from, /** @type {number} */ flags, /** @type {Uint8Array} */ payload = new Uint8Array()) => {
    const made = ipPacket({ from, sequence: next[from], flags, payload, version, port });
    next[from] = (next[from] + payload.length + (flags & (SYN | FIN) ? 1 : 0)) >>> 0;
    return made;
  };
  const packets = [packet('client', SYN), packet('server', SYN | ACK), packet('client', ACK)];
  for (const { from, bytes } of pieces) {
    for (let at = 0; at < bytes.length; at += segment) packets.push(packet(from, ACK, bytes.subarray(at, at + segment)));
  }
  packets.push(packet('server', FIN | ACK), packet('client', FIN | ACK));
  return packets;
}

/** A pcap file. The packets are a millisecond apart. @param {Uint8Array[]} packets @param {{ link?: Link, version?: 4 | 6, little?: boolean, nanoseconds?: boolean }} [options] */
export function pcapFile(packets, { link = links.Ethernet, version = 4, little = true, nanoseconds = false } = {}) {
  if (!link) throw new Error('there is no such link');
  const number = (/** @type {number[]} */ ...values) => {
    const bytes = new Uint8Array(values.length * 4);
    values.forEach((value, index) => new DataView(bytes.buffer).setUint32(index * 4, value, little));
    return bytes;
  };
  const head = concat([number(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), number(little ? 0x00040002 : 0x00020004), number(0, 0, 65535, link.link)]);
  const records = packets.map((ip, index) => {
    const data = link.wrap(ip, version);
    return concat([number(1_700_000_000, (index + 1) * (nanoseconds ? 1_000_000 : 1_000), data.length, data.length), data]);
  });
  return concat([head, ...records]);
}

/** A pcapng file with one interface, whose clock has nanoseconds. @param {Uint8Array[]} packets @param {{ little?: boolean, simple?: boolean }} [options] */
export function pcapngFile(packets, { little = true, simple = false } = {}) {
  const block = (/** @type {number} */ type, /** @type {Uint8Array} */ body) => {
    const padded = new Uint8Array(12 + Math.ceil(body.length / 4) * 4);
    const view = new DataView(padded.buffer);
    view.setUint32(0, type, little);
    view.setUint32(4, padded.length, little);
    padded.set(body, 8);
    view.setUint32(padded.length - 4, padded.length, little);
    return padded;
  };
  const numbers = (/** @type {[bytes: 1 | 2 | 4, value: number][]} */ ...values) => {
    const bytes = new Uint8Array(values.reduce((sum, [length]) => sum + length, 0));
    const view = new DataView(bytes.buffer);
    values.reduce((at, [length, value]) => {
      if (length === 1) view.setUint8(at, value);
      else if (length === 2) view.setUint16(at, value, little);
      else view.setUint32(at, value >>> 0, little);
      return at + length;
    }, 0);
    return bytes;
  };
  const section = block(0x0a0d0d0a, numbers([4, 0x1a2b3c4d], [2, 1], [2, 0], [4, 0xffffffff], [4, 0xffffffff]));
  const device = block(1, numbers([2, 101], [2, 0], [4, 0], [2, 9], [2, 1], [1, 9], [1, 0], [2, 0], [4, 0]));
  const records = packets.map((data, index) => {
    if (simple) return block(3, concat([numbers([4, data.length]), data]));
    const ticks = 1_700_000_000n * 1_000_000_000n + BigInt(index + 1) * 1_000_000n;
    return block(6, concat([numbers([4, 0], [4, Number(ticks >> 32n)], [4, Number(ticks & 0xffffffffn)], [4, data.length], [4, data.length]), data]));
  });
  return concat([section, device, block(5, numbers([4, 0], [4, 0], [4, 0])), ...records]);
}

/** Frames as short words: what a test compares. @param {import('../page/session.js').Session} session */
export function told(session) {
  return Array.from({ length: session.itemCount }, (_, index) => {
    const item = session.item(index);
    const frame = session.frame(index);
    const name = frame?.opcodeName ?? ['frame', 'gap', 'hole'][item.kind];
    return `${item.sender} ${name}${item.error ? ` ${item.error.code}` : ''}`;
  });
}

/** The contents of the messages that are kept, as text. @param {import('../page/session.js').Session} session */
export function texts(session) {
  return Array.from({ length: session.messageCount }, (_, index) => {
    const { kept, first } = session.message(index);
    if (typeof kept === 'string') return kept;
    return Buffer.from(kept ?? session.frame(first)?.payload ?? []).toString('latin1');
  });
}
