//! WebSocket connections over tokio: the only crate in which a [`Connection`] of
//! `itoden-core` meets a runtime and a socket.
//!
//! - [`connect`] and [`read_request`] do the opening handshake over a transport and give an [`Opened`].
//! - [`WebSocket`] is the way for Rust programs: `next().await`, `send().await`.
//! - [`Driver`] is the way for language bindings: events in batches to a [`Handler`]; [`drive`] for a handler alone.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use itoden_core::Message;
//! use itoden_net::{ConnectOptions, WebSocket, connect};
//!
//! let opened = connect("ws://127.0.0.1:8080/chat", ConnectOptions::default()).await?;
//! let mut socket = WebSocket::new(opened);
//! socket.send(Message::text("Hello")).await?;
//! while let Some(message) = socket.next().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod client;
mod driver;
mod error;
mod mask_keys;
mod server;
mod time;
mod websocket;

pub use client::{ConnectOptions, connect, open};
pub use driver::{Driver, Handler, drive};
pub use error::ConnectError;
pub use itoden_core::Connection;
pub use mask_keys::ThreadMaskKeys;
pub use server::{Request, read_request};
pub use time::now;
pub use websocket::{Ended, WebSocket};

use itoden_core::handshake::ResponseHead;

/// A transport whose opening handshake is done.
#[derive(Debug)]
pub struct Opened<S> {
    /// The open connection.
    pub connection: Connection,
    /// The transport.
    pub stream: S,
    /// Bytes that came behind the handshake: the peer's first frames.
    pub early: Vec<u8>,
    /// What the server answered; `None` on the server's own side.
    pub response: Option<ResponseHead>,
}
