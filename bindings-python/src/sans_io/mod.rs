//! The core over bytes, without a transport.

pub(crate) mod connection;
pub(crate) mod handshake;
