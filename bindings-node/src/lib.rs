//! The native addon of the npm package `itoden`.
//!
//! It moves bytes and records between JavaScript and `itoden-core`, and holds no rule of the protocol. One [`hub::Hub`]
//! serves one JavaScript environment (the main thread, a worker). Three drivers stand behind it:
//!
//! - *loop* ([`in_loop`]): the socket is served in Node's own event loop, on the JavaScript thread; its handshake was the
//!   next driver's.
//! - *threads* ([`native`]): `itoden-net` owns the TCP socket, on the threads of a tokio runtime; what it receives comes
//!   to JavaScript through the [`inbox`]. For hosts whose loop serves no sockets.
//! - *stream* ([`stream`]): Node owns the socket; chunks are decoded on the JavaScript thread, in place.
//!
//! What crosses the border, both ways, is a table of records and a slab of payload bytes, once a batch: see [`batch`]
//! for the way in and [`order`] for the way out.

pub mod batch;
pub mod config;
pub mod deflate;
pub mod error;
pub mod handshake;
pub mod hub;
pub mod in_loop;
pub mod inbox;
pub mod native;
pub mod order;
pub mod shortcut;
pub mod stream;
