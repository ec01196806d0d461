//! What a client asks and checks (RFC 6455 §4.1).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::headers::{Extension, Headers, extensions, is_field_value, is_token, trim};
use super::http1::{HeadLimits, HeadReader, ResponseHead, write_fields};
use super::{accept_key, excerpt};
use crate::config::Config;
use crate::connection::Connection;
use crate::deflate::{DeflateConfig, DeflateParams, params};
use crate::error::HandshakeError;
use crate::mask::MaskKeys;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequest {
    /// The Host header: the host, with `:port` unless it is the default of the scheme.
    pub host: String,
    /// The resource name (§3): path and query, beginning with `/`.
    pub target: String,
    /// The subprotocols that the client wants, in order of preference.
    pub subprotocols: Vec<String>,
    /// The compression to offer; it must be that of the connection's configuration.
    pub deflate: Option<DeflateConfig>,
    /// Further header fields: Origin, Authorization, Cookie, User-Agent, ….
    pub headers: Headers,
}

/// A client that has asked and waits for the answer.
#[derive(Debug)]
pub struct ClientHandshake {
    reader: HeadReader,
    accept: String,
    subprotocols: Vec<String>,
    deflate: Option<DeflateConfig>,
}

/// The header fields that the handshake itself sets; the caller must not set them too.
const RESERVED: &[&str] = &[
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Accept",
    "Content-Length",
    "Transfer-Encoding",
];

impl ClientHandshake {
    /// Makes a request: the handshake, and the bytes to write.
    ///
    /// `nonce` is "a randomly selected 16-byte value" (§4.1, item 7): draw it anew for each connection.
    pub fn new(request: ClientRequest, nonce: [u8; 16], limits: HeadLimits) -> Result<(Self, Vec<u8>), HandshakeError> {
        let option = |option, value: &str| Err(HandshakeError::InvalidOption { option, value: excerpt(value) });
        let ClientRequest { host, target, subprotocols, deflate, headers } = request;
        if host.is_empty() || !is_field_value(&host) {
            return option("the host", &host);
        }
        if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return option("the request target", &target);
        }
        for (index, name) in subprotocols.iter().enumerate() {
            if !is_token(name) || subprotocols[..index].contains(name) {
                return option("a subprotocol", name);
            }
        }
        headers.check_sendable()?;
        if let Some((name, _)) = headers.iter().find(|(name, _)| RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name)))
        {
            return option("a header name", name);
        }

        let key = STANDARD.encode(nonce);
        let mut all = Headers::from_iter([
            ("Host", host.as_str()),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.as_str()),
            ("Sec-WebSocket-Version", "13"),
        ]);
        if !subprotocols.is_empty() {
            all.append("Sec-WebSocket-Protocol", subprotocols.join(", "));
        }
        if let Some(offer) = deflate.as_ref().and_then(params::offer) {
            all.append("Sec-WebSocket-Extensions", offer.to_string());
        }
        for (name, value) in headers.iter() {
            all.append(name, value);
        }
        let mut bytes = format!("GET {target} HTTP/1.1\r\n").into_bytes();
        write_fields(&all, &mut bytes);
        Ok((Self { reader: HeadReader::new(limits), accept: accept_key(&key), subprotocols, deflate }, bytes))
    }

    /// Takes the next bytes. `None`: more are needed. Else the answer, and how many of `bytes` it took; those behind it
    /// are the server's first frames, or the body of a refusal.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, HandshakeError> {
        let Some(used) = self.reader.push(bytes)? else { return Ok(None) };
        Ok(Some((self.reader.response()?, used)))
    }

    /// Checks the answer (§4.1, "the client MUST validate the server's response") and opens the connection.
    pub fn open(
        self,
        response: &ResponseHead,
        config: Arc<Config>,
        mask_keys: Box<dyn MaskKeys + Send>,
    ) -> Result<Connection, HandshakeError> {
        let headers = &response.headers;
        if response.status != 101 {
            return Err(HandshakeError::UnexpectedStatus { status: response.status });
        }
        // "HTTP/1.0 did not define any 1xx status codes" (RFC 9110 §15.2).
        if response.minor_version < 1 {
            return Err(HandshakeError::InvalidHttpVersion { minor: response.minor_version });
        }
        let upgrade = headers.single("Upgrade")?;
        if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
            || !headers.has_token("Connection", "Upgrade")
        {
            return Err(HandshakeError::NotUpgraded);
        }
        if headers.single("Sec-WebSocket-Accept")?.map(trim) != Some(self.accept.as_str()) {
            return Err(HandshakeError::AcceptMismatch);
        }
        // "the |Sec-WebSocket-Extensions| header field MUST NOT appear more than once in an HTTP response" (§11.3.2).
        headers.single("Sec-WebSocket-Extensions")?;
        let deflate = self.check_extensions(&extensions(headers)?)?;
        let subprotocol = headers.single("Sec-WebSocket-Protocol")?;
        if let Some(name) = subprotocol
            && !self.subprotocols.iter().any(|offered| offered == name)
        {
            return Err(HandshakeError::UnofferedSubprotocol { subprotocol: excerpt(name) });
        }
        let mut connection = Connection::client(config, mask_keys);
        connection.agree(subprotocol, deflate);
        Ok(connection)
    }

    /// "If the response includes a |Sec-WebSocket-Extensions| header field and this header field indicates the use of an
    /// extension that was not present in the client's handshake, the client MUST _Fail the WebSocket Connection_" (§4.1).
    fn check_extensions(&self, chosen: &[Extension]) -> Result<Option<DeflateParams>, HandshakeError> {
        let mut agreed = None;
        for extension in chosen {
            let name = excerpt(&extension.name);
            let Some(offered) = self.deflate.as_ref().filter(|_| extension.name == params::NAME) else {
                return Err(HandshakeError::UnofferedExtension { extension: name });
            };
            // Chosen twice is not what was offered either.
            let params = params::confirm(extension, offered).filter(|_| agreed.is_none());
            agreed = Some(params.ok_or(HandshakeError::InvalidExtension { extension: name })?);
        }
        Ok(agreed)
    }
}
