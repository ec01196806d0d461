//! UTF-8 as it arrives: text is refused at its first bad byte, also inside an unfinished frame or fragment.
//!
//! "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8
//! stream, that endpoint MUST _Fail the WebSocket Connection_" (RFC 6455 §8.1).

/// The bytes are not UTF-8, whatever may follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

/// The whole of `bytes` as text.
#[inline]
pub fn whole(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| InvalidUtf8)
}

/// Checks text that comes in pieces cut anywhere, also inside a character.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validator {
    /// The first bytes of a character whose rest has not come: at most three.
    cut: [u8; 4],
    cut_len: u8,
}

impl Validator {
    /// Checks the next piece and hands the text that is now certain to `sink`, in order, in one or two parts.
    pub fn push(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&str)) -> Result<(), InvalidUtf8> {
        while self.cut_len > 0 {
            let Some((&first, rest)) = bytes.split_first() else { return Ok(()) };
            self.cut[usize::from(self.cut_len)] = first;
            self.cut_len += 1;
            bytes = rest;
            match core::str::from_utf8(&self.cut[..usize::from(self.cut_len)]) {
                Ok(character) => {
                    sink(character);
                    self.cut_len = 0;
                }
                // No error length: the sequence is right so far and only lacks bytes.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8),
            }
        }
        match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => sink(text),
            Err(error) if error.error_len().is_none() => {
                let (whole_characters, cut) = bytes.split_at(error.valid_up_to());
                sink(whole(whole_characters)?);
                self.cut[..cut.len()].copy_from_slice(cut);
                self.cut_len = cut.len() as u8;
            }
            Err(_) => return Err(InvalidUtf8),
        }
        Ok(())
    }

    /// How many bytes of a cut character are held back.
    pub const fn cut_len(&self) -> usize {
        self.cut_len as usize
    }

    /// Ends the text: a character that was cut and never completed is an error. The validator starts anew.
    pub fn finish(&mut self) -> Result<(), InvalidUtf8> {
        let cut = core::mem::take(&mut self.cut_len);
        if cut == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }
}
