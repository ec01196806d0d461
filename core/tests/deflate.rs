//! permessage-deflate: what is agreed on, and that messages survive.
#![cfg(feature = "deflate")]

mod common;

use common::deflate::{always, shake_hands, shake_hands_with};
use common::{hex, tell, transmit, unhex};
use itoden_core::deflate::params::{accept, confirm, offer};
use itoden_core::deflate::{Compressor, Decompressor, DeflateConfig, DeflateParams, InflateError};
use itoden_core::handshake::Headers;
use itoden_core::handshake::headers::{Extension, extensions};
use itoden_core::{Config, Connection, Message, MessageKind, SendOptions, Timestamp};
use proptest::prelude::*;

fn parse(text: &str) -> Vec<Extension> {
    extensions(&Headers::from_iter([("Sec-WebSocket-Extensions", text)])).unwrap()
}

fn answer(offers: &str, config: &DeflateConfig) -> Option<String> {
    accept(&parse(offers), config).map(|(answer, _)| answer.to_string())
}

#[test]
fn a_client_offers_what_it_wants() {
    let config = DeflateConfig::default();
    assert_eq!(offer(&config).unwrap().to_string(), "permessage-deflate; client_max_window_bits");
    let config = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: 10,
        client_max_window_bits: 9,
        ..config
    };
    assert_eq!(
        offer(&config).unwrap().to_string(),
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
    let mut decompressor = Decompressor::new(15);
    assert_eq!(inflate(&mut decompressor, &unhex("f248cdc9c90700")).unwrap(), b"Hello");
    assert_eq!(inflate(&mut decompressor, &unhex("f200110000")).unwrap(), b"Hello");
    for example in ["000500faff48656c6c6f00", "f348cdc9c9070000", "f248050000 00ffff cac9c90700"] {
        let bytes = unhex(&example.replace(' ', ""));
        assert_eq!(inflate(&mut Decompressor::new(15), &bytes).unwrap(), b"Hello", "{example}");
    }
}

#[test]
fn hello_is_compressed_as_in_the_rfc() {
    let mut compressor = Compressor::new(6, 15);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    compressor.compress(b"Hello", true, &mut first);
    compressor.compress(b"Hello", true, &mut second);
    assert_eq!(hex(&first), "f248cdc9c90700");
    assert_eq!(hex(&second), "f200110000");
}

#[test]
fn a_bomb_costs_at_most_the_limit() {
    let mut bomb = Vec::new();
    Compressor::new(9, 15).compress(&vec![0; 8 << 20], true, &mut bomb);
    assert!(bomb.len() < 10_000);
    let mut out = Vec::new();
    let result = Decompressor::new(15).decompress(&bomb, true, 100_000, &mut out);
    assert_eq!(result, Err(InflateError::TooBig));
    assert_eq!(out.len(), 100_000);
    assert!(out.capacity() <= 400_000, "{}", out.capacity());
    let mut out = Vec::new();
    Decompressor::new(15).decompress(&bomb, true, 8 << 20, &mut out).unwrap();
    assert_eq!(out.len(), 8 << 20, "exactly the limit passes");
}

#[test]
fn what_is_no_deflate_stream_is_refused() {
    assert_eq!(inflate(&mut Decompressor::new(15), &[0xff; 20]), Err(InflateError::Invalid));
    // A stored block whose length and its complement don't fit.
    assert_eq!(inflate(&mut Decompressor::new(15), &unhex("000500fafe48")), Err(InflateError::Invalid));
    // A distance that reaches behind the beginning of the stream.
    assert_eq!(inflate(&mut Decompressor::new(15), &unhex("f200110000")), Err(InflateError::Invalid));
}

/// What `to` is told of these bytes, in one chunk and in single bytes alike.
fn told(to: &mut Connection, mut bytes: Vec<u8>) -> Vec<String> {
    let mut told = Vec::new();
    let mut input = to.handle_bytes(Timestamp::ZERO, &mut bytes);
    tell(to, &mut input, &mut told);
    told
}

#[test]
fn messages_go_compressed_both_ways_and_refer_to_earlier_ones() {
    let (mut client, mut server) = shake_hands(always(), always());
    server.send(Message::text("Hello")).unwrap();
    server.send(Message::text("Hello")).unwrap();
    let bytes = transmit(&mut server);
    assert_eq!(hex(&bytes), "c107f248cdc9c90700c105f200110000");
    assert_eq!(told(&mut client, bytes), ["message Hello", "message Hello"]);
    client.send(Message::binary(b"back")).unwrap();
    assert_eq!(told(&mut server, transmit(&mut client)), ["message back"]);
}

#[test]
fn messages_below_the_threshold_go_as_they_are() {
    let (mut client, mut server) = shake_hands(always(), DeflateConfig { threshold: 6, ..always() });
    server.send(Message::text("Hello")).unwrap();
    server.send(Message::text("Hello!")).unwrap();
    let bytes = transmit(&mut server);
    assert_eq!((bytes[0], bytes[7]), (0x81, 0xc1));
    assert_eq!(told(&mut client, bytes), ["message Hello", "message Hello!"]);
}

#[test]
fn what_is_not_to_be_compressed_goes_as_it_is_and_leaves_the_history_as_it_was() {
    let (mut client, mut server) = shake_hands(always(), always());
    let plainly = SendOptions { compress: false };
    server.send(Message::text("Hello")).unwrap();
    server.send_with(Message::text("Hello"), plainly).unwrap();
    server.send_shared_with(MessageKind::Text, "Hello".into(), plainly).unwrap();
    server.send_fragment_with(MessageKind::Text, b"Hel", false, plainly).unwrap();
    server.send_fragment(MessageKind::Text, b"lo", true).unwrap();
    server.send(Message::text("Hello")).unwrap();
    let bytes = transmit(&mut server);
    let plain = "810548656c6c6f";
    assert_eq!(hex(&bytes), format!("c107f248cdc9c90700{plain}{plain}010348656c80026c6fc105f200110000"));
    assert_eq!(told(&mut client, bytes), ["message Hello"; 5]);
}

#[test]
fn a_compressor_that_was_released_begins_anew() {
    let (mut client, mut server) = shake_hands(always(), always());
    for _ in 0..2 {
        server.send(Message::text("Hello")).unwrap();
        server.release_compressor();
    }
    server.send_fragment(MessageKind::Text, b"Hel", false).unwrap();
    server.release_compressor();
    server.send_fragment(MessageKind::Text, b"lo", true).unwrap();
    let bytes = transmit(&mut server);
    assert!(hex(&bytes).starts_with("c107f248cdc9c90700c107f248cdc9c90700"), "{}", hex(&bytes));
    assert_eq!(told(&mut client, bytes), ["message Hello"; 3]);
}

#[test]
fn streams_that_were_not_used_for_a_while_are_given_back_and_remember_the_window() {
    let seconds = |count: u64| Timestamp::from_micros(count * 1_000_000);
    for bits in [9, 12, 15] {
        let config = DeflateConfig { client_max_window_bits: bits, ..always() };
        let (mut client, mut server) = shake_hands(always(), config);
        server.rest_compression_after(core::time::Duration::from_secs(2));
        assert_eq!(server.poll_timeout(), None);
        let payload: Vec<u8> = (0..3000_u32).map(|at| (at * at % 251) as u8).collect();
        let mut now = 10;
        for _ in 0..3 {
            for part in [&payload[..], &payload[2000..], b"Hello"] {
                client.send(Message::binary(part)).unwrap();
                let mut bytes = transmit(&mut client);
                let mut input = server.handle_bytes(seconds(now), &mut bytes);
                let Some(itoden_core::Event::Message(message)) = server.poll_event(&mut input) else {
                    panic!("the window of {bits} bits was forgotten")
                };
                assert_eq!(message.as_bytes(), part);
            }
            // Looked at once after it was used, and given back when it was not used since.
            assert_eq!(server.poll_timeout(), Some(seconds(now + 2)));
            server.handle_timeout(seconds(now + 2));
            assert_eq!(server.poll_timeout(), Some(seconds(now + 4)));
            server.handle_timeout(seconds(now + 4));
            assert_eq!(server.poll_timeout(), None);
            now += 10;
        }
    }
}

#[test]
fn a_compressor_that_rests_begins_anew_but_never_within_a_message() {
    let seconds = |count: u64| Timestamp::from_micros(count * 1_000_000);
    let (mut client, mut server) = shake_hands(always(), always());
    server.rest_compression_after(core::time::Duration::from_secs(1));
    let rest = |server: &mut Connection| (1..5).for_each(|at| server.handle_timeout(seconds(at * 100)));
    server.send(Message::text("Hello")).unwrap();
    rest(&mut server);
    server.send(Message::text("Hello")).unwrap();
    server.send_fragment(MessageKind::Text, b"Hel", false).unwrap();
    rest(&mut server);
    server.send_fragment(MessageKind::Text, b"lo", true).unwrap();
    let bytes = transmit(&mut server);
    assert!(hex(&bytes).starts_with("c107f248cdc9c90700c107f248cdc9c90700"), "{}", hex(&bytes));
    assert_eq!(told(&mut client, bytes), ["message Hello"; 3]);
}

#[test]
fn a_decompressor_that_was_used_before_knows_nothing_of_it() {
    for window_bits in [15, 10] {
        let mut used = Decompressor::new(window_bits);
        used.decompress(&unhex("f248cdc9c90700"), true, 100, &mut Vec::new()).unwrap();
        drop(used);
        // This refers to an earlier message.
        assert_eq!(inflate(&mut Decompressor::new(window_bits), &unhex("f200110000")), Err(InflateError::Invalid));
    }
}

#[test]
fn empty_messages_and_empty_fragments_survive() {
    let (mut client, mut server) = shake_hands(always(), always());
    server.send(Message::text("")).unwrap();
    for (fragment, fin) in [("", false), ("a", false), ("", false), ("", true)] {
        server.send_fragment(MessageKind::Text, fragment.as_bytes(), fin).unwrap();
    }
    assert_eq!(told(&mut client, transmit(&mut server)), ["message ", "message a"]);
}

#[test]
fn an_empty_message_between_others_leaves_both_histories_as_they_are() {
    let (mut client, mut server) = shake_hands(always(), always());
    for text in ["hello", "", "hello again", ""] {
        server.send(Message::text(text)).unwrap();
    }
    let bytes = transmit(&mut server);
    assert_eq!(told(&mut client, bytes), ["message hello", "message ", "message hello again", "message "]);
}

#[test]
fn the_limit_counts_a_character_that_is_cut() {
    for chunk in [usize::MAX, 1] {
        let config = |deflate| {
            let mut config = Config { deflate, ..Config::default() };
            config.limits.max_message_size = 5;
            config
        };
        let (_, mut server) = shake_hands(always(), always());
        let mut client = shake_hands_with(always(), always(), config).0;
        server.send(Message::text("aaaa\u{e9}")).unwrap();
        let mut told = Vec::new();
        for piece in transmit(&mut server).chunks(chunk) {
            let mut piece = piece.to_vec();
            let mut input = client.handle_bytes(Timestamp::ZERO, &mut piece);
            tell(&mut client, &mut input, &mut told);
        }
        assert_eq!(told, ["failed message_too_big"], "in chunks of {chunk}");
    }
}

#[test]
fn compressed_bytes_that_become_nothing_are_bounded_too() {
    let (mut client, _) = shake_hands(always(), always());
    // A frame that declares 2^62 compressed bytes.
    assert_eq!(told(&mut client, unhex("c27f4000000000000000")), ["failed message_too_big"]);
}

#[test]
fn a_ping_between_compressed_fragments_is_not_compressed() {
    let (mut client, mut server) = shake_hands(always(), always());
    server.send_fragment(MessageKind::Text, b"He", false).unwrap();
    server.ping(b"now").unwrap();
    server.send_fragment(MessageKind::Text, b"llo", true).unwrap();
    assert_eq!(told(&mut client, transmit(&mut server)), ["ping now", "message Hello"]);
}

#[test]
fn rsv1_stands_only_on_the_first_frame_of_a_message() {
    for bytes in ["4100c000", "c900", "0101 61c000"] {
        let (mut client, _) = shake_hands(always(), always());
        let told = told(&mut client, unhex(&bytes.replace(' ', "")));
        assert_eq!(told, ["failed reserved_bits"], "{bytes}");
    }
}

#[test]
fn a_compressed_message_that_is_no_deflate_stream_fails_with_1007() {
    let (mut client, _) = shake_hands(always(), always());
    assert_eq!(told(&mut client, unhex("c102ffff")), ["failed invalid_deflate"]);
    assert_eq!(client.failure().unwrap().to_string(), "a compressed message can't be decompressed");
}

#[test]
fn a_compressed_message_that_is_not_utf8_fails_with_1007() {
    let (mut client, mut server) = shake_hands(always(), always());
    server.send(Message::binary(b"a\xff")).unwrap();
    let mut bytes = transmit(&mut server);
    bytes[0] = 0xc1;
    assert_eq!(told(&mut client, bytes), ["failed invalid_utf8"]);
}

#[test]
fn a_bomb_fails_with_1009() {
    let (mut client, mut server) = shake_hands(always(), always());
    for kind in [MessageKind::Text, MessageKind::Binary] {
        server.send_shared(kind, vec![b'0'; (16 << 20) + 1].into()).unwrap();
        let bytes = transmit(&mut server);
        assert!(bytes.len() < 20_000);
        if kind == MessageKind::Text {
            assert_eq!(told(&mut client, bytes), ["failed message_too_big"]);
        }
    }
}

#[test]
fn without_context_takeover_nothing_is_held_between_messages() {
    let config = DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..always() };
    let (mut client, mut server) = shake_hands(config.clone(), config);
    for _ in 0..2 {
        server.send(Message::text("Hello")).unwrap();
        let bytes = transmit(&mut server);
        assert_eq!(hex(&bytes), "c107f248cdc9c90700", "no message refers to an earlier one");
        assert_eq!(told(&mut client, bytes), ["message Hello"]);
    }
}

proptest! {
    #[test]
    fn messages_survive_any_window_level_and_fragmentation(
        level in 1u8..10, window_bits in 8u8..16,         messages in prop::collection::vec(prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..600),
            "[ab]{0,2000}".prop_map(String::into_bytes),
            Just(Vec::new()),
        ], 1..4), 1..6),
        cut in 1usize..700,
    ) {
        let mut compressor = Compressor::new(level, window_bits);
        let mut decompressor = Decompressor::new(window_bits);
        for fragments in messages {
            let mut compressed = Vec::new();
            for (index, fragment) in fragments.iter().enumerate() {
                compressor.compress(fragment, index + 1 == fragments.len(), &mut compressed);
            }
            let mut out = Vec::new();
            for piece in compressed.chunks(cut) {
                decompressor.decompress(piece, false, 1 << 20, &mut out).unwrap();
            }
            decompressor.decompress(b"", true, 1 << 20, &mut out).unwrap();
            prop_assert_eq!(out, fragments.concat());
        }
    }
}
