//! Messages taken part by part, as they arrive.

mod common;

use common::{transmit, unhex};
use itoden_core::{Config, Connection, Event, Limits, MessageKind, MessagePart, ProtocolError, Timestamp};
use proptest::prelude::*;

/// A connection that streams messages; without limits, since nothing is kept.
fn streaming(role: &str) -> Connection {
    let limits = Limits { max_message_size: u64::MAX, ..Limits::default() };
    let mut connection = common::connection(role, Config { limits, ..Config::default() });
    connection.stream_messages(true);
    connection
}

/// What is told of these bytes. A part is its bytes, `<` before the first of a message, `|` behind one that ends a
/// fragment, `>` behind one that ends the message.
fn take(connection: &mut Connection, bytes: &mut [u8]) -> Vec<String> {
    let mut told = Vec::new();
    let mut input = connection.handle_bytes(Timestamp::ZERO, bytes);
    while let Some(event) = connection.poll_event(&mut input) {
        told.push(match event {
            Event::MessagePart(part) => short(&part),
            Event::Message(message) => format!("message {}", String::from_utf8_lossy(message.as_bytes())),
            Event::Ping(payload) => format!("ping {}", String::from_utf8_lossy(&payload)),
            Event::Failed(error) => format!("failed {}", error.name()),
            other => format!("{other:?}"),
        });
    }
    told
}

fn short(part: &MessagePart<'_>) -> String {
    let sign = |is: bool, sign: &'static str| if is { sign } else { "" };
    let payload: String = part.payload.escape_ascii().map(char::from).collect();
    let (first, ends_fragment, last) = (part.first, part.ends_fragment, part.last);
    format!("{}{payload}{}{}", sign(first, "<"), sign(ends_fragment, "|"), sign(last, ">"))
}

#[test]
fn a_message_that_comes_whole_is_one_part() {
    let mut client = streaming("client");
    assert!(client.streams_messages());
    assert_eq!(take(&mut client, &mut unhex("810548656c6c6f8200")), ["<Hello|>", "<|>"]);
}

#[test]
fn what_has_come_of_a_frame_is_told_at_once() {
    let mut client = streaming("client");
    assert_eq!(take(&mut client, &mut unhex("8205")), [""; 0], "a header alone is no part");
    assert_eq!(take(&mut client, &mut unhex("4865")), ["<He"]);
    assert_eq!(take(&mut client, &mut unhex("6c6c")), ["ll"]);
    assert_eq!(take(&mut client, &mut unhex("6f")), ["o|>"]);
}

#[test]
fn fragments_are_told_apart_and_pings_come_between_them() {
    let mut server = streaming("server");
    let (hel, ping, empty, lo) = ("010337fa213d7f9f4d", "898137fa213d47", "008037fa213d", "808237fa213d5b95");
    let mut bytes = unhex(&[hel, ping, empty, lo].concat().replace("0103", "0183"));
    assert_eq!(take(&mut server, &mut bytes), ["<Hel|", "ping p", "|", "lo|>"]);
}

#[test]
fn a_character_may_be_cut_between_parts_but_not_at_the_end() {
    let mut client = streaming("client");
    assert_eq!(take(&mut client, &mut unhex("8102c3")), ["<\\xc3"]);
    assert_eq!(take(&mut client, &mut unhex("a9")), ["\\xa9|>"]);
    assert_eq!(take(&mut client, &mut unhex("0101c3")), ["<\\xc3|"]);
    assert_eq!(take(&mut client, &mut unhex("8000")), ["failed invalid_utf8"]);
}

#[test]
fn text_is_refused_at_its_first_bad_byte_though_parts_were_told() {
    let mut client = streaming("client");
    assert_eq!(take(&mut client, &mut unhex("817e0100c3a9")), ["<\\xc3\\xa9"]);
    assert_eq!(take(&mut client, &mut unhex("ff")), ["failed invalid_utf8"]);
    assert_eq!(&transmit(&mut client)[..2], [0x88, 0x80 | (2 + ProtocolError::InvalidUtf8.to_string().len() as u8)]);
}

#[test]
fn the_largest_message_is_bounded_by_what_is_declared() {
    let limits = Limits { max_message_size: 10, ..Limits::default() };
    let mut client = common::connection("client", Config { limits, ..Config::default() });
    client.stream_messages(true);
    assert_eq!(take(&mut client, &mut unhex("0206414141414141")), ["<AAAAAA|"]);
    assert_eq!(take(&mut client, &mut unhex("8005")), ["failed message_too_big"]);
}

#[test]
fn a_switch_is_for_the_messages_that_begin_after_it() {
    let mut client = common::connection("client", Config::default());
    assert_eq!(take(&mut client, &mut unhex("010161")), [""; 0]);
    client.stream_messages(true);
    assert_eq!(take(&mut client, &mut unhex("8001620101630001")), ["message ab", "<c|"]);
    client.stream_messages(false);
    assert_eq!(take(&mut client, &mut unhex("648001658101668101")), ["d|", "e|>", "message f"]);
}

#[test]
fn what_came_of_a_message_that_has_begun_can_be_had_and_the_rest_of_it_in_parts() {
    for (begun, came, next, told) in [
        ("010161", Some("<a|"), "80016281", vec!["b|>"]),
        ("820361", Some("<a|"), "62", vec!["b"]),
        ("820361", Some("<a|"), "6263", vec!["bc|>"]),
        ("020161", Some("<a|"), "0002", vec![]),
        ("020161", Some("<a|"), "8000", vec!["|>"]),
        ("0201618900", Some("<a|"), "000162", vec!["b|"]),
        ("020161000162", Some("<ab|"), "800163", vec!["c|>"]),
        // A character is cut.
        ("010261c3", Some("<a\\xc3|"), "8001a9", vec!["\\xa9|>"]),
        ("010261c3", Some("<a\\xc3|"), "80017a", vec!["failed invalid_utf8"]),
        ("010261c3", Some("<a\\xc3|"), "8000", vec!["failed invalid_utf8"]),
        // Nothing but a header has come, or nothing at all.
        ("8203", None, "616263", vec!["<abc|>"]),
        ("0200", None, "800161", vec!["<a|>"]),
        ("820161", None, "820161", vec!["message a"]),
        ("", None, "820161", vec!["message a"]),
    ] {
        let mut client = common::connection("client", Config::default());
        take(&mut client, &mut unhex(begun));
        assert_eq!(client.stream_begun_message().as_ref().map(short).as_deref(), came, "{begun}");
        assert_eq!(client.stream_begun_message(), None, "{begun}: once");
        assert_eq!(take(&mut client, &mut unhex(next)), told, "{begun} {next}");
    }
}

#[test]
fn the_largest_message_counts_what_came_before_its_parts() {
    let limits = Limits { max_message_size: 10, ..Limits::default() };
    let mut client = common::connection("client", Config { limits, ..Config::default() });
    assert_eq!(take(&mut client, &mut unhex("0206414141414141")), [""; 0]);
    assert!(client.stream_begun_message().is_some());
    assert_eq!(take(&mut client, &mut unhex("8005")), ["failed message_too_big"]);
}

#[test]
fn a_part_is_told_alone_when_reading_pauses_behind_it() {
    let mut client = streaming("client");
    let mut bytes = unhex("020161000162800163");
    let mut input = client.handle_bytes(Timestamp::ZERO, &mut bytes);
    assert!(matches!(client.poll_event(&mut input), Some(Event::MessagePart(part)) if *part.payload == *b"a"));
    client.pause_reading();
    assert_eq!(client.poll_event(&mut input), None);
    assert_eq!(input.len(), 6);
    client.resume_reading();
    assert!(matches!(client.poll_event(&mut input), Some(Event::MessagePart(part)) if *part.payload == *b"b"));
}

#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use common::deflate::{always, shake_hands_with};
    use itoden_core::deflate::DeflateConfig;

    /// Two ends with compression, of which the client streams messages of any size.
    fn pair(server: DeflateConfig, max_message_size: u64) -> (Connection, Connection) {
        let (mut client, server) = shake_hands_with(always(), server, |deflate| {
            let limits = Limits { max_message_size, ..Limits::default() };
            Config { deflate, limits, ..Config::default() }
        });
        client.stream_messages(true);
        (client, server)
    }

    #[test]
    fn a_bomb_comes_in_parts_of_bounded_size() {
        let (mut client, mut server) = pair(always(), u64::MAX);
        server.send_shared(MessageKind::Binary, vec![0; 64 << 20].into()).unwrap();
        let mut bytes = transmit(&mut server);
        assert!(bytes.len() < 100_000);
        let (mut total, mut parts) = (0, 0);
        let mut input = client.handle_bytes(Timestamp::ZERO, &mut bytes);
        while let Some(event) = client.poll_event(&mut input) {
            let Event::MessagePart(part) = event else { panic!("{event:?}") };
            assert!(part.payload.len() <= 4096 * 1032, "{} bytes at once", part.payload.len());
            assert_eq!((part.first, part.last), (parts == 0, total + part.payload.len() == 64 << 20));
            (total, parts) = (total + part.payload.len(), parts + 1);
        }
        assert_eq!(total, 64 << 20);
    }

    #[test]
    fn the_largest_message_counts_over_all_parts() {
        let (mut client, mut server) = pair(always(), 1 << 20);
        server.send_shared(MessageKind::Text, vec![b'0'; (1 << 20) + 1].into()).unwrap();
        let told = take(&mut client, &mut transmit(&mut server));
        assert_eq!(told.last().unwrap(), "failed message_too_big");
    }

    #[test]
    fn what_goes_as_it_is_comes_in_whole_parts_behind_its_first() {
        let (mut client, mut server) = pair(DeflateConfig { threshold: usize::MAX, ..always() }, u64::MAX);
        server.send_shared(MessageKind::Binary, vec![7; 100_000].into()).unwrap();
        let told = take(&mut client, &mut transmit(&mut server));
        assert_eq!(told.iter().map(String::len).collect::<Vec<_>>(), [1 + 4 * 4096, 4 * (100_000 - 4096) + 2]);
    }
}

proptest! {
    #[test]
    fn the_parts_of_a_message_are_the_message_whatever_the_chunks(
        parts in prop::collection::vec(".{0,60}", 1..6), text: bool, compressed: bool,
        cuts in prop::collection::vec(1usize..40, 0..40), streams_from in prop_oneof![Just(0usize), 0usize..12],
    ) {
        let [mut client, mut server] = ["client", "server"].map(|role| common::connection(role, Config::default()));
        #[cfg(feature = "deflate")]
        if compressed {
            let always = common::deflate::always;
            (client, server) = common::deflate::shake_hands(always(), always());
        }
        let _ = compressed;
        let kind = if text { MessageKind::Text } else { MessageKind::Binary };
        for (index, part) in parts.iter().enumerate() {
            server.send_fragment(kind, part.as_bytes(), index + 1 == parts.len()).unwrap();
        }
        let mut rest = transmit(&mut server);
        let (mut whole, mut fragments, mut firsts, mut lasts) = (Vec::new(), 0, 0, 0);
        let joined = parts.concat();
        for (index, cut) in cuts.into_iter().chain([usize::MAX]).enumerate() {
            if index == streams_from {
                client.stream_messages(true);
                if let Some(begun) = client.stream_begun_message() {
                    prop_assert!(begun.kind == kind && begun.first && !begun.last);
                    (whole, firsts) = (begun.payload.into_owned(), 1);
                }
            }
            let tail = rest.split_off(cut.min(rest.len()));
            let mut chunk = std::mem::replace(&mut rest, tail);
            let mut input = client.handle_bytes(Timestamp::ZERO, &mut chunk);
            while let Some(event) = client.poll_event(&mut input) {
                let part = match event {
                    Event::MessagePart(part) => part,
                    // It was whole before parts were asked for.
                    Event::Message(message) if index < streams_from => {
                        prop_assert_eq!(message.kind(), kind);
                        prop_assert_eq!(message.as_bytes(), joined.as_bytes());
                        return Ok(());
                    }
                    other => panic!("{other:?}"),
                };
                prop_assert_eq!(part.kind, kind);
                prop_assert_eq!(part.first, firsts == 0);
                whole.extend_from_slice(&part.payload);
                fragments += usize::from(part.ends_fragment);
                firsts += usize::from(part.first);
                lasts += usize::from(part.last);
            }
        }
        prop_assert_eq!(String::from_utf8(whole).unwrap(), joined);
        prop_assert_eq!((firsts, lasts), (1, 1));
        let least = if streams_from == 0 { parts.len() } else { 1 };
        prop_assert!((least..=parts.len()).contains(&fragments), "{fragments} fragments");
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_fragments_are_told_as_they_were_sent_when_each_has_come() {
    use common::deflate::{always, shake_hands};
    let (mut client, mut server) = shake_hands(always(), always());
    client.stream_messages(true);
    for (fragment, fin, told) in [("Hel", false, "<Hel|"), ("lo", false, "lo|"), ("", false, "|"), ("!", true, "!|>")] {
        server.send_fragment(MessageKind::Text, fragment.as_bytes(), fin).unwrap();
        assert_eq!(take(&mut client, &mut transmit(&mut server)), [told]);
    }
}
