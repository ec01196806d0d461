//! permessage-deflate: what is agreed on, and that messages survive.
#![cfg(feature = "deflate")]

mod common;

use common::{hex, unhex};
use itoden_core::deflate::params::{accept, confirm, offer};
use itoden_core::deflate::{Compressor, Decompressor, DeflateConfig, DeflateParams, InflateError};
use itoden_core::handshake::Headers;
use itoden_core::handshake::headers::{Extension, extensions};
use proptest::prelude::*;

fn parse(text: &str) -> Vec<Extension> {
    extensions(&Headers::from_iter([("Sec-WebSocket-Extensions", text)])).unwrap()
}

fn text(extension: &Extension) -> String {
    let mut text = extension.name.clone();
    for (name, value) in &extension.params {
        text += "; ";
        text += name;
        if let Some(value) = value {
            text += "=";
            text += value;
        }
    }
    text
}

fn answer(offers: &str, config: &DeflateConfig) -> Option<String> {
    accept(&parse(offers), config).map(|(answer, _)| text(&answer))
}

#[test]
fn a_client_offers_what_it_wants() {
    let config = DeflateConfig::default();
    assert_eq!(text(&offer(&config)), "permessage-deflate; client_max_window_bits");
    let config = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: 10,
        client_max_window_bits: 9,
        ..config
    };
    assert_eq!(
        text(&offer(&config)),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=10; client_max_window_bits=9"
    );
}

#[test]
fn a_server_answers_the_first_offer_that_it_can_meet() {
    let config = DeflateConfig::default();
    for (offers, expected) in [
        ("permessage-deflate", Some("permessage-deflate")),
        ("permessage-deflate; client_max_window_bits", Some("permessage-deflate")),
        ("permessage-deflate; client_max_window_bits=10", Some("permessage-deflate; client_max_window_bits=10")),
        ("permessage-deflate; server_max_window_bits=8", Some("permessage-deflate; server_max_window_bits=8")),
        ("permessage-deflate; server_no_context_takeover", Some("permessage-deflate; server_no_context_takeover")),
        ("x-webkit-deflate-frame, permessage-deflate", Some("permessage-deflate")),
        (
            "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=\"9\"",
            Some("permessage-deflate; server_max_window_bits=9"),
        ),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=08", None),
        ("permessage-deflate; server_max_window_bits=+9", None),
        ("permessage-deflate; client_max_window_bits=1000", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=9", None),
        ("constructor, __proto__", None),
    ] {
        assert_eq!(answer(offers, &config).as_deref(), expected, "{offers}");
    }
}

#[test]
fn a_server_that_wants_a_small_client_window_asks_only_clients_that_know_of_it() {
    let config = DeflateConfig { client_max_window_bits: 9, ..DeflateConfig::default() };
    assert_eq!(answer("permessage-deflate", &config), None);
    let expected = Some("permessage-deflate; client_max_window_bits=9".to_owned());
    assert_eq!(answer("permessage-deflate; client_max_window_bits", &config), expected);
    assert_eq!(answer("permessage-deflate, permessage-deflate; client_max_window_bits=12", &config), expected);
}

#[test]
fn a_client_confirms_only_what_it_offered() {
    let config =
        DeflateConfig { server_max_window_bits: 10, server_no_context_takeover: true, ..DeflateConfig::default() };
    let check = |answer: &str| confirm(&parse(answer)[0], &config);
    assert_eq!(
        check("permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8"),
        Some(DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: false,
            server_max_window_bits: 9,
            client_max_window_bits: 8,
        })
    );
    for bad in [
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; x",
        "deflate; server_no_context_takeover; server_max_window_bits=9",
    ] {
        assert_eq!(check(bad), None, "{bad}");
    }
}

fn inflate(decompressor: &mut Decompressor, bytes: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    decompressor.decompress(bytes, true, 1 << 20, &mut out).map(|()| out)
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // RFC 7692 §7.2.3.1 to §7.2.3.5; the second message refers to the first.
    let mut decompressor = Decompressor::new(15, false);
    assert_eq!(inflate(&mut decompressor, &unhex("f248cdc9c90700")).unwrap(), b"Hello");
    assert_eq!(inflate(&mut decompressor, &unhex("f200110000")).unwrap(), b"Hello");
    for example in ["000500faff48656c6c6f00", "f348cdc9c9070000", "f248050000 00ffff cac9c90700"] {
        let bytes = unhex(&example.replace(' ', ""));
        assert_eq!(inflate(&mut Decompressor::new(15, false), &bytes).unwrap(), b"Hello", "{example}");
    }
}

#[test]
fn hello_is_compressed_as_in_the_rfc() {
    let mut compressor = Compressor::new(6, 15, false);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    compressor.compress(b"Hello", true, &mut first);
    compressor.compress(b"Hello", true, &mut second);
    assert_eq!(hex(&first), "f248cdc9c90700");
    assert_eq!(hex(&second), "f200110000");
}

#[test]
fn without_context_takeover_each_message_stands_alone() {
    let mut compressor = Compressor::new(6, 15, true);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    compressor.compress(b"Hello", true, &mut first);
    compressor.compress(b"Hello", true, &mut second);
    assert_eq!(first, second);
}

#[test]
fn a_bomb_costs_at_most_the_limit() {
    let mut bomb = Vec::new();
    Compressor::new(9, 15, false).compress(&vec![0; 8 << 20], true, &mut bomb);
    assert!(bomb.len() < 10_000);
    let mut out = Vec::new();
    let result = Decompressor::new(15, false).decompress(&bomb, true, 100_000, &mut out);
    assert_eq!(result, Err(InflateError::TooBig));
    assert_eq!(out.len(), 100_000);
    assert!(out.capacity() <= 400_000, "{}", out.capacity());
    let mut out = Vec::new();
    Decompressor::new(15, false).decompress(&bomb, true, 8 << 20, &mut out).unwrap();
    assert_eq!(out.len(), 8 << 20, "exactly the limit passes");
}

#[test]
fn what_is_no_deflate_stream_is_refused() {
    assert_eq!(inflate(&mut Decompressor::new(15, false), &[0xff; 20]), Err(InflateError::Invalid));
    // A stored block whose length and its complement don't fit.
    assert_eq!(inflate(&mut Decompressor::new(15, false), &unhex("000500fafe48")), Err(InflateError::Invalid));
    // A distance that reaches behind the beginning of the stream.
    assert_eq!(inflate(&mut Decompressor::new(15, false), &unhex("f200110000")), Err(InflateError::Invalid));
}

proptest! {
    #[test]
    fn messages_survive_any_window_level_and_fragmentation(
        level in 1u8..10, window_bits in 8u8..16, no_context_takeover: bool,
        messages in prop::collection::vec(prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            "[ab]{0,2000}".prop_map(String::into_bytes),
            Just(Vec::new()),
        ], 1..4), 1..6),
        cut in 1usize..700,
    ) {
        let mut compressor = Compressor::new(level, window_bits, no_context_takeover);
        let mut decompressor = Decompressor::new(window_bits, no_context_takeover);
        for fragments in messages {
            let mut compressed = Vec::new();
            for (index, fragment) in fragments.iter().enumerate() {
                compressor.compress(fragment, index + 1 == fragments.len(), &mut compressed);
            }
            let mut out = Vec::new();
            let mut pieces = compressed.chunks(cut).peekable();
            while let Some(piece) = pieces.next() {
                decompressor.decompress(piece, pieces.peek().is_none(), 1 << 20, &mut out).unwrap();
            }
            prop_assert_eq!(out, fragments.concat());
        }
    }
}
