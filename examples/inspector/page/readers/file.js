// @ts-check
// Finds out what a file is, and reads the WebSocket connections in it.

import { mayBeHead } from '../opening.js';
import { STEP, Session } from '../session.js';
import { byteCount } from '../words.js';
import { readHar } from './har.js';
import { isKnownLink, segmentOf } from './packet.js';
import { isCapture, packetsOf } from './pcap.js';
import { TcpStream } from './tcp.js';
import { ReadError, textSteps } from './text.js';

/**
 * What the reader of the page may say of bytes that don't say it themselves.
 * @typedef {object} Settings
 * @property {'any' | 'client' | 'server'} sender
 * @property {string} extensions
 * @property {boolean} midstream
 */

/**
 * What a file has.
 * @typedef {object} Capture
 * @property {string} kind in words
 * @property {Session[]} sessions
 * @property {string[]} notes
 */

/** The most connections of a capture that are looked into. */
const MOST_SESSIONS = 2000;

/**
 * Reads a file, with a pause wherever it yields (how far it is, 0 to 1).
 * @param {string} name
 * @param {Uint8Array} bytes
 * @param {Settings} settings
 * @returns {Generator<number, Capture>}
 */
export function* readFile(name, bytes, settings) {
  if (bytes.length === 0) throw new ReadError(`${name} is empty.`);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) throw new ReadError(`${name} is compressed with gzip; unpack it first (gunzip).`);
  if (isCapture(bytes)) return yield* readPackets(bytes, settings);
  if (mayBeHead(bytes.subarray(0, 8))) return yield* readBytes(name, bytes, settings, 'a byte stream with its handshake');
  const text = asText(bytes);
  if (text === undefined) return yield* readBytes(name, bytes, settings, 'a byte stream');
  if (/^\s*[{[]/.test(text)) return { kind: 'a HAR file', sessions: yield* readHar(text), notes: [] };
  return yield* readPasted(name, text, settings);
}

/** Reads a text that stands for bytes. @param {string} name @param {string} text @param {Settings} settings @returns {Generator<number, Capture>} */
export function* readPasted(name, text, settings) {
  const { bytes, format } = yield* textSteps(text);
  const kind = { hex: 'hex digits', dump: 'a hex dump', base64: 'base64' }[format];
  return yield* readBytes(name, bytes, settings, `${kind}, ${byteCount(bytes.length)}`);
}

/**
 * @param {string} title
 * @param {Uint8Array} bytes
 * @param {Settings} settings
 * @param {string} kind
 * @returns {Generator<number, Capture>}
 */
export function* readBytes(title, bytes, { sender, extensions, midstream }, kind) {
  const session = new Session({ title, extensions, midstream, looksForHeads: true }, [sender === 'any' ? undefined : sender]);
  let done = 0;
  for (const _ of session.feed(0, bytes)) yield (done += STEP) / bytes.length;
  session.end();
  return { kind, sessions: [session], notes: [] };
}

/** The text of a file that is one. @param {Uint8Array} bytes */
function asText(bytes) {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // eslint-disable-next-line no-control-regex
    return /[\0-\x08\x0e-\x1f\x7f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** One TCP connection of a capture. */
class TcpConnection {
  /** @type {(() => Generator<unknown>)[]} what the streams told, to be fed with pauses */
  queue = [];

  /** @param {string} client @param {string} server @param {Settings} settings */
  constructor(client, server, settings) {
    this.client = client;
    const { extensions, midstream } = settings;
    const title = `${client} → ${server}`;
    this.session = new Session({ title, extensions, midstream, looksForHeads: true }, ['client', 'server']);
    this.streams = [0, 1].map((lane) => new TcpStream(this.#listener(lane)));
  }

  /** @param {number} lane @returns {import('./tcp.js').Listener} */
  #listener(lane) {
    const { session, queue } = this;
    return {
      onBytes: (bytes, time, packet) => queue.push(() => session.feed(lane, bytes, time, packet)),
      onMissing: (length) =>
        queue.push(function* () {
          session.miss(lane, length);
        }),
      onEnd: () => {},
    };
  }

  *drain() {
    for (const action of this.queue.splice(0)) yield* action();
  }
}

/** @param {Uint8Array} file @param {Settings} settings @returns {Generator<number, Capture>} */
function* readPackets(file, settings) {
  /** @type {string[]} */
  const notes = [];
  /** @type {Map<string, TcpConnection>} by both addresses; the newest of those that had the same ones */
  const current = new Map();
  /** @type {TcpConnection[]} */
  const all = [];
  /** @type {Map<string, number>} */
  const skipped = new Map();
  let count = 0;
  for (const { data, linkType, time } of packetsOf(file, notes)) {
    count += 1;
    const segment = isKnownLink(linkType) ? segmentOf(data, linkType) : { skipped: `of the link type ${linkType}, which is unknown here` };
    if ('skipped' in segment) {
      skipped.set(segment.skipped, (skipped.get(segment.skipped) ?? 0) + 1);
      continue;
    }
    const key = [segment.from, segment.to].sort().join(' ');
    let connection = current.get(key);
    // A port that is used again: a new SYN after this connection has begun.
    const isAgain = segment.syn && !segment.ack && connection && connection.session.lanes.some(({ log }) => log.length > 0);
    if (!connection || isAgain) {
      if (all.length >= MOST_SESSIONS) continue;
      connection = new TcpConnection(...opener(segment), settings);
      current.set(key, connection);
      all.push(connection);
    }
    connection.streams[segment.from === connection.client ? 0 : 1]?.add(segment, time, count);
    for (const _ of connection.drain()) yield data.byteOffset / file.length;
    yield data.byteOffset / file.length;
  }
  for (const connection of all) {
    for (const stream of connection.streams) stream.end(null);
    for (const _ of connection.drain()) yield 1;
    connection.session.end();
  }
  return { kind: 'a packet capture', ...sorted(all, notes, skipped, count) };
}

/** Who opened a connection: who sends SYN or, in the middle of one, has the higher port, as clients do. @param {import('./packet.js').Segment} segment @returns {[string, string]} */
function opener({ from, to, syn, ack }) {
  if (syn) return ack ? [to, from] : [from, to];
  const port = (/** @type {string} */ address) => Number(address.slice(address.lastIndexOf(':') + 1));
  return port(from) >= port(to) ? [from, to] : [to, from];
}

/** @param {TcpConnection[]} all @param {string[]} notes @param {Map<string, number>} skipped @param {number} packets */
function sorted(all, notes, skipped, packets) {
  for (const [reason, count] of skipped) notes.push(`${count} of ${packets} packets were left out ${reason}.`.replace('were left out that', 'were left out: packets that').replace('were left out of', 'were left out: packets of').replace('were left out whose', 'were left out: packets whose'));
  if (all.length >= MOST_SESSIONS) notes.push(`The capture has more than ${MOST_SESSIONS} connections; the first are shown.`);
  for (const { session, streams } of all) {
    const sum = (/** @type {'retransmitted' | 'outOfOrder' | 'missing'} */ what) => streams.reduce((total, stream) => total + stream[what], 0);
    const [again, early, missing] = [sum('retransmitted'), sum('outOfOrder'), sum('missing')];
    if (again) session.notes.push(`TCP: ${again} ${again === 1 ? 'segment was' : 'segments were'} sent again and counted once.`);
    if (early) session.notes.push(`TCP: ${early} ${early === 1 ? 'segment' : 'segments'} came out of order and ${early === 1 ? 'was' : 'were'} put in place.`);
    if (missing) session.notes.push(`TCP: ${missing} bytes are not in the capture.`);
  }
  const carrying = all.filter(({ session }) => session.lanes.some(({ log }) => log.length > 0));
  const encrypted = carrying.filter(({ session }) => session.lanes.some(({ log }) => isTls(log.view(0, 3))));
  const upgraded = carrying.filter(({ session }) => session.opening.opened);
  const refused = carrying.filter(({ session }) => session.opening.request && !session.opening.opened && isUpgrade(session.opening.request));
  const begun = carrying.filter((each) => !encrypted.includes(each) && !each.session.opening.request && !each.session.opening.response && looksRight(each.session));
  const shown = [...upgraded, ...refused, ...begun];
  for (const { session } of begun) session.notes.push('The capture has no opening handshake of this connection; its bytes look like frames. What was negotiated can be given above.');
  const others = carrying.length - shown.length - encrypted.length;
  if (encrypted.length) notes.push(`${encrypted.length} TCP ${encrypted.length === 1 ? 'connection is' : 'connections are'} encrypted with TLS: nothing in them can be read without the keys. Wireshark can export what it decrypts.`);
  if (others && shown.length) notes.push(`${others} other TCP ${others === 1 ? 'connection has' : 'connections have'} no WebSocket in it.`);
  if (shown.length === 0) {
    const what = `${packets} ${packets === 1 ? 'packet' : 'packets'} with ${all.length} TCP ${all.length === 1 ? 'connection' : 'connections'}`;
    throw new ReadError(['This capture has no WebSocket that can be read: ' + what + ', and none with an HTTP upgrade or frames.', ...notes].join(' '));
  }
  return { sessions: shown.map(({ session }) => session), notes };
}

/** A record of TLS begins it: handshake (22) or data (23), version 3. @param {Uint8Array} bytes */
const isTls = (bytes) => (bytes[0] === 22 || bytes[0] === 23) && bytes[1] === 3;

/** @param {string} head */
const isUpgrade = (head) => /^upgrade:.*websocket/im.test(head);

/** Whether the bytes of a connection without handshake may be frames: not one of its first items is an error. @param {Session} session */
function looksRight(session) {
  if (session.itemCount === 0) return false;
  for (let index = 0; index < Math.min(session.itemCount, 8); index += 1) {
    const { error, kind } = session.item(index);
    if (kind === 1 && error) return false;
  }
  return session.messageCount > 0;
}
