//! What a server checks and answers (RFC 6455 §4.2).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::headers::{Extension, Headers, extensions, subprotocols};
use super::http1::{HeadLimits, HeadReader, RequestHead, write_fields};
use super::{accept_key, excerpt};
use crate::config::Config;
use crate::connection::Connection;
use crate::deflate::params;
use crate::error::HandshakeError;

/// A server that waits for the request of a client.
#[derive(Debug)]
pub struct ServerHandshake {
    reader: HeadReader,
}

impl ServerHandshake {
    /// Nothing has come yet.
    pub const fn new(limits: HeadLimits) -> Self {
        Self { reader: HeadReader::new(limits) }
    }

    /// Takes the next bytes. `None`: more are needed. Else the request, and how many of `bytes` it took; those behind it
    /// are the client's first frames.
    ///
    /// On an error, write [`error_response`], end the transport, and read no more.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<(Upgrade, usize)>, HandshakeError> {
        let Some(used) = self.reader.push(bytes)? else { return Ok(None) };
        Ok(Some((Upgrade::from_head(self.reader.request()?)?, used)))
    }
}

/// A valid request to open a connection, to be accepted or refused.
///
/// Servers that browsers can reach should check [`Upgrade::origin`] and refuse pages of others with 403 (§10.2).
#[derive(Clone, Debug)]
pub struct Upgrade {
    request: RequestHead,
    accept: String,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

impl Upgrade {
    /// Checks a request that an HTTP server has parsed (§4.2.1).
    pub fn from_head(request: RequestHead) -> Result<Self, HandshakeError> {
        let headers = &request.headers;
        if request.method != "GET" {
            return Err(HandshakeError::InvalidMethod { method: excerpt(&request.method) });
        }
        if request.minor_version < 1 {
            return Err(HandshakeError::InvalidHttpVersion { minor: request.minor_version });
        }
        if !is_target(&request.target) {
            return Err(HandshakeError::InvalidTarget);
        }
        if headers.single("Host")?.is_none() {
            return Err(HandshakeError::MissingHeader { name: "Host" });
        }
        if !headers.has_token("Upgrade", "websocket") || !headers.has_token("Connection", "Upgrade") {
            return Err(HandshakeError::UpgradeRequired);
        }
        match required(headers, "Sec-WebSocket-Version")? {
            "13" => {}
            version => return Err(HandshakeError::UnsupportedVersion { version: excerpt(version) }),
        }
        let key = required(headers, "Sec-WebSocket-Key")?;
        // "a base64-encoded value that, when decoded, is 16 bytes in length" (§4.2.1, item 5).
        if key.len() != 24 || STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != 16 {
            return Err(HandshakeError::InvalidHeader { name: "Sec-WebSocket-Key", value: excerpt(key) });
        }
        // "the user agent MUST NOT include more than one Origin header field in any HTTP request" (RFC 6454 §7.3): of two,
        // one who checks could see the one and one who logs the other.
        headers.single("Origin")?;
        let no_body = headers.single("Content-Length")?.is_none_or(|length| length == "0");
        if !no_body || headers.get("Transfer-Encoding").is_some() {
            return Err(HandshakeError::UnexpectedBody);
        }
        let accept = accept_key(key);
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

    /// Opens the connection: the bytes of the response, and the connection itself.
    ///
    /// `subprotocol` is one that the client offers; `headers` are added to the response.
    pub fn accept(
        self,
        subprotocol: Option<&str>,
        headers: &Headers,
        config: Arc<Config>,
    ) -> Result<Accepted, HandshakeError> {
        let deflate = config.deflate.as_ref().and_then(|wanted| params::accept(&self.extensions, wanted));
        let mut response_headers = self.response_headers(subprotocol, headers)?;
        if let Some((answer, _)) = &deflate {
            response_headers.append("Sec-WebSocket-Extensions", answer.to_string());
        }
        let mut response = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
        write_fields(&response_headers, &mut response);
        let mut connection = Connection::server(config);
        connection.agree(subprotocol, deflate.map(|(_, params)| params));
        Ok(Accepted { response, connection })
    }

    fn response_headers(&self, subprotocol: Option<&str>, added: &Headers) -> Result<Headers, HandshakeError> {
        added.check_sendable()?;
        if let Some((name, _)) = added.iter().find(|(name, _)| RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name))) {
            return Err(HandshakeError::InvalidOption { option: "a header name", value: excerpt(name) });
        }
        let mut headers = Headers::from_iter([
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", self.accept.as_str()),
        ]);
        if let Some(name) = subprotocol {
            // "The value chosen MUST be derived from the client's handshake" (§4.2.2, item 5).
            if !self.subprotocols.iter().any(|offered| offered == name) {
                return Err(HandshakeError::InvalidOption { option: "the subprotocol", value: excerpt(name) });
            }
            headers.append("Sec-WebSocket-Protocol", name);
        }
        for (name, value) in added.iter() {
            headers.append(name, value);
        }
        Ok(headers)
    }
}

/// An accepted handshake.
#[derive(Debug)]
pub struct Accepted {
    /// What to write before anything else.
    pub response: Vec<u8>,
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

/// The header fields that frame a refusal: two of one would let two readers see two responses.
const FRAMING: &[&str] = &["Connection", "Content-Length", "Transfer-Encoding"];

/// The bytes of a response that refuses a request; the transport ends after it.
///
/// Connection, Content-Length and Transfer-Encoding are set here, and left out of `headers`; Content-Type is that of
/// `headers` if it is there, else plain text.
pub fn refuse(status: u16, headers: &Headers, body: &str) -> Result<Vec<u8>, HandshakeError> {
    headers.check_sendable()?;
    if !(400..=599).contains(&status) && !(300..=399).contains(&status) {
        return Err(HandshakeError::InvalidOption { option: "the status of a refusal", value: status.to_string() });
    }
    let mut response = format!("HTTP/1.1 {status} {}\r\n", reason_phrase(status)).into_bytes();
    let mut all = Headers::from_iter([("Connection", "close")]);
    if headers.get("Content-Type").is_none() {
        all.append("Content-Type", "text/plain; charset=utf-8");
    }
    all.append("Content-Length", body.len().to_string());
    for (name, value) in headers.iter().filter(|(name, _)| !FRAMING.iter().any(|f| f.eq_ignore_ascii_case(name))) {
        all.append(name, value);
    }
    write_fields(&all, &mut response);
    response.extend_from_slice(body.as_bytes());
    Ok(response)
}

/// The bytes that answer a request with an error: its status, what was allowed, and the sentence as the body.
pub fn error_response(error: &HandshakeError) -> Vec<u8> {
    let mut headers = Headers::new();
    match error {
        HandshakeError::InvalidMethod { .. } => headers.append("Allow", "GET"),
        HandshakeError::UpgradeRequired => headers.append("Upgrade", "websocket"),
        // "The server MUST [...] return [...] an HTTP error code (such as 426 Upgrade Required) and a
        // |Sec-WebSocket-Version| header field indicating the version(s) the server is capable of understanding" (§4.4).
        HandshakeError::UnsupportedVersion { .. } => {
            headers.append("Upgrade", "websocket");
            headers.append("Sec-WebSocket-Version", "13");
        }
        _ => {}
    }
    let status = error.status().unwrap_or(500);
    refuse(status, &headers, &format!("{error}\n")).expect("fixed headers and a status of the table can be sent")
}

fn required<'a>(headers: &'a Headers, name: &'static str) -> Result<&'a str, HandshakeError> {
    headers.single(name)?.ok_or(HandshakeError::MissingHeader { name })
}

/// "/resource name/" or an absolute http(s) URI (§4.2.1, item 1), without a fragment (§3). A URI is ASCII (RFC 3986 §2).
fn is_target(target: &str) -> bool {
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return false;
    }
    match target.split_once("://") {
        // "A recipient that processes such a URI reference MUST reject it as invalid" if its host is empty (RFC 9110
        // §4.2.1).
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            !rest.is_empty() && !rest.starts_with(['/', '?', ':'])
        }
        _ => target.starts_with('/'),
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
