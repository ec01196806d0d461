//! The wasm module behind the npm package `itoden-wasm`; its TypeScript in `lib/` is the only caller.
//!
//! Bytes cross into linear memory once a chunk, into the [`border`]; frames and events come back as a table of 32-bit
//! records that point at bytes in linear memory, so that a burst of a thousand frames is one call. What the protocol
//! allows is decided by `itoden-core` alone.
//!
//! | file | what JavaScript sees |
//! |---|---|
//! | [`decoder`] | bytes to frames (RFC 6455 §5.2) |
//! | [`encoder`] | frames to bytes |
//! | [`connection`] | the session: messages, control frames, the closing handshake (§5.4, §5.5, §7) |
//! | [`border`] | the buffer through which all of them take and give bytes |

pub mod border;
pub mod connection;
pub mod decoder;
pub mod encoder;
mod error;
mod mask_keys;

use itoden_core::Opcode;
use wasm_bindgen::prelude::wasm_bindgen;

/// The RFC's name of an opcode in lower case, or `undefined` for one that §5.2 reserves.
#[wasm_bindgen]
pub fn opcode_name(bits: u8) -> Option<String> {
    Opcode::from_bits(bits).map(|opcode| opcode.name().to_owned())
}
