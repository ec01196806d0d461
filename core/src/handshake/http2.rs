//! The opening handshake as header lists of HTTP/2: an extended CONNECT (RFC 8441, RFC 9113 §8).
//!
//! There is no HTTP/2 here. A header list is what an HTTP/2 endpoint encodes into HEADERS or has decoded from them: a
//! [`Headers`] with the pseudo-header fields first, names in lower case, and in values one character for each byte.
//!
//! - A server calls [`Upgrade::from_header_list`](super::Upgrade::from_header_list); its answer is
//!   [`ResponseHead::to_header_list`], or [`Refusal::to_header_list`](super::Refusal::to_header_list).
//! - A client makes a [`ConnectHandshake`], and gives it the lists that come.
//!
//! # What an HTTP/2 endpoint sees to
//!
//! - A server announces [`SETTINGS_ENABLE_CONNECT_PROTOCOL`] with the value 1, and never 0 after that; a client asks only a
//!   server that has announced it (RFC 8441 §3).
//! - HEADERS of a request have no END_STREAM, and neither do those of an answer with 2xx: the DATA frames of the stream are
//!   from then on what TCP is to RFC 6455 (§5). They go to `handle_bytes` of the connection and come from
//!   `poll_transmit`.
//! - "Orderly TCP-level closures are represented as END_STREAM flags" (§5): one that comes is `handle_eof`, and
//!   [`Transmit::Shutdown`](crate::Transmit::Shutdown) sends one.
//! - "RST exceptions are represented with the RST_STREAM frame with the CANCEL error code" (§5): whoever drops a transport
//!   resets the stream with [`CANCEL`]. A stream that is reset by the peer, with whatever code, is `handle_eof` too.
//! - A list that is refused with [`HandshakeError::InvalidHeaderList`] and its like is malformed (RFC 9113 §8.1.1). A client
//!   resets the stream with [`PROTOCOL_ERROR`]; a server answers first or resets at once.

use alloc::sync::Arc;

use super::client::{ClientRequest, Offer};
use super::excerpt;
use super::head::{HttpVersion, RequestHead, ResponseHead};
use super::headers::{Headers, is_field_value, is_one_of, is_token, trim};
use super::timer::OpenTimer;
use super::uri::{is_authority, is_resource_name};
use crate::config::{Config, HeadLimits};
use crate::connection::Connection;
use crate::error::HandshakeError;
use crate::mask::MaskKeys;
use crate::prelude::{Box, String, ToOwned, ToString, Vec};
use crate::time::Timestamp;

/// The setting by which a server says that it takes extended CONNECT requests, with the value 1 (RFC 8441 §3).
pub const SETTINGS_ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// The error code of a RST_STREAM that stands for the reset of a TCP connection (RFC 8441 §5, RFC 9113 §7).
pub const CANCEL: u32 = 0x8;

/// The error code of a RST_STREAM that answers a malformed header list (RFC 9113 §7, §8.1.1).
pub const PROTOCOL_ERROR: u32 = 0x1;

/// The value of `:protocol` (RFC 8441 §5).
pub const PROTOCOL: &str = "websocket";

/// What each field of a list counts besides its name and value (RFC 9113 §6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields" (RFC 9113 §8.2.2).
const CONNECTION_SPECIFIC: &[&str] = &["Connection", "Proxy-Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade"];

/// Whether a field has no place in HTTP/2. "The only exception to this is the TE header field, which MAY be present in an
/// HTTP/2 request; when it is, it MUST NOT contain any value other than "trailers"" (§8.2.2).
pub(super) fn is_connection_specific(name: &str, value: &str) -> bool {
    is_one_of(name, CONNECTION_SPECIFIC)
        || (name.eq_ignore_ascii_case("TE") && !trim(value).eq_ignore_ascii_case("trailers"))
}

/// Checks that a caller adds no field that has no place in HTTP/2.
pub(super) fn check_added(headers: &Headers) -> Result<(), HandshakeError> {
    match headers.iter().find(|(name, value)| is_connection_specific(name, value)) {
        Some((name, _)) => {
            Err(HandshakeError::InvalidOption { option: "a header name of HTTP/2", value: excerpt(name) })
        }
        None => Ok(()),
    }
}

/// Adds fields to a list: "field names MUST be converted to lowercase" (RFC 9113 §8.2), and a value "MUST NOT start or end
/// with an ASCII whitespace character" (§8.2.1).
fn append(list: &mut Headers, fields: &Headers) {
    for (name, value) in fields.iter() {
        list.append(name.to_ascii_lowercase(), trim(value));
    }
}

impl ResponseHead {
    /// The head as the header list of HTTP/2.
    pub fn to_header_list(&self) -> Headers {
        let mut list = Headers::from_iter([(":status", self.status.to_string())]);
        append(&mut list, &self.headers);
        list
    }
}

/// A list taken apart: the pseudo-header fields of the names that are allowed, and the others.
fn split<const N: usize>(
    list: &Headers,
    allowed: [&'static str; N],
    limits: &HeadLimits,
) -> Result<([Option<String>; N], Headers), HandshakeError> {
    let mut pseudo = [const { None }; N];
    let mut fields = Headers::new();
    let malformed = |what, name| Err(HandshakeError::InvalidHeaderList { what, name: excerpt(name) });
    for (name, value) in list.iter() {
        if !is_field_value(value) || trim(value) != value {
            return malformed("a field whose value has a control character, or white space around it", name);
        }
        if name.starts_with(':') {
            // "Any request or response that contains a pseudo-header field that appears in a field block after a regular
            // field line MUST be treated as malformed" (RFC 9113 §8.3).
            if !fields.is_empty() {
                return malformed("a pseudo-header field behind other fields", name);
            }
            let Some(index) = allowed.iter().position(|other| *other == name) else {
                return malformed("a pseudo-header field that is not allowed here", name);
            };
            if pseudo[index].replace(value.to_owned()).is_some() {
                return Err(HandshakeError::DuplicateHeader { name: allowed[index] });
            }
        } else {
            if !is_token(name) || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return malformed("a name that is not a token in lower case", name);
            }
            if is_connection_specific(name, value) {
                return malformed("a field that is specific to a connection of HTTP/1.1", name);
            }
            if fields.len() == limits.max_headers {
                return Err(HandshakeError::TooManyHeaders { limit: limits.max_headers });
            }
            fields.append(name, value);
        }
    }
    Ok((pseudo, fields))
}

/// The size of a list, if it is within the limit together with what came `before` it. A character is a byte.
fn check_size(list: &Headers, before: usize, limits: &HeadLimits) -> Result<usize, HandshakeError> {
    let characters = |text: &str| text.chars().count();
    let field = |(name, value)| characters(name) + characters(value) + FIELD_OVERHEAD;
    let size = before + list.iter().map(field).sum::<usize>();
    let limit = limits.max_head_size;
    if size <= limit { Ok(size) } else { Err(HandshakeError::HeadTooLarge { limit }) }
}

/// The head of an extended CONNECT request that asks for a WebSocket (RFC 8441 §4, §5).
pub(super) fn request_head(list: &Headers, limits: &HeadLimits) -> Result<RequestHead, HandshakeError> {
    check_size(list, 0, limits)?;
    let names = [":method", ":protocol", ":scheme", ":authority", ":path"];
    let (pseudo, fields) = split(list, names, limits)?;
    let [method, protocol, scheme, authority, path] = pseudo;
    let required = |value: Option<String>, name| value.ok_or(HandshakeError::MissingHeader { name });
    let invalid = |name, value: &str| Err(HandshakeError::InvalidHeader { name, value: excerpt(value) });
    let method = required(method, ":method")?;
    if method != "CONNECT" {
        return Err(HandshakeError::InvalidMethod { method: excerpt(&method) });
    }
    let protocol = required(protocol, ":protocol")?;
    if protocol != PROTOCOL {
        return Err(HandshakeError::UnsupportedProtocol { protocol: excerpt(&protocol) });
    }
    // "The scheme of the target URI [...] MUST be "https" for "wss"-schemed WebSockets and "http" for "ws"" (§5).
    let scheme = required(scheme, ":scheme")?;
    if !is_one_of(&scheme, &["http", "https"]) {
        return invalid(":scheme", &scheme);
    }
    // ":authority [...] is required on every HTTP/2 transaction" (§5).
    let authority = required(authority, ":authority")?;
    if !is_authority(&authority) {
        return invalid(":authority", &authority);
    }
    let path = required(path, ":path")?;
    if !is_resource_name(&path) {
        return invalid(":path", &path);
    }
    // "A server SHOULD treat a request as malformed if it contains a Host header field that identifies an entity that
    // differs from the entity in the ":authority" pseudo-header field" (RFC 9113 §8.3.1).
    if let Some(host) = fields.single("Host")?
        && !host.eq_ignore_ascii_case(&authority)
    {
        return invalid("Host", host);
    }
    let mut headers = Headers::from_iter([("host", authority)]);
    let mut cookies = Vec::new();
    for (name, value) in fields.iter() {
        match name {
            "host" => {}
            "cookie" => cookies.push(value),
            _ => headers.append(name, value),
        }
    }
    // "these MUST be concatenated into a single octet string using the two-octet delimiter of 0x3b, 0x20" (§8.2.3).
    if !cookies.is_empty() {
        headers.append("cookie", cookies.join("; "));
    }
    Ok(RequestHead { method, target: path, version: HttpVersion::Http2, headers })
}

/// A client that has asked over HTTP/2 and waits for the answer.
#[derive(Debug)]
pub struct ConnectHandshake {
    offer: Offer,
    limits: HeadLimits,
    /// The size of the interim answers.
    before: usize,
    timer: OpenTimer,
}

impl ConnectHandshake {
    /// Makes a request: the handshake, and the header list to send, without END_STREAM. `secure`: whether the URI is a `wss:`
    /// one.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidOption`] for what can't be put into a request.
    pub fn new(request: ClientRequest, secure: bool, limits: HeadLimits) -> Result<(Self, Headers), HandshakeError> {
        let (fields, offer) = request.offer()?;
        check_added(&fields)?;
        let mut list = Headers::from_iter([
            (":method", "CONNECT"),
            (":protocol", PROTOCOL),
            (":scheme", if secure { "https" } else { "http" }),
            (":authority", &request.host),
            (":path", &request.target),
        ]);
        append(&mut list, &fields);
        Ok((Self { offer, limits, before: 0, timer: OpenTimer::new(limits.open_timeout) }, list))
    }

    /// Takes the header list of a response. `None`: it was an interim one, as 103, and another follows.
    pub fn handle_header_list(&mut self, list: &Headers) -> Result<Option<ResponseHead>, HandshakeError> {
        self.before = check_size(list, self.before, &self.limits)?;
        let ([status], headers) = split(list, [":status"], &self.limits)?;
        let status = status.ok_or(HandshakeError::MissingHeader { name: ":status" })?;
        let number = status.parse().ok().filter(|number| status.len() == 3 && (100..=999).contains(number));
        // "HTTP/2 removes support for the 101 (Switching Protocols) informational status code" (RFC 9113 §8.6).
        let Some(number) = number.filter(|number| *number != 101) else {
            return Err(HandshakeError::InvalidHeader { name: ":status", value: excerpt(&status) });
        };
        let (reason, version) = (String::new(), HttpVersion::Http2);
        let response = ResponseHead { status: number, reason, version, headers };
        if response.is_interim() {
            return Ok(None);
        }
        self.timer.stop();
        Ok(Some(response))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all; poll it at first and after each other call.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timer.poll()
    }

    /// Tells the time. The first call starts the clock.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OpenTimeout`] once the time is up: reset the stream with [`CANCEL`].
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), HandshakeError> {
        self.timer.handle(now)
    }

    /// Checks the answer and opens the connection, if the status is 2xx (RFC 8441 §4; RFC 9110 §9.3.6).
    pub fn open(
        self,
        response: &ResponseHead,
        config: Arc<Config>,
        mask_keys: Box<dyn MaskKeys + Send>,
    ) -> Result<Connection, HandshakeError> {
        if !(200..=299).contains(&response.status) {
            return Err(HandshakeError::UnexpectedStatus { status: response.status });
        }
        self.offer.agree(&response.headers, config, mask_keys)
    }
}
