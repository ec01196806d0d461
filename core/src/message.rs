//! Messages: fragments put together, limits, UTF-8 (RFC 6455 §5.4, §5.6, §8.1).

use std::borrow::Cow;

use crate::close::CloseFrame;
use crate::config::Limits;
use crate::deflate::{InflateError, MessageDeflate};
use crate::error::ProtocolError;
use crate::frame::Piece;
use crate::opcode::Opcode;
use crate::utf8::{self, Validator};

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

/// What a compressed message may have beyond twice the limit: small messages in many fragments grow.
const COMPRESSED_SLACK: u64 = 1 << 20;

/// What frames amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'b> {
    /// A message is whole.
    Message(Message<'b>),
    /// A ping, with its application data.
    Ping(Cow<'b, [u8]>),
    /// A pong, with its application data.
    Pong(Cow<'b, [u8]>),
    /// The peer starts or answers the closing handshake.
    Close(CloseFrame<'b>),
}

impl Content {
    fn append(&mut self, payload: &[u8]) -> Result<(), ProtocolError> {
        match self {
            Self::Text(text, validator) => {
                validator.push(payload, |part| text.push_str(part)).map_err(|_| ProtocolError::InvalidUtf8)?;
            }
            Self::Binary(bytes) => bytes.extend_from_slice(payload),
        }
        Ok(())
    }

    /// Appends what a compressed payload becomes, stopped while it inflates if it becomes too big.
    fn inflate(
        &mut self,
        payload: &[u8],
        fin: bool,
        limit: u64,
        deflate: &mut MessageDeflate,
    ) -> Result<(), ProtocolError> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let failed = |error| match error {
            InflateError::Invalid => ProtocolError::InvalidDeflate,
            InflateError::TooBig => ProtocolError::MessageTooBig { size: limit.saturating_add(1), limit },
        };
        match self {
            Self::Text(text, validator) => {
                let mut part = Vec::new();
                let room = most.saturating_sub(text.len() + validator.cut_len());
                let inflated = deflate.decompress(payload, fin, room, &mut part).map_err(failed);
                // What came out before an error is checked first, so that the same byte fails the message whatever the chunks.
                self.append(&part)?;
                inflated
            }
            Self::Binary(bytes) => deflate.decompress(payload, fin, most, bytes).map_err(failed),
        }
    }
}

/// Puts the pieces of frames together.
#[derive(Debug, Default)]
pub struct Assembler {
    /// The message whose last fragment has not come. Boxed: most messages come whole, and a connection at rest has none.
    open: Option<Box<Open>>,
    /// Bytes of the open message that came or are declared.
    size: u64,
    /// Frames of the open message.
    fragments: u32,
    /// The payload of a control frame that is cut between two inputs.
    #[expect(clippy::box_collection, reason = "hardly ever there: 8 bytes at rest instead of 24")]
    control: Option<Box<Vec<u8>>>,
}

/// A message whose last fragment has not come.
#[derive(Debug)]
struct Open {
    compressed: bool,
    content: Content,
}

/// What has come of a message. Text is checked as it comes, so its end needs no second look.
#[derive(Debug)]
enum Content {
    Text(String, Validator),
    Binary(Vec<u8>),
}

impl Assembler {
    /// No message is open.
    pub const fn new() -> Self {
        Self { open: None, size: 0, fragments: 0, control: None }
    }

    /// Takes the next piece of a frame, in the order of arrival; what it completes, if it completes anything.
    ///
    /// `deflate` decompresses the messages that are marked by RSV1; without one no frame may have it.
    #[inline]
    pub fn push<'b>(
        &mut self,
        piece: Piece<'b>,
        limits: &Limits,
        deflate: Option<&mut MessageDeflate>,
    ) -> Result<Option<Incoming<'b>>, ProtocolError> {
        let header = piece.header;
        // RSV1 stands on "the first fragment of a message", and on no control frame (RFC 7692 §6).
        if header.rsv != 0 && !matches!(header.opcode, Opcode::Text | Opcode::Binary) {
            return Err(ProtocolError::ReservedBits { bits: header.rsv });
        }
        if header.opcode.is_control() {
            return self.push_control(piece);
        }
        if piece.first {
            self.admit(&piece, limits)?;
            // The common case: one frame is the message, and it lies whole in the read buffer. It is lent, not copied.
            if header.fin && header.rsv == 0 && header.opcode != Opcode::Continuation && piece.is_whole() {
                return Ok(Some(Incoming::Message(match header.opcode {
                    Opcode::Text => {
                        let text = utf8::whole(piece.payload).map_err(|_| ProtocolError::InvalidUtf8)?;
                        Message::Text(Cow::Borrowed(text))
                    }
                    _ => Message::Binary(Cow::Borrowed(piece.payload)),
                })));
            }
        }
        self.assemble(piece, limits, deflate)
    }

    /// Whether a data frame with this header may come now, and fits.
    #[inline]
    fn admit(&mut self, piece: &Piece<'_>, limits: &Limits) -> Result<(), ProtocolError> {
        let header = piece.header;
        match (&self.open, header.opcode) {
            (None, Opcode::Continuation) => return Err(ProtocolError::UnexpectedContinuation),
            (None, _) => (self.size, self.fragments) = (0, 0),
            (Some(_), Opcode::Continuation) => {}
            // "The fragments of one message MUST NOT be interleaved between the fragments of another message" (§5.4).
            (Some(_), opcode) => return Err(ProtocolError::ExpectedContinuation { opcode: opcode.bits() }),
        }
        let size = header.payload_len;
        if size > limits.max_frame_size {
            return Err(ProtocolError::FrameTooBig { size, limit: limits.max_frame_size });
        }
        let compressed = header.rsv != 0 || self.open.as_ref().is_some_and(|open| open.compressed);
        self.size = self.size.saturating_add(size);
        // What is compressed counts by what it becomes; but no honest compressor makes a message twice as long, and what
        // becomes nothing still takes time.
        let limit = limits.max_message_size;
        let most = if compressed { limit.saturating_mul(2).saturating_add(COMPRESSED_SLACK) } else { limit };
        if self.size > most {
            return Err(ProtocolError::MessageTooBig { size: self.size, limit });
        }
        self.fragments += 1;
        if self.fragments > limits.max_fragments {
            return Err(ProtocolError::TooManyFragments { limit: limits.max_fragments });
        }
        Ok(())
    }

    /// Copies or inflates a piece behind what came of its message.
    fn assemble<'b>(
        &mut self,
        piece: Piece<'b>,
        limits: &Limits,
        deflate: Option<&mut MessageDeflate>,
    ) -> Result<Option<Incoming<'b>>, ProtocolError> {
        let header = piece.header;
        let open = self.open.get_or_insert_with(|| {
            let content = match header.opcode {
                Opcode::Text => Content::Text(String::new(), Validator::default()),
                _ => Content::Binary(Vec::new()),
            };
            Box::new(Open { compressed: header.rsv != 0, content })
        });
        let fin = piece.is_last() && header.fin;
        match deflate.filter(|_| open.compressed) {
            Some(deflate) => open.content.inflate(piece.payload, fin, limits.max_message_size, deflate)?,
            None => open.content.append(piece.payload)?,
        }
        if !fin {
            return Ok(None);
        }
        Ok(Some(Incoming::Message(match self.open.take().map(|open| open.content) {
            Some(Content::Text(text, mut validator)) => {
                validator.finish().map_err(|_| ProtocolError::InvalidUtf8)?;
                Message::Text(Cow::Owned(text))
            }
            Some(Content::Binary(bytes)) => Message::Binary(Cow::Owned(bytes)),
            None => return Ok(None),
        })))
    }

    /// Control frames come between the fragments of a message (§5.4) and are at most 125 bytes long.
    fn push_control<'b>(&mut self, piece: Piece<'b>) -> Result<Option<Incoming<'b>>, ProtocolError> {
        let payload = if piece.is_whole() {
            Cow::Borrowed(piece.payload)
        } else {
            self.control.get_or_insert_default().extend_from_slice(piece.payload);
            if !piece.is_last() {
                return Ok(None);
            }
            Cow::Owned(self.control.take().map(|control| *control).unwrap_or_default())
        };
        Ok(Some(match piece.header.opcode {
            Opcode::Ping => Incoming::Ping(payload),
            Opcode::Pong => Incoming::Pong(payload),
            _ => Incoming::Close(match payload {
                Cow::Borrowed(bytes) => CloseFrame::parse(bytes)?,
                Cow::Owned(bytes) => CloseFrame::parse(&bytes)?.into_owned(),
            }),
        }))
    }
}
