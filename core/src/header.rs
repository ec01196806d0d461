//! The frame header: 2 to 14 bytes before each payload (RFC 6455 §5.2).
//!
//! ```text
//!  0               1               2               3
//!  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| Payload len |  Extended payload length      |
//! |I|S|S|S|  (4)  |A|     (7)     |  (16 if the 7 bits are 126,   |
//! |N|V|V|V|       |S|             |   64 if they are 127)         |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |  Masking key (32, if MASK is 1)  |  Payload ...               |
//! +----------------------------------+----------------------------+
//! ```

use crate::error::ProtocolError;
use crate::opcode::Opcode;
use crate::prelude::Vec;

/// Longest header: 2 bytes, 8 of extended length, 4 of masking key.
pub const MAX_HEADER_LEN: usize = 14;

/// Longest payload of a control frame (§5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// FIN: this is the last fragment of its message, or all of it.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 as the bits 4, 2 and 1. RSV1 marks a compressed message (RFC 7692 §6).
    pub rsv: u8,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key; `None` if MASK is 0.
    pub masking_key: Option<[u8; 4]>,
    /// The length of the payload in bytes, at most 2^63−1.
    pub payload_len: u64,
}

/// What a receiver allows in a header, beyond what every header must obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRules {
    /// The reserved bits that negotiated extensions define.
    pub allowed_rsv: u8,
    /// Whether frames must be masked (by a client), must not be (by a server), or may be either (an onlooker).
    pub masked: Option<bool>,
}

impl HeaderRules {
    /// Any header that is well-formed, in either direction and with any reserved bits.
    pub const ANY: Self = Self { allowed_rsv: 0b111, masked: None };
}

impl FrameHeader {
    /// Reads a header off the front of `bytes`: the header and its length, or `None` if more bytes are needed.
    ///
    /// An error is found as soon as the field that shows it is whole, also while the rest of the header is missing.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn parse(bytes: &[u8], rules: HeaderRules) -> Result<Option<(Self, usize)>, ProtocolError> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let rsv = (first >> 4) & 0b111;
        if rsv & !rules.allowed_rsv != 0 {
            return Err(ProtocolError::ReservedBits { bits: rsv });
        }
        let Some(opcode) = Opcode::from_bits(first & 0xf) else {
            return Err(ProtocolError::ReservedOpcode { opcode: first & 0xf });
        };
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl { opcode: opcode.bits() });
        }
        let [second, rest @ ..] = rest else { return Ok(None) };
        let masked = second & 0x80 != 0;
        // "a server MUST close the connection upon receiving a frame that is not masked" and "A client MUST close a
        // connection if it detects a masked frame" (§5.1).
        if rules.masked.is_some_and(|required| required != masked) {
            return Err(if masked { ProtocolError::MaskedFrame } else { ProtocolError::UnmaskedFrame });
        }
        let short_len = second & 0x7f;
        if opcode.is_control() && short_len > 125 {
            return Err(ProtocolError::ControlTooLong { opcode: opcode.bits() });
        }
        let (payload_len, rest, extended) = match short_len {
            // "in all cases, the minimal number of bytes MUST be used to encode the length" (§5.2).
            126 => {
                let Some((length, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                let length = u64::from(u16::from_be_bytes(*length));
                if length < 126 {
                    return Err(ProtocolError::NonMinimalLength { length });
                }
                (length, rest, 2)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                let length = u64::from_be_bytes(*length);
                // "the most significant bit MUST be 0" (§5.2).
                if length >> 63 != 0 {
                    return Err(ProtocolError::LengthOverflow { length });
                }
                if length <= 0xffff {
                    return Err(ProtocolError::NonMinimalLength { length });
                }
                (length, rest, 8)
            }
            short => (u64::from(short), rest, 0),
        };
        let (masking_key, header_len) = if masked {
            let Some(key) = rest.first_chunk::<4>() else { return Ok(None) };
            (Some(*key), 2 + extended + 4)
        } else {
            (None, 2 + extended)
        };
        Ok(Some((Self { fin, rsv, opcode, masking_key, payload_len }, header_len)))
    }

    /// How many bytes [`FrameHeader::write`] writes: 2 to 14.
    #[inline]
    pub const fn encoded_len(&self) -> usize {
        let extended = match self.payload_len {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        2 + extended + if self.masking_key.is_some() { 4 } else { 0 }
    }

    /// Appends the header to `out`, its length in the minimal number of bytes.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let (bytes, len) = self.to_bytes();
        out.extend_from_slice(&bytes[..len]);
    }

    /// The header, and how many of the bytes it has. It is put together in a register, where that costs least.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn to_bytes(self) -> ([u8; 16], usize) {
        let first = (u8::from(self.fin) << 7) | ((self.rsv & 0b111) << 4) | self.opcode.bits();
        let mask_bit = u64::from(self.masking_key.is_some()) << 15;
        let key = u64::from(u32::from_le_bytes(self.masking_key.unwrap_or_default()));
        let start = u64::from(first) | mask_bit;
        let (bytes, len) = match self.payload_len {
            length @ 0..=125 => (u128::from(start | length << 8 | key << 16), 2),
            length @ 126..=0xffff => {
                let length = u64::from((length as u16).swap_bytes());
                (u128::from(start | 126 << 8 | length << 16 | key << 32), 4)
            }
            length => {
                let length = u128::from(length.swap_bytes());
                (u128::from(start | 127 << 8) | length << 16 | u128::from(key) << 80, 10)
            }
        };
        (bytes.to_le_bytes(), if self.masking_key.is_some() { len + 4 } else { len })
    }
}
