//! What a server checks and answers (RFC 6455 §4.2).

use alloc::sync::Arc;

use super::head::{HttpVersion, RequestHead, ResponseHead};
use super::headers::{Extension, Headers, extensions, subprotocols};
use super::http1::HeadReader;
use super::refusal::Refusal;
use super::timer::OpenTimer;
use super::uri::{is_authority, is_target};
use super::{accept_key, excerpt, http2};
use crate::config::{Config, HeadLimits};
use crate::connection::Connection;
use crate::deflate::params;
use crate::error::HandshakeError;
use crate::prelude::{String, ToOwned, ToString, Vec};
use crate::time::Timestamp;

/// A server that waits for the request of a client over HTTP/1.1.
#[derive(Debug)]
pub struct ServerHandshake {
    reader: HeadReader,
    timer: OpenTimer,
}

impl ServerHandshake {
    /// Nothing has come yet.
    pub const fn new(limits: HeadLimits) -> Self {
        Self { reader: HeadReader::new(limits), timer: OpenTimer::new(limits.open_timeout) }
    }

    /// Takes the next bytes. `None`: more are needed. Else the request, and how many of `bytes` it took; those behind it
    /// are the client's first frames.
    ///
    /// On an error, write [`error_response`], end the transport, and read no more.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<(Upgrade, usize)>, HandshakeError> {
        let pushed = self.reader.push(bytes).map_err(|error| match error {
            // "A server that receives a request-target longer than any URI it wishes to parse MUST respond with a 414 (URI
            // Too Long) status code" (RFC 9112 §3).
            HandshakeError::HeadTooLarge { limit } if self.reader.is_in_first_line() => {
                HandshakeError::TargetTooLong { limit }
            }
            error => error,
        });
        let Some(used) = pushed? else { return Ok(None) };
        self.timer.stop();
        Ok(Some((Upgrade::from_head(self.reader.request()?)?, used)))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all; poll it at first and after each other call.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timer.poll()
    }

    /// Tells the time. The first call starts the clock.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OpenTimeout`] once the time is up, to be answered as any other.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), HandshakeError> {
        self.timer.handle(now)
    }
}

/// A valid request to open a connection, to be accepted or refused.
///
/// Servers that browsers can reach should check [`Upgrade::origin`] and refuse pages of others with 403 (§10.2).
#[derive(Clone, Debug)]
pub struct Upgrade {
    request: RequestHead,
    /// The answer to the key; HTTP/2 has neither.
    accept: Option<String>,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

impl Upgrade {
    /// Checks a request that an HTTP/1.1 server has parsed (§4.2.1).
    pub fn from_head(request: RequestHead) -> Result<Self, HandshakeError> {
        if request.method != "GET" {
            return Err(HandshakeError::InvalidMethod { method: excerpt(&request.method) });
        }
        if request.version != HttpVersion::Http11 {
            return Err(HandshakeError::InvalidHttpVersion { version: request.version.to_string() });
        }
        Self::check(request)
    }

    /// Checks a request that an HTTP/2 server has decoded: an extended CONNECT (RFC 8441 §5), the pseudo-header fields first.
    ///
    /// Of the limits those on size and number count: a list comes whole.
    pub fn from_header_list(list: &Headers, limits: &HeadLimits) -> Result<Self, HandshakeError> {
        Self::check(http2::request_head(list, limits)?)
    }

    /// What holds for every version of HTTP, but for the upgrade itself and its key, which HTTP/2 has replaced.
    fn check(request: RequestHead) -> Result<Self, HandshakeError> {
        let headers = &request.headers;
        if !is_target(&request.target) {
            return Err(HandshakeError::InvalidTarget);
        }
        // 400 to "any request message that contains more than one Host header field line or a Host header field with an
        // invalid field value" (RFC 9112 §3.2).
        let host = required(headers, "Host")?;
        if !is_authority(host) {
            return Err(HandshakeError::InvalidHeader { name: "Host", value: excerpt(host) });
        }
        let http1 = request.version < HttpVersion::Http2;
        if http1 && !(headers.has_token("Upgrade", "websocket") && headers.has_token("Connection", "Upgrade")) {
            return Err(HandshakeError::UpgradeRequired);
        }
        check_version(headers)?;
        let accept = if http1 { Some(accept_key(key(headers)?)) } else { None };
        check_no_body(headers)?;
        // "The user agent MUST NOT include more than one Origin header field" (RFC 6454 §7.3), and who checks one must not
        // be shown another.
        headers.single("Origin")?;
        let (subprotocols, extensions) = (subprotocols(headers)?, extensions(headers)?);
        Ok(Self { request, accept, subprotocols, extensions })
    }

    /// The request: target, cookies, credentials and whatever else the client said.
    pub const fn request(&self) -> &RequestHead {
        &self.request
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The extensions that the client offers, in its order of preference.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The origin of the page that asks, if a browser does (§10.2).
    pub fn origin(&self) -> Option<&str> {
        self.request.headers.get("Origin")
    }

    /// Opens the connection: the response, and the connection itself.
    ///
    /// `subprotocol` is one that the client offers; `headers` are added to the response.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidOption`] for a subprotocol that was not offered, and for headers that can't be sent.
    pub fn accept(
        self,
        subprotocol: Option<&str>,
        headers: &Headers,
        config: Arc<Config>,
    ) -> Result<Accepted, HandshakeError> {
        let deflate = config.deflate.as_ref().and_then(|wanted| params::accept(&self.extensions, wanted));
        let mut fields = Headers::new();
        if let Some(accept) = &self.accept {
            fields.append("Upgrade", "websocket");
            fields.append("Connection", "Upgrade");
            fields.append("Sec-WebSocket-Accept", accept);
        } else {
            http2::check_added(headers)?;
        }
        headers.check_added(RESERVED)?;
        if let Some(name) = subprotocol {
            // "The value chosen MUST be derived from the client's handshake" (§4.2.2, item 5).
            if !self.subprotocols.iter().any(|offered| offered == name) {
                return Err(HandshakeError::InvalidOption { option: "the subprotocol", value: excerpt(name) });
            }
            fields.append("Sec-WebSocket-Protocol", name);
        }
        fields.extend(headers);
        if let Some((answer, _)) = &deflate {
            fields.append("Sec-WebSocket-Extensions", answer.to_string());
        }
        // "the server replies [...] with a 2xx status code" (RFC 8441 §4) in place of "101 Switching Protocols".
        let (status, reason) = if self.accept.is_some() { (101, "Switching Protocols") } else { (200, "OK") };
        let version = self.request.version;
        let response = ResponseHead { status, reason: reason.to_owned(), version, headers: fields };
        let mut connection = Connection::server(config);
        connection.agree(subprotocol, deflate.map(|(_, params)| params));
        Ok(Accepted { response, connection })
    }
}

/// An accepted handshake.
#[derive(Debug)]
pub struct Accepted {
    /// What to send before anything else: [`ResponseHead::to_bytes`], over HTTP/2 [`ResponseHead::to_header_list`].
    pub response: ResponseHead,
    /// The open connection.
    pub connection: Connection,
}

/// The header fields of an accepting response that the handshake itself sets; the caller must not set them too.
const RESERVED: &[&str] = &[
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
];

/// The bytes of an HTTP/1.1 response that refuses a request; the transport ends after it. See [`Refusal::new`].
pub fn refuse(status: u16, headers: &Headers, body: &str) -> Result<Vec<u8>, HandshakeError> {
    Ok(Refusal::new(status, headers, body)?.to_bytes())
}

/// The bytes of the HTTP/1.1 response that answers a request with an error. See [`Refusal::of`].
pub fn error_response(error: &HandshakeError) -> Vec<u8> {
    Refusal::of(error, HttpVersion::Http11).to_bytes()
}

fn required<'a>(headers: &'a Headers, name: &'static str) -> Result<&'a str, HandshakeError> {
    headers.single(name)?.ok_or(HandshakeError::MissingHeader { name })
}

/// "If this version does not match a version understood by the server, the server MUST abort" (§4.2.2, item 4). Who sends
/// several, as a list or in several lines, has not said which one it speaks.
fn check_version(headers: &Headers) -> Result<(), HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Version";
    let versions: Vec<_> = headers.get_all(NAME).collect();
    match versions[..] {
        [] => Err(HandshakeError::MissingHeader { name: NAME }),
        ["13"] => Ok(()),
        _ => Err(HandshakeError::UnsupportedVersion { version: excerpt(&versions.join(", ")) }),
    }
}

/// "a base64-encoded value that, when decoded, is 16 bytes in length. It is not necessary for the server to base64-decode"
/// it (§4.2.1, item 5): 22 characters of the alphabet and the padding. That the last 4 bits of padding are 0 is not asked
/// for, since "implementations MAY [...] reject the encoding" (RFC 4648 §3.5) and those in use do not.
fn key(headers: &Headers) -> Result<&str, HandshakeError> {
    const NAME: &str = "Sec-WebSocket-Key";
    let key = required(headers, NAME)?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.strip_suffix("==") {
        Some(digits) if digits.len() == 22 && digits.bytes().all(is_base64) => Ok(key),
        _ => Err(HandshakeError::InvalidHeader { name: NAME, value: excerpt(key) }),
    }
}

/// A body would be read as frames. `Content-Length = 1*DIGIT` (RFC 9110 §8.6), so `00` announces none either; a list of
/// lengths may be refused even where they are the same (RFC 9112 §6.3).
fn check_no_body(headers: &Headers) -> Result<(), HandshakeError> {
    const NAME: &str = "Content-Length";
    if headers.get("Transfer-Encoding").is_some() {
        return Err(HandshakeError::UnexpectedBody);
    }
    match headers.single(NAME)? {
        Some(length) if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(HandshakeError::InvalidHeader { name: NAME, value: excerpt(length) })
        }
        Some(length) if length.bytes().any(|byte| byte != b'0') => Err(HandshakeError::UnexpectedBody),
        _ => Ok(()),
    }
}
