//! The head of an HTTP/1.1 request or response as bytes (RFC 9112 §2–§5).

use super::head::{HttpVersion, RequestHead, ResponseHead};
use super::headers::{Headers, trim, write_latin1};
use crate::config::HeadLimits;
use crate::error::HandshakeError;
use crate::prelude::{String, ToOwned, Vec, format, vec};

/// Collects a head from its chunks. Each byte is looked at once while the end is searched, and parsed once.
#[derive(Debug)]
pub struct HeadReader {
    limits: HeadLimits,
    bytes: Vec<u8>,
    /// The bytes of the heads before this one.
    before: usize,
}

impl HeadReader {
    /// Nothing has come yet. Of the limits those on size and number count here, not that on time.
    pub const fn new(limits: HeadLimits) -> Self {
        Self { limits, bytes: Vec::new(), before: 0 }
    }

    /// Takes the next chunk. If the head ends in it: how many bytes of the chunk belong to the head.
    ///
    /// Bytes that no head can have are refused at once, so that one who speaks another protocol need not finish.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<usize>, HandshakeError> {
        let limit = self.limits.max_head_size;
        let seen = self.bytes.len();
        let room = limit.saturating_sub(self.before + seen);
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        for index in seen..self.bytes.len() {
            let after_cr = index > 0 && self.bytes[index - 1] == b'\r';
            let what = match self.bytes[index] {
                b'\n' if !after_cr => "a line feed without a carriage return",
                b'\n' if self.bytes[..index].ends_with(b"\r\n\r") => {
                    self.bytes.truncate(index + 1);
                    return Ok(Some(index + 1 - seen));
                }
                b'\n' => continue,
                _ if after_cr => "a carriage return without a line feed",
                b'\r' | b'\t' => continue,
                byte if byte < b' ' || byte == 0x7f => "a control character",
                _ => continue,
            };
            return Err(HandshakeError::InvalidHead { what });
        }
        if self.before + self.bytes.len() < limit { Ok(None) } else { Err(HandshakeError::HeadTooLarge { limit }) }
    }

    /// Begins with the head that follows the one that was collected. The limit on the size is one for all of them.
    pub fn begin_next(&mut self) {
        self.before += self.bytes.len();
        self.bytes.clear();
    }

    /// Whether the first line has not ended yet.
    pub(super) fn is_in_first_line(&self) -> bool {
        !self.bytes.contains(&b'\n')
    }

    /// The collected head, read as that of a request.
    pub fn request(&self) -> Result<RequestHead, HandshakeError> {
        let mut fields = self.fields();
        let mut request = httparse::Request::new(&mut fields);
        self.complete(request.parse(&self.bytes))?;
        Ok(RequestHead {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            version: HttpVersion::http1(request.version.unwrap_or_default()),
            headers: headers(request.headers),
        })
    }

    /// The collected head, read as that of a response.
    pub fn response(&self) -> Result<ResponseHead, HandshakeError> {
        // A server may skip an empty line before a request (RFC 9112 §2.2); before a response there is none.
        if self.bytes.starts_with(b"\r") {
            return Err(HandshakeError::InvalidHead { what: "an empty line stands before the status line" });
        }
        let mut fields = self.fields();
        let mut response = httparse::Response::new(&mut fields);
        self.complete(response.parse(&self.bytes))?;
        Ok(ResponseHead {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            version: HttpVersion::http1(response.version.unwrap_or_default()),
            headers: headers(response.headers),
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
            Err(httparse::Error::Version) => match self.other_version() {
                Some(version) => return Err(HandshakeError::InvalidHttpVersion { version }),
                None => "the first line has no HTTP version in its place",
            },
        };
        Err(HandshakeError::InvalidHead { what })
    }

    /// The version of the first line, if it is one, but not 1.0 or 1.1: `HTTP-name "/" DIGIT "." DIGIT` (RFC 9112 §2.3).
    fn other_version(&self) -> Option<String> {
        let line = self.bytes.trim_ascii_start().split(|&byte| byte == b'\r').next()?;
        let mut words = line.split(|&byte| byte == b' ');
        let version = words.find_map(|word| word.strip_prefix(b"HTTP/"))?;
        match version {
            [major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => Some(latin1(&[*major, b'.', *minor])),
            _ => None,
        }
    }
}

/// Values are bytes; each becomes the character of that number, as in WHATWG's fetch and in Node.
fn headers(fields: &[httparse::Header<'_>]) -> Headers {
    fields.iter().map(|field| (field.name, trim(&latin1(field.value)).to_owned())).collect()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

impl RequestHead {
    /// The head as the bytes of HTTP/1.1.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(format!("{} {} HTTP/1.1\r\n", self.method, self.target), &self.headers)
    }
}

impl ResponseHead {
    /// The head as the bytes of HTTP/1.1.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(format!("HTTP/1.1 {} {}\r\n", self.status, self.reason), &self.headers)
    }
}

/// A head: its first line, the header fields and the empty line that ends it.
fn write(first_line: String, headers: &Headers) -> Vec<u8> {
    let mut out = first_line.into_bytes();
    for (name, value) in headers.iter() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        write_latin1(value, &mut out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}
