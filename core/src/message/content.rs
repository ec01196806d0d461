//! What has come of a message whose last fragment has not: kept to be put together, or handed on at once.

use alloc::borrow::Cow;

use super::{Incoming, Message, MessageKind, MessagePart};
use crate::deflate::{InflateError, MessageDeflate};
use crate::error::ProtocolError;
use crate::frame::Piece;
use crate::prelude::{String, Vec};
use crate::utf8::{self, Validator};

/// Text is checked as it comes, so its end needs no second look.
#[derive(Debug)]
pub(super) enum Content {
    Text(String, Validator),
    Binary(Vec<u8>),
    Streamed(Streamed),
}

/// Of a message that is streamed nothing is kept.
#[derive(Debug)]
pub(super) struct Streamed {
    kind: MessageKind,
    validator: Validator,
    begun: bool,
    /// Bytes that a compressed message has become.
    inflated: u64,
}

impl Content {
    pub(super) fn new(kind: MessageKind, streaming: bool) -> Self {
        match kind {
            _ if streaming => {
                Self::Streamed(Streamed { kind, validator: Validator::default(), begun: false, inflated: 0 })
            }
            MessageKind::Text => Self::Text(String::new(), Validator::default()),
            MessageKind::Binary => Self::Binary(Vec::new()),
        }
    }

    /// From now on it is streamed. What came of it is the first part, and a fragment of its own.
    pub(super) fn stream(&mut self) -> Option<MessagePart<'static>> {
        let (kind, validator, payload) = match self {
            Self::Text(text, validator) => {
                let (mut payload, validator) = (core::mem::take(text).into_bytes(), core::mem::take(validator));
                payload.extend_from_slice(validator.cut());
                (MessageKind::Text, validator, payload)
            }
            Self::Binary(bytes) => (MessageKind::Binary, Validator::default(), core::mem::take(bytes)),
            Self::Streamed(_) => return None,
        };
        let begun = !payload.is_empty();
        *self = Self::Streamed(Streamed { kind, validator, begun, inflated: payload.len() as u64 });
        let payload = Cow::Owned(payload);
        begun.then_some(MessagePart { kind, first: true, ends_fragment: true, last: false, payload })
    }

    /// Takes the next piece; with `last` it ends the message. `deflate` is there if the message is compressed.
    pub(super) fn take<'b>(
        &mut self,
        piece: Piece<'b>,
        last: bool,
        limit: u64,
        deflate: Option<&mut MessageDeflate>,
    ) -> Result<Option<Incoming<'b>>, ProtocolError> {
        match self {
            Self::Text(text, validator) => {
                let have = (text.len() + validator.cut_len()) as u64;
                if deflate.is_none() {
                    text.reserve_exact(room(text.len(), text.capacity(), &piece));
                }
                let (bytes, result) = inflated(piece.payload, last, have, limit, deflate);
                check(validator, &bytes, last && result.is_ok(), |part| text.push_str(part))?;
                result?;
                Ok(last.then(|| Incoming::Message(Message::Text(Cow::Owned(core::mem::take(text))))))
            }
            Self::Binary(bytes) => {
                match deflate {
                    Some(deflate) => inflate(piece.payload, last, limit, deflate, limit, bytes)?,
                    None => {
                        bytes.reserve_exact(room(bytes.len(), bytes.capacity(), &piece));
                        bytes.extend_from_slice(piece.payload);
                    }
                }
                Ok(last.then(|| Incoming::Message(Message::Binary(Cow::Owned(core::mem::take(bytes))))))
            }
            Self::Streamed(streamed) => {
                let ends_fragment = piece.is_last();
                let (payload, result) = inflated(piece.payload, last, streamed.inflated, limit, deflate);
                streamed.inflated += payload.len() as u64;
                if streamed.kind == MessageKind::Text {
                    check(&mut streamed.validator, &payload, last && result.is_ok(), |_| ())?;
                }
                result?;
                // The header of a frame may come alone.
                if payload.is_empty() && !ends_fragment {
                    return Ok(None);
                }
                let first = !core::mem::replace(&mut streamed.begun, true);
                Ok(Some(Incoming::Part(MessagePart { kind: streamed.kind, first, ends_fragment, last, payload })))
            }
        }
    }
}

/// A compressed message that came whole in one frame: nothing is kept for a rest of it.
pub(super) fn inflate_whole(
    kind: MessageKind,
    payload: &[u8],
    limit: u64,
    deflate: &mut MessageDeflate,
) -> Result<Message<'static>, ProtocolError> {
    let (bytes, result) = inflated(payload, true, 0, limit, Some(deflate));
    let bytes = bytes.into_owned();
    match (kind, result) {
        (MessageKind::Binary, result) => result.map(|()| Message::Binary(Cow::Owned(bytes))),
        (MessageKind::Text, Ok(())) => match utf8::owned(bytes) {
            Ok(text) => Ok(Message::Text(Cow::Owned(text))),
            Err(_) => Err(ProtocolError::InvalidUtf8),
        },
        // Of what came out before the error only the end may be no whole character.
        (MessageKind::Text, Err(error)) => {
            Err(check(&mut Validator::default(), &bytes, false, |_| ()).err().unwrap_or(error))
        }
    }
}

/// What to reserve for a piece behind `len` bytes: room for the rest of its frame too, but not for more than has come, and
/// no less than doubles the buffer. So it grows by what comes, never by what a peer declares, and ends where the frame does.
fn room(len: usize, capacity: usize, piece: &Piece<'_>) -> usize {
    let come = len + piece.payload.len();
    if come <= capacity {
        return 0;
    }
    let missing = piece.header.payload_len - piece.offset - piece.payload.len() as u64;
    (piece.payload.len() + missing.min(come as u64) as usize).max(len)
}

/// Text must be UTF-8 as far as it came, and end with a whole character.
fn check(validator: &mut Validator, bytes: &[u8], last: bool, sink: impl FnMut(&str)) -> Result<(), ProtocolError> {
    let mut valid = validator.push(bytes, sink);
    if last {
        valid = valid.and_then(|()| validator.finish());
    }
    valid.map_err(|_| ProtocolError::InvalidUtf8)
}

/// The payload, inflated if it is compressed; the message has had `have` bytes before. What came out before an error is to
/// be checked first, so that the same byte fails a text whatever the chunks.
fn inflated<'b>(
    payload: &'b [u8],
    last: bool,
    have: u64,
    limit: u64,
    deflate: Option<&mut MessageDeflate>,
) -> (Cow<'b, [u8]>, Result<(), ProtocolError>) {
    let Some(deflate) = deflate else { return (Cow::Borrowed(payload), Ok(())) };
    let mut bytes = Vec::new();
    let result = inflate(payload, last, limit.saturating_sub(have), deflate, limit, &mut bytes);
    (Cow::Owned(bytes), result)
}

/// Appends what a compressed payload becomes, stopped while it inflates where `out` would have more than `most` bytes.
fn inflate(
    payload: &[u8],
    last: bool,
    most: u64,
    deflate: &mut MessageDeflate,
    limit: u64,
    out: &mut Vec<u8>,
) -> Result<(), ProtocolError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    deflate.decompress(payload, last, most, out).map_err(|error| match error {
        InflateError::Invalid => ProtocolError::InvalidDeflate,
        InflateError::TooBig => ProtocolError::MessageTooBig { size: limit.saturating_add(1), limit },
    })
}
