//! What no bytes can say: peers that don't read, commands at the wrong time, text at every cut.

use itoden_core::handshake::{Headers, server};
use itoden_core::utf8::Validator;
use itoden_core::{Config, Connection, Event, Message, MessageKind, SendError, Timestamp};

use crate::common::{FIXED_KEY, connection, tell, transmit};
use crate::heap::measure;

const ROLES: [&str; 2] = ["server", "client"];

/// A control frame without payload to an end of this role.
fn empty_frame(first: u8, role: &str) -> Vec<u8> {
    if role == "server" { [&[first, 0x80], &FIXED_KEY[..]].concat() } else { vec![first, 0] }
}

type Command = fn(&mut Connection) -> Result<(), SendError>;

#[test]
fn what_waits_for_a_peer_that_does_not_read_is_bounded() {
    const LIMIT: u64 = 64 << 10;
    let commands: [Command; 4] = [
        |connection| connection.send(Message::binary(&[0; 1000])),
        |connection| connection.send(Message::text("")),
        |connection| connection.ping(&[0; 125]),
        |connection| connection.pong(b""),
    ];
    for (role, command) in ROLES.into_iter().flat_map(|role| commands.map(|command| (role, command))) {
        let mut config = Config::default();
        config.limits.max_buffered_amount = LIMIT;
        let mut connection = connection(role, config);
        let (refused, heap) = measure(|| (0..=LIMIT).find_map(|_| command(&mut connection).err()));
        assert!(matches!(refused, Some(SendError::BufferFull { limit: LIMIT, .. })), "{refused:?}");
        // The queue grows by doubling, and counts twice while it does.
        assert!(heap.peak <= 3 * (LIMIT as usize + 1014), "{role}: {}", heap.peak);
    }
}

/// Gives `count` pings in reads of `size` pings to an end that writes nothing; how many it told of.
fn flood(connection: &mut Connection, role: &str, count: usize, size: usize) -> usize {
    let mut bytes = empty_frame(0x89, role).repeat(count);
    let mut told = 0;
    for chunk in bytes.chunks_mut(size * empty_frame(0x89, role).len()) {
        let mut input = connection.handle_bytes(Timestamp::ZERO, chunk);
        while let Some(event) = connection.poll_event(&mut input) {
            assert!(matches!(event, Event::Ping(_)), "{event:?}");
            told += 1;
        }
    }
    told
}

#[test]
fn pongs_for_a_peer_that_does_not_read_are_bounded() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        let before = measure(|| flood(&mut connection, role, 200, 10)).1.kept;
        let (told, heap) = measure(|| flood(&mut connection, role, 100_000, 100));
        assert_eq!(told, 100_000);
        assert!(before <= 128 * 2 * 6, "{role}: {before} bytes wait");
        assert_eq!(heap.kept, 0, "{role}: what waits does not grow any more");
        // 128 pongs and, once they are gone, the one for the newest ping.
        assert_eq!(transmit(&mut connection).len(), 129 * if role == "client" { 6 } else { 2 });
    }
}

#[test]
fn a_hundred_thousand_pings_in_one_read_are_told_one_by_one() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        assert_eq!(flood(&mut connection, role, 100_000, 100_000), 100_000);
        assert_eq!(transmit(&mut connection).len(), 129 * if role == "client" { 6 } else { 2 });
    }
}

#[test]
fn nothing_is_sent_after_the_peers_close_frame_or_a_failure() {
    for (role, first) in ROLES.into_iter().flat_map(|role| [(role, 0x88), (role, 0x8f)]) {
        let mut connection = connection(role, Config::default());
        let mut bytes = empty_frame(first, role);
        let mut input = connection.handle_bytes(Timestamp::ZERO, &mut bytes);
        tell(&mut connection, &mut input, &mut Vec::new());
        let close = transmit(&mut connection);
        assert_eq!(close[0], 0x88);
        let refused = [
            connection.send(Message::text("x")),
            connection.send_shared(MessageKind::Binary, vec![0; 10_000].into()),
            connection.send_fragment(MessageKind::Text, b"x", false),
            connection.ping(b""),
            connection.pong(b""),
        ];
        assert_eq!(refused, [const { Err(SendError::NotOpen) }; 5]);
        connection.close(Timestamp::ZERO, None, "").unwrap();
        assert!(transmit(&mut connection).is_empty(), "{role}");
    }
}

#[test]
fn limits_of_zero_let_only_empty_messages_pass() {
    for (message_size, frame_size, error) in
        [(0, u64::MAX, "message_too_big"), (u64::MAX, 0, "frame_too_big"), (0, 0, "frame_too_big")]
    {
        let mut config = Config::default();
        config.limits.max_message_size = message_size;
        config.limits.max_frame_size = frame_size;
        let mut client = connection("client", config);
        let mut bytes = *b"\x81\x00\x82\x00\x02\x00\x80\x00\x82\x01";
        let mut input = client.handle_bytes(Timestamp::ZERO, &mut bytes);
        let mut told = Vec::new();
        tell(&mut client, &mut input, &mut told);
        assert_eq!(told, ["message ", "message ", "message ", &format!("failed {error}")]);
    }
}

#[test]
fn a_redirect_with_a_line_break_is_refused() {
    for bad in ["/\r\nSet-Cookie: a=b", "/\n", "/\r", "/\0", "/caf\u{e9}\u{2028}"] {
        let error = server::refuse(302, &Headers::from_iter([("Location", bad)]), "").unwrap_err();
        assert_eq!(error.name(), "invalid_option", "{bad:?}");
    }
}

/// Whether the validator takes the text, cut into these parts.
fn takes(parts: [&[u8]; 3]) -> bool {
    let mut validator = Validator::default();
    let mut text = String::new();
    let pushed = parts.into_iter().all(|part| validator.push(part, |valid| text.push_str(valid)).is_ok());
    let valid = pushed && validator.finish().is_ok();
    assert!(!valid || text.as_bytes() == parts.concat());
    valid
}

#[test]
fn text_is_judged_as_the_standard_library_judges_it_wherever_the_bad_byte_stands() {
    let samples: [&[u8]; 12] = [
        b"\x80",
        b"\xff",
        b"\xc3",
        b"\xc3A",
        b"\xc0\xaf",
        b"\xe2\x82",
        b"\xe2\x28\xa1",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x92",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        "€𐍈é".as_bytes(),
    ];
    // Positions around the widths of vectors, and behind them letters or nothing.
    for (sample, before, behind) in samples
        .into_iter()
        .flat_map(|sample| (0..70).map(move |before| (sample, before)))
        .flat_map(|(sample, before)| [0, 1, 40].map(|behind| (sample, before, behind)))
    {
        let text = [&b"a".repeat(before), sample, &b"b".repeat(behind)].concat();
        let right = std::str::from_utf8(&text).is_ok();
        assert_eq!(itoden_core::utf8::whole(&text).is_ok(), right, "{text:02x?}");
        for cut in before.saturating_sub(1)..=(before + sample.len()).min(text.len()) {
            let (first, rest) = text.split_at(cut);
            let (second, third) = rest.split_at(rest.len().min(1));
            assert_eq!(takes([first, second, third]), right, "{text:02x?} cut at {cut}");
        }
    }
}
