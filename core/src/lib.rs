//! The WebSocket protocol of RFC 6455, sans I/O.
//!
//! This crate turns bytes into events and commands into bytes. It opens no socket, reads no clock, draws no random
//! number and spawns nothing: a *driver* does that (`itoden-net` over tokio, the Node, Python and wasm bindings over
//! what their hosts give them). So one implementation of the protocol serves them all, and every test is exact.
//!
//! # Levels
//!
//! Each level is public and usable alone, and each stands on the one before it:
//!
//! 1. [`header`]: the 2 to 14 bytes before a payload ↔ [`FrameHeader`](header::FrameHeader) (§5.2)
//! 2. [`frame`]: [`Decoder`](frame::Decoder) and [`encode`](frame::encode): frames, unmasked in place, piece by piece
//! 3. [`message`]: [`Assembler`](message::Assembler): fragments to messages, limits, UTF-8 (§5.4, §8.1)
//! 4. [`connection`]: [`Connection`]: control frames, closing, timeouts: the whole state machine (§5.5, §7)
//!
//! Apart from these, [`handshake`] opens a connection (§4): HTTP bytes or header lists in; a [`Connection`], a refusal
//! or "more" out. A `Connection` exists only once it is open.
//!
//! # Without an operating system
//!
//! On wasm the crate is `no_std` (with `alloc`): a module then has neither the tables of Unicode nor the machinery of
//! panics, which together are larger than the protocol. What needs threads or `std::io` is not there.
#![deny(unsafe_code)]
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

pub mod close;
pub mod config;
pub mod connection;
pub mod deflate;
pub mod error;
pub mod event;
pub mod frame;
pub mod handshake;
pub mod header;
pub mod input;
mod keepalive;
pub mod mask;
pub mod message;
pub mod opcode;
pub mod output;
mod raw;
mod state;
pub mod time;
pub mod utf8;

/// What `std` has in its prelude, and `core` has not.
mod prelude {
    #[allow(unused_imports, reason = "with `std` they are there already")]
    pub(crate) use alloc::{borrow::ToOwned, boxed::Box, format, string::String, string::ToString, vec, vec::Vec};
}

pub use close::{CloseCode, CloseFrame};
pub use config::{Config, Limits};
pub use connection::Connection;
pub use error::{HandshakeError, ProtocolError, SendError};
pub use event::{Closed, Event, Failure};
pub use input::Input;
pub use mask::MaskKeys;
pub use message::{Message, MessageKind, MessagePart, SendOptions, SharedMessage};
pub use opcode::Opcode;
pub use output::{Part, Segments, Transmit};
pub use state::{ReadyState, Role};
pub use time::Timestamp;
