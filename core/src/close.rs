//! Close codes and the body of a Close frame (RFC 6455 §5.5.1, §7.4).

use alloc::borrow::Cow;
use core::fmt;

use crate::error::ProtocolError;
use crate::prelude::Vec;
use crate::utf8;

/// Longest reason in bytes of UTF-8: a control frame carries 125 bytes (§5.5), two of them the code.
pub const MAX_REASON_LEN: usize = 123;

/// A close code (§7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: data of a type that this endpoint can't accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: *never on the wire*. Tells the application that the peer's Close frame had no code.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: *never on the wire*. Tells the application that no Close frame came.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its type, as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message that breaks this endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension that it needs.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: a server met a condition that keeps it from fulfilling the request.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// Any number; whether it may be sent is [`CloseCode::is_valid_on_wire`].
    #[inline]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether a Close frame may carry this code.
    ///
    /// Below 1000 nothing is used (§7.4.2). 1004 is reserved; 1005, 1006 and 1015 "MUST NOT be set as a status code in a
    /// Close control frame by an endpoint" (§7.4.1). 1012–1014 were registered with IANA later; the rest up to 2999 is
    /// kept for future revisions. 3000–3999 is for libraries, 4000–4999 for applications (§7.4.2).
    pub const fn is_valid_on_wire(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a Close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why the connection closes; [`CloseCode::NO_STATUS`] for a Close frame without a body.
    pub code: CloseCode,
    /// An explanation for people, possibly empty; "data is not guaranteed to be human readable" (§5.5.1).
    pub reason: Cow<'a, str>,
}

impl<'a> CloseFrame<'a> {
    /// Reads the payload of a Close frame.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        match *payload {
            [] => Ok(Self { code: CloseCode::NO_STATUS, reason: Cow::Borrowed("") }),
            // "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer" (§5.5.1).
            [_] => Err(ProtocolError::TruncatedCloseCode),
            [high, low, ref reason @ ..] => {
                let code = u16::from_be_bytes([high, low]);
                if !CloseCode(code).is_valid_on_wire() {
                    return Err(ProtocolError::InvalidCloseCode { close_code: code });
                }
                let reason = utf8::whole(reason).map_err(|_| ProtocolError::InvalidCloseReason)?;
                Ok(Self { code: CloseCode(code), reason: Cow::Borrowed(reason) })
            }
        }
    }

    /// The payload of this Close frame, of at most 125 bytes.
    ///
    /// A code that may not be sent gives an empty body, so that an answer to a Close frame without a code is itself
    /// without one; a reason that is too long is cut between two characters.
    pub fn payload(&self) -> Vec<u8> {
        if !self.code.is_valid_on_wire() {
            return Vec::new();
        }
        let reason = &self.reason.as_bytes()[..self.reason.floor_char_boundary(MAX_REASON_LEN)];
        let mut payload = Vec::with_capacity(2 + reason.len());
        payload.extend_from_slice(&self.code.get().to_be_bytes());
        payload.extend_from_slice(reason);
        payload
    }

    /// The same, owning its reason.
    pub fn into_owned(self) -> CloseFrame<'static> {
        CloseFrame { code: self.code, reason: Cow::Owned(self.reason.into_owned()) }
    }
}
