// @ts-check
// The very bits that an error speaks of.

import { bitsOf, fieldsOf } from './fields.js';
import { failingByte } from './judge.js';
import { rules } from './rules.js';
import { FRAME } from './session.js';
import { FrameEncoder } from 'itoden-wasm/deflate';

/** Beyond this no byte is looked for: a message is played again for it. */
const MOST_PLAYED = 8 << 20;

/**
 * The bits of an item that its error points at, from the item's first bit on; undefined if it has none.
 * @param {import('./session.js').Session} session
 * @param {number} index
 * @returns {[from: number, to: number] | undefined}
 */
export function faultOf(session, index) {
  const item = session.item(index);
  if (!item.error) return undefined;
  const rule = rules[item.error.code];
  const start = session.startOf(index);
  const fields = fieldsOf(start, Math.max(item.size, start.length));
  const bits = rule && bitsOf(fields, rule.place);
  if (!rule || !bits || item.kind !== FRAME) return bits;
  if (rule.place === 'rsv') return reservedBits(item, session.extensions !== '') ?? bits;
  const byte = rule.place === 'payload' ? byteInText(session, item) : rule.place === 'reason' ? byteInReason(session, item, bits) : undefined;
  return byte === undefined ? bits : [byte * 8, byte * 8 + 8];
}

/**
 * From the first of the bits that are set to the last; RSV1 is not meant where an extension defines it for this frame.
 * @param {ReturnType<import('./session.js').Session['item']>} item
 * @param {boolean} hasExtension
 * @returns {[number, number] | undefined}
 */
function reservedBits({ firstByte }, hasExtension) {
  const bits = [1, 2, 3].filter((bit) => firstByte & (0x80 >> bit));
  const meant = hasExtension && bits.length > 1 ? bits.filter((bit) => bit > 1) : bits;
  return meant.length > 0 ? [meant[0] ?? 1, (meant.at(-1) ?? 3) + 1] : undefined;
}

/** @param {import('./session.js').Session} session @param {ReturnType<import('./session.js').Session['item']>} item */
function byteInText(session, item) {
  const items = session.itemsOf(item.message).filter((index) => index <= item.index);
  const first = items[0];
  // Of a message that is compressed, no byte on the wire is the one that is wrong.
  if (first === undefined || item.error?.code !== 'invalid_utf8' || session.item(first).firstByte & 0x40) return undefined;
  const before = items.slice(0, -1).map((index) => session.bytesOf(index).slice());
  const whole = [...before, session.bytesOf(item.index).slice()];
  if (whole.reduce((sum, { length }) => sum + length, 0) > MOST_PLAYED) return undefined;
  const at = failingByte(item.sender === 'client' ? 'server' : 'client', whole);
  const offset = before.reduce((sum, { length }) => sum + length, 0);
  return at === undefined ? undefined : Math.max(at - offset, item.headerLength);
}

/** The reason of a Close frame is judged as a text is. @param {import('./session.js').Session} session @param {ReturnType<import('./session.js').Session['item']>} item @param {[number, number]} bits */
function byteInReason(session, item, bits) {
  const reason = session.frame(item.index)?.payload.slice(2) ?? new Uint8Array();
  const [start, rest] = [encoder().encodeText('', { fin: false }), encoder().encodeContinuation(reason)];
  const text = new Uint8Array([...start, ...rest]);
  const header = text.length - reason.length;
  const at = failingByte('client', [text]);
  return at === undefined ? undefined : bits[0] / 8 + Math.max(at - header, 0);
}

const encoder = () => new FrameEncoder('server');
