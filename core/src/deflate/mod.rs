//! permessage-deflate: compression of messages (RFC 7692).
//!
//! - [`params`]: the four parameters, and how both ends agree on them
//! - [`stream`]: the compressor and the decompressor
//!
//! [`MessageDeflate`] is both streams of one connection. Without the cargo feature `deflate` it can't be made, and no
//! offer is made or accepted.

#[cfg(feature = "deflate")]
#[cfg_attr(target_family = "wasm", path = "kept.rs")]
mod idle;
pub mod params;
#[cfg(feature = "deflate")]
pub mod stream;
#[cfg(not(feature = "deflate"))]
#[path = "absent.rs"]
pub mod stream;

pub use params::{DeflateConfig, DeflateParams};
pub use stream::{Compressor, Decompressor, InflateError};

use crate::prelude::Vec;
use crate::state::Role;

/// The compression of one connection. Each stream is made when it is first used, and given up after each message if its
/// sender starts every message anew: at rest it then holds none.
pub struct MessageDeflate {
    params: DeflateParams,
    role: Role,
    level: u8,
    threshold: usize,
    compressor: Option<Compressor>,
    decompressor: Option<Decompressor>,
}

impl MessageDeflate {
    /// The compression that was agreed on.
    pub const fn new(params: DeflateParams, role: Role, config: &DeflateConfig) -> Self {
        let (level, threshold) = (config.level, config.threshold);
        Self { params, role, level, threshold, compressor: None, decompressor: None }
    }

    /// What was agreed on.
    pub const fn params(&self) -> DeflateParams {
        self.params
    }

    /// Whether a message of this length, or one whose length is not known yet, is worth compressing.
    pub fn is_worth(&self, len: Option<usize>) -> bool {
        len.is_none_or(|len| len >= self.threshold)
    }

    /// Appends the next part of a message to `out`, compressed; with `fin` it is the last part.
    pub fn compress(&mut self, payload: &[u8], fin: bool, out: &mut Vec<u8>) {
        let (bits, no_context_takeover) = match self.role {
            Role::Client => (self.params.client_max_window_bits, self.params.client_no_context_takeover),
            Role::Server => (self.params.server_max_window_bits, self.params.server_no_context_takeover),
        };
        let compressor = self.compressor.get_or_insert_with(|| Compressor::new(self.level, bits));
        compressor.compress(payload, fin, out);
        if fin && no_context_takeover {
            self.compressor = None;
        }
    }

    /// Gives the compressor up. Between two messages that is always allowed: the next one then refers to none before it.
    pub fn release_compressor(&mut self) {
        self.compressor = None;
    }

    /// Appends the next part of a message to `out`, decompressed; with `fin` it is the last part.
    ///
    /// `out` grows to at most `limit` bytes.
    pub fn decompress(
        &mut self,
        payload: &[u8],
        fin: bool,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), InflateError> {
        let (bits, no_context_takeover) = match self.role {
            Role::Client => (self.params.server_max_window_bits, self.params.server_no_context_takeover),
            Role::Server => (self.params.client_max_window_bits, self.params.client_no_context_takeover),
        };
        let decompressor = self.decompressor.get_or_insert_with(|| Decompressor::new(bits));
        decompressor.decompress(payload, fin, limit, out)?;
        if fin && no_context_takeover {
            self.decompressor = None;
        }
        Ok(())
    }
}
