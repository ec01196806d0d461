//! The cases of `core/vectors/deflate.json` in which both ends agree on compression, or don't (RFC 7692 §5, §7.1).

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{
    ClientHandshake, ClientRequest, HeadLimits, Headers, HttpVersion, RequestHead, ResponseHead, Upgrade,
};
use itoden_core::{Config, Connection, HandshakeError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::FixedKey;
use super::cases::{Case, NONCE};

/// One line of `deflate.json`.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Deflate {
    Open(Box<Case>),
    Server(Server),
    Client(Client),
}

/// What a server answers to an offer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub name: String,
    pub section: String,
    pub side: String,
    #[serde(default)]
    pub config: Wanted,
    /// The header fields of the request.
    pub offer: Vec<String>,
    #[serde(default, deserialize_with = "there")]
    pub answer: Option<Option<String>>,
    pub error: Option<String>,
}

/// What a client offers, and makes of an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub name: String,
    pub section: String,
    pub side: String,
    #[serde(default)]
    pub config: Wanted,
    pub offer: String,
    /// The header fields of the response.
    pub answer: Vec<String>,
    #[serde(default, deserialize_with = "there")]
    pub agreed: Option<Option<Value>>,
    pub error: Option<String>,
}

/// Tells `null` from a field that is not there.
fn there<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// What differs from the defaults.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
}

impl Wanted {
    fn config(&self) -> Config {
        let deflate = DeflateConfig {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(15),
            client_max_window_bits: self.client_max_window_bits.unwrap_or(15),
            ..DeflateConfig::default()
        };
        Config { deflate: Some(deflate), ..Config::default() }
    }
}

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

fn agreed(connection: &Connection) -> Value {
    connection.deflate().map_or(Value::Null, |params| {
        json!({
            "server_no_context_takeover": params.server_no_context_takeover,
            "client_no_context_takeover": params.client_no_context_takeover,
            "server_max_window_bits": params.server_max_window_bits,
            "client_max_window_bits": params.client_max_window_bits,
        })
    })
}

impl Server {
    pub fn run(&self) {
        let result = self.answer();
        let named = result.as_ref().map_err(HandshakeError::name).cloned();
        let expected = self.answer.clone().ok_or_else(|| self.error.as_deref().unwrap());
        assert_eq!(named, expected, "{}", self.name);
    }

    fn answer(&self) -> Result<Option<String>, HandshakeError> {
        let mut headers = Headers::from_iter([
            ("Host", "example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]);
        for offer in &self.offer {
            headers.append(EXTENSIONS, offer);
        }
        let head = RequestHead { method: "GET".into(), target: "/".into(), version: HttpVersion::Http11, headers };
        let config = Arc::new(self.config.config());
        let accepted = Upgrade::from_head(head)?.accept(None, &Headers::new(), config)?;
        let response = String::from_utf8(accepted.response.to_bytes()).unwrap();
        let answer = response.split("\r\n").find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        assert_eq!(answer.is_some(), accepted.connection.deflate().is_some(), "{}", self.name);
        Ok(answer.map(str::to_owned))
    }
}

impl Client {
    pub fn run(&self) {
        let expected = self.agreed.clone().map(Option::unwrap_or_default);
        let result = self.open().map(|connection| agreed(&connection)).map_err(|error| error.name());
        assert_eq!(result, expected.ok_or_else(|| self.error.as_deref().unwrap()), "{}", self.name);
    }

    fn open(&self) -> Result<Connection, HandshakeError> {
        let config = self.config.config();
        let request = ClientRequest {
            host: "example.com".into(),
            target: "/".into(),
            subprotocols: Vec::new(),
            deflate: config.deflate.clone(),
            headers: Headers::new(),
        };
        let (handshake, request) = ClientHandshake::new(request, NONCE, HeadLimits::default())?;
        let request = String::from_utf8(request.to_bytes()).unwrap();
        let offer = format!("\r\n{EXTENSIONS}: {}\r\n", self.offer);
        assert!(request.contains(&offer), "{}: {request}", self.name);
        let mut headers = Headers::from_iter([
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ]);
        for answer in &self.answer {
            headers.append(EXTENSIONS, answer);
        }
        let response = ResponseHead { status: 101, reason: String::new(), version: HttpVersion::Http11, headers };
        handshake.open(&response, Arc::new(config), Box::new(FixedKey))
    }
}
