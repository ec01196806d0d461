//! Payloads that stay with the driver: where they go, however much the transport takes at once.

mod common;

use std::collections::VecDeque;

use common::{hex, transmit};
use itoden_core::{
    Config, Connection, Limits, Message, MessageKind, Part, SendError, SendOptions, Timestamp, Transmit,
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
