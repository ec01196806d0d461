//! The core over bytes, without a transport.

mod agreed;
pub(crate) mod connection;
pub(crate) mod handshake;
