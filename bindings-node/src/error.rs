//! Errors as JavaScript sees them: a stable name and a sentence. Classes and codes are made in lib/errors.ts.

use std::io;

use itoden_core::{HandshakeError, SendError};
use itoden_net::ConnectError;
use serde_json::{Value, json};

/// A result whose error's `code` is a stable name of the core's table.
pub type Result<T> = napi::Result<T, String>;

/// An error as the payload of a record.
pub fn json(name: &str, message: &str) -> Value {
    json!({ "name": name, "message": message })
}

/// What the caller may not do.
pub fn send(error: &SendError) -> napi::Error<String> {
    napi::Error::new(error.name().to_owned(), error.to_string())
}

/// What the peer, or the caller, put into a handshake.
pub fn handshake(error: &HandshakeError) -> napi::Error<String> {
    napi::Error::new(error.name().to_owned(), error.to_string())
}

/// What the operating system refused; `code` is the name of POSIX, as in Node.
pub fn system(error: &io::Error) -> napi::Error<String> {
    napi::Error::new(system_code(error).to_owned(), error.to_string())
}

/// A call that the JavaScript side of this package should not have made.
pub fn misuse(message: &str) -> napi::Error<String> {
    napi::Error::new("misuse".to_owned(), message.to_owned())
}

/// Why a client could not connect.
pub fn connect_json(error: &ConnectError) -> Value {
    match error {
        ConnectError::Io(error) => json!({ "system": system_code(error), "message": error.to_string() }),
        ConnectError::Handshake(error, response) => {
            let mut value = json(error.name(), &error.to_string());
            if let Some(response) = response {
                value["statusCode"] = response.status.into();
            }
            if matches!(error, HandshakeError::OpenTimeout { .. }) {
                value["timeout"] = true.into();
            }
            value
        }
        other => json!({ "message": other.to_string() }),
    }
}

fn system_code(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::AddrInUse => "EADDRINUSE",
        Kind::AddrNotAvailable => "EADDRNOTAVAIL",
        Kind::BrokenPipe => "EPIPE",
        Kind::ConnectionAborted => "ECONNABORTED",
        Kind::ConnectionRefused => "ECONNREFUSED",
        Kind::ConnectionReset => "ECONNRESET",
        Kind::HostUnreachable => "EHOSTUNREACH",
        Kind::InvalidInput => "EINVAL",
        Kind::NetworkDown => "ENETDOWN",
        Kind::NetworkUnreachable => "ENETUNREACH",
        Kind::NotConnected => "ENOTCONN",
        Kind::PermissionDenied => "EACCES",
        Kind::TimedOut => "ETIMEDOUT",
        // The resolver's failures are the ones without an error number.
        _ if error.raw_os_error().is_none() => "ENOTFOUND",
        _ => "EIO",
    }
}
