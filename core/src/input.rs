//! The bytes that a driver has read and lends to a connection.

use core::mem;

/// A cursor over the driver's read buffer.
///
/// Decoding takes bytes off its front. What is taken is unmasked in place and lent on for as long as the *buffer* lives,
/// not the connection, so an application can answer an event while it still reads the payload.
#[derive(Debug)]
#[must_use = "bytes that are not polled out of an Input are lost"]
pub struct Input<'b> {
    bytes: &'b mut [u8],
}

impl<'b> Input<'b> {
    /// A cursor at the start of `bytes`.
    #[inline]
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes }
    }

    /// No bytes at all, to poll for events that no bytes caused (an end of file, a timeout).
    pub fn empty() -> Self {
        Self { bytes: &mut [] }
    }

    /// The bytes not decoded yet, exactly as they came.
    #[inline]
    pub fn remaining(&self) -> &[u8] {
        self.bytes
    }

    /// How many bytes are not decoded yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether every byte has been decoded.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next `count` bytes off the front.
    ///
    /// # Panics
    /// If fewer than `count` bytes remain.
    #[inline]
    pub fn take(&mut self, count: usize) -> &'b mut [u8] {
        let (front, rest) = mem::take(&mut self.bytes).split_at_mut(count);
        self.bytes = rest;
        front
    }

    /// Throws the remaining bytes away.
    pub fn discard(&mut self) {
        self.bytes = &mut [];
    }
}
