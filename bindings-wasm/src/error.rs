//! Errors on their way to JavaScript: the name and the numbers. The rest is in `lib/error-table.ts`, generated from the
//! core's table, since the sentences of a module would need `core::fmt`, which is larger than the codec.

#[cfg(feature = "handshake")]
use alloc::string::String;

#[cfg(feature = "handshake")]
use itoden_core::HandshakeError;
#[cfg(feature = "frames")]
use itoden_core::{ProtocolError, SendError};

#[cfg(feature = "handshake")]
use crate::abi::local;
use crate::abi::{place, tell};

#[cfg(feature = "handshake")]
local! {
    /// The sentence of an error of an opening handshake, until the next one.
    SENTENCE: String = String::new()
}

/// Leaves the peer's error in the words: see [`leave`].
#[cfg(feature = "frames")]
pub(crate) fn protocol(error: &ProtocolError) {
    leave(error.name(), error.numbers());
}

/// Leaves the caller's error in the words. 1, which tells JavaScript to look there.
#[cfg(feature = "frames")]
pub(crate) fn send(error: &SendError) -> u32 {
    leave(error.name(), error.numbers());
    1
}

/// Leaves where the name lies and its length, and the numbers, each as its lower and upper half.
#[cfg(feature = "frames")]
fn leave(name: &'static str, [first, second]: [u64; 2]) {
    let [at, len] = place(name.as_bytes());
    tell(&[at, len, first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32]);
}

/// Leaves an error of an opening handshake in the words: where its name lies and its length, the same of its section and of
/// its sentence, which shows what came and so is made here, and the status.
#[cfg(feature = "handshake")]
pub(crate) fn handshake(error: &HandshakeError) -> u32 {
    let sentence = alloc::format!("{error}");
    let [name, section, shown] = [error.name(), error.section(), &sentence].map(|text| place(text.as_bytes()));
    tell(&[name[0], name[1], section[0], section[1], shown[0], shown[1], error.status().map_or(0, u32::from)]);
    SENTENCE.with(|kept| kept.with_mut(|kept| *kept = sentence));
    1
}
