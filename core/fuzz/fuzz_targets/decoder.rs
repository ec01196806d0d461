//! A connection and any bytes from its peer: however they are cut into chunks, it tells and sends the same, it breaks no
//! rule itself, and it holds no more memory than its limits allow.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use itoden_core::{CloseCode, Config, Connection, Input, Limits, Opcode, Role, Timestamp};
use itoden_fuzz::ends::{Deflate, open};
use itoden_fuzz::memory;
use itoden_fuzz::record::{Told, frames};
use itoden_fuzz::stream::{Manner, Part, Writer, receive};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    client: bool,
    peer_reads: bool,
    auto_pong: bool,
    /// Whether it begins to close before anything comes.
    closes: bool,
    limits: Option<SmallLimits>,
    deflate: Option<Deflate>,
    chunks: [u8; 4],
    stream: Vec<Part<'a>>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct SmallLimits {
    message: u16,
    frame: Option<u16>,
    fragments: u8,
    pongs: u8,
}

impl Case<'_> {
    fn config(&self) -> Config {
        let mut limits = Limits { max_message_size: 1 << 20, ..Limits::default() };
        if let Some(small) = self.limits {
            limits.max_message_size = small.message.into();
            limits.max_frame_size = small.frame.map_or(u64::MAX, u64::from);
            limits.max_fragments = small.fragments.into();
            limits.max_pending_pongs = small.pongs.into();
        }
        let deflate = self.deflate.map(Deflate::config);
        Config { limits, auto_pong: self.auto_pong, deflate, ..Config::default() }
    }

    fn connection(&self) -> Connection {
        let (client, server) = open(self.config(), self.config());
        let mut connection = if self.client { client } else { server };
        if self.closes {
            connection.close(Timestamp::ZERO, Some(CloseCode::GOING_AWAY), "enough").expect("it may be closed");
        }
        connection
    }
}

/// What holds of everything that a connection tells and sends.
fn check(case: &Case<'_>, role: Role, told: &[Told], sent: &[u8]) {
    let (last, before) = told.split_last().expect("each connection ends");
    let Told::Closed(closed) = last else { panic!("the last event is that of the end, not {last:?}") };
    assert!(!before.iter().any(|event| matches!(event, Told::Closed(_))));
    let end = before.iter().position(|event| matches!(event, Told::Failed(_) | Told::Close(..)));
    assert!(end.is_none_or(|end| end + 1 == before.len()), "nothing is told behind {end:?}");

    let frames = frames(role, sent);
    let closes: Vec<_> = frames.iter().filter(|frame| frame.opcode == Opcode::Close).collect();
    let pongs: Vec<_> = frames.iter().filter(|frame| frame.opcode == Opcode::Pong).collect();
    assert_eq!(pongs.len() + closes.len(), frames.len(), "nobody asked for any other frame");
    assert!(case.auto_pong || pongs.is_empty());
    let mut pings = before.iter();
    for pong in pongs {
        let answers = |event: &Told| matches!(event, Told::Ping(payload) if *payload == pong.payload);
        assert!(pings.any(answers), "each pong answers a ping, in order");
    }
    // Its own Close frame, or the one that tells of the failure, or the answer to the peer's; never two.
    let body = |code: u16, reason: &str| [&code.to_be_bytes(), reason.as_bytes()].concat();
    let close = match before.last() {
        _ if case.closes => Some(body(1001, "enough")),
        Some(Told::Failed(error)) => Some(body(error.close_code().get(), &error.to_string())),
        Some(Told::Close(1005, _)) => Some(Vec::new()),
        Some(Told::Close(code, reason)) => Some(body(*code, reason)),
        _ => None,
    };
    match before.last() {
        Some(Told::Close(code, reason)) => {
            assert!(closed.was_clean);
            assert_eq!((closed.code.get(), &closed.reason), (*code, reason));
        }
        _ => assert!(!closed.was_clean),
    }
    match close {
        Some(close) => {
            assert_eq!(closes.len(), 1);
            let last = frames.last().expect("the Close frame");
            assert!(last.opcode == Opcode::Close && close.starts_with(&last.payload), "{last:?}");
            // A reason is cut only if it would not fit.
            assert!(last.payload == close || last.payload.len() > 121);
        }
        None => assert!(closes.is_empty()),
    }
}

/// The most that is held while the stream comes and the peer reads nothing.
fn peak(case: &Case<'_>, stream: &[u8], chunk: usize) -> usize {
    let mut connection = case.connection();
    let mut buffer = stream.to_vec();
    let ((), peak) = memory::peak(|| {
        for chunk in buffer.chunks_mut(chunk) {
            let mut input = connection.handle_bytes(Timestamp::ZERO, chunk);
            while connection.poll_event(&mut input).is_some() {}
        }
        connection.handle_eof(Timestamp::ZERO);
        while connection.poll_event(&mut Input::empty()).is_some() {}
    });
    peak
}

fuzz_target!(|case: Case<'_>| {
    let role = if case.client { Role::Client } else { Role::Server };
    let params = case.connection().deflate();
    let bits = params.map(|params| match role {
        Role::Client => params.server_max_window_bits,
        Role::Server => params.client_max_window_bits,
    });
    let stream = Writer::new(role, bits).write(&case.stream);
    let manner = Manner { chunks: &[], peer_reads: case.peer_reads, pauses: false };
    let whole = receive(case.connection(), &stream, manner);
    check(&case, role, &whole.0, &whole.1);
    for manner in [
        Manner { chunks: &[0], ..manner },
        Manner { chunks: &case.chunks, ..manner },
        Manner { chunks: &case.chunks, pauses: true, ..manner },
    ] {
        let cut = receive(case.connection(), &stream, manner);
        assert_eq!(cut, whole, "{manner:?} differs from the stream in one chunk");
        let mut streaming = case.connection();
        streaming.stream_messages(true);
        streaming.hold_endings(Duration::from_secs(1));
        let joined = receive(streaming, &stream, manner);
        assert_eq!(joined, whole, "{manner:?}: messages that are streamed differ from those put together");
    }

    // What came, or what it may have become; twice as a vector grows, and once more for text that is checked.
    let limits = case.config().limits;
    let came = if params.is_some() { stream.len() * 1032 } else { stream.len() };
    let messages = 4 * came.min(limits.max_message_size as usize);
    let pongs = 2 * 131 * (usize::from(limits.max_pending_pongs) + 2).min(stream.len() / 2);
    let streams = if params.is_some() { 256 << 10 } else { 0 };
    let bound = messages + pongs + streams + 4096;
    let peak = peak(&case, &stream, usize::from(case.chunks[0]) * 16 + 1);
    assert!(peak <= bound, "{peak} bytes are held at the most; {bound} are allowed");
});
