//! The same bytes for the core and for tokio-websockets: both are told the same and refuse the same, and each understands
//! what the other sends.
//!
//! Where the two differ, and why:
//!
//! - The core tells an error at the first byte of a header, the peer at the second; and they look at a wrong continuation,
//!   or a Close frame of one byte, at different bytes of one frame. Bytes behind the stream, enough to end any header and
//!   any control frame, make the two meet again.
//! - The peer does not check the end of a text whose last fragment is empty: it delivers text that ends inside a character.
//!   The core fails with `invalid_utf8` (RFC 6455 §8.1), and the comparison ends there.
//! - The peer answers a Close frame with its code only, the core with its reason too; both may (§5.5.1).
//! - The peer reserves memory for the length that a frame declares; so it is given a limit, and the core the same one.
#![no_main]

use arbitrary::Arbitrary;
use itoden_core::{Config, Connection, Limits, MessageKind, ProtocolError, Role};
use itoden_fuzz::ends::open;
use itoden_fuzz::peer;
use itoden_fuzz::recipe::{Kitchen, Recipe};
use itoden_fuzz::record::{Told, transmit};
use itoden_fuzz::stream::{Manner, Part, Writer, receive};
use libfuzzer_sys::fuzz_target;
use tokio_websockets::Message;

const MAX_FRAME: usize = 1 << 20;

#[derive(Arbitrary, Debug)]
enum Case<'a> {
    /// Both get the same bytes.
    Receive { client: bool, chunk: u8, parts: Vec<Part<'a>> },
    /// One sends, the other receives.
    Exchange { client: bool, chunk: u8, sends: Vec<Send<'a>> },
}

#[derive(Arbitrary, Debug)]
enum Send<'a> {
    Message { text: bool, recipe: Recipe<'a> },
    Ping(&'a [u8]),
    Pong(&'a [u8]),
}

fn connection(role: Role) -> Connection {
    let limits = Limits { max_frame_size: MAX_FRAME as u64, max_message_size: u64::MAX, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let (client, server) = open(config.clone(), config);
    if role == Role::Client { client } else { server }
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// As the peer would tell it; `None` for the end of the transport, which the peer does not tell.
fn as_peer(told: &Told) -> Option<peer::Told> {
    Some(match told.clone() {
        Told::Text(text) => peer::Told::Text(text.into_bytes()),
        Told::Binary(bytes) => peer::Told::Binary(bytes),
        Told::Ping(payload) => peer::Told::Ping(payload),
        Told::Pong(payload) => peer::Told::Pong(payload),
        Told::Close(code, reason) => peer::Told::Close(code, reason),
        Told::Failed(_) => peer::Told::Failed,
        Told::Closed(_) => return None,
    })
}

fn chunks(chunk: &u8) -> Manner<'_> {
    Manner { chunks: std::slice::from_ref(chunk), peer_reads: true, pauses: false }
}

/// The core, and the peer in its place, are told the same of any bytes.
fn same_bytes(role: Role, chunk: u8, parts: &[Part<'_>]) {
    let mut stream = Writer::new(role, None).write(parts);
    stream.extend([0; 300]);
    let (told, sent) = receive(connection(role), &stream, chunks(&chunk));
    let (peer_told, peer_sent) = peer::receive(role, MAX_FRAME, &stream, usize::from(chunk) + 1);

    let ours: Vec<_> = told.iter().filter_map(as_peer).collect();
    let same = ours.iter().zip(&peer_told).take_while(|(one, other)| one == other).count();
    let cut_character = match (told.get(same), peer_told.get(same)) {
        (Some(Told::Failed(ProtocolError::InvalidUtf8)), Some(peer::Told::Text(text))) => {
            std::str::from_utf8(text).is_err_and(|error| error.error_len().is_none())
        }
        _ => false,
    };
    if cut_character {
        return;
    }
    assert_eq!(ours, peer_told);

    // What each of them answered is legal for the other.
    let (answers, _) = peer::receive(other(role), MAX_FRAME, &sent, usize::MAX);
    assert!(!answers.contains(&peer::Told::Failed), "{answers:?}");
    let (answers, _) = receive(connection(other(role)), &peer_sent, chunks(&chunk));
    assert!(!answers.iter().any(|told| matches!(told, Told::Failed(_))), "{answers:?}");
}

/// What the core sends, the peer is told; and the other way round.
fn exchange(role: Role, chunk: u8, sends: &[Send<'_>]) {
    let mut kitchen = Kitchen::default();
    let mut ours = connection(role);
    let (mut theirs, mut expected) = (Vec::new(), Vec::new());
    for send in sends {
        match send {
            Send::Message { text: true, recipe } => {
                let text = kitchen.make_text(recipe, 80_000);
                ours.send_shared(MessageKind::Text, text.clone().into()).expect("it is open");
                theirs.push(Message::text(text.clone()));
                expected.push(peer::Told::Text(text.into_bytes()));
            }
            Send::Message { text: false, recipe } => {
                let bytes = kitchen.make(recipe, 80_000);
                ours.send_shared(MessageKind::Binary, bytes.clone().into()).expect("it is open");
                theirs.push(Message::binary(bytes.clone()));
                expected.push(peer::Told::Binary(bytes));
            }
            Send::Ping(payload) => {
                let payload = payload[..payload.len().min(125)].to_vec();
                ours.ping(&payload).expect("it is open");
                theirs.push(Message::ping(payload.clone()));
                expected.push(peer::Told::Ping(payload));
            }
            Send::Pong(payload) => {
                let payload = payload[..payload.len().min(125)].to_vec();
                ours.pong(&payload).expect("it is open");
                theirs.push(Message::pong(payload.clone()));
                expected.push(peer::Told::Pong(payload));
            }
        }
    }
    let mut sent = Vec::new();
    transmit(&mut ours, &mut sent);
    let (told, _) = peer::receive(other(role), MAX_FRAME, &sent, usize::from(chunk) + 1);
    assert!(told == expected, "the peer is told what the core sends");

    let sent = peer::send(role, theirs);
    let (told, _) = receive(connection(other(role)), &sent, chunks(&chunk));
    let told: Vec<_> = told.iter().filter_map(as_peer).collect();
    assert!(told == expected, "the core is told what the peer sends");
}

fuzz_target!(|case: Case<'_>| {
    let role = |client| if client { Role::Client } else { Role::Server };
    match case {
        Case::Receive { client, chunk, parts } => same_bytes(role(client), chunk, &parts),
        Case::Exchange { client, chunk, sends } => exchange(role(client), chunk, &sends),
    }
});
