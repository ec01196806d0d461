//! The two ends of a connection, opened by a handshake as every driver opens them.

use std::sync::Arc;

use arbitrary::Arbitrary;
use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ServerHandshake};
use itoden_core::{Config, Connection, MaskKeys};

/// Masking keys that differ from frame to frame and are the same in each run.
#[derive(Default)]
pub struct Keys(u32);

impl MaskKeys for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_mul(0x9e37_79b1).wrapping_add(0x85eb_ca6b);
        self.0.to_be_bytes()
    }
}

/// Any configuration of compression that the documentation allows.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Deflate {
    pub server_no_context_takeover: bool,
    pub client_no_context_takeover: bool,
    server_bits: u8,
    client_bits: u8,
    level: u8,
    pub threshold: u8,
}

impl Deflate {
    pub fn config(self) -> DeflateConfig {
        DeflateConfig {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: 15 - self.server_bits % 8,
            client_max_window_bits: 15 - self.client_bits % 8,
            level: 1 + self.level % 9,
            threshold: self.threshold.into(),
        }
    }
}

/// A client and a server that have opened a connection with each other.
pub fn open(client: Config, server: Config) -> (Connection, Connection) {
    if client.deflate.is_none() || server.deflate.is_none() {
        // There is nothing to agree on, and a handshake takes most of a short run's time.
        let client = Connection::client(Arc::new(client), Box::new(Keys::default()));
        return (client, Connection::server(Arc::new(server)));
    }
    let request = ClientRequest {
        host: "localhost".to_owned(),
        target: "/".to_owned(),
        subprotocols: Vec::new(),
        deflate: client.deflate.clone(),
        headers: Headers::new(),
    };
    let limits = HeadLimits::default();
    let (mut handshake, request) = ClientHandshake::new(request, [7; 16], limits).expect("the request can be sent");
    let bytes = request.to_bytes();
    let (upgrade, taken) =
        ServerHandshake::new(limits).handle_bytes(&bytes).expect("the request is valid").expect("and whole");
    assert_eq!(taken, bytes.len());
    let accepted = upgrade.accept(None, &Headers::new(), Arc::new(server)).expect("the answer can be sent");
    let answer = accepted.response.to_bytes();
    let (response, taken) = handshake.handle_bytes(&answer).expect("the answer is valid").expect("and whole");
    assert_eq!(taken, answer.len());
    let client = handshake.open(&response, Arc::new(client), Box::new(Keys::default())).expect("the answer opens");
    assert_eq!(client.deflate(), accepted.connection.deflate(), "both ends have agreed on the same");
    (client, accepted.connection)
}
