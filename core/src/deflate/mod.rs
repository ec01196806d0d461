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

use core::mem;
use core::time::Duration;

use crate::prelude::Vec;
use crate::state::Role;
use crate::time::Timestamp;

/// The compression of one connection. Each stream is made when it is first used, and given up after each message if its
/// sender starts every message anew: at rest it then holds none.
pub struct MessageDeflate {
    params: DeflateParams,
    role: Role,
    level: u8,
    threshold: usize,
    compressor: Option<Compressor>,
    decompressor: Option<Decompressor>,
    rest: Option<Rest>,
}

/// Whether streams can be given back for a while. On wasm nobody asks for it, and it would be 0.2 to 0.6 kB of a module.
const RESTS: bool = cfg!(not(target_family = "wasm"));

/// When both streams are given back for a while.
struct Rest {
    after: Duration,
    /// The last time that was told.
    now: Timestamp,
    /// When to look whether they were used; `None` while there is nothing to give back.
    due: Option<Timestamp>,
    used: bool,
}

impl MessageDeflate {
    /// The compression that was agreed on.
    pub const fn new(params: DeflateParams, role: Role, config: &DeflateConfig) -> Self {
        let (level, threshold) = (config.level, config.threshold);
        Self { params, role, level, threshold, compressor: None, decompressor: None, rest: None }
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
        self.is_used();
        let compressor = self.compressor.get_or_insert_with(|| Compressor::new(self.level, bits));
        compressor.compress(payload, fin, out);
        if fin && no_context_takeover {
            self.compressor = None;
        }
    }

    /// From now on both streams are given back when they were not used for this long, and at most twice as long.
    pub fn rest_after(&mut self, after: Duration) {
        self.rest = Some(Rest { after, now: Timestamp::ZERO, due: None, used: false });
    }

    /// What time it is.
    pub fn see_time(&mut self, now: Timestamp) {
        if let Some(rest) = self.resting() {
            rest.now = now;
        }
    }

    /// When to call [`rest`](Self::rest), if at all.
    pub fn rest_due(&self) -> Option<Timestamp> {
        self.rest.as_ref().filter(|_| RESTS)?.due
    }

    /// The time that [`rest_due`](Self::rest_due) named has come. `sending` tells that a message has been sent in part.
    pub fn rest(&mut self, now: Timestamp, sending: bool) {
        let Some(rest) = self.rest.as_mut().filter(|rest| RESTS && rest.due.is_some_and(|due| now >= due)) else {
            return;
        };
        let used = mem::take(&mut rest.used) || sending;
        let rests = !used && self.decompressor.as_mut().is_none_or(Decompressor::rest);
        if rests {
            self.compressor = None;
        }
        rest.due = (!rests).then(|| now + rest.after);
    }

    fn resting(&mut self) -> Option<&mut Rest> {
        self.rest.as_mut().filter(|_| RESTS)
    }

    fn is_used(&mut self) {
        if let Some(rest) = self.resting() {
            rest.used = true;
            rest.due.get_or_insert(rest.now + rest.after);
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
        self.is_used();
        let rests = RESTS && self.rest.is_some() && !no_context_takeover;
        let make = || if rests { Decompressor::resting(bits) } else { Decompressor::new(bits) };
        let decompressor = self.decompressor.get_or_insert_with(make);
        decompressor.decompress(payload, fin, limit, out)?;
        if fin && no_context_takeover {
            self.decompressor = None;
        }
        Ok(())
    }
}
