//! Two ends, the bytes between them, and what each is to be told.

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::Arbitrary;
use itoden_core::header::{FrameHeader, HeaderRules};
use itoden_core::{
    CloseCode, Closed, Config, Connection, Failure, Input, Limits, Message, MessageKind, Opcode, SendError, Timestamp,
    Transmit,
};

use crate::ends::{Deflate, open};
use crate::recipe::{Kitchen, Recipe};
use crate::record::{Joiner, Told};

/// The most bytes that one end sends as messages in one case.
const MOST: usize = 100_000;

/// How one end is configured.
#[derive(Arbitrary, Clone, Debug)]
pub struct Setup {
    deflate: Option<Deflate>,
    manual_pongs: bool,
    /// The interval and the timeout in tenths of a second.
    keepalive: Option<(u8, Option<u8>)>,
}

impl Setup {
    fn config(&self) -> Config {
        // No peer could answer within no time.
        let tenths = |tenths: u8| Duration::from_millis(u64::from(tenths.max(1)) * 100);
        Config {
            // No pong is left out: that is the decoder target's business.
            limits: Limits { max_pending_pongs: u16::MAX, ..Limits::default() },
            auto_pong: !self.manual_pongs,
            ping_interval: self.keepalive.map(|(interval, _)| tenths(interval)),
            ping_timeout: self.keepalive.and_then(|(_, timeout)| timeout).map(tenths),
            deflate: self.deflate.map(Deflate::config),
            ..Config::default()
        }
    }
}

/// What one end does, or what is done to it.
#[derive(Arbitrary, Clone, Debug)]
pub enum Act<'a> {
    Send {
        text: bool,
        shared: bool,
        recipe: Recipe<'a>,
    },
    /// The first of up to four fragments.
    Begin {
        text: bool,
        lengths: [u8; 3],
        recipe: Recipe<'a>,
    },
    /// The next fragment, if one is left.
    Next,
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    Close {
        code: Option<u16>,
        reason: &'a str,
    },
    /// The transport takes this share of what waits, of 255.
    Write(u8),
    /// This share of what is on its way comes, of 255; the application may pause reading at the first event.
    Deliver {
        share: u8,
        pause: bool,
    },
    Pause,
    Resume,
}

/// One end with what is on its way to it.
pub struct End {
    pub connection: Connection,
    kitchen: Kitchen,
    /// Whether it may still send.
    open: bool,
    /// The fragments that are left of its open message, and the whole of it.
    outbox: VecDeque<Vec<u8>>,
    message: Option<(MessageKind, Vec<u8>)>,
    /// What it is to be told, in order.
    expected: VecDeque<Told>,
    /// The message whose parts it is being told, if it streams them.
    joiner: Joiner,
    pub incoming: VecDeque<u8>,
    /// Whether the peer has ended its side of the transport, and whether this end was told.
    peer_ended: bool,
    eof_told: bool,
    /// What it wrote of a frame whose end is not written yet.
    unfinished: Vec<u8>,
    close_written: bool,
    last_life: Timestamp,
    close_sent_at: Option<Timestamp>,
    pub closed: Option<Closed>,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            kitchen: Kitchen::default(),
            open: true,
            outbox: VecDeque::new(),
            message: None,
            expected: VecDeque::new(),
            joiner: Joiner::default(),
            incoming: VecDeque::new(),
            peer_ended: false,
            eof_told: false,
            unfinished: Vec::new(),
            close_written: false,
            last_life: Timestamp::ZERO,
            close_sent_at: None,
            closed: None,
        }
    }

    fn make(&mut self, text: bool, recipe: &Recipe<'_>) -> (MessageKind, Vec<u8>) {
        match text {
            true => (MessageKind::Text, self.kitchen.make_text(recipe, MOST).into_bytes()),
            false => (MessageKind::Binary, self.kitchen.make(recipe, MOST)),
        }
    }

    /// The bytes that wait to be written; `None` if this end has ended its side of the transport instead.
    fn pending(&mut self) -> Option<Vec<u8>> {
        match self.connection.poll_transmit() {
            Some(Transmit::Write(segments)) => Some(segments.to_vec()),
            Some(Transmit::Shutdown) => None,
            None => Some(Vec::new()),
        }
    }

    /// `buffered_amount` counted from the bytes: those of messages that are not written.
    fn count_buffered(&self, pending: &[u8]) -> u64 {
        let bytes = [&self.unfinished, pending].concat();
        let (mut at, mut sum) = (0, 0);
        while at < bytes.len() {
            let (header, len) = FrameHeader::parse(&bytes[at..], HeaderRules::ANY).expect("legal").expect("whole");
            let end = at + len + header.payload_len as usize;
            if !header.opcode.is_control() {
                sum += end - (at + len).max(self.unfinished.len()).min(end);
            }
            at = end;
        }
        sum as u64
    }

    /// The transport has taken these bytes: what is left of a frame at their end.
    fn note_written(&mut self, written: &[u8]) {
        self.unfinished.extend_from_slice(written);
        while let Ok(Some((header, len))) = FrameHeader::parse(&self.unfinished, HeaderRules::ANY) {
            let end = len + header.payload_len as usize;
            if end > self.unfinished.len() {
                break;
            }
            assert!(!self.close_written, "nothing is written behind a Close frame");
            self.close_written = header.opcode == Opcode::Close;
            self.unfinished.drain(..end);
        }
    }
}

/// The client, the server and the time.
pub struct Pair {
    pub ends: [End; 2],
    pub now: Timestamp,
    /// Whether a timeout has ended one end early, so that the other need not be told everything.
    pub timed_out: bool,
}

impl Pair {
    pub fn new(client: &Setup, server: &Setup) -> Self {
        let (client, server) = open(client.config(), server.config());
        Self { ends: [End::new(client), End::new(server)], now: Timestamp::ZERO, timed_out: false }
    }

    pub fn act(&mut self, who: usize, act: &Act<'_>) {
        let end = &mut self.ends[who];
        match act {
            Act::Send { text, shared, recipe } => {
                let (kind, payload) = end.make(*text, recipe);
                let result = match (kind, *shared) {
                    (_, true) => end.connection.send_shared(kind, payload.clone().into()),
                    (MessageKind::Text, _) => {
                        end.connection.send(Message::text(str::from_utf8(&payload).expect("made as text")))
                    }
                    (MessageKind::Binary, _) => end.connection.send(Message::binary(&payload)),
                };
                let refusal = end.message.is_some().then_some(SendError::MessageUnfinished);
                if self.sent(who, result, refusal) {
                    self.expect_message(who, kind, payload);
                }
            }
            Act::Begin { text, lengths, recipe } => {
                if end.message.is_none() {
                    let (kind, payload) = end.make(*text, recipe);
                    let mut rest = &payload[..];
                    for &length in lengths {
                        let (fragment, tail) = rest.split_at(usize::from(length).min(rest.len()));
                        rest = tail;
                        end.outbox.push_back(fragment.to_vec());
                    }
                    end.outbox.push_back(rest.to_vec());
                    end.message = Some((kind, payload));
                }
                self.next_fragment(who);
            }
            Act::Next => self.next_fragment(who),
            Act::Ping(payload) => {
                let mut payload = payload[..payload.len().min(124)].to_vec();
                if payload.len() == 4 {
                    // Four bytes are those of the keepalive.
                    payload.push(0);
                }
                let result = end.connection.ping(&payload);
                if self.sent(who, result, None) {
                    self.ends[1 - who].expected.push_back(Told::Ping(payload));
                }
            }
            Act::Pong(payload) => {
                let payload = payload[..payload.len().min(125)].to_vec();
                let result = end.connection.pong(&payload);
                if self.sent(who, result, None) {
                    self.ends[1 - who].expected.push_back(Told::Pong(payload));
                }
            }
            Act::Close { code, reason } => self.close(who, *code, reason),
            Act::Write(share) => self.write(who, *share),
            Act::Deliver { share, pause } => {
                let most = (end.incoming.len() * usize::from(*share)).div_ceil(255);
                self.deliver(who, most, *pause);
            }
            Act::Pause => end.connection.pause_reading(),
            Act::Resume => {
                end.last_life = self.now;
                end.connection.resume_reading();
            }
        }
    }

    /// Checks the result of a command: it is refused if this end is not open, or for `refusal`, and else not. Whether it
    /// was taken.
    fn sent(&mut self, who: usize, result: Result<(), SendError>, refusal: Option<SendError>) -> bool {
        let expected = if self.ends[who].open { refusal } else { Some(SendError::NotOpen) };
        assert_eq!(result.err(), expected);
        expected.is_none()
    }

    fn expect_message(&mut self, from: usize, kind: MessageKind, payload: Vec<u8>) {
        self.ends[1 - from].expected.push_back(match kind {
            MessageKind::Text => Told::Text(String::from_utf8(payload).expect("made as text")),
            MessageKind::Binary => Told::Binary(payload),
        });
    }

    fn next_fragment(&mut self, who: usize) {
        let end = &mut self.ends[who];
        let Some((kind, _)) = end.message else { return };
        let fragment = end.outbox.pop_front().expect("an open message has fragments left");
        let fin = end.outbox.is_empty();
        let result = end.connection.send_fragment(kind, &fragment, fin);
        let done = if fin { end.message.take() } else { None };
        if self.sent(who, result, None)
            && let Some((kind, payload)) = done
        {
            self.expect_message(who, kind, payload);
        }
    }

    /// Ends the open message of this end, if there is one.
    pub fn finish_message(&mut self, who: usize) {
        while self.ends[who].message.is_some() {
            self.next_fragment(who);
        }
    }

    /// Closes with a code that may be sent, the one nearest to that of the script.
    pub fn close(&mut self, who: usize, code: Option<u16>, reason: &str) {
        let legal = |code: &u16| CloseCode::new(*code).is_valid_on_wire();
        let code = code.map(|code| (code % 5000..5000).find(legal).expect("4999 is legal"));
        let reason = if code.is_some() { &reason[..reason.floor_char_boundary(123)] } else { "" };
        let end = &mut self.ends[who];
        end.connection.close(self.now, code.map(CloseCode::new), reason).expect("a legal Close frame");
        if std::mem::replace(&mut end.open, false) {
            self.close_sent(who, Told::Close(code.unwrap_or(1005), reason.to_owned()));
        }
    }

    fn close_sent(&mut self, from: usize, close: Told) {
        self.ends[from].close_sent_at.get_or_insert(self.now);
        self.ends[1 - from].expected.push_back(close);
    }

    /// The transport takes this share of what waits, of 255, and then perhaps the end of this side.
    pub fn write(&mut self, who: usize, share: u8) {
        let end = &mut self.ends[who];
        let Some(pending) = end.pending() else {
            self.ends[1 - who].peer_ended = true;
            return;
        };
        if pending.is_empty() {
            // Given up with the connection, if a part of a frame was left.
            end.unfinished.clear();
        }
        assert_eq!(end.connection.buffered_amount(), end.count_buffered(&pending));
        let (written, left) = pending.split_at((pending.len() * usize::from(share)).div_ceil(255));
        end.connection.transmitted(written.len());
        end.note_written(written);
        assert_eq!(end.connection.buffered_amount(), end.count_buffered(left));
        self.ends[1 - who].incoming.extend(written);
    }

    /// At most so many bytes come to this end, or the end of the transport.
    pub fn deliver(&mut self, who: usize, most: usize, pause: bool) {
        let end = &mut self.ends[who];
        if end.connection.is_reading_paused() {
            return;
        }
        if end.incoming.is_empty() {
            if end.peer_ended && !std::mem::replace(&mut end.eof_told, true) {
                end.open = false;
                end.connection.handle_eof(self.now);
                self.poll(who, &mut [], false);
            }
            return;
        }
        end.last_life = self.now;
        let mut buffer: Vec<u8> = end.incoming.drain(..most.min(end.incoming.len())).collect();
        for byte in self.poll(who, &mut buffer, pause).into_iter().rev() {
            self.ends[who].incoming.push_front(byte);
        }
    }

    /// Hands bytes in and takes all events; the bytes that are left behind a pause.
    fn poll(&mut self, who: usize, buffer: &mut [u8], pause: bool) -> Vec<u8> {
        let mut input = match buffer.is_empty() {
            true => Input::empty(),
            false => self.ends[who].connection.handle_bytes(self.now, buffer),
        };
        loop {
            let end = &mut self.ends[who];
            let Some(event) = end.connection.poll_event(&mut input) else { break };
            end.joiner.push(event);
            if let Some(event) = end.joiner.told.pop() {
                self.told(who, event);
            }
            if pause {
                self.ends[who].connection.pause_reading();
            }
        }
        assert!(input.is_empty() || pause);
        input.remaining().to_vec()
    }

    fn told(&mut self, who: usize, event: Told) {
        let end = &mut self.ends[who];
        match event {
            Told::Closed(closed) => {
                end.open = false;
                if closed.failure == Some(Failure::CloseTimeout) {
                    let since = self.now.since(end.close_sent_at.expect("a Close frame was sent"));
                    assert!(since >= end.connection.config().close_timeout);
                }
                assert_eq!(end.closed.replace(closed), None, "the end is told once");
            }
            // The keepalive's pings are in no script.
            Told::Ping(payload) if payload.len() == 4 => self.pinged(who, payload),
            event => {
                let expected = end.expected.pop_front();
                assert_eq!(Some(&event), expected.as_ref(), "what was sent arrives, in order");
                match event {
                    Told::Ping(payload) => self.pinged(who, payload),
                    close @ Told::Close(..) => {
                        assert!(end.expected.is_empty(), "nothing is sent behind a Close frame");
                        if std::mem::replace(&mut end.open, false) {
                            // Its answer echoes it.
                            self.close_sent(who, close);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// A ping came: an open end answers it by itself.
    fn pinged(&mut self, who: usize, payload: Vec<u8>) {
        if self.ends[who].open && self.ends[who].connection.config().auto_pong {
            self.ends[1 - who].expected.push_back(Told::Pong(payload));
        }
    }

    /// Time passes until one of them wishes to be woken, or until just before.
    pub fn sleep(&mut self, just_before: bool) {
        let wishes = self.ends.iter().filter_map(|end| end.connection.poll_timeout());
        if let Some(at) = wishes.min().filter(|&at| at > self.now) {
            self.wait(at.since(self.now) - Duration::from_micros(just_before.into()));
        }
    }

    /// Time passes, and both ends are woken if they wish to.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        for who in [0, 1] {
            let end = &mut self.ends[who];
            if end.connection.poll_timeout().is_none_or(|at| at > self.now) {
                continue;
            }
            let had_failed = end.connection.failure().is_some();
            end.connection.handle_timeout(self.now);
            assert!(end.connection.poll_timeout().is_none_or(|at| at > self.now), "a timer that is always due");
            if !had_failed && end.connection.failure() == Some(&Failure::PingTimeout) {
                let timeout = end.connection.config().ping_timeout.expect("it has passed");
                assert!(!end.connection.is_reading_paused() && self.now.since(end.last_life) >= timeout);
                end.open = false;
                end.expected.clear();
                self.timed_out = true;
                self.close_sent(who, Told::Close(1011, "keepalive ping timeout".to_owned()));
            }
            self.poll(who, &mut [], false);
            if self.ends[who].closed.is_some() && !self.ends[who].eof_told {
                // It has given up: what it had to say is gone, and what comes is not read.
                self.timed_out = true;
            }
        }
    }

    /// Whether this end was told all that it was to be told.
    pub fn told_everything(&self, who: usize) -> bool {
        self.ends[who].expected.is_empty()
    }

    /// Whether something can be delivered to this end.
    pub fn has_news(&self, who: usize) -> bool {
        let end = &self.ends[who];
        !end.connection.is_reading_paused() && (!end.incoming.is_empty() || end.peer_ended != end.eof_told)
    }
}
