//! The opening handshake (RFC 6455 §4): HTTP bytes or header lists in; a connection, a refusal or "more" out.
//!
//! - [`headers`]: header fields and their grammars, the same for HTTP/1.1 and HTTP/2
//! - [`http1`]: the head of an HTTP/1.1 request or response as bytes
//! - [`server`]: what a server checks and answers (§4.2)
//! - [`client`]: what a client asks and checks (§4.1)
//!
//! The types are the states: a [`ServerHandshake`] takes bytes until it has an [`Upgrade`], which is accepted or refused;
//! a [`ClientHandshake`] takes bytes until it has an answer, which opens the connection or does not. Only these make a
//! [`Connection`](crate::Connection).

pub mod client;
pub mod headers;
pub mod http1;
pub mod server;

pub use client::{ClientHandshake, ClientRequest};
pub use headers::Headers;
pub use http1::{HeadLimits, RequestHead, ResponseHead};
pub use server::{Accepted, ServerHandshake, Upgrade};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// "concatenate this to the string [...] 258EAFA5-E914-47DA-95CA-C5AB0DC85B11" (§4.2.2).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key (§4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(GUID);
    STANDARD.encode(sha1.digest().bytes())
}

/// The beginning of a value that came from outside, for an error message.
fn excerpt(value: &str) -> String {
    value.chars().take(80).collect()
}
