//! Masking (RFC 6455 §5.3): payload byte `i` is XORed with byte `i mod 4` of the masking key.

use crate::prelude::Vec;
use crate::raw;

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

/// From this length on a look at what the processor can do costs less than it brings.
const LONG: usize = 256;

/// Masks or unmasks `bytes` in place: XOR is its own inverse.
///
/// `offset` is the position of `bytes[0]` in the payload, so that a payload can be unmasked as its pieces arrive.
#[inline]
pub fn apply(key: [u8; 4], offset: u64, bytes: &mut [u8]) {
    let key = rotated(key, offset as usize);
    if bytes.len() < LONG { apply_in_steps(key, bytes) } else { raw::apply_long(key, bytes) }
}

/// Appends `payload`, masked, to `out`.
#[inline]
pub fn append(key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) {
    raw::append(([0; 16], 0), Some(key), payload, out);
}

/// In steps of 8 bytes, in as little code as possible.
#[cfg(target_family = "wasm")]
#[inline(never)]
pub(crate) fn apply_in_steps(key: [u8; 4], bytes: &mut [u8]) {
    let twice = u64::from(u32::from_ne_bytes(key)) * 0x1_0000_0001;
    let (steps, rest) = bytes.as_chunks_mut::<8>();
    for step in steps {
        *step = (u64::from_ne_bytes(*step) ^ twice).to_ne_bytes();
    }
    rest.iter_mut().zip(twice.to_ne_bytes()).for_each(|(byte, key)| *byte ^= key);
}

/// In steps of at most 16 bytes, which are words of the key and compile to vector instructions where there are any.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn apply_in_steps(key: [u8; 4], bytes: &mut [u8]) {
    match bytes.len() {
        16.. => apply_overlapping::<16>(key, bytes),
        8.. => apply_overlapping::<8>(key, bytes),
        4.. => apply_overlapping::<4>(key, bytes),
        _ => bytes.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key),
    }
}

/// In steps of `N` bytes. The last ends with the payload, and overlaps the one before it: it is made of the bytes that
/// were there before.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
fn apply_overlapping<const N: usize>(key: [u8; 4], bytes: &mut [u8]) {
    let last = bytes.last_chunk::<N>().map(|last| xor(rotated(key, bytes.len() - N), *last));
    for step in bytes.as_chunks_mut::<N>().0 {
        *step = xor(key, *step);
    }
    if let (Some(step), Some(last)) = (bytes.last_chunk_mut::<N>(), last) {
        *step = last;
    }
}

/// `bytes`, a multiple of four, with the key over each four.
#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn xor<const N: usize>(key: [u8; 4], mut bytes: [u8; N]) -> [u8; N] {
    for word in bytes.as_chunks_mut::<4>().0 {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    bytes
}

/// The key as it meets a byte at `offset`.
#[inline(always)]
pub(crate) const fn rotated(key: [u8; 4], offset: usize) -> [u8; 4] {
    // As a number, since bytes in an array are rotated by calls of memmove.
    u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32).to_le_bytes()
}
