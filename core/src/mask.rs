//! Masking (RFC 6455 §5.3): payload byte `i` is XORed with byte `i mod 4` of the masking key.

/// Where masking keys come from.
///
/// "The masking key is a 32-bit value chosen at random by the client. [...] The masking key needs to be unpredictable;
/// thus, the masking key MUST be derived from a strong source of entropy" (§5.3). The core has no such source: drivers
/// give it one, usually [`BufferedMaskKeys`] over the operating system's generator; tests give it fixed keys.
pub trait MaskKeys {
    /// The key for the next frame. Called once a frame, in the order of sending.
    fn next_key(&mut self) -> [u8; 4];
}

/// Masking keys drawn 256 at a time from `fill`, which overwrites a slice with random bytes.
///
/// One system call then pays for 256 frames. The buffer is meant to be shared by the connections of a thread.
pub struct BufferedMaskKeys<F> {
    fill: F,
    buffer: [u8; 1024],
    used: usize,
}

impl<F: FnMut(&mut [u8])> BufferedMaskKeys<F> {
    /// Nothing is drawn before the first key is asked for.
    pub const fn new(fill: F) -> Self {
        Self { fill, buffer: [0; 1024], used: 1024 }
    }
}

impl<F: FnMut(&mut [u8])> MaskKeys for BufferedMaskKeys<F> {
    #[inline]
    fn next_key(&mut self) -> [u8; 4] {
        if self.used == self.buffer.len() {
            (self.fill)(&mut self.buffer);
            self.used = 0;
        }
        let slot = &mut self.buffer[self.used..self.used + 4];
        let mut key = [0; 4];
        key.copy_from_slice(slot);
        // A key that was sent is not kept: a later leak of this memory tells nothing about it.
        slot.fill(0);
        self.used += 4;
        key
    }
}

/// Masks or unmasks `bytes` in place: XOR is its own inverse.
///
/// `offset` is the position of `bytes[0]` in the payload, so that a payload can be unmasked as its pieces arrive.
#[inline]
pub fn apply(key: [u8; 4], offset: u64, bytes: &mut [u8]) {
    let key = rotated(key, offset);
    let word = u32::from_ne_bytes(key);
    // Whole 16-byte steps, four words each, which compile to vector instructions where there are any; then the rest.
    let (steps, rest) = bytes.as_chunks_mut::<16>();
    for step in steps {
        xor_words(step, word);
    }
    let tail = xor_words(rest, word);
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// XORs each four bytes; the up to three behind them are left, and returned.
#[inline(always)]
fn xor_words(bytes: &mut [u8], word: u32) -> &mut [u8] {
    let (words, tail) = bytes.as_chunks_mut::<4>();
    for chunk in words {
        *chunk = (u32::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    tail
}

/// Appends `payload`, masked, to `out`.
pub fn append(key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(payload.len());
    // In steps that stay in the first-level cache between the copy and the XOR; 4096 is a multiple of the key's period.
    for chunk in payload.chunks(4096) {
        let start = out.len();
        out.extend_from_slice(chunk);
        apply(key, 0, &mut out[start..]);
    }
}

/// The key as it meets a byte at `offset`.
#[inline]
fn rotated(mut key: [u8; 4], offset: u64) -> [u8; 4] {
    key.rotate_left((offset % 4) as usize);
    key
}
