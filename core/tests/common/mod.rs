//! What the tests share: fixed masking keys, hex, and a pair of connections without a network.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod cases;
pub mod deflate;
pub mod negotiation;

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, HttpVersion, RequestHead, Upgrade};
use itoden_core::{Config, Connection, Event, Input, MaskKeys, Timestamp, Transmit};

/// The masking key of the examples in RFC 6455 §5.7.
pub const FIXED_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub struct FixedKey;

impl MaskKeys for FixedKey {
    fn next_key(&mut self) -> [u8; 4] {
        FIXED_KEY
    }
}

pub fn connection(role: &str, config: Config) -> Connection {
    match role {
        "server" => Connection::server(Arc::new(config)),
        "client" => Connection::client(Arc::new(config), Box::new(FixedKey)),
        other => panic!("unknown role {other}"),
    }
}

/// One end of a connection whose opening handshake agreed on these extensions; every message is compressed.
pub fn deflating(role: &str, agreed: &str, mut config: Config) -> Connection {
    config.deflate = Some(DeflateConfig { threshold: 0, ..DeflateConfig::default() });
    let nonce = cases::NONCE;
    if role == "server" {
        // Offered is what is to be agreed on: a server takes an offer as it stands, where it wants nothing else.
        let head = RequestHead {
            method: "GET".into(),
            target: "/".into(),
            version: HttpVersion::Http11,
            headers: Headers::from_iter([
                ("Host", "example.com"),
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Extensions", agreed),
            ]),
        };
        let accepted = Upgrade::from_head(head).unwrap().accept(None, &Headers::new(), Arc::new(config)).unwrap();
        let response = String::from_utf8(accepted.response.to_bytes()).unwrap();
        assert!(response.contains(&format!("\r\nSec-WebSocket-Extensions: {agreed}\r\n")), "{response}");
        return accepted.connection;
    }
    let request = ClientRequest {
        host: "example.com".into(),
        target: "/".into(),
        subprotocols: Vec::new(),
        deflate: config.deflate.clone(),
        headers: Headers::new(),
    };
    let (mut handshake, _) = ClientHandshake::new(request, nonce, HeadLimits::default()).unwrap();
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: {agreed}\r\n\r\n"
    );
    let (response, _) = handshake.handle_bytes(response.as_bytes()).unwrap().unwrap();
    handshake.open(&response, Arc::new(config), Box::new(FixedKey)).unwrap()
}

pub fn hex(bytes: &[u8]) -> String {
    let digit = |bits: u8| char::from(b"0123456789abcdef"[usize::from(bits)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// All that the connection wants written.
pub fn transmit(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(transmit) = connection.poll_transmit() {
        if let Transmit::Write(segments) = transmit {
            let written = segments.to_vec();
            connection.transmitted(written.len());
            bytes.extend(written);
        }
    }
    bytes
}

/// Two ends of one string, and a clock that only the test moves.
pub struct Pair {
    pub client: Connection,
    pub server: Connection,
    pub now: Timestamp,
}

impl Pair {
    pub fn new() -> Self {
        let (client, server) = (connection("client", Config::default()), connection("server", Config::default()));
        Self { client, server, now: Timestamp::ZERO }
    }

    /// Carries bytes both ways until neither end has any; what each end was told: (client, server).
    ///
    /// An end that shuts its side down is seen as an end of file by the other.
    pub fn settle(&mut self) -> (Vec<String>, Vec<String>) {
        let mut told = (Vec::new(), Vec::new());
        loop {
            let to_server = carry(&mut self.client, &mut self.server, self.now, &mut told.1);
            let to_client = carry(&mut self.server, &mut self.client, self.now, &mut told.0);
            if !to_server && !to_client {
                return told;
            }
        }
    }
}

fn carry(from: &mut Connection, to: &mut Connection, now: Timestamp, told: &mut Vec<String>) -> bool {
    let mut carried = false;
    while let Some(transmit) = from.poll_transmit() {
        carried = true;
        match transmit {
            Transmit::Write(segments) => {
                let mut bytes = segments.to_vec();
                from.transmitted(bytes.len());
                let mut input = to.handle_bytes(now, &mut bytes);
                tell(to, &mut input, told);
            }
            Transmit::Shutdown => {
                to.handle_eof(now);
                tell(to, &mut Input::empty(), told);
            }
        }
    }
    carried
}

/// Polls all events, written in short.
pub fn tell(connection: &mut Connection, input: &mut Input<'_>, told: &mut Vec<String>) {
    while let Some(event) = connection.poll_event(input) {
        told.push(match event {
            Event::Message(message) => format!("message {}", String::from_utf8_lossy(message.as_bytes())),
            Event::Ping(payload) => format!("ping {}", String::from_utf8_lossy(&payload)),
            Event::Pong(payload) => format!("pong {}", String::from_utf8_lossy(&payload)),
            Event::CloseReceived(close) => format!("close {} {}", close.code, close.reason),
            Event::Failed(error) => format!("failed {}", error.name()),
            Event::Closed(closed) => format!("closed {} {} clean={}", closed.code, closed.reason, closed.was_clean),
            other => panic!("unknown event {other:?}"),
        });
    }
}
