//! Messages (RFC 6455 §5.4, §5.6).
//!
//! - `assembler`: which pieces of frames make one, and which must not come
//! - `content`: what has come of one

mod assembler;
mod content;

use alloc::borrow::Cow;

use bytes::Bytes;

pub use assembler::{Assembler, Incoming};

use crate::error::SendError;
use crate::opcode::Opcode;
use crate::prelude::String;
use crate::utf8;

/// Text or binary: the "Payload data" of §5.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    /// The opcode of the first frame of such a message.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// A whole message.
///
/// One that lay whole in the read buffer borrows from it; one that was put together from several reads or fragments owns
/// its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
}

impl<'a> Message<'a> {
    /// A text message that borrows.
    pub const fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A binary message that borrows.
    pub const fn binary(bytes: &'a [u8]) -> Self {
        Self::Binary(Cow::Borrowed(bytes))
    }

    /// Text or binary.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The same message, owning its bytes.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// A whole message whose bytes are shared, and known to be UTF-8 if it is text: to be sent on many connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedMessage {
    kind: MessageKind,
    payload: Bytes,
}

impl SharedMessage {
    /// A message of these bytes.
    ///
    /// # Errors
    ///
    /// [`SendError::TextNotUtf8`] for text that is not UTF-8.
    pub fn new(kind: MessageKind, payload: Bytes) -> Result<Self, SendError> {
        if kind == MessageKind::Text {
            utf8::whole(&payload).map_err(|_| SendError::TextNotUtf8)?;
        }
        Ok(Self { kind, payload })
    }

    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: MessageKind::Text, payload: text.into().into() }
    }

    /// A binary message.
    pub fn binary(payload: impl Into<Bytes>) -> Self {
        Self { kind: MessageKind::Binary, payload: payload.into() }
    }

    /// Text or binary.
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The payload.
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    pub(crate) fn into_parts(self) -> (MessageKind, Bytes) {
        (self.kind, self.payload)
    }
}

/// A part of a message, as much of it as arrived at once.
///
/// What arrives of a frame in one read is one part, however long the frame and the message are. What of a compressed
/// message arrives is inflated in steps of 4 KiB, so that a part has at most about 4 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePart<'a> {
    /// Text or binary.
    pub kind: MessageKind,
    /// Whether the message begins with it.
    pub first: bool,
    /// Whether a fragment (§5.4) ends with it.
    pub ends_fragment: bool,
    /// Whether the message ends with it. Such a part may be empty; else one is only if a fragment ends with it.
    pub last: bool,
    /// The bytes. Those of text are UTF-8 so far; a character may be cut between two parts.
    pub payload: Cow<'a, [u8]>,
}

/// How to send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// Whether to compress it if compression was agreed on and it reaches the
    /// [threshold](crate::deflate::DeflateConfig::threshold). Default `true`. `false` is for what is compressed already,
    /// and for secrets next to text that an attacker can choose (as in the attack called BREACH).
    pub compress: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { compress: true }
    }
}
