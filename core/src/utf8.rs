//! UTF-8 as it arrives: text is refused at its first bad byte, also inside an unfinished frame or fragment.
//!
//! "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8
//! stream, that endpoint MUST _Fail the WebSocket Connection_" (RFC 6455 §8.1).

use crate::prelude::{String, Vec};
use crate::raw;

/// The bytes are not UTF-8, whatever may follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

/// The whole of `bytes` as text.
#[cfg(not(target_family = "wasm"))]
#[inline]
pub fn whole(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| InvalidUtf8)
}

/// The whole of `bytes` as text.
#[cfg(target_family = "wasm")]
pub fn whole(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    raw::checked_text(bytes).ok_or(InvalidUtf8)
}

/// The same of bytes that are owned.
pub(crate) fn owned(bytes: Vec<u8>) -> Result<String, InvalidUtf8> {
    raw::checked_string(bytes).ok_or(InvalidUtf8)
}

/// Whether all of `bytes` is text.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    if cfg!(target_family = "wasm") { states::after(bytes) == states::START } else { whole(bytes).is_ok() }
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
            let character = &self.cut[..usize::from(self.cut_len)];
            match states::after(character) {
                states::START => {
                    sink(whole(character)?);
                    self.cut_len = 0;
                }
                states::BAD => return Err(InvalidUtf8),
                // The sequence is right so far and only lacks bytes.
                _ => {}
            }
        }
        let (whole_characters, cut) = bytes.split_at(bytes.len() - cut_at_end(bytes));
        sink(whole(whole_characters)?);
        if states::after(cut) == states::BAD {
            return Err(InvalidUtf8);
        }
        self.cut[..cut.len()].copy_from_slice(cut);
        self.cut_len = cut.len() as u8;
        Ok(())
    }

    /// The bytes of a cut character, which are held back.
    pub fn cut(&self) -> &[u8] {
        &self.cut[..self.cut_len()]
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

/// How many of the last bytes begin a character and are fewer than its first one asks for.
fn cut_at_end(bytes: &[u8]) -> usize {
    for (count, &byte) in (1..).zip(bytes.iter().rev().take(3)) {
        // All bytes of a character but the first are 10xxxxxx.
        if byte & 0xc0 != 0x80 {
            return if byte >= 0xc0 && (byte.leading_ones() as usize) > count { count } else { 0 };
        }
    }
    0
}

/// The well-formed sequences of bytes (Unicode's table 3-7) as an automaton without branches: a state is where in a row of the
/// table, one a byte, the next state stands. So a step is one shift; that of the standard library takes three times as long
/// for text of several scripts, where no processor can tell what comes next.
mod states {
    /// Between two characters.
    pub(super) const START: u64 = 0;
    /// What has come is the beginning of no text.
    pub(super) const BAD: u64 = 6;
    /// So many more bytes are to come.
    const ONE: u64 = 12;
    const TWO: u64 = 18;
    const THREE: u64 = 24;
    /// Behind the first bytes whose second is not any: overlong forms, surrogates, and what is above U+10FFFF, are no text.
    const E0: u64 = 30;
    const ED: u64 = 36;
    const F0: u64 = 42;
    const F4: u64 = 48;

    /// A state is its lowest six bits; above them there is anything.
    const STATE: u64 = 0b11_1111;

    static ROWS: [u64; 256] = {
        let mut rows = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            rows[byte] = row(byte as u8);
            byte += 1;
        }
        rows
    };

    const fn row(byte: u8) -> u64 {
        let first = match byte {
            ..0x80 => START,
            0xc2..=0xdf => ONE,
            0xe0 => E0,
            0xed => ED,
            0xe1..=0xef => TWO,
            0xf0 => F0,
            0xf1..=0xf3 => THREE,
            0xf4 => F4,
            _ => BAD,
        };
        // Whether it may stand elsewhere, and what it comes to then.
        let [all, from_90, from_a0] = [matches!(byte, 0x80..=0xbf), byte >= 0x90, byte >= 0xa0];
        first
            | (BAD << BAD)
            | (if all { START } else { BAD } << ONE)
            | (if all { ONE } else { BAD } << TWO)
            | (if all { TWO } else { BAD } << THREE)
            | (if all && from_a0 { ONE } else { BAD } << E0)
            | (if all && !from_a0 { ONE } else { BAD } << ED)
            | (if all && from_90 { TWO } else { BAD } << F0)
            | (if all && !from_90 { TWO } else { BAD } << F4)
    }

    #[inline(always)]
    fn step(state: u64, byte: u8) -> u64 {
        ROWS[usize::from(byte)] >> (state & STATE)
    }

    /// The state behind `bytes`.
    pub(super) fn after(bytes: &[u8]) -> u64 {
        let mut state = START;
        let (blocks, rest) = bytes.as_chunks::<16>();
        for block in blocks {
            let number = u128::from_le_bytes(*block);
            let ascii = (number | (number >> 64)) as u64 & 0x8080_8080_8080_8080 == 0;
            if ascii && state & STATE == START {
                continue;
            }
            for four in block.as_chunks::<4>().0 {
                state = step(step(step(step(state, four[0]), four[1]), four[2]), four[3]);
            }
        }
        rest.iter().fold(state, |state, &byte| step(state, byte)) & STATE
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_sequence_of_up_to_four_bytes_is_judged_as_the_standard_library_does() {
            // Bytes around the borders of every range of the table.
            let bytes = [
                0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
            ];
            for (a, b) in bytes.iter().flat_map(|a| bytes.map(|b| (*a, b))) {
                for (c, d) in bytes.iter().flat_map(|c| bytes.map(|d| (*c, d))) {
                    for text in [&[a, b, c, d][..], &[a, b, c], &[a, b], &[a]] {
                        let expected = match core::str::from_utf8(text) {
                            Ok(_) => (true, false),
                            Err(error) => (false, error.error_len().is_some()),
                        };
                        let state = after(text);
                        assert_eq!((state == START, state == BAD), expected, "{text:02x?}");
                        let behind = after(&[&b"a".repeat(13), text].concat());
                        assert_eq!(behind, state, "{text:02x?} behind letters");
                    }
                }
            }
        }

        #[test]
        fn every_character_is_text() {
            for character in '\0'..=char::MAX {
                assert_eq!(after(character.to_string().as_bytes()), START, "{character:?}");
            }
        }
    }
}
