//! Why a connection could not be opened.

use std::fmt;
use std::io;

use itoden_core::HandshakeError;
use itoden_core::handshake::ResponseHead;

/// Why a connection could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL can't be connected to; the text says why and what is allowed.
    InvalidUrl(String),
    /// The transport failed: name resolution, connecting, reading or writing.
    Io(io::Error),
    /// The handshake failed, or was not done in time. With the server's answer, if there was one.
    Handshake(HandshakeError, Option<Box<ResponseHead>>),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl(text) => f.write_str(text),
            Self::Io(error) => error.fmt(f),
            Self::Handshake(error, _) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Handshake(error, _) => Some(error),
            Self::InvalidUrl(_) => None,
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error, None)
    }
}
