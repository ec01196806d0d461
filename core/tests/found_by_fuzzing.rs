//! Inputs that the targets in `core/fuzz` once found to go wrong, as small as they could be made.
#![cfg(feature = "deflate")]

mod common;

use common::deflate::shake_hands_with;
use common::{FIXED_KEY, tell};
use itoden_core::deflate::params::accept;
use itoden_core::deflate::{Compressor, DeflateConfig};
use itoden_core::frame;
use itoden_core::handshake::Headers;
use itoden_core::handshake::headers::extensions;
use itoden_core::handshake::server::{error_response, refuse};
use itoden_core::header::FrameHeader;
use itoden_core::{Config, Connection, HandshakeError, Opcode, Timestamp};

/// A server that has agreed on compression with a client.
fn server(max_message_size: u64) -> Connection {
    let config = |deflate| {
        let mut config = Config { deflate, ..Config::default() };
        config.limits.max_message_size = max_message_size;
        config
    };
    shake_hands_with(DeflateConfig::default(), DeflateConfig::default(), config).1
}

/// A compressed message in one frame from a client.
fn compressed(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader { fin: true, rsv: 0b100, opcode, masking_key: Some(FIXED_KEY), payload_len: 0 };
    let mut bytes = Vec::new();
    frame::encode(header, payload, &mut bytes);
    bytes
}

/// What the connection is told of the bytes in chunks of this length.
fn told(mut connection: Connection, bytes: &[u8], chunk: usize) -> Vec<String> {
    let mut told = Vec::new();
    for piece in bytes.chunks(chunk) {
        let mut piece = piece.to_vec();
        let mut input = connection.handle_bytes(Timestamp::ZERO, &mut piece);
        tell(&mut connection, &mut input, &mut told);
    }
    told
}

#[test]
fn a_text_that_is_no_utf8_before_it_is_too_big_or_no_deflate_stream_fails_for_its_utf8() {
    let mut too_big = Vec::new();
    Compressor::new(6, 15).compress(&[b"\xff".as_slice(), &[b'a'; 200]].concat(), true, &mut too_big);
    // A stored block of one byte, and a block of the type that does not exist.
    let broken = b"\x00\x01\x00\xfe\xff\xff\x06".to_vec();
    for payload in [too_big, broken] {
        let bytes = compressed(Opcode::Text, &payload);
        for chunk in [1, 7, 8, 9, usize::MAX] {
            let told = told(server(100), &bytes, chunk);
            assert_eq!(told, ["failed invalid_utf8"], "in chunks of {chunk}");
        }
    }
}

#[test]
fn an_offer_that_names_the_largest_window_of_the_server_is_answered_with_it() {
    let header = |value: &str| extensions(&Headers::from_iter([("Sec-WebSocket-Extensions", value)])).unwrap();
    let offers = header("permessage-deflate; server_max_window_bits=15; client_max_window_bits=15");
    let (answer, agreed) = accept(&offers, &DeflateConfig::default()).unwrap();
    assert_eq!(answer.to_string(), "permessage-deflate; server_max_window_bits=15");
    assert_eq!((agreed.server_max_window_bits, agreed.client_max_window_bits), (15, 15));
}

#[test]
fn a_426_says_what_to_upgrade_to_and_that_this_is_for_the_next_hop() {
    for response in [refuse(426, &Headers::new(), "no").unwrap(), error_response(&HandshakeError::UpgradeRequired)] {
        let response = String::from_utf8(response).unwrap();
        let named =
            response.contains("\r\nConnection: close, Upgrade\r\n") && response.contains("\r\nUpgrade: websocket\r\n");
        assert!(named, "{response}");
    }
    let other = String::from_utf8(refuse(426, &Headers::from_iter([("Upgrade", "h2c")]), "no").unwrap()).unwrap();
    assert!(other.contains("Connection: close, Upgrade\r\n") && other.contains("Upgrade: h2c\r\n"), "{other}");
    assert!(!other.contains("websocket"), "{other}");
}
