//! Recipes for payloads: few bytes of input make long payloads, with the repetitions that compressors live on.

use arbitrary::Arbitrary;

/// A length that is mostly short and at most 65,536.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Length(u8);

impl Length {
    pub fn get(self) -> usize {
        match usize::from(self.0) {
            short @ 0..128 => short,
            long => (long - 127).pow(2) * 4,
        }
    }
}

/// One step of a recipe.
#[derive(Arbitrary, Clone, Debug)]
pub enum Ingredient<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// What stood `distance` + 1 bytes before, also in earlier payloads: what a compressor's window is about.
    Again { distance: u16, length: Length },
    /// One byte over and over.
    Fill { byte: u8, length: Length },
    /// Bytes that can't be compressed.
    Noise { seed: u32, length: Length },
}

/// How a payload is made.
#[derive(Arbitrary, Clone, Debug)]
pub struct Recipe<'a>(Vec<Ingredient<'a>>);

/// The payloads that one end has sent, so that the next can repeat them.
#[derive(Default)]
pub struct Kitchen {
    made: Vec<u8>,
}

impl Kitchen {
    /// Makes a payload of at most `most` bytes.
    pub fn make(&mut self, recipe: &Recipe<'_>, most: usize) -> Vec<u8> {
        let start = self.made.len();
        for ingredient in &recipe.0 {
            let room = most - (self.made.len() - start);
            match *ingredient {
                Ingredient::Bytes(bytes) => self.made.extend_from_slice(&bytes[..bytes.len().min(room)]),
                Ingredient::Again { distance, length } => {
                    let distance = usize::from(distance) + 1;
                    for _ in 0..length.get().min(room) {
                        let byte = self.made.len().checked_sub(distance).map_or(0, |at| self.made[at]);
                        self.made.push(byte);
                    }
                }
                Ingredient::Fill { byte, length } => {
                    self.made.resize(self.made.len() + length.get().min(room), byte);
                }
                Ingredient::Noise { seed, length } => {
                    let mut state = u64::from(seed) << 1 | 1;
                    self.made.extend((0..length.get().min(room)).map(|_| {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        (state >> 24) as u8
                    }));
                }
            }
        }
        self.made[start..].to_vec()
    }

    /// Makes a text of at most `most` bytes.
    pub fn make_text(&mut self, recipe: &Recipe<'_>, most: usize) -> String {
        // Each byte is one character: ASCII, or one of two to four bytes.
        let mut text = String::new();
        for byte in self.make(recipe, most) {
            let c = match byte {
                0..0x80 => char::from(byte),
                0x80..0xc0 => char::from_u32(0x80 + u32::from(byte)).expect("Latin"),
                0xc0..0xe0 => char::from_u32(0x30a0 + u32::from(byte & 0x1f)).expect("Katakana"),
                _ => char::from_u32(0x1_f600 + u32::from(byte & 0x1f)).expect("an emoji"),
            };
            if text.len() + c.len_utf8() > most {
                break;
            }
            text.push(c);
        }
        text
    }
}
