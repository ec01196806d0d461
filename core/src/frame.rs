//! Frames: bytes to pieces of frames, unmasked in place, and frames to bytes (RFC 6455 §5).

use crate::error::ProtocolError;
use crate::header::{FrameHeader, HeaderRules, MAX_HEADER_LEN};
use crate::input::Input;
use crate::mask;
use crate::message::MessageKind;
use crate::prelude::Vec;
use crate::raw;

/// A part of a frame, as much of it as has arrived.
///
/// The first piece of a frame comes as soon as the header is whole, with an empty payload if no byte of
/// it has arrived, so that limits act on the header. A frame that lies whole in the input is one piece.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'b> {
    /// The header of the frame.
    pub header: FrameHeader,
    /// Whether this piece begins the frame.
    pub first: bool,
    /// Where this piece begins in the payload. 0 for the first piece, and for the second if the first had no bytes.
    pub offset: u64,
    /// The bytes, unmasked.
    pub payload: &'b [u8],
}

impl Piece<'_> {
    /// Whether this piece ends the frame.
    #[inline]
    pub const fn is_last(&self) -> bool {
        self.offset + self.payload.len() as u64 == self.header.payload_len
    }

    /// Whether this piece is the whole frame.
    #[inline]
    pub const fn is_whole(&self) -> bool {
        self.first && self.payload.len() as u64 == self.header.payload_len
    }
}

/// Reads frames out of a byte stream, whatever its chunks.
#[derive(Clone, Debug)]
pub struct Decoder {
    rules: HeaderRules,
    /// The bytes of a header that is cut between two inputs. All 14 of one would make a header, so 13 are enough to keep.
    cut: [u8; MAX_HEADER_LEN - 1],
    cut_len: u8,
    /// The frame whose payload is incomplete, if `missing` is not 0.
    header: FrameHeader,
    missing: u64,
}

impl Decoder {
    /// A decoder at the boundary of two frames.
    pub const fn new(rules: HeaderRules) -> Self {
        let header = FrameHeader {
            fin: true,
            rsv: 0,
            opcode: crate::opcode::Opcode::Continuation,
            masking_key: None,
            payload_len: 0,
        };
        Self { rules, cut: [0; MAX_HEADER_LEN - 1], cut_len: 0, header, missing: 0 }
    }

    /// Takes the next piece of a frame off `input`, or `None` if more bytes are needed; then `input` is empty.
    ///
    /// After an error the stream has no meaning any more: stop decoding.
    #[inline]
    pub fn decode<'b>(&mut self, input: &mut Input<'b>) -> Result<Option<Piece<'b>>, ProtocolError> {
        self.decode_up_to(input, usize::MAX)
    }

    /// The same, but a piece has at most `most` bytes of payload; 0 takes no more than a header.
    #[inline]
    pub fn decode_up_to<'b>(&mut self, input: &mut Input<'b>, most: usize) -> Result<Option<Piece<'b>>, ProtocolError> {
        if self.missing > 0 {
            return Ok(self.decode_rest(input, most));
        }
        let header = if self.cut_len == 0 {
            match FrameHeader::parse(input.remaining(), self.rules)? {
                Some((header, len)) => {
                    input.take(len);
                    header
                }
                None => {
                    let rest = input.take(input.len());
                    self.cut[..rest.len()].copy_from_slice(rest);
                    self.cut_len = rest.len() as u8;
                    return Ok(None);
                }
            }
        } else {
            match self.decode_cut_header(input)? {
                Some(header) => header,
                None => return Ok(None),
            }
        };
        let here = header.payload_len.min(input.len().min(most) as u64);
        let payload = input.take(here as usize);
        if let Some(key) = header.masking_key {
            mask::apply(key, 0, payload);
        }
        self.missing = header.payload_len - here;
        if self.missing > 0 {
            self.header = header;
        }
        Ok(Some(Piece { header, first: true, offset: 0, payload }))
    }

    /// The next `count` bytes of the payload of the frame that has begun came, but not here.
    pub(crate) fn skip(&mut self, count: u64) {
        assert!(
            count <= self.missing,
            "{count} bytes of a payload are said to be taken, but only {} are missing",
            self.missing
        );
        self.missing -= count;
    }

    /// What it asks of headers.
    #[inline]
    pub const fn rules(&self) -> HeaderRules {
        self.rules
    }

    /// Whether the next byte begins a frame.
    #[inline]
    pub const fn is_between_frames(&self) -> bool {
        self.missing == 0 && self.cut_len == 0
    }

    /// How many bytes of the payload of the frame that has begun are still to come.
    #[inline]
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// Takes a message off `input` that lies there whole, in one frame shorter than `limit` and without reserved bits:
    /// the shortest way, for most of what comes. To be called only between frames.
    ///
    /// `None` leaves all as it is for [`decode`](Self::decode), which says what else it is or what is wrong with it.
    #[inline(always)]
    pub(crate) fn decode_lent<'b>(&self, input: &mut Input<'b>, limit: u32) -> Option<(MessageKind, &'b mut [u8])> {
        let bytes = input.remaining();
        let kind = match bytes.first() {
            Some(0x81) => MessageKind::Text, // FIN, no reserved bit
            Some(0x82) => MessageKind::Binary,
            _ => return None,
        };
        let Ok(Some((header, len))) = FrameHeader::parse(bytes, self.rules) else { return None };
        if header.payload_len >= u64::from(limit) || header.payload_len > (bytes.len() - len) as u64 {
            return None;
        }
        let payload = &mut input.take(len + header.payload_len as usize)[len..];
        if let Some(key) = header.masking_key {
            mask::apply(key, 0, payload);
        }
        Some((kind, payload))
    }

    /// The next piece of a payload whose beginning came earlier.
    #[cold]
    fn decode_rest<'b>(&mut self, input: &mut Input<'b>, most: usize) -> Option<Piece<'b>> {
        if input.is_empty() {
            return None;
        }
        let here = self.missing.min(input.len().min(most) as u64);
        let offset = self.header.payload_len - self.missing;
        let payload = input.take(here as usize);
        if let Some(key) = self.header.masking_key {
            mask::apply(key, offset, payload);
        }
        self.missing -= here;
        Some(Piece { header: self.header, first: false, offset, payload })
    }

    /// A header whose first bytes came earlier, taken byte by byte so that nothing behind it is touched.
    #[cold]
    fn decode_cut_header(&mut self, input: &mut Input<'_>) -> Result<Option<FrameHeader>, ProtocolError> {
        let mut bytes = [0; MAX_HEADER_LEN];
        let mut len = usize::from(self.cut_len);
        bytes[..len].copy_from_slice(&self.cut[..len]);
        while !input.is_empty() {
            bytes[len] = input.take(1)[0];
            len += 1;
            if let Some((header, _)) = FrameHeader::parse(&bytes[..len], self.rules)? {
                self.cut_len = 0;
                return Ok(Some(header));
            }
        }
        self.cut[..len].copy_from_slice(&bytes[..len]);
        self.cut_len = len as u8;
        Ok(None)
    }
}

/// Appends a frame to `out`: the header, then the payload, masked if the header has a masking key.
///
/// `header.payload_len` is taken from `payload`.
#[inline(always)]
pub fn encode(mut header: FrameHeader, payload: &[u8], out: &mut Vec<u8>) {
    header.payload_len = payload.len() as u64;
    raw::append(header.to_bytes(), header.masking_key, payload, out);
}
