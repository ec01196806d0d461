//! Connections that have agreed on compression.

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ServerHandshake};
use itoden_core::{Config, Connection};

/// A client and a server that have shaken hands with these configurations.
pub fn shake_hands(client: DeflateConfig, server: DeflateConfig) -> (Connection, Connection) {
    shake_hands_with(client, server, |deflate| Config { deflate, ..Config::default() })
}

pub fn shake_hands_with(
    client: DeflateConfig,
    server: DeflateConfig,
    config: impl Fn(Option<DeflateConfig>) -> Config,
) -> (Connection, Connection) {
    let config = |deflate| Arc::new(config(Some(deflate)));
    let request = ClientRequest {
        host: "example.com".into(),
        target: "/".into(),
        subprotocols: Vec::new(),
        deflate: Some(client.clone()),
        headers: Headers::new(),
    };
    let (mut asking, asked) = ClientHandshake::new(request, [0; 16], HeadLimits::default()).unwrap();
    let (upgrade, _) = ServerHandshake::new(HeadLimits::default()).handle_bytes(&asked.to_bytes()).unwrap().unwrap();
    let accepted = upgrade.accept(None, &Headers::new(), config(server)).unwrap();
    let (response, _) = asking.handle_bytes(&accepted.response.to_bytes()).unwrap().unwrap();
    let client = asking.open(&response, config(client), Box::new(super::FixedKey)).unwrap();
    assert_eq!(client.deflate(), accepted.connection.deflate());
    (client, accepted.connection)
}

pub fn always() -> DeflateConfig {
    DeflateConfig { threshold: 0, ..DeflateConfig::default() }
}
