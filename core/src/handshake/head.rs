//! The head of a request or a response, whatever HTTP version carried it: what [`http1`](super::http1) and
//! [`http2`](super::http2) read and write, and what clients and servers judge.

use alloc::borrow::Cow;
use core::fmt;

use super::headers::Headers;
use super::uri;
use crate::prelude::{String, format};

/// The version of HTTP that carries a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpVersion {
    /// HTTP/1.0, which knows no upgrade.
    Http10,
    /// HTTP/1.1, by an upgrade (RFC 6455 §4).
    Http11,
    /// HTTP/2, by an extended CONNECT (RFC 8441).
    Http2,
}

impl HttpVersion {
    /// The version of HTTP/1 with this minor version: 0, or else at least 1.1.
    pub const fn http1(minor: u8) -> Self {
        if minor == 0 { Self::Http10 } else { Self::Http11 }
    }

    /// The minor version: 1 for HTTP/1.1, else 0.
    pub const fn minor(self) -> u8 {
        match self {
            Self::Http11 => 1,
            Self::Http10 | Self::Http2 => 0,
        }
    }
}

impl fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        })
    }
}

/// The head of a request: what an application may know of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method: `GET`, over HTTP/2 `CONNECT`.
    pub method: String,
    /// The request target as it came: `/chat?room=1`. Over HTTP/2: the `:path`.
    pub target: String,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// The header fields. Over HTTP/2 `:authority` stands here as Host, as in any request that is handed on (RFC 9113
    /// §8.3.1), and the parts of a Cookie are joined (§8.2.3).
    pub headers: Headers,
}

impl RequestHead {
    /// The resource name (RFC 6455 §3): path and query, also of a target that is an absolute URI.
    pub fn resource_name(&self) -> Cow<'_, str> {
        let Some((_, rest)) = uri::split_absolute(&self.target) else { return Cow::Borrowed(&self.target) };
        match rest.as_bytes().first() {
            Some(b'/') => Cow::Borrowed(rest),
            _ => Cow::Owned(format!("/{rest}")),
        }
    }

    /// The host, and the port if there is one, that is asked for: "the origin server MUST ignore the received Host header
    /// field (if any) and instead use the host information of the request-target" if that is an absolute URI (RFC 9112 §3.2.2).
    pub fn authority(&self) -> Option<&str> {
        match uri::split_absolute(&self.target) {
            Some((authority, _)) => Some(authority),
            None => self.headers.get("Host"),
        }
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status: 101 for an upgrade, over HTTP/2 2xx.
    pub status: u16,
    /// The reason phrase, possibly empty; HTTP/2 has none.
    pub reason: String,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// The header fields, without the `:status` of HTTP/2.
    pub headers: Headers,
}

impl ResponseHead {
    /// Whether another answer follows this one: "A client MUST be able to parse one or more 1xx responses received prior to a
    /// final response, even if the client does not expect one" (RFC 9110 §15.2). 101 is an answer to an upgrade.
    pub const fn is_interim(&self) -> bool {
        matches!(self.status, 100..=199) && self.status != 101
    }
}
