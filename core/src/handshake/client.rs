//! What a client asks and checks (RFC 6455 §4.1).

use alloc::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::head::{HttpVersion, RequestHead, ResponseHead};
use super::headers::{Extension, Headers, extensions, is_token, trim};
use super::http1::HeadReader;
use super::timer::OpenTimer;
use super::uri::{WebSocketUri, is_authority, is_resource_name};
use super::{accept_key, excerpt};
use crate::config::{Config, HeadLimits};
use crate::connection::Connection;
use crate::deflate::{DeflateConfig, DeflateParams, params};
use crate::error::HandshakeError;
use crate::mask::MaskKeys;
use crate::prelude::{Box, String, ToOwned, ToString, Vec};
use crate::time::Timestamp;

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

impl From<&WebSocketUri> for ClientRequest {
    /// Asks for the resource of a URI and for nothing else. Credentials in the URI are not sent.
    fn from(uri: &WebSocketUri) -> Self {
        Self {
            host: uri.authority(),
            target: uri.resource_name.clone(),
            subprotocols: Vec::new(),
            deflate: None,
            headers: Headers::new(),
        }
    }
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

impl ClientRequest {
    /// Checks what is asked for: the fields that every version of HTTP sends, and what the answer is measured against.
    pub(super) fn offer(&self) -> Result<(Headers, Offer), HandshakeError> {
        let option = |option, value: &str| Err(HandshakeError::InvalidOption { option, value: excerpt(value) });
        if !is_authority(&self.host) {
            return option("the host", &self.host);
        }
        if !is_resource_name(&self.target) {
            return option("the request target", &self.target);
        }
        for (index, name) in self.subprotocols.iter().enumerate() {
            // "characters in the range U+0021 to U+007E not including separator characters [...] and MUST all be unique
            // strings" (§4.1, item 10).
            if !is_token(name) || self.subprotocols[..index].contains(name) {
                return option("a subprotocol", name);
            }
        }
        self.headers.check_added(RESERVED)?;
        let mut fields = Headers::from_iter([("Sec-WebSocket-Version", "13")]);
        if !self.subprotocols.is_empty() {
            fields.append("Sec-WebSocket-Protocol", self.subprotocols.join(", "));
        }
        if let Some(offer) = self.deflate.as_ref().and_then(params::offer) {
            fields.append("Sec-WebSocket-Extensions", offer.to_string());
        }
        fields.extend(&self.headers);
        Ok((fields, Offer { subprotocols: self.subprotocols.clone(), deflate: self.deflate.clone() }))
    }
}

/// What a client offered, over whatever version of HTTP.
#[derive(Debug)]
pub(super) struct Offer {
    subprotocols: Vec<String>,
    deflate: Option<DeflateConfig>,
}

impl Offer {
    /// Checks what the server chose (§4.1, items 5 and 6 of what the client must validate), and opens the connection.
    pub(super) fn agree(
        &self,
        headers: &Headers,
        config: Arc<Config>,
        mask_keys: Box<dyn MaskKeys + Send>,
    ) -> Result<Connection, HandshakeError> {
        // Neither field may "appear more than once in an HTTP response" (§11.3.2, §11.3.4).
        headers.single("Sec-WebSocket-Extensions")?;
        let deflate = agreed(&extensions(headers)?, self.deflate.as_ref())?;
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
}

/// "If the response includes a |Sec-WebSocket-Extensions| header field and this header field indicates the use of an
/// extension that was not present in the client's handshake, the client MUST _Fail the WebSocket Connection_" (§4.1).
fn agreed(chosen: &[Extension], offered: Option<&DeflateConfig>) -> Result<Option<DeflateParams>, HandshakeError> {
    let mut agreed = None;
    for extension in chosen {
        let name = excerpt(&extension.name);
        let Some(offered) = offered.filter(|_| extension.name == params::NAME) else {
            return Err(HandshakeError::UnofferedExtension { extension: name });
        };
        // Chosen twice is not what was offered either.
        let params = params::confirm(extension, offered).filter(|_| agreed.is_none());
        agreed = Some(params.ok_or(HandshakeError::InvalidExtension { extension: name })?);
    }
    Ok(agreed)
}

impl Connection {
    /// The same connection with the extensions that an opening handshake elsewhere agreed on: the value of
    /// Sec-WebSocket-Extensions as the server answered it, possibly empty. To be called before anything else. How the
    /// connection compresses is told by [`Config::deflate`], without which no extension is taken.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidHeader`] if that is not its grammar (RFC 6455 §9.1), else
    /// [`HandshakeError::UnofferedExtension`] or [`HandshakeError::InvalidExtension`] for what no server may answer
    /// (RFC 7692 §7.1).
    pub fn with_extensions(mut self, answer: &str) -> Result<Self, HandshakeError> {
        if !answer.is_empty() {
            let chosen = extensions(&Headers::from_iter([("Sec-WebSocket-Extensions", answer)]))?;
            let offered = self.config().deflate.as_ref().map(|_| DeflateConfig::default());
            let agreed = agreed(&chosen, offered.as_ref())?;
            self.agree(None, agreed);
        }
        Ok(self)
    }
}

/// A client that has asked over HTTP/1.1 and waits for the answer.
#[derive(Debug)]
pub struct ClientHandshake {
    reader: HeadReader,
    accept: String,
    offer: Offer,
    timer: OpenTimer,
}

impl ClientHandshake {
    /// Makes a request: the handshake, and the head to write ([`RequestHead::to_bytes`]).
    ///
    /// `nonce` is "a randomly selected 16-byte value" (§4.1, item 7): draw it anew for each connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::InvalidOption`] for what can't be put into a request.
    pub fn new(
        request: ClientRequest,
        nonce: [u8; 16],
        limits: HeadLimits,
    ) -> Result<(Self, RequestHead), HandshakeError> {
        let (fields, offer) = request.offer()?;
        let key = STANDARD.encode(nonce);
        let mut headers = Headers::from_iter([
            ("Host", request.host.as_str()),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key.as_str()),
        ]);
        headers.extend(&fields);
        let (method, version) = ("GET".to_owned(), HttpVersion::Http11);
        let head = RequestHead { method, target: request.target, version, headers };
        let (reader, timer) = (HeadReader::new(limits), OpenTimer::new(limits.open_timeout));
        Ok((Self { reader, accept: accept_key(&key), offer, timer }, head))
    }

    /// Takes the next bytes. `None`: more are needed. Else the answer, and how many of `bytes` it took; those behind it
    /// are the server's first frames, or the body of a refusal. Interim answers, as 103, are skipped.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<(ResponseHead, usize)>, HandshakeError> {
        let mut used = 0;
        while let Some(taken) = self.reader.push(&bytes[used..])? {
            used += taken;
            let response = self.reader.response()?;
            if !response.is_interim() {
                self.timer.stop();
                return Ok(Some((response, used)));
            }
            self.reader.begin_next();
        }
        Ok(None)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all; poll it at first and after each other call.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timer.poll()
    }

    /// Tells the time. The first call starts the clock.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::OpenTimeout`] once the time is up: end the transport.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), HandshakeError> {
        self.timer.handle(now)
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
        if response.version != HttpVersion::Http11 {
            return Err(HandshakeError::InvalidHttpVersion { version: response.version.to_string() });
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
        self.offer.agree(headers, config, mask_keys)
    }
}
