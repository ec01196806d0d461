//! Text as UTF-16, which is what strings of JavaScript are made of.
//!
//! The decoders of UTF-8 that engines have are fast where text is ASCII, but not elsewhere: V8's takes three times as long for
//! text of several scripts as what is done here, and its decoder of UTF-16 behind it.

use crate::abi::{self, local, tell};

/// Most bytes that are taken at once.
const MOST: usize = 32 << 10;

local! {
    /// What the last call made. A byte of UTF-8 makes no more than one unit.
    UNITS: [u16; MOST] = [0; MOST]
}

/// Makes text of the `len` bytes at `address`, which were checked, or of as many as there is room for. The words: the address of
/// the units, how many there are, how many bytes they were, and whether one of them is beyond Latin-1.
#[unsafe(no_mangle)]
pub extern "C" fn text_units(address: *const u8, len: usize) {
    abi::borrow(address, len, |bytes| {
        UNITS.with(|units| {
            units.with_mut(|units| {
                let taken = whole_characters(bytes);
                let (count, is_wide) = widen(&bytes[..taken], units);
                tell(&[units.as_ptr() as usize as u32, count as u32, taken as u32, u32::from(is_wide)]);
            });
        });
    });
}

/// How many of the first `MOST` bytes are whole characters.
fn whole_characters(bytes: &[u8]) -> usize {
    let mut end = bytes.len().min(MOST);
    while bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    end
}

/// How many units they are, and whether there is one beyond Latin-1. `bytes` are at most as many as there is room for units.
fn widen(mut bytes: &[u8], units: &mut [u16; MOST]) -> (usize, bool) {
    // Written without functions of its own: the compiler is told to make little of it, and then calls each of them.
    let (mut count, mut all) = (0, 0);
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let first = u32::from(*first);
        let mut unit = first;
        if first >= 0x80
            && let [second, rest @ ..] = bytes
        {
            bytes = rest;
            unit = ((first & 0x1f) << 6) | u32::from(second & 0x3f);
            if first >= 0xe0
                && let [third, rest @ ..] = bytes
            {
                bytes = rest;
                unit = ((unit & 0x3ff) << 6) | u32::from(third & 0x3f);
                if first >= 0xf0
                    && let [fourth, rest @ ..] = bytes
                {
                    bytes = rest;
                    let character = ((unit & 0x7fff) << 6) | u32::from(fourth & 0x3f);
                    // Beyond U+FFFF: a pair of surrogates.
                    units[count] = (0xd7c0 + (character >> 10)) as u16;
                    count += 1;
                    unit = 0xdc00 | (character & 0x3ff);
                }
            }
        }
        units[count] = unit as u16;
        count += 1;
        all |= unit;
    }
    (count, all > 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> (Vec<u16>, bool) {
        let mut units = [0; MOST];
        let (count, is_wide) = widen(text.as_bytes(), &mut units);
        (units[..count].to_vec(), is_wide)
    }

    #[test]
    fn every_character_is_its_units() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(units(&text), (text.encode_utf16().collect(), character > '\u{ff}'), "{character:?}");
        }
        let text = "aé\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}z";
        assert_eq!(units(text).0, text.encode_utf16().collect::<Vec<_>>());
    }

    #[test]
    fn a_piece_ends_with_a_whole_character() {
        for character in ["é", "你", "🎈"] {
            for shift in 0..4 {
                let text = format!("{}{}", "a".repeat(shift), character.repeat(MOST));
                let end = whole_characters(text.as_bytes());
                assert!(text.is_char_boundary(end) && end <= MOST && end > MOST - 4, "{end}");
            }
        }
        assert_eq!(whole_characters("é".as_bytes()), 2);
        assert_eq!(whole_characters(b""), 0);
    }
}
