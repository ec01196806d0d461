//! The body of a response that refuses, as HTTP/1.1 frames it (RFC 9112 §6 and §7).

use core::mem;

use super::head::ResponseHead;
use crate::prelude::Vec;

/// The longest line that says how long a chunk is. Its extensions mean nothing to anybody here.
const MAX_CHUNK_LINE: usize = 1024;

/// Reads one body out of what follows a head, whatever says where it ends: its length, chunks, or the end of the transport.
///
/// A body is for people to read, so it is never an error: one that is too long is cut, and of one that is framed wrongly what
/// came before is kept.
///
/// ```
/// # use itoden_core::handshake::body::BodyReader;
/// let mut reader = BodyReader::chunked(100);
/// assert!(!reader.push(b"3\r\nNo.\r\n"));
/// assert!(reader.push(b"0\r\n\r\n"));
/// assert_eq!(reader.into_body(), b"No.");
/// ```
#[derive(Clone, Debug)]
pub struct BodyReader {
    body: Vec<u8>,
    limit: usize,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// So many bytes are still to come.
    Length(usize),
    /// The line that begins a chunk, as far as it came.
    ChunkLine(Vec<u8>),
    /// So many bytes of a chunk are still to come.
    Chunk(usize),
    /// So many of the two bytes behind a chunk are still to come.
    ChunkEnd(usize),
    UntilEnd,
    Done,
}

impl BodyReader {
    /// The body that belongs to `response`, of which `limit` bytes are kept at most.
    pub fn of(response: &ResponseHead, limit: usize) -> Self {
        let none = matches!(response.status, 100..=199 | 204 | 304);
        let state = if none {
            State::Done
        } else if let Some(last) = response.headers.list("Transfer-Encoding").last() {
            // "If a message is received with both a Transfer-Encoding and a Content-Length header field, the
            // Transfer-Encoding overrides the Content-Length"; "If a Transfer-Encoding header field is present in a response
            // and the chunked transfer coding is not the final encoding, the message body length is determined by reading the
            // connection until it is closed by the server" (RFC 9112 §6.3).
            if last.eq_ignore_ascii_case("chunked") { State::ChunkLine(Vec::new()) } else { State::UntilEnd }
        } else {
            match response.headers.get("Content-Length") {
                Some(length) => State::Length(length.parse().unwrap_or(0)),
                None => State::UntilEnd,
            }
        };
        Self::new(state, limit)
    }

    /// A body in chunks (RFC 9112 §7.1).
    pub fn chunked(limit: usize) -> Self {
        Self::new(State::ChunkLine(Vec::new()), limit)
    }

    fn new(state: State, limit: usize) -> Self {
        let mut reader = Self { body: Vec::new(), limit, state };
        reader.see_end();
        reader
    }

    /// The next bytes behind the head. Returns whether the body is whole; what follows it is thrown away, trailers among it.
    pub fn push(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let taken = match &mut self.state {
                State::Done => return true,
                State::UntilEnd => self.keep(bytes, usize::MAX),
                State::Length(left) | State::Chunk(left) => {
                    let left = *left;
                    self.keep(bytes, left)
                }
                State::ChunkEnd(left) => {
                    let taken = bytes.len().min(*left);
                    *left -= taken;
                    taken
                }
                State::ChunkLine(line) => {
                    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
                    line.extend_from_slice(&bytes[..end]);
                    end
                }
            };
            bytes = &bytes[taken..];
            self.see_end();
        }
        self.is_whole()
    }

    /// The transport's incoming side has ended, and so has the body.
    pub fn end(&mut self) {
        self.state = State::Done;
    }

    /// Whether all of it came.
    pub const fn is_whole(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// What came of it.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What came of it.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Keeps at most `most` of the bytes, and says how many.
    fn keep(&mut self, bytes: &[u8], most: usize) -> usize {
        let taken = bytes.len().min(most).min(self.limit - self.body.len());
        self.body.extend_from_slice(&bytes[..taken]);
        if let State::Length(left) | State::Chunk(left) = &mut self.state {
            *left -= taken;
        }
        taken
    }

    /// Goes on to what follows, where something has ended.
    fn see_end(&mut self) {
        let next = match &mut self.state {
            _ if self.body.len() >= self.limit => State::Done,
            State::Length(0) => State::Done,
            State::Chunk(0) => State::ChunkEnd(2),
            State::ChunkEnd(0) => State::ChunkLine(Vec::new()),
            State::ChunkLine(line) if line.ends_with(b"\n") => match chunk_size(&mem::take(line)) {
                None | Some(0) => State::Done,
                Some(size) => State::Chunk(size),
            },
            State::ChunkLine(line) if line.len() > MAX_CHUNK_LINE => State::Done,
            _ => return,
        };
        self.state = next;
    }
}

/// "chunk = chunk-size [ chunk-ext ] CRLF" (RFC 9112 §7.1): hexadecimal digits, then perhaps extensions behind a semicolon.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}
