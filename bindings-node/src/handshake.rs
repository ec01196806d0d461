//! Opening handshakes over Node's `http`: header lists in and out, everything else is the core's.

use itoden_core::HandshakeError;
use itoden_core::handshake::{
    ClientHandshake, ClientRequest, HeadLimits, Headers, HttpVersion, RequestHead, ResponseHead, Upgrade, server,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::config::ConnectionConfig;
use crate::error::{self, Result};

/// Header fields as Node lists them: names and values by turns.
pub fn raw_headers(headers: &Headers) -> Vec<&str> {
    headers.iter().flat_map(|(name, value)| [name, value]).collect()
}

/// The opposite of [`raw_headers`].
pub fn headers(raw: Vec<String>) -> Headers {
    let mut headers = Headers::new();
    let mut raw = raw.into_iter();
    while let (Some(name), Some(value)) = (raw.next(), raw.next()) {
        headers.append(name, value);
    }
    headers
}

/// The lines of a head, without the empty one at its end.
fn lines(head: &ResponseHead) -> Vec<String> {
    let first = format!("HTTP/1.1 {} {}", head.status, head.reason);
    let fields = head.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    std::iter::once(first).chain(fields).collect()
}

/// The bytes that refuse a request; the stream is to end behind them.
#[napi]
pub fn refusal(status: u16, raw_headers: Vec<String>, body: String) -> Result<Buffer> {
    let bytes = server::refuse(status, &headers(raw_headers), &body).map_err(|error| error::handshake(&error))?;
    Ok(bytes.into())
}

/// A request that Node's `http` has parsed, as the core judges it.
#[napi]
pub struct UpgradeRequest {
    pub(crate) checked: std::result::Result<Upgrade, HandshakeError>,
}

/// What is wrong with a request.
#[napi(object)]
pub struct RequestError {
    /// The stable name of the error.
    pub name: String,
    /// The sentence.
    pub message: String,
    /// The bytes that answer the request.
    pub response: Buffer,
}

#[napi]
impl UpgradeRequest {
    /// Checks the request.
    #[napi(constructor)]
    pub fn new(method: String, target: String, minor_version: u8, raw_headers: Vec<String>) -> Self {
        let version = HttpVersion::http1(minor_version);
        let head = RequestHead { method, target, version, headers: headers(raw_headers) };
        Self { checked: Upgrade::from_head(head) }
    }

    /// What is wrong with it, if anything is.
    #[napi(getter)]
    pub fn error(&self) -> Option<RequestError> {
        let error = self.checked.as_ref().err()?;
        let response = server::error_response(error).into();
        Some(RequestError { name: error.name().to_owned(), message: error.to_string(), response })
    }

    /// The subprotocols that the client offers.
    #[napi(getter)]
    pub fn subprotocols(&self) -> Vec<String> {
        self.checked.as_ref().map_or_else(|_| Vec::new(), |upgrade| upgrade.subprotocols().to_vec())
    }

    /// The lines of the response with this subprotocol.
    #[napi]
    pub fn preview(&self, subprotocol: Option<String>, config: &ConnectionConfig) -> Result<Vec<String>> {
        preview(self.valid()?, subprotocol.as_deref(), config)
    }

    pub(crate) fn valid(&self) -> Result<&Upgrade> {
        self.checked.as_ref().map_err(error::handshake)
    }
}

/// The lines of the response that accepts a request.
pub fn preview(upgrade: &Upgrade, subprotocol: Option<&str>, config: &ConnectionConfig) -> Result<Vec<String>> {
    let accepted = upgrade.clone().accept(subprotocol, &Headers::new(), config.config.clone());
    Ok(lines(&accepted.map_err(|error| error::handshake(&error))?.response))
}

/// A client's handshake that Node's `http` carries.
#[napi]
pub struct ClientUpgrade {
    pub(crate) handshake: Option<ClientHandshake>,
    request: RequestHead,
}

#[napi]
impl ClientUpgrade {
    /// Makes the request. `nonce` is drawn at random where it is not given; `config` says which compression is offered, and
    /// must be that of the connection.
    #[napi(constructor)]
    pub fn new(
        host: String,
        target: String,
        subprotocols: Vec<String>,
        raw_headers: Vec<String>,
        nonce: Option<&[u8]>,
        config: Option<&ConnectionConfig>,
    ) -> Result<Self> {
        let drawn = || {
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce).map(|()| nonce).map_err(|error| error::misuse(&error.to_string()))
        };
        let nonce = match nonce {
            Some(nonce) => nonce.try_into().map_err(|_| error::misuse("a nonce has 16 bytes"))?,
            None => drawn()?,
        };
        let deflate = config.and_then(|config| config.config.deflate.clone());
        let request = ClientRequest { host, target, subprotocols, deflate, headers: headers(raw_headers) };
        // Node writes the head by itself.
        let made = ClientHandshake::new(request, nonce, HeadLimits::default());
        let (handshake, request) = made.map_err(|error| error::handshake(&error))?;
        Ok(Self { handshake: Some(handshake), request })
    }

    /// The fields of the request's head.
    #[napi(getter)]
    pub fn raw_headers(&self) -> Vec<String> {
        raw_headers(&self.request.headers).into_iter().map(str::to_owned).collect()
    }
}

/// The head of a response that Node's `http` has parsed.
pub fn response_head(status: u16, minor_version: u8, raw_headers: Vec<String>) -> ResponseHead {
    let version = HttpVersion::http1(minor_version);
    ResponseHead { status, reason: String::new(), version, headers: headers(raw_headers) }
}
