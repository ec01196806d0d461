// @ts-check
// Where the fault of each error lies in a frame, and the sentence of the RFC that speaks of it. Which errors there are, and
// when, is the core's to say; a test holds that each of them stands here.

/** @typedef {'fin' | 'rsv' | 'opcode' | 'mask' | 'length' | 'extended' | 'payload' | 'code' | 'reason'} Place */

const LIMITS =
  'Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message size after reassembly from multiple frames MUST protect themselves against exceeding those limits.';

/** @type {Readonly<Record<string, { place: Place, says: string, fix?: string }>>} */
export const rules = {
  reserved_bits: {
    place: 'rsv',
    says: 'MUST be 0 unless an extension is negotiated that defines meanings for non-zero values.',
    fix: 'If permessage-deflate was negotiated outside of this capture, give it under “Extensions”.',
  },
  reserved_opcode: { place: 'opcode', says: 'If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.' },
  unmasked_frame: { place: 'mask', says: 'The server MUST close the connection upon receiving a frame that is not masked.' },
  masked_frame: { place: 'mask', says: 'A client MUST close a connection if it detects a masked frame.' },
  non_minimal_length: { place: 'extended', says: 'in all cases, the minimal number of bytes MUST be used to encode the length' },
  length_overflow: { place: 'extended', says: 'a 64-bit unsigned integer (the most significant bit MUST be 0)' },
  control_too_long: { place: 'length', says: 'All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.' },
  fragmented_control: { place: 'fin', says: 'All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.' },
  unexpected_continuation: {
    place: 'opcode',
    says: 'A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0',
  },
  expected_continuation: {
    place: 'opcode',
    says: 'The fragments of one message MUST NOT be interleaved between the fragments of another message unless an extension has been negotiated that can interpret the interleaving.',
  },
  invalid_utf8: { place: 'payload', says: 'When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_.' },
  truncated_close_code: { place: 'payload', says: 'If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer' },
  invalid_close_code: { place: 'code', says: 'is a reserved value and MUST NOT be set as a status code in a Close control frame by an endpoint.' },
  invalid_close_reason: { place: 'reason', says: 'the body MAY contain UTF-8-encoded data with value /reason/' },
  invalid_deflate: { place: 'payload', says: 'Decompress the resulting data using DEFLATE.' },
  frame_too_big: { place: 'length', says: LIMITS },
  message_too_big: { place: 'length', says: LIMITS },
  too_many_fragments: { place: 'opcode', says: LIMITS },
};

/** Where a section can be read: “RFC 6455 §5.2” → its address. @param {string} section */
export function addressOf(section) {
  const [, rfc, number] = /RFC (\d+) §([\d.]+)/.exec(section) ?? [];
  return rfc ? `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${number}` : undefined;
}
