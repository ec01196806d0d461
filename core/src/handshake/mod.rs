//! The opening handshake (RFC 6455 §4, RFC 8441): HTTP bytes or header lists in; a connection, a refusal or "more" out.
//!
//! - [`uri`]: WebSocket URIs (§3)
//! - [`headers`]: header fields and their grammars, the same for HTTP/1.1 and HTTP/2
//! - [`head`]: the heads of requests and responses, whatever carried them
//! - [`http1`]: heads ↔ the bytes of HTTP/1.1
//! - [`body`]: the bodies of refusals, out of the bytes of HTTP/1.1
//! - [`http2`]: heads ↔ the header lists of HTTP/2
//! - [`server`]: what a server checks and answers (§4.2), for both
//! - [`client`]: what a client asks and checks (§4.1), for both
//! - [`refusal`]: the responses that refuse a request, for both
//!
//! The types are the states: a [`ServerHandshake`] takes bytes until it has an [`Upgrade`], which is accepted or refused;
//! a [`ClientHandshake`] takes bytes until it has an answer, which opens the connection or does not. Over HTTP/2 header
//! lists come whole: [`Upgrade::from_header_list`] and [`ConnectHandshake`] are the same states. Only these make a
//! [`Connection`](crate::Connection).
//!
//! # Time
//!
//! What waits for a peer has `poll_timeout` and `handle_timeout`, as a connection has: poll the former at first and after
//! each call, and call the latter with the time when that has come, at first at once. The time that the whole opening may
//! take is [`HeadLimits::open_timeout`]. A client's handshake may be made before its transport, and then bounds
//! that too.

pub mod body;
pub mod client;
pub mod head;
pub mod headers;
pub mod http1;
pub mod http2;
pub mod refusal;
pub mod server;
mod timer;
pub mod uri;

pub use crate::config::HeadLimits;
pub use body::BodyReader;
pub use client::{ClientHandshake, ClientRequest};
pub use head::{HttpVersion, RequestHead, ResponseHead};
pub use headers::Headers;
pub use http2::ConnectHandshake;
pub use refusal::Refusal;
pub use server::{Accepted, ServerHandshake, Upgrade};
pub use uri::WebSocketUri;

use crate::prelude::String;
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
