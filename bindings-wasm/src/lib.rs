//! The wasm modules behind the npm package `itoden-wasm`; its TypeScript in `lib/` is the only caller.
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
//! | [`text`] | text as strings have it |
//! | [`handshake`] | the opening handshake (§4) |
//! | [`border`] | the buffer through which all of them take and give bytes |
//! | [`abi`] | handles, words and the host: all that is unsafe |
//!
//! The exports are plain functions of numbers, called by `lib/module.ts`: what wasm-bindgen would put between is larger
//! than the codec. On wasm there is no `std` for the same reason, and a panic is a trap without a sentence.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

pub mod abi;
#[cfg(any(target_family = "wasm", test))]
mod allocator;
pub mod border;
#[cfg(feature = "codec")]
pub mod connection;
#[cfg(feature = "frames")]
pub mod decoder;
#[cfg(feature = "frames")]
pub mod encoder;
mod error;
#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(all(target_family = "wasm", any(feature = "deflate", feature = "handshake")))]
mod malloc;
#[cfg(feature = "frames")]
mod mask_keys;
#[cfg(feature = "codec")]
mod settings;
#[cfg(feature = "codec")]
pub mod text;

#[cfg(target_family = "wasm")]
mod runtime {
    use crate::allocator::{Blocks, LinearMemory};

    #[global_allocator]
    static ALLOCATOR: Blocks<LinearMemory> = Blocks::new(LinearMemory);

    /// A panic is a bug of this crate. The trap ends the call with a WebAssembly.RuntimeError.
    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}
