//! Fragments put together, or handed on as parts: limits, UTF-8, decompression (RFC 6455 §5.4, §8.1; RFC 7692 §6.2).

use alloc::borrow::Cow;

use super::content::{self, Content};
use super::{Message, MessageKind, MessagePart};
use crate::close::CloseFrame;
use crate::config::Limits;
use crate::deflate::MessageDeflate;
use crate::error::ProtocolError;
use crate::frame::Piece;
use crate::opcode::Opcode;
use crate::prelude::{Box, Vec};
use crate::utf8;

/// What a compressed message may have beyond twice the limit: small messages in many fragments grow.
const COMPRESSED_SLACK: u64 = 1 << 20;

/// What of a compressed message is inflated at once if it is streamed. It becomes 1032 times as much at the most.
const COMPRESSED_STEP: usize = 4096;

/// What frames amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'b> {
    /// A message is whole.
    Message(Message<'b>),
    /// A part of a message came, and messages are streamed.
    Part(MessagePart<'b>),
    /// A ping, with its application data.
    Ping(Cow<'b, [u8]>),
    /// A pong, with its application data.
    Pong(Cow<'b, [u8]>),
    /// The peer starts or answers the closing handshake.
    Close(CloseFrame<'b>),
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
    /// Whether the messages that begin from now on are handed on part by part.
    streaming: bool,
    /// Whether the payloads of long messages are left to the driver.
    pub(crate) leaves: bool,
    /// Whether that of the frame that has begun is.
    pub(crate) apart: bool,
}

/// A message whose last fragment has not come.
#[derive(Debug)]
struct Open {
    compressed: bool,
    content: Content,
}

impl Assembler {
    /// No message is open.
    pub const fn new() -> Self {
        Self { open: None, size: 0, fragments: 0, control: None, streaming: false, leaves: false, apart: false }
    }

    /// Whether the messages that begin from now on are handed on part by part, as [`Incoming::Part`]. Default `false`.
    pub const fn stream_messages(&mut self, on: bool) {
        self.streaming = on;
    }

    /// From now on the message that has begun is handed on part by part too. Returns what came of it, as its first part and
    /// a fragment of its own; `None` if nothing did, or its parts are handed on already.
    pub fn stream_begun_message(&mut self) -> Option<MessagePart<'static>> {
        self.open.as_mut()?.content.stream()
    }

    /// Whether messages are handed on part by part.
    pub const fn streams_messages(&self) -> bool {
        self.streaming
    }

    /// Whether a message that comes whole is handed on whole: none is open, and none is streamed.
    #[inline]
    pub(crate) const fn lends(&self) -> bool {
        self.open.is_none() && !self.streaming
    }

    /// How many bytes to take at once: few of a compressed message that is streamed, so that its parts stay small.
    pub(crate) fn step(&self) -> usize {
        let compressed = self.streaming && self.open.as_ref().is_none_or(|open| open.compressed);
        if compressed { COMPRESSED_STEP } else { usize::MAX }
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
                return self.lend(header.opcode, piece.payload).map(Some);
            }
        }
        self.assemble(piece, limits, deflate)
    }

    /// A frame that is a message begins, whose payload comes elsewhere.
    pub(crate) fn begin_apart(&mut self, piece: &Piece<'_>, limits: &Limits) -> Result<(), ProtocolError> {
        self.admit(piece, limits)?;
        self.apart = true;
        Ok(())
    }

    fn lend<'b>(&self, opcode: Opcode, payload: &'b [u8]) -> Result<Incoming<'b>, ProtocolError> {
        let message = match opcode {
            Opcode::Text => {
                let text = utf8::whole(payload).map_err(|_| ProtocolError::InvalidUtf8)?;
                Message::Text(Cow::Borrowed(text))
            }
            _ => Message::Binary(Cow::Borrowed(payload)),
        };
        if !self.streaming {
            return Ok(Incoming::Message(message));
        }
        let (kind, payload) = (message.kind(), Cow::Borrowed(payload));
        Ok(Incoming::Part(MessagePart { kind, first: true, ends_fragment: true, last: true, payload }))
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

    /// Puts a piece behind what came of its message, or hands it on.
    fn assemble<'b>(
        &mut self,
        piece: Piece<'b>,
        limits: &Limits,
        mut deflate: Option<&mut MessageDeflate>,
    ) -> Result<Option<Incoming<'b>>, ProtocolError> {
        let header = piece.header;
        let kind = if header.opcode == Opcode::Text { MessageKind::Text } else { MessageKind::Binary };
        if let Some(deflate) = deflate.as_deref_mut()
            && header.rsv != 0
            && header.fin
            && piece.is_whole()
            && !self.streaming
        {
            let message = content::inflate_whole(kind, piece.payload, limits.max_message_size, deflate)?;
            return Ok(Some(Incoming::Message(message)));
        }
        let open = self.open.get_or_insert_with(|| {
            Box::new(Open { compressed: header.rsv != 0, content: Content::new(kind, self.streaming) })
        });
        let last = piece.is_last() && header.fin;
        let deflate = deflate.filter(|_| open.compressed);
        let incoming = open.content.take(piece, last, limits.max_message_size, deflate)?;
        if last {
            self.open = None;
        }
        Ok(incoming)
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
