//! The head of an HTTP/1.1 request or response as bytes (RFC 9112 §2–§5).

use super::headers::{Headers, trim, write_latin1};
use crate::error::HandshakeError;

/// Bounds on a head that a peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Longest head in bytes, its empty line included. Default 16 KiB, as Node's `http` has it.
    pub max_head_size: usize,
    /// Most header fields. Default 100: browsers send about 15, proxies add a few.
    pub max_headers: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { max_head_size: 16 << 10, max_headers: 100 }
    }
}

/// The head of a request: what an application may know of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method: `GET`.
    pub method: String,
    /// The request target as it came: `/chat?room=1`.
    pub target: String,
    /// The minor version of HTTP/1: 1.
    pub minor_version: u8,
    /// The header fields.
    pub headers: Headers,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status: 101 for an upgrade.
    pub status: u16,
    /// The reason phrase, possibly empty.
    pub reason: String,
    /// The minor version of HTTP/1: 1.
    pub minor_version: u8,
    /// The header fields.
    pub headers: Headers,
}

/// Collects a head from its chunks. Each byte is looked at once while the end is searched, and parsed once.
#[derive(Debug)]
pub struct HeadReader {
    limits: HeadLimits,
    bytes: Vec<u8>,
}

impl HeadReader {
    /// Nothing has come yet.
    pub const fn new(limits: HeadLimits) -> Self {
        Self { limits, bytes: Vec::new() }
    }

    /// Takes the next chunk. If the head ends in it: how many bytes of the chunk belong to the head.
    ///
    /// Bytes that no head can have are refused at once, so that one who speaks another protocol need not finish.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<usize>, HandshakeError> {
        let room = self.limits.max_head_size - self.bytes.len();
        let seen = self.bytes.len();
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        for index in seen..self.bytes.len() {
            match self.bytes[index] {
                b'\n' if index == 0 || self.bytes[index - 1] != b'\r' => {
                    return Err(HandshakeError::InvalidHead { what: "a line feed without a carriage return" });
                }
                b'\n' if self.bytes[..index].ends_with(b"\r\n\r") => {
                    self.bytes.truncate(index + 1);
                    return Ok(Some(index + 1 - seen));
                }
                b'\n' | b'\r' | b'\t' => {}
                byte if byte < b' ' || byte == 0x7f => {
                    return Err(HandshakeError::InvalidHead { what: "a control character" });
                }
                _ if index > 0 && self.bytes[index - 1] == b'\r' => {
                    return Err(HandshakeError::InvalidHead { what: "a carriage return without a line feed" });
                }
                _ => {}
            }
        }
        if self.bytes.len() < self.limits.max_head_size {
            Ok(None)
        } else {
            Err(HandshakeError::HeadTooLarge { limit: self.limits.max_head_size })
        }
    }

    /// The collected head, read as that of a request.
    pub fn request(&self) -> Result<RequestHead, HandshakeError> {
        let mut fields = self.fields();
        let mut request = httparse::Request::new(&mut fields);
        self.complete(request.parse(&self.bytes))?;
        Ok(RequestHead {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            minor_version: request.version.unwrap_or_default(),
            headers: self.headers(request.headers),
        })
    }

    /// The collected head, read as that of a response.
    pub fn response(&self) -> Result<ResponseHead, HandshakeError> {
        let mut fields = self.fields();
        let mut response = httparse::Response::new(&mut fields);
        self.complete(response.parse(&self.bytes))?;
        Ok(ResponseHead {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            minor_version: response.version.unwrap_or_default(),
            headers: self.headers(response.headers),
        })
    }

    fn fields(&self) -> Vec<httparse::Header<'_>> {
        vec![httparse::EMPTY_HEADER; self.limits.max_headers]
    }

    fn complete(&self, parsed: httparse::Result<usize>) -> Result<(), HandshakeError> {
        let what = match parsed {
            Ok(httparse::Status::Complete(_)) => return Ok(()),
            Ok(httparse::Status::Partial) => "it is incomplete",
            Err(httparse::Error::TooManyHeaders) => {
                return Err(HandshakeError::TooManyHeaders { limit: self.limits.max_headers });
            }
            Err(httparse::Error::HeaderName) => "a header name has a character that is not allowed",
            Err(httparse::Error::HeaderValue) => "a header value has a character that is not allowed",
            Err(httparse::Error::NewLine) => "a line does not end with CR LF",
            Err(httparse::Error::Status) => "the status line is not that of HTTP/1.1",
            Err(httparse::Error::Token) => "the request line is not that of HTTP/1.1",
            Err(httparse::Error::Version) => "the version is not HTTP/1.0 or HTTP/1.1",
        };
        Err(HandshakeError::InvalidHead { what })
    }

    /// Values are bytes; each becomes the character of that number, as in WHATWG's fetch and in Node.
    fn headers(&self, fields: &[httparse::Header<'_>]) -> Headers {
        fields.iter().map(|field| (field.name, trim(&latin1(field.value)).to_owned())).collect()
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Appends header fields and the empty line that ends a head.
pub(crate) fn write_fields(headers: &Headers, out: &mut Vec<u8>) {
    for (name, value) in headers.iter() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        write_latin1(value, out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
