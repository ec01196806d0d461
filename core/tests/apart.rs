//! Payloads that stay with the driver: where they go, however much the transport takes at once; and how they come, however
//! little it brings.

mod common;

use std::collections::VecDeque;

use common::{hex, tell, transmit, unhex};
use itoden_core::connection::APART_THRESHOLD;
use itoden_core::{
    Config, Connection, Event, Input, Limits, Message, MessageKind, Part, SendError, SendOptions, Timestamp, Transmit,
};
use proptest::prelude::*;

const OPTIONS: SendOptions = SendOptions { compress: true };

/// A driver that keeps payloads, over a transport that takes as much as it is told to.
struct Keeper {
    connection: Connection,
    kept: VecDeque<Vec<u8>>,
    written: Vec<u8>,
}

impl Keeper {
    fn new(role: &str) -> Self {
        let connection = common::connection(role, Config::default());
        Self { connection, kept: VecDeque::new(), written: Vec::new() }
    }

    fn send(&mut self, payload: &[u8]) {
        match self.connection.send_apart(MessageKind::Binary, payload.len(), OPTIONS).unwrap() {
            Some(_) => self.kept.push_back(payload.to_vec()),
            None => self.connection.send(Message::binary(payload)).unwrap(),
        }
    }

    /// The transport takes `most` bytes; whether there was anything to take.
    fn write(&mut self, most: usize) -> bool {
        let Some(Transmit::Write(segments)) = self.connection.poll_transmit() else { return false };
        let (len, mut left) = (segments.len(), most);
        let mut whole = 0;
        let mut next = 0;
        for part in segments.parts() {
            let (bytes, ends) = match part {
                Part::Bytes(bytes) => (bytes, false),
                Part::Apart(range) => {
                    let payload = &self.kept[next];
                    next += 1;
                    assert_eq!(range.end, payload.len(), "its end is that of the payload");
                    (&payload[range], true)
                }
            };
            assert!(!bytes.is_empty(), "no part is empty");
            let taken = bytes.len().min(left);
            self.written.extend_from_slice(&bytes[..taken]);
            left -= taken;
            whole += usize::from(ends && taken == bytes.len());
        }
        assert_eq!(next, self.kept.len(), "each payload that is kept is asked for");
        self.kept.drain(..whole);
        self.connection.transmitted(most.min(len));
        true
    }
}

#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    Apart(usize),
    Shared(usize),
    Fragment(usize),
    Ping,
    Write(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lengths = prop_oneof![0usize..200, 65_500usize..65_600, 100_000usize..200_000];
    let step = prop_oneof![
        2 => lengths.clone().prop_map(Step::Send),
        4 => lengths.clone().prop_map(Step::Apart),
        2 => lengths.prop_map(Step::Shared),
        1 => (0usize..200).prop_map(Step::Fragment),
        1 => Just(Step::Ping),
        4 => prop_oneof![0usize..20, 0usize..100_000].prop_map(Step::Write),
    ];
    prop::collection::vec(step, 1..24)
}

proptest! {
    #[test]
    fn payloads_that_are_kept_make_the_same_bytes_as_those_that_are_not(
        role in prop_oneof![Just("server"), Just("client")], steps in steps(), rest in 1usize..5000,
    ) {
        let mut keeper = Keeper::new(role);
        let mut alike = common::connection(role, Config::default());
        let mut expected = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            let payload = |len| vec![index as u8; len];
            match step {
                Step::Send(len) => keeper.connection.send(Message::binary(&payload(len))).unwrap(),
                Step::Apart(len) => keeper.send(&payload(len)),
                Step::Shared(len) => keeper.connection.send_shared(MessageKind::Binary, payload(len).into()).unwrap(),
                Step::Fragment(len) => {
                    keeper.connection.send_fragment(MessageKind::Binary, &payload(len), false).unwrap();
                    keeper.connection.send_fragment(MessageKind::Binary, b"", true).unwrap();
                }
                Step::Ping => keeper.connection.ping(b"between").unwrap(),
                Step::Write(most) => {
                    keeper.write(most);
                }
            }
            match step {
                Step::Send(len) | Step::Apart(len) | Step::Shared(len) => alike.send(Message::binary(&payload(len))).unwrap(),
                Step::Fragment(len) => {
                    alike.send_fragment(MessageKind::Binary, &payload(len), false).unwrap();
                    alike.send_fragment(MessageKind::Binary, b"", true).unwrap();
                }
                Step::Ping => alike.ping(b"between").unwrap(),
                Step::Write(_) => {}
            }
            expected.extend(transmit(&mut alike));
            prop_assert_eq!(keeper.connection.buffered_amount(), unwritten_payload(&expected, keeper.written.len()));
        }
        while keeper.write(rest) {}
        prop_assert!(keeper.written == expected);
        prop_assert_eq!((keeper.connection.buffered_amount(), keeper.kept.len()), (0, 0));
    }
}

/// Bytes of messages in `stream` from `written` on, told by its headers.
fn unwritten_payload(stream: &[u8], written: usize) -> u64 {
    use itoden_core::header::{FrameHeader, HeaderRules};
    let (mut at, mut sum) = (0, 0);
    while let Some((header, len)) = FrameHeader::parse(&stream[at..], HeaderRules::ANY).unwrap() {
        let (begin, end) = (at + len, at + len + header.payload_len as usize);
        if !header.opcode.is_control() {
            sum += end.saturating_sub(begin.max(written)) as u64;
        }
        at = end;
    }
    sum
}

#[test]
fn who_writes_everything_at_once_is_told_the_places_of_payloads_when_they_are_sent() {
    let mut server = common::connection("server", Config::default());
    let mut alike = common::connection("server", Config::default());
    let payloads = [(MessageKind::Binary, vec![7; 70_000]), (MessageKind::Text, vec![b'a'; 200])];
    let mut places = Vec::new();
    for (kind, payload) in &payloads {
        server.ping(b"between").unwrap();
        places.push(server.send_apart(*kind, payload.len(), OPTIONS).unwrap().unwrap());
        alike.ping(b"between").unwrap();
        alike.send_shared(*kind, payload.clone().into()).unwrap();
    }
    server.pong(b"behind").unwrap();
    alike.pong(b"behind").unwrap();
    assert_eq!(server.buffered_amount(), 70_200);
    let queue = match server.poll_transmit() {
        Some(Transmit::Write(segments)) => segments.unwritten().unwrap().to_vec(),
        other => panic!("{other:?}"),
    };
    server.transmitted_all();
    assert_eq!((server.poll_transmit().is_none(), server.buffered_amount()), (true, 0));
    let (mut stream, mut from) = (Vec::new(), 0);
    for (place, (_, payload)) in places.into_iter().zip(&payloads) {
        stream.extend_from_slice(&queue[from..place]);
        stream.extend_from_slice(payload);
        from = place;
    }
    stream.extend_from_slice(&queue[from..]);
    assert!(stream == transmit(&mut alike));
}

#[test]
fn slices_end_where_a_payload_is_kept_apart() {
    let mut server = common::connection("server", Config::default());
    server.send(Message::binary(b"a")).unwrap();
    server.send_apart(MessageKind::Binary, 2, OPTIONS).unwrap();
    server.send(Message::binary(b"b")).unwrap();
    let seen = |server: &mut Connection| match server.poll_transmit() {
        Some(Transmit::Write(segments)) => (hex(&segments.to_vec()), segments.len(), segments.parts().count()),
        other => panic!("{other:?}"),
    };
    assert_eq!(seen(&mut server), ("8201618202".into(), 10, 3));
    server.transmitted(6);
    assert_eq!(seen(&mut server), (String::new(), 4, 2));
    server.transmitted(1);
    assert_eq!(seen(&mut server), ("820162".into(), 3, 1));
}

#[test]
fn what_is_unwritten_is_one_slice_until_something_is_written_or_queued_by_reference() {
    let mut server = common::connection("server", Config::default());
    let unwritten = |server: &mut Connection| match server.poll_transmit() {
        Some(Transmit::Write(segments)) => segments.unwritten().map(hex),
        other => panic!("{other:?}"),
    };
    server.send(Message::binary(b"a")).unwrap();
    server.send(Message::binary(b"b")).unwrap();
    assert_eq!(unwritten(&mut server).as_deref(), Some("820161820162"));
    server.transmitted(1);
    assert_eq!(unwritten(&mut server), None);
    server.transmitted(2);
    assert_eq!(unwritten(&mut server), None);
    server.transmitted_all();
    server.send_shared(MessageKind::Binary, vec![7; 10_000].into()).unwrap();
    assert_eq!(unwritten(&mut server), None);
}

#[test]
fn a_payload_that_stays_with_the_driver_is_bound_by_the_rules_of_every_other() {
    let mut client = common::connection("client", Config::default());
    assert_eq!(client.send_apart(MessageKind::Binary, 5000, OPTIONS), Ok(None));
    let limits = Limits { max_buffered_amount: 4999, ..Limits::default() };
    let mut server = common::connection("server", Config { limits, ..Config::default() });
    assert_eq!(server.send_apart(MessageKind::Binary, 0, OPTIONS), Ok(None));
    assert_eq!(server.send_apart(MessageKind::Binary, 5000, OPTIONS), Ok(Some(4)));
    let full = SendError::BufferFull { buffered: 5000, limit: 4999 };
    assert_eq!(server.send_apart(MessageKind::Binary, 1, OPTIONS), Err(full));
    server.transmitted_all();
    server.send_fragment(MessageKind::Binary, b"a", false).unwrap();
    let unfinished = server.send_apart(MessageKind::Binary, 1, OPTIONS);
    assert_eq!(unfinished, Err(SendError::MessageUnfinished));
    server.close(Timestamp::ZERO, None, "").unwrap();
    assert_eq!(server.send_apart(MessageKind::Binary, 1, OPTIONS), Err(SendError::NotOpen));
}

/// What is told of these bytes by a connection that leaves large binary messages to the driver.
struct Taker {
    connection: Connection,
    taken: Vec<u8>,
    told: Vec<String>,
    messages_taken: usize,
}

impl Taker {
    fn new(role: &str, config: Config) -> Self {
        let mut connection = common::connection(role, config);
        connection.receive_apart(true);
        Self { connection, taken: Vec::new(), told: Vec::new(), messages_taken: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        // What is due is not handed in.
        let due = (self.connection.missing_apart() as usize).min(bytes.len());
        let (apart, rest) = bytes.split_at_mut(due);
        self.take_apart(apart);
        let mut input = self.connection.handle_bytes(Timestamp::ZERO, rest);
        loop {
            self.poll(&mut input);
            let due = (self.connection.missing_apart() as usize).min(input.len());
            if due == 0 {
                break;
            }
            let apart = input.take(due);
            self.take_apart(apart);
        }
    }

    fn take_apart(&mut self, bytes: &[u8]) {
        self.taken.extend_from_slice(bytes);
        self.connection.handle_apart(Timestamp::ZERO, bytes.len() as u64);
    }

    fn poll(&mut self, input: &mut Input<'_>) {
        while let Some(event) = self.connection.poll_event(input) {
            match event {
                Event::BinaryApart => {
                    let payload = core::mem::take(&mut self.taken);
                    assert!(payload.len() >= APART_THRESHOLD as usize);
                    self.messages_taken += 1;
                    self.told.push(format!("message {}", String::from_utf8_lossy(&payload)));
                }
                Event::Message(message) => {
                    self.told.push(format!("message {}", String::from_utf8_lossy(message.as_bytes())));
                }
                Event::Ping(payload) => self.told.push(format!("ping {}", String::from_utf8_lossy(&payload))),
                Event::Pong(payload) => self.told.push(format!("pong {}", String::from_utf8_lossy(&payload))),
                Event::CloseReceived(close) => self.told.push(format!("close {} {}", close.code, close.reason)),
                Event::Failed(error) => self.told.push(format!("failed {}", error.name())),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// What a peer sends.
fn stream(role: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let peer = if role == "client" { "server" } else { "client" };
    let lengths = || prop_oneof![0usize..300, 8190usize..8194, 8192usize..9000, 65_530usize..65_540];
    let step = prop_oneof![
        4 => lengths().prop_map(|len| (0, len)),
        1 => lengths().prop_map(|len| (1, len)),
        1 => lengths().prop_map(|len| (2, len)),
        1 => (0usize..100).prop_map(|len| (3, len)),
    ];
    (prop::collection::vec(step, 0..12), prop::option::of(any::<u8>()), any::<prop::sample::Index>()).prop_map(
        move |(steps, wrong, place)| {
            let mut connection = common::connection(peer, Config::default());
            for (kind, len) in steps {
                let text = "x".repeat(len);
                match kind {
                    0 => connection.send(Message::binary(text.as_bytes())).unwrap(),
                    1 => connection.send(Message::text(&text)).unwrap(),
                    2 => {
                        connection.send_fragment(MessageKind::Binary, text.as_bytes(), false).unwrap();
                        connection.ping(b"between").unwrap();
                        connection.send_fragment(MessageKind::Binary, text.as_bytes(), true).unwrap();
                    }
                    _ => connection.ping(text.as_bytes()).unwrap(),
                }
            }
            connection.close(Timestamp::ZERO, None, "").unwrap();
            let mut bytes = transmit(&mut connection);
            if let Some(wrong) = wrong {
                let at = place.index(bytes.len());
                bytes[at] = wrong;
            }
            bytes
        },
    )
}

fn chunked(bytes: &[u8], cuts: &[usize], mut take: impl FnMut(&[u8])) {
    let mut rest = bytes;
    for &cut in cuts {
        let (chunk, behind) = rest.split_at(cut.min(rest.len()));
        take(chunk);
        rest = behind;
    }
    take(rest);
}

proptest! {
    #[test]
    fn whoever_takes_payloads_is_told_the_same_whatever_the_chunks(
        (role, bytes) in prop_oneof![Just("client"), Just("server")].prop_flat_map(|role| (Just(role), stream(role))),
        cuts in prop::collection::vec(prop_oneof![0usize..20, 0usize..20_000], 0..30),
        limit in prop_oneof![Just(8500u64), Just(u64::MAX)],
    ) {
        let limits = Limits { max_message_size: limit, ..Limits::default() };
        let config = Config { limits, ..Config::default() };
        let mut plain = common::connection(role, config.clone());
        let mut told = Vec::new();
        chunked(&bytes, &cuts, |chunk| {
            let mut chunk = chunk.to_vec();
            let mut input = plain.handle_bytes(Timestamp::ZERO, &mut chunk);
            tell(&mut plain, &mut input, &mut told);
        });
        let mut taker = Taker::new(role, config);
        chunked(&bytes, &cuts, |chunk| taker.take(chunk));
        prop_assert_eq!(&taker.told, &told);
        prop_assert_eq!(transmit(&mut taker.connection), transmit(&mut plain));
        prop_assert!(role == "client" || taker.messages_taken == 0, "what is masked is not left to anyone");
    }
}

#[test]
fn a_payload_is_left_behind_its_header_and_told_once_it_came() {
    let mut taker = Taker::new("client", Config::default());
    taker.take(&unhex("827e2000"));
    assert_eq!((taker.connection.missing_apart(), taker.connection.missing()), (8192, 8192));
    taker.take(&[b'a'; 8000]);
    assert_eq!((taker.connection.missing_apart(), taker.told.len()), (192, 0));
    taker.take(&[&[b'a'; 192][..], &unhex("89021122")].concat());
    assert_eq!(taker.told, [format!("message {}", "a".repeat(8192)), "ping \u{11}\"".into()]);
    assert_eq!(taker.messages_taken, 1);
}

#[test]
fn a_payload_that_is_too_long_is_refused_at_its_header() {
    let limits = Limits { max_message_size: 8191, ..Limits::default() };
    let mut taker = Taker::new("client", Config { limits, ..Config::default() });
    taker.take(&unhex("827e2000"));
    assert_eq!(taker.told, ["failed message_too_big"]);
    assert_eq!(taker.connection.missing_apart(), 0);
}

#[test]
fn a_payload_that_is_cut_by_the_end_is_no_message() {
    for end in [Connection::handle_eof, Connection::handle_timeout] {
        let mut client = common::connection("client", Config::default());
        client.receive_apart(true);
        client.close(Timestamp::ZERO, None, "").unwrap();
        let mut header = unhex("827e2000");
        let mut input = client.handle_bytes(Timestamp::ZERO, &mut header);
        assert_eq!(client.poll_event(&mut input), None);
        client.handle_apart(Timestamp::ZERO, 8191);
        end(&mut client, Timestamp::ZERO + std::time::Duration::from_secs(100));
        assert_eq!(client.missing_apart(), 0);
        let mut told = Vec::new();
        tell(&mut client, &mut Input::empty(), &mut told);
        assert_eq!(told, ["closed 1006  clean=false"]);
    }
}

#[test]
#[should_panic(expected = "no more than what is missing can be taken")]
fn what_is_not_due_can_not_be_taken() {
    common::connection("client", Config::default()).handle_apart(Timestamp::ZERO, 1);
}
