//! What holds for any input: decoding undoes encoding, and how bytes are cut into chunks makes no difference.

mod common;

use common::{FIXED_KEY, tell, transmit};
use itoden_core::header::{FrameHeader, HeaderRules};
use itoden_core::{CloseCode, Config, Connection, Input, Message, MessageKind, Opcode, Timestamp, mask, utf8};
use proptest::prelude::*;

fn opcodes() -> impl Strategy<Value = Opcode> {
    (0u8..16).prop_filter_map("reserved", Opcode::from_bits)
}

fn headers() -> impl Strategy<Value = FrameHeader> {
    let lengths = prop_oneof![0u64..200, 65_000u64..66_000, 0..=i64::MAX as u64];
    (any::<bool>(), 0u8..8, opcodes(), any::<Option<[u8; 4]>>(), lengths).prop_map(
        |(fin, rsv, opcode, masking_key, payload_len)| {
            let control = opcode.is_control();
            let payload_len = if control { payload_len % 126 } else { payload_len };
            FrameHeader { fin: fin || control, rsv, opcode, masking_key, payload_len }
        },
    )
}

/// What an application may ask for.
#[derive(Clone, Debug)]
enum Step {
    Send(MessageKind, String),
    Fragments(MessageKind, Vec<String>),
    Ping(Vec<u8>),
    Close(u16, String),
}

fn kinds() -> impl Strategy<Value = MessageKind> {
    prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (kinds(), ".{0,300}").prop_map(|(kind, text)| Step::Send(kind, text)),
        2 => (kinds(), prop::collection::vec(".{0,40}", 1..5)).prop_map(|(kind, parts)| Step::Fragments(kind, parts)),
        1 => prop::collection::vec(any::<u8>(), 0..126).prop_map(Step::Ping),
        1 => (3000u16..5000, ".{0,20}").prop_map(|(code, reason)| Step::Close(code, reason)),
    ];
    prop::collection::vec(step, 0..12)
}

/// Does the steps; what the peer should be told of them.
fn take_steps(connection: &mut Connection, steps: &[Step]) -> Vec<String> {
    let mut expected = Vec::new();
    for step in steps {
        match step {
            Step::Send(kind, text) => {
                let message = match kind {
                    MessageKind::Text => Message::text(text),
                    MessageKind::Binary => Message::binary(text.as_bytes()),
                };
                connection.send(message).unwrap();
                expected.push(format!("message {text}"));
            }
            Step::Fragments(kind, parts) => {
                for (index, part) in parts.iter().enumerate() {
                    connection.send_fragment(*kind, part.as_bytes(), index + 1 == parts.len()).unwrap();
                }
                expected.push(format!("message {}", parts.concat()));
            }
            Step::Ping(payload) => {
                connection.ping(payload).unwrap();
                expected.push(format!("ping {}", String::from_utf8_lossy(payload)));
            }
            Step::Close(code, reason) => {
                if connection.close(Timestamp::ZERO, Some(CloseCode::new(*code)), reason).is_ok() {
                    expected.push(format!("close {code} {reason}"));
                    break;
                }
            }
        }
    }
    expected
}

/// Hands `bytes` in, cut at `cuts`; what was told and what is to be written back.
fn receive(role: &str, bytes: &[u8], cuts: &[usize]) -> (Vec<String>, Vec<u8>) {
    let mut connection = common::connection(role, Config::default());
    let (mut told, mut sent) = (Vec::new(), Vec::new());
    let mut rest = bytes.to_vec();
    for cut in cuts.iter().chain([&usize::MAX]) {
        let mut tail = rest.split_off((*cut).min(rest.len()));
        std::mem::swap(&mut rest, &mut tail);
        let mut input = connection.handle_bytes(Timestamp::ZERO, &mut tail);
        tell(&mut connection, &mut input, &mut told);
        sent.extend(transmit(&mut connection));
    }
    connection.handle_eof(Timestamp::ZERO);
    tell(&mut connection, &mut Input::empty(), &mut told);
    (told, sent)
}

proptest! {
    #[test]
    fn a_header_that_is_written_is_read_back(header in headers()) {
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        prop_assert_eq!(bytes.len(), header.encoded_len());
        prop_assert_eq!(FrameHeader::parse(&bytes, HeaderRules::ANY), Ok(Some((header, bytes.len()))));
        for short in 0..bytes.len() {
            prop_assert_eq!(FrameHeader::parse(&bytes[..short], HeaderRules::ANY), Ok(None));
        }
    }

    #[test]
    fn masking_is_xor_with_the_repeated_key(key: [u8; 4], offset in 0u64..9, bytes: Vec<u8>) {
        let naive: Vec<u8> =
            bytes.iter().zip(offset..).map(|(byte, at)| byte ^ key[(at % 4) as usize]).collect();
        let mut masked = bytes.clone();
        mask::apply(key, offset, &mut masked);
        prop_assert_eq!(&masked, &naive);
        mask::apply(key, offset, &mut masked);
        prop_assert_eq!(&masked, &bytes);
        let mut appended = vec![1, 2, 3];
        mask::append(key, &bytes, &mut appended);
        mask::apply(key, 0, &mut appended[3..]);
        prop_assert_eq!(&appended[3..], &bytes[..]);
    }

    #[test]
    fn text_in_pieces_is_valid_if_the_whole_is(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "\\PC{0,20}".prop_map(String::into_bytes),
    ], cuts in prop::collection::vec(0usize..6, 0..20)) {
        let mut validator = utf8::Validator::default();
        let mut text = String::new();
        let mut rest = &bytes[..];
        let mut valid = true;
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            rest = tail;
            valid = valid && validator.push(piece, |part| text.push_str(part)).is_ok();
        }
        valid = valid && validator.finish().is_ok();
        prop_assert_eq!(valid, std::str::from_utf8(&bytes).is_ok());
        prop_assert!(!valid || text.as_bytes() == bytes);
    }

    #[test]
    fn what_one_end_sends_the_other_is_told_whatever_the_chunks(
        steps in steps(), from_client: bool, cuts in prop::collection::vec(0usize..40, 0..60),
    ) {
        let (from, to) = if from_client { ("client", "server") } else { ("server", "client") };
        let mut sender = common::connection(from, Config::default());
        let expected = take_steps(&mut sender, &steps);
        let bytes = transmit(&mut sender);
        let (told, _) = receive(to, &bytes, &cuts);
        prop_assert_eq!(&told[..told.len() - 1], &expected[..]);
    }

    #[test]
    fn any_bytes_give_the_same_events_and_answers_whatever_the_chunks(
        start in prop::collection::vec(any::<u8>(), 0..80), masked: bool,
        cuts in prop::collection::vec(0usize..10, 0..60),
    ) {
        // Bytes that begin like frames reach deeper than pure noise does.
        let mut bytes = Vec::new();
        for chunk in start.chunks(6) {
            let header = FrameHeader {
                fin: chunk[0] & 1 == 0,
                rsv: 0,
                opcode: Opcode::from_bits(chunk[0] >> 4).unwrap_or(Opcode::Text),
                masking_key: masked.then_some(FIXED_KEY),
                payload_len: 0,
            };
            itoden_core::frame::encode(header, chunk, &mut bytes);
        }
        bytes.extend_from_slice(&start);
        let role = if masked { "server" } else { "client" };
        let whole = receive(role, &bytes, &[]);
        prop_assert_eq!(receive(role, &bytes, &cuts), whole.clone());
        prop_assert_eq!(receive(role, &bytes, &vec![1; bytes.len()]), whole);
    }
}
