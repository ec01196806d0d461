//! What a frame carries (RFC 6455 §5.2, §11.8).

/// The opcode of a frame: the low four bits of its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// `0x0`: the next fragment of the message that is open (§5.4).
    Continuation = 0x0,
    /// `0x1`: a text message, or its first fragment (§5.6).
    Text = 0x1,
    /// `0x2`: a binary message, or its first fragment (§5.6).
    Binary = 0x2,
    /// `0x8`: the closing handshake (§5.5.1).
    Close = 0x8,
    /// `0x9`: a ping, to be answered with a pong (§5.5.2).
    Ping = 0x9,
    /// `0xA`: the answer to a ping, or an unasked sign of life (§5.5.3).
    Pong = 0xa,
}

impl Opcode {
    /// The opcode with these four bits, or `None` for one that §5.2 reserves (`0x3`–`0x7`, `0xB`–`0xF`).
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits on the wire.
    #[inline]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Whether this is a control frame: "opcodes where the most significant bit of the opcode is 1" (§5.5).
    #[inline]
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }

    /// The RFC's name in lower case, the same in every binding: `"continuation"`, `"text"`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        }
    }
}
