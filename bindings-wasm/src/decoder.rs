//! Bytes to frames, a chunk at a time.

use alloc::vec::Vec;

use itoden_core::ProtocolError;
use itoden_core::frame::{Decoder, Piece};
use itoden_core::header::{FrameHeader, HeaderRules};
use itoden_core::input::Input;

use crate::abi::{Handle, place, tell};
use crate::{border, error};

/// Decodes a byte stream.
///
/// The payload of a frame that lies whole in its chunk is unmasked where it lies; that of a frame cut between chunks is
/// collected as its bytes arrive, up to `max_frame_size`, and never reserved from the length that its header declares.
pub struct RawFrameDecoder {
    decoder: Decoder,
    max_frame_size: u64,
    /// What came of the payload of a frame that is cut.
    collected: Vec<u8>,
    /// The payload of the frame that the last chunk completed.
    completed: Vec<u8>,
    /// From where to where the chunk is of use to JavaScript.
    span: (usize, usize),
    table: Vec<u32>,
    error: Option<ProtocolError>,
}

/// A decoder at the boundary of two frames. `receiver`: a client (0) takes unmasked frames, "all frames sent from the
/// server to the client" (§5.1); a server (1) masked ones; an onlooker (2) every frame that is well-formed, whatever its
/// reserved bits. `allowed_rsv`: the bits that an extension defines, RSV1 as 4.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_new(receiver: u32, allowed_rsv: u32, max_frame_size: u32) -> Handle<RawFrameDecoder> {
    Handle::new(RawFrameDecoder::new(receiver, allowed_rsv as u8, max_frame_size))
}

/// Decodes the first `len` bytes of the border; the address of the table, which holds until the next call.
///
/// A record is the first byte of the frame with MASK as bit 8 and the length of the header above; the masking key; where
/// the payload begins in the completed payload followed by the span of the chunk; its length. The words: frames in the
/// table, whether decoding failed, address and length of the completed payload, and from where to where the chunk has
/// payloads of whole frames.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_push(decoder: Handle<RawFrameDecoder>, len: usize) -> *const u32 {
    decoder.with(|decoder| {
        decoder.push(len);
        tell(&decoder.head());
        decoder.table.as_ptr()
    })
}

/// Where in the first `len` bytes of the border frames begin: the first byte from which on the headers of the next `ahead`
/// bytes, as far as they are there, are in order; `len` if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_find(decoder: Handle<RawFrameDecoder>, len: usize, ahead: usize) -> usize {
    decoder.with(|decoder| {
        border::lend(len, |bytes| {
            let fits = |&start: &usize| decoder.fits(&bytes[start..len.min(start + ahead)]);
            (0..len).find(fits).unwrap_or(len)
        })
    })
}

/// Gives the completed payload back, once JavaScript has copied it.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_release(decoder: Handle<RawFrameDecoder>) {
    decoder.with(|decoder| decoder.completed = Vec::new());
}

/// Leaves what went wrong in the words, as `src/error.rs` has it; to be asked only if something did.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_failure(decoder: Handle<RawFrameDecoder>) {
    decoder.with(|decoder| decoder.error.iter().for_each(error::protocol));
}

/// Whether the next byte begins a frame.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_is_between_frames(decoder: Handle<RawFrameDecoder>) -> bool {
    decoder.with(|decoder| decoder.decoder.is_between_frames())
}

/// Gives the decoder's memory up.
#[unsafe(no_mangle)]
pub extern "C" fn decoder_free(decoder: Handle<RawFrameDecoder>) {
    decoder.free();
}

impl RawFrameDecoder {
    fn new(receiver: u32, allowed_rsv: u8, max_frame_size: u32) -> Self {
        let rules = match receiver {
            0 => HeaderRules { allowed_rsv, masked: Some(false) },
            1 => HeaderRules { allowed_rsv, masked: Some(true) },
            _ => HeaderRules::ANY,
        };
        Self {
            decoder: Decoder::new(rules),
            max_frame_size: u64::from(max_frame_size),
            collected: Vec::new(),
            completed: Vec::new(),
            span: (0, 0),
            table: Vec::new(),
            error: None,
        }
    }

    fn push(&mut self, len: usize) {
        self.table.clear();
        self.span = (0, 0);
        if self.error.is_none() {
            self.error = border::lend(len, |bytes| self.decode(bytes)).err();
        }
        if self.error.is_some() {
            self.collected = Vec::new();
        }
    }

    /// Whether `bytes` can be frames one behind the other, of which the last may be cut.
    fn fits(&self, mut bytes: &[u8]) -> bool {
        loop {
            match FrameHeader::parse(bytes, self.decoder.rules()) {
                Err(_) => return false,
                Ok(Some((header, _))) if header.payload_len > self.max_frame_size => return false,
                Ok(Some((header, len))) if header.payload_len <= (bytes.len() - len) as u64 => {
                    bytes = &bytes[len + header.payload_len as usize..];
                }
                Ok(_) => return true,
            }
        }
    }

    fn head(&self) -> [u32; 6] {
        let [completed, completed_len] = place(&self.completed);
        let (from, to) = self.span;
        let frames = self.table.len() / 4;
        [frames as u32, u32::from(self.error.is_some()), completed, completed_len, from as u32, to as u32]
    }

    fn decode(&mut self, bytes: &mut [u8]) -> Result<(), ProtocolError> {
        let len = bytes.len();
        let mut input = Input::new(bytes);
        while let Some(piece) = self.decoder.decode(&mut input)? {
            self.take(piece, len - input.len())?;
        }
        Ok(())
    }

    /// Takes a piece that ends at `end` of the chunk.
    fn take(&mut self, piece: Piece<'_>, end: usize) -> Result<(), ProtocolError> {
        let header = piece.header;
        if piece.first && header.payload_len > self.max_frame_size {
            return Err(ProtocolError::FrameTooBig { size: header.payload_len, limit: self.max_frame_size });
        }
        if piece.is_whole() {
            self.span.1 = end;
            self.record(header, self.completed.len() + end - piece.payload.len() - self.span.0);
        } else {
            self.collected.extend_from_slice(piece.payload);
            if piece.is_last() {
                // Only the first frame that ends in a chunk can have begun before it.
                self.completed = core::mem::take(&mut self.collected);
                self.span = (end, end);
                self.record(header, 0);
            }
        }
        Ok(())
    }

    fn record(&mut self, header: FrameHeader, offset: usize) {
        let first = (u32::from(header.fin) << 7) | (u32::from(header.rsv) << 4) | u32::from(header.opcode.bits());
        let masked = u32::from(header.masking_key.is_some());
        // The minimal encoding is the only one that the decoder lets pass, so this is the length that came.
        let header_len = header.encoded_len() as u32;
        let key = u32::from_be_bytes(header.masking_key.unwrap_or_default());
        self.table.extend([first | (masked << 8) | (header_len << 16), key, offset as u32, header.payload_len as u32]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(decoder: &mut RawFrameDecoder, bytes: &[u8]) -> Vec<[u32; 4]> {
        decoder.push(border::fill(bytes));
        decoder.table.chunks(4).map(|record| record.try_into().unwrap()).collect()
    }

    #[test]
    fn the_masked_hello_of_the_rfc_is_one_record() {
        let mut decoder = RawFrameDecoder::new(1, 0, 1024);
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(push(&mut decoder, &hello), [[0x0006_0181, 0x37fa_213d, 6, 5]]);
        border::lend(11, |bytes| assert_eq!(&bytes[6..], b"Hello"));
    }

    #[test]
    fn a_cut_frame_comes_before_the_whole_ones_behind_it() {
        let mut decoder = RawFrameDecoder::new(0, 0, 1024);
        assert!(push(&mut decoder, b"\x82\x03a").is_empty());
        let records = push(&mut decoder, b"bc\x82\x01d\x82\x02e");
        assert_eq!(records, [[0x0002_0082, 0, 0, 3], [0x0002_0082, 0, 5, 1]]);
        assert_eq!((decoder.completed.as_slice(), decoder.span), (&b"abc"[..], (2, 5)));
        assert_eq!(decoder.collected, b"e");
    }

    #[test]
    fn the_first_byte_is_found_from_which_on_there_are_frames() {
        let find =
            |bytes: &[u8], ahead| decoder_find(Handle::new(RawFrameDecoder::new(0, 0, 4)), border::fill(bytes), ahead);
        assert_eq!(find(b"\x83\x83\x81\x01a\x82\x02b", 64), 2);
        // Too large; and masked behind it, which leaves the last byte, and is looked at only if it is near enough.
        assert_eq!(find(b"\x82\x05\x81\x01a\x82\x81", 64), 6);
        assert_eq!(find(b"\x82\x05\x81\x01a\x82\x81", 4), 2);
        assert_eq!(find(b"", 64), 0);
    }

    #[test]
    fn nothing_is_reserved_from_a_declared_length() {
        let mut decoder = RawFrameDecoder::new(0, 0, u32::MAX);
        assert!(push(&mut decoder, b"\x82\x7f\0\0\0\0\x7f\xff\xff\xffabc").is_empty());
        assert!(decoder.collected.capacity() < 64);
    }

    #[test]
    fn frames_before_an_error_are_in_the_table_and_none_comes_after() {
        let mut decoder = RawFrameDecoder::new(0, 0, 4);
        assert_eq!(push(&mut decoder, b"\x81\x01a\x82\x05").len(), 1);
        assert_eq!(decoder.error, Some(ProtocolError::FrameTooBig { size: 5, limit: 4 }));
        assert!(push(&mut decoder, b"\x81\x01a").is_empty());
        assert_eq!(decoder.head()[..2], [0, 1]);
    }
}
