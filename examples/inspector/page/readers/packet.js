// @ts-check
// From a packet to the TCP segment in it: Ethernet (with VLAN tags), Linux cooked captures, loopback, raw IP; IPv4 and IPv6.

/**
 * @typedef {object} Segment
 * @property {string} from address and port of the sender
 * @property {string} to
 * @property {number} sequence of the first byte
 * @property {boolean} syn
 * @property {boolean} ack
 * @property {boolean} fin
 * @property {boolean} rst
 * @property {Uint8Array} payload as far as it was captured
 * @property {number} length of the payload as it was sent: more, where the capture cut it
 */

/** A packet that has no segment: why, in a word that counts. @typedef {{ skipped: string }} Skipped */

const ETHERNET = 1;
const NULL_LOOPBACK = 0;
const OPEN_LOOPBACK = 108;
const COOKED = 113;
const COOKED_2 = 276;
const RAW = new Set([12, 14, 101, 228, 229]);
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const VLAN = new Set([0x8100, 0x88a8, 0x9100]);
const TCP = 6;
/** The families of IPv6 in loopback headers: NetBSD's, FreeBSD's and macOS's; all have 2 for IPv4. */
const IPV6_FAMILIES = new Set([10, 24, 28, 30]);
/** Hop-by-hop, routing, fragment, authentication, destination options, mobility. */
const IPV6_EXTENSIONS = new Set([0, 43, 44, 51, 60, 135]);

/**
 * @param {Uint8Array} data
 * @param {number} linkType
 * @returns {Segment | Skipped}
 */
export function segmentOf(data, linkType) {
  try {
    const [protocol, at] = network(data, linkType);
    const view = new DataView(data.buffer, data.byteOffset + at, data.byteLength - at);
    if (protocol === IPV4) return ipv4(data.subarray(at), view);
    if (protocol === IPV6) return ipv6(data.subarray(at), view);
    return { skipped: 'that are not IP' };
  } catch (error) {
    // A DataView throws where the packet is shorter than what it claims to be.
    if (error instanceof RangeError) return { skipped: 'that are cut within a header' };
    throw error;
  }
}

/** Whether the link type is one that is known here. @param {number} linkType */
export const isKnownLink = (linkType) => [ETHERNET, NULL_LOOPBACK, OPEN_LOOPBACK, COOKED, COOKED_2].includes(linkType) || RAW.has(linkType);

/** Protocol, and where it begins. @param {Uint8Array} data @param {number} linkType @returns {[number, number]} */
function network(data, linkType) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (RAW.has(linkType)) return [view.getUint8(0) >> 4 === 6 ? IPV6 : IPV4, 0];
  if (linkType === COOKED) return [view.getUint16(14), 16];
  if (linkType === COOKED_2) return [view.getUint16(0), 20];
  if (linkType === NULL_LOOPBACK || linkType === OPEN_LOOPBACK) {
    // The family is in the byte order of the machine that captured: one of the two readings is small.
    const family = Math.min(view.getUint32(0), view.getUint32(0, true));
    return [family === 2 ? IPV4 : IPV6_FAMILIES.has(family) ? IPV6 : 0, 4];
  }
  if (linkType !== ETHERNET) return [0, 0];
  let at = 12;
  while (VLAN.has(view.getUint16(at))) at += 4;
  return [view.getUint16(at), at + 2];
}

/** @param {Uint8Array} packet @param {DataView} view */
function ipv4(packet, view) {
  const header = (view.getUint8(0) & 15) * 4;
  if (view.getUint8(9) !== TCP) return { skipped: 'that are not TCP' };
  if ((view.getUint16(6) & 0x3fff) !== 0) return { skipped: 'that are fragments of IP' };
  // A network card that segments by itself leaves a total length of 0.
  const total = view.getUint16(2) || packet.length;
  const address = (/** @type {number} */ at) => packet.subarray(at, at + 4).join('.');
  return tcp(packet.subarray(header, total), total - header, address(12), address(16));
}

/** @param {Uint8Array} packet @param {DataView} view */
function ipv6(packet, view) {
  let next = view.getUint8(6);
  let at = 40;
  const end = 40 + (view.getUint16(4) || packet.length - 40);
  while (IPV6_EXTENSIONS.has(next)) {
    const isFragment = next === 44;
    if (isFragment && (view.getUint16(at + 2) & 0xfff9) !== 0) return { skipped: 'that are fragments of IP' };
    const length = isFragment ? 8 : next === 51 ? (view.getUint8(at + 1) + 2) * 4 : (view.getUint8(at + 1) + 1) * 8;
    next = view.getUint8(at);
    at += length;
  }
  if (next !== TCP) return { skipped: 'that are not TCP' };
  const address = (/** @type {number} */ from) => `[${ipv6Text(view, from)}]`;
  return tcp(packet.subarray(at, end), end - at, address(8), address(24));
}

/** As RFC 5952 writes it: the longest run of zeros is left out. @param {DataView} view @param {number} from */
function ipv6Text(view, from) {
  const text = Array.from({ length: 8 }, (_, index) => view.getUint16(from + index * 2).toString(16)).join(':');
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run);
  const longest = runs.sort((one, other) => other.length - one.length)[0];
  return longest === undefined ? text : text.replace(longest, text.startsWith(longest) || text.endsWith(longest) ? '::' : ':').replace(/:{3,}/, '::');
}

/**
 * @param {Uint8Array} packet
 * @param {number} sent its length on the wire
 * @param {string} source
 * @param {string} target
 * @returns {Segment | Skipped}
 */
function tcp(packet, sent, source, target) {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const header = (view.getUint8(12) >> 4) * 4;
  const flags = view.getUint8(13);
  if (header < 20 || header > sent) return { skipped: 'whose TCP header has no valid length' };
  return {
    from: `${source}:${view.getUint16(0)}`,
    to: `${target}:${view.getUint16(2)}`,
    sequence: view.getUint32(4),
    fin: (flags & 1) !== 0,
    syn: (flags & 2) !== 0,
    rst: (flags & 4) !== 0,
    ack: (flags & 16) !== 0,
    payload: packet.subarray(header),
    length: sent - header,
  };
}
