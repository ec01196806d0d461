//! Responses that refuse a request.

use super::head::{HttpVersion, ResponseHead};
use super::headers::{Headers, is_one_of};
use super::http2;
use crate::error::HandshakeError;
use crate::prelude::{String, ToOwned, ToString, Vec, format};

/// A response that refuses a request; the transport ends after it, or over HTTP/2 the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    headers: Headers,
    body: String,
    /// The method that was asked for was HEAD, whose answer has no content.
    head_only: bool,
}

/// The header fields that frame a response of HTTP/1.1: two of one would let two readers see two responses.
const FRAMING: &[&str] = &["Connection", "Content-Length", "Transfer-Encoding"];

impl Refusal {
    /// A refusal with a status of 300 to 599, but for 304, which has no content.
    ///
    /// Connection, Content-Length and Transfer-Encoding are set here, and left out of `headers`; Content-Type is that of
    /// `headers` if it is there, else plain text; a 426 has an Upgrade to websocket unless `headers` names another.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidOption`] for another status, and for headers that can't be sent.
    pub fn new(status: u16, headers: &Headers, body: &str) -> Result<Self, HandshakeError> {
        headers.check_sendable()?;
        if !(300..=599).contains(&status) || status == 304 {
            return Err(HandshakeError::InvalidOption { option: "the status of a refusal", value: status.to_string() });
        }
        let mut all = Headers::new();
        if headers.get("Content-Type").is_none() {
            all.append("Content-Type", "text/plain; charset=utf-8");
        }
        all.append("Content-Length", body.len().to_string());
        // "The server MUST send an Upgrade header field in a 426 response" (RFC 9110 §15.5.22).
        if status == 426 && headers.get("Upgrade").is_none() {
            all.append("Upgrade", "websocket");
        }
        for (name, value) in headers.iter().filter(|(name, _)| !is_one_of(name, FRAMING)) {
            all.append(name, value);
        }
        Ok(Self { status, headers: all, body: body.to_owned(), head_only: false })
    }

    /// The answer to a request with an error: its status, what was allowed, and the sentence as the body.
    ///
    /// Over HTTP/2 there is no Upgrade, and so 400 in place of 426.
    pub fn of(error: &HandshakeError, version: HttpVersion) -> Self {
        let http2 = version == HttpVersion::Http2;
        let mut headers = Headers::new();
        let mut head_only = false;
        let status = match error.status() {
            Some(426) if http2 => 400,
            status => status.unwrap_or(500),
        };
        match error {
            HandshakeError::InvalidMethod { method } => {
                headers.append("Allow", if http2 { "CONNECT" } else { "GET" });
                head_only = method == "HEAD";
            }
            // "The server MUST [...] return [...] an HTTP error code (such as 426 Upgrade Required) and a
            // |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of understanding" (§4.4).
            HandshakeError::UnsupportedVersion { .. } => headers.append("Sec-WebSocket-Version", "13"),
            _ => {}
        }
        let refusal = Self::new(status, &headers, &format!("{error}\n"));
        Self { head_only, ..refusal.expect("fixed headers and a status of the table can be sent") }
    }

    /// The status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The response as the bytes of HTTP/1.1.
    pub fn to_bytes(&self) -> Vec<u8> {
        // "A sender of Upgrade MUST also send an "Upgrade" connection option" (RFC 9110 §7.8).
        let upgrades = self.headers.get("Upgrade").is_some();
        let mut headers = Headers::from_iter([("Connection", if upgrades { "close, Upgrade" } else { "close" })]);
        headers.extend(&self.headers);
        let mut bytes = self.head(HttpVersion::Http11, headers).to_bytes();
        if !self.head_only {
            bytes.extend_from_slice(self.body.as_bytes());
        }
        bytes
    }

    /// The response as the header list of HTTP/2, without fields that are specific to a connection, and the content for DATA
    /// frames, the last of which has END_STREAM.
    pub fn to_header_list(&self) -> (Headers, &str) {
        let fields = self.headers.iter().filter(|(name, value)| !http2::is_connection_specific(name, value));
        let head = self.head(HttpVersion::Http2, fields.collect());
        (head.to_header_list(), if self.head_only { "" } else { &self.body })
    }

    fn head(&self, version: HttpVersion, headers: Headers) -> ResponseHead {
        ResponseHead { status: self.status, reason: reason_phrase(self.status).to_owned(), version, headers }
    }
}

/// The reason phrases of RFC 9110 for statuses that refuse a handshake.
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
