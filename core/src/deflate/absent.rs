//! In place of the streams where the cargo feature `deflate` is off: types that no value has.

use crate::prelude::Vec;

/// Whether compression can be agreed on.
pub(crate) const AVAILABLE: bool = false;

/// Why a message can't be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The bytes are not a DEFLATE stream.
    Invalid,
    /// There would be more than the limit.
    TooBig,
}

/// A compressor, which can't be made.
pub enum Compressor {}

/// A decompressor, which can't be made.
pub enum Decompressor {}

impl Compressor {
    pub(crate) fn new(_level: u8, _window_bits: u8) -> Self {
        unreachable!("no compression is agreed on without the feature `deflate`")
    }

    pub(crate) fn compress(&mut self, _payload: &[u8], _fin: bool, _out: &mut Vec<u8>) {
        match *self {}
    }
}

impl Decompressor {
    pub(crate) fn new(_window_bits: u8) -> Self {
        unreachable!("no compression is agreed on without the feature `deflate`")
    }

    pub(crate) fn resting(window_bits: u8) -> Self {
        Self::new(window_bits)
    }

    pub(crate) fn rest(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn decompress(
        &mut self,
        _payload: &[u8],
        _fin: bool,
        _limit: usize,
        _out: &mut Vec<u8>,
    ) -> Result<(), InflateError> {
        match *self {}
    }
}
