// @ts-check
// The packets of a capture file: pcap (microseconds or nanoseconds, either byte order) and pcapng (sections, interfaces,
// enhanced, simple and obsolete packet blocks).

import { ReadError } from './text.js';

/**
 * @typedef {object} Packet
 * @property {Uint8Array} data what was captured of it
 * @property {number} linkType as tcpdump.org numbers them
 * @property {number | null} time in seconds since 1970, where the file has it
 * @property {boolean} cut whether the capture has only its beginning (a snap length)
 */

const PCAP_MAGICS = new Map([
  [0xa1b2c3d4, 1e6],
  [0xa1b23c4d, 1e9],
]);
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const OPTION_TIME_RESOLUTION = 9;
const OPTION_TIME_OFFSET = 14;

/** Whether a file is a capture of packets. @param {Uint8Array} file */
export function isCapture(file) {
  if (file.length < 4) return false;
  const view = viewOf(file);
  const [big, little] = [view.getUint32(0), view.getUint32(0, true)];
  return big === SECTION_HEADER || PCAP_MAGICS.has(big) || PCAP_MAGICS.has(little);
}

/**
 * Its packets, in the order of the file. A file that ends within a packet gives what came before; `notes` says so.
 * @param {Uint8Array} file
 * @param {string[]} notes
 * @returns {Generator<Packet>}
 */
export function packetsOf(file, notes) {
  return viewOf(file).getUint32(0) === SECTION_HEADER ? pcapng(file, notes) : pcap(file, notes);
}

/** @param {Uint8Array} file @param {string[]} notes @returns {Generator<Packet>} */
function* pcap(file, notes) {
  const view = viewOf(file);
  if (file.length < 24) throw new ReadError(`This pcap file has ${file.length} bytes, but its header alone has 24: it is cut.`);
  const little = !PCAP_MAGICS.has(view.getUint32(0));
  const perSecond = PCAP_MAGICS.get(view.getUint32(0, little)) ?? 1e6;
  const linkType = view.getUint32(20, little) & 0xffff;
  let at = 24;
  while (at < file.length) {
    const captured = at + 16 <= file.length ? view.getUint32(at + 8, little) : 0;
    if (at + 16 + captured > file.length) {
      notes.push(`The file ends within the packet at byte ${at}; what came before is shown.`);
      return;
    }
    const time = view.getUint32(at, little) + view.getUint32(at + 4, little) / perSecond;
    const data = file.subarray(at + 16, at + 16 + captured);
    yield { data, linkType, time, cut: captured < view.getUint32(at + 12, little) };
    at += 16 + captured;
  }
}

/** @typedef {{ linkType: number, snapLength: number, perSecond: number, offset: number }} Interface */

/** @param {Uint8Array} file @param {string[]} notes @returns {Generator<Packet>} */
function* pcapng(file, notes) {
  const view = viewOf(file);
  let little = false;
  /** @type {Interface[]} */
  let interfaces = [];
  for (let at = 0; at < file.length; ) {
    const isSection = at + 12 <= file.length && view.getUint32(at) === SECTION_HEADER;
    if (isSection) {
      little = view.getUint32(at + 8, true) === BYTE_ORDER;
      if (!little && view.getUint32(at + 8) !== BYTE_ORDER) throw new ReadError(`The section of this pcapng file at byte ${at} has no byte order mark.`);
      interfaces = [];
    }
    const length = at + 8 <= file.length ? view.getUint32(at + 4, little) : 0;
    if (length < 12 || length % 4 !== 0 || at + length > file.length) {
      if (at === 0) throw new ReadError(`This pcapng file is broken: its first block claims ${length} bytes of the file's ${file.length}.`);
      notes.push(`The file ends within the block at byte ${at}, or is broken there; what came before is shown.`);
      return;
    }
    const body = file.subarray(at + 8, at + length - 4);
    const type = view.getUint32(at, little);
    if (type === INTERFACE && body.length >= 8) interfaces.push(readInterface(body, little));
    const packet = packetOf(type, body, little, interfaces);
    if (packet) yield packet;
    at += length;
  }
}

/** @param {number} type @param {Uint8Array} body @param {boolean} little @param {Interface[]} interfaces @returns {Packet | undefined} */
function packetOf(type, body, little, interfaces) {
  const view = viewOf(body);
  if (type === SIMPLE_PACKET && body.length >= 4 && interfaces[0]) {
    const { linkType, snapLength } = interfaces[0];
    const original = view.getUint32(0, little);
    const captured = Math.min(original, snapLength || original, body.length - 4);
    return { data: body.subarray(4, 4 + captured), linkType, time: null, cut: captured < original };
  }
  if ((type !== ENHANCED_PACKET && type !== OLD_PACKET) || body.length < 20) return undefined;
  const from = interfaces[type === OLD_PACKET ? view.getUint16(0, little) : view.getUint32(0, little)];
  if (!from) return undefined;
  const ticks = view.getUint32(4, little) * 2 ** 32 + view.getUint32(8, little);
  const captured = Math.min(view.getUint32(12, little), body.length - 20);
  const data = body.subarray(20, 20 + captured);
  return { data, linkType: from.linkType, time: ticks / from.perSecond + from.offset, cut: captured < view.getUint32(16, little) };
}

/** @param {Uint8Array} body @param {boolean} little @returns {Interface} */
function readInterface(body, little) {
  const view = viewOf(body);
  const found = { linkType: view.getUint16(0, little), snapLength: view.getUint32(4, little), perSecond: 1e6, offset: 0 };
  for (let at = 8; at + 4 <= body.length; ) {
    const [option, length] = [view.getUint16(at, little), view.getUint16(at + 2, little)];
    if (option === 0 || at + 4 + length > body.length) break;
    if (option === OPTION_TIME_RESOLUTION && length === 1) {
      const exponent = view.getUint8(at + 4);
      found.perSecond = exponent & 0x80 ? 2 ** (exponent & 0x7f) : 10 ** exponent;
    }
    if (option === OPTION_TIME_OFFSET && length === 8) found.offset = Number(view.getBigInt64(at + 4, little));
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return found;
}

/** @param {Uint8Array} bytes */
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
