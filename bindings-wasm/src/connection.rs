//! The session without its transport: the core's `Connection` for JavaScript.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use itoden_core::{
    CloseCode, Closed, Config, Connection, Event, Failure, Input, Message, MessageKind, ProtocolError, SendError,
    Timestamp, Transmit, utf8,
};
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::mask_keys::{Chosen, Random};
use crate::{border, error};

/// What a record of the table of events is about.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// A text message.
    Text = 0,
    /// A binary message.
    Binary = 1,
    /// A ping.
    Ping = 2,
    /// A pong.
    Pong = 3,
    /// A Close frame; its code is the record's number.
    Close = 4,
    /// The peer broke the protocol; [`RawConnection::failure`] tells how.
    Failed = 5,
    /// The end. The number: the close code, bit 16 if the end was clean, and a [`FailureType`] from bit 17 on.
    Closed = 6,
}

/// Why an end was not clean.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureType {
    /// It was.
    None = 0,
    /// The peer broke the protocol.
    Protocol = 1,
    /// The transport ended without a Close frame.
    Eof = 2,
    /// The peer did not answer a Close frame in time.
    CloseTimeout = 3,
}

/// One end of an open connection. Times are in milliseconds on the caller's monotonic clock.
#[wasm_bindgen]
pub struct RawConnection {
    connection: Connection,
    /// Records of 4: type, number, address and length of the payload.
    table: Vec<u32>,
    /// Payloads that were put together from several chunks; they hold until JavaScript has copied them.
    owned: Vec<Vec<u8>>,
    failed: Option<ProtocolError>,
    shutdown: bool,
}

#[wasm_bindgen]
impl RawConnection {
    /// `settings` are, in this order, `max_message_size`, `max_frame_size`, `max_fragments`, `max_buffered_amount`,
    /// `max_pending_pongs` and `close_timeout`; where one is NaN the core's default holds.
    #[wasm_bindgen(constructor)]
    pub fn new(client: bool, keys: Option<Function>, settings: &[f64], auto_pong: bool) -> Self {
        let config = Arc::new(config(settings, auto_pong));
        let connection = match (client, keys) {
            (false, _) => Connection::server(config),
            (true, None) => Connection::client(config, Box::new(Random)),
            (true, Some(keys)) => Connection::client(config, Box::new(Chosen(keys))),
        };
        Self { connection, table: Vec::new(), owned: Vec::new(), failed: None, shutdown: false }
    }

    /// The first `len` bytes of the border came from the peer; how many events that caused.
    pub fn handle_bytes(&mut self, now: f64, len: usize) -> usize {
        border::lend(len, |bytes| {
            let mut input = self.connection.handle_bytes(time(now), bytes);
            self.poll_events(&mut input)
        })
    }

    /// The transport's incoming side has ended.
    pub fn handle_eof(&mut self, now: f64) -> usize {
        self.connection.handle_eof(time(now));
        self.poll_events(&mut Input::empty())
    }

    /// The time that [`RawConnection::timeout`] named has come.
    pub fn handle_timeout(&mut self, now: f64) -> usize {
        self.connection.handle_timeout(time(now));
        self.poll_events(&mut Input::empty())
    }

    /// The address of the table of events.
    pub fn events(&self) -> *const u32 {
        self.table.as_ptr()
    }

    /// Gives the payloads back, once JavaScript has copied them.
    pub fn release(&mut self) {
        self.owned.clear();
    }

    /// How the peer broke the protocol, as `src/error.rs` has it; `undefined` if it did not.
    pub fn failure(&self) -> JsValue {
        self.failed.as_ref().map_or(JsValue::UNDEFINED, error::protocol)
    }

    /// Sends the first `len` bytes of the border as a message.
    pub fn send(&mut self, text: bool, len: usize) -> Result<(), JsValue> {
        self.command(len, |connection, bytes| match kind(text) {
            MessageKind::Text => {
                connection.send(Message::text(utf8::whole(bytes).map_err(|_| SendError::TextNotUtf8)?))
            }
            MessageKind::Binary => connection.send(Message::binary(bytes)),
        })
    }

    /// Sends them as the next fragment of a message (§5.4).
    pub fn send_fragment(&mut self, text: bool, fin: bool, len: usize) -> Result<(), JsValue> {
        self.command(len, |connection, bytes| connection.send_fragment(kind(text), bytes, fin))
    }

    /// Sends them in a ping (§5.5.2).
    pub fn ping(&mut self, len: usize) -> Result<(), JsValue> {
        self.command(len, Connection::ping)
    }

    /// Sends them in a pong (§5.5.3).
    pub fn pong(&mut self, len: usize) -> Result<(), JsValue> {
        self.command(len, Connection::pong)
    }

    /// Begins the closing handshake (§7.1.2); the first `len` bytes of the border are the reason.
    pub fn close(&mut self, now: f64, code: Option<u16>, len: usize) -> Result<(), JsValue> {
        self.command(len, |connection, reason| {
            let reason = utf8::whole(reason).map_err(|_| SendError::TextNotUtf8)?;
            connection.close(time(now), code.map(CloseCode::new), reason)
        })
    }

    /// All bytes that are to be written; they count as written from now on.
    pub fn take_output(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        while let Some(transmit) = self.connection.poll_transmit() {
            match transmit {
                Transmit::Write(segments) => {
                    let written = segments.len();
                    output.reserve_exact(written);
                    segments.iter().for_each(|segment| output.extend_from_slice(segment));
                    self.connection.transmitted(written);
                }
                Transmit::Shutdown => self.shutdown = true,
            }
        }
        output
    }

    /// Whether, all output being taken, this side of the transport is to be ended.
    #[wasm_bindgen(getter)]
    pub fn shutdown(&self) -> bool {
        self.shutdown
    }

    /// OPEN (1), CLOSING (2) or CLOSED (3).
    #[wasm_bindgen(getter)]
    pub fn ready_state(&self) -> u8 {
        self.connection.ready_state() as u8
    }

    /// Payload bytes of messages that are not taken yet.
    #[wasm_bindgen(getter)]
    pub fn buffered_amount(&self) -> f64 {
        self.connection.buffered_amount() as f64
    }

    /// Whether a Close frame was sent.
    #[wasm_bindgen(getter)]
    pub fn close_sent(&self) -> bool {
        self.connection.close_sent()
    }

    /// Whether a Close frame came.
    #[wasm_bindgen(getter)]
    pub fn close_received(&self) -> bool {
        self.connection.close_received()
    }

    /// When to call [`RawConnection::handle_timeout`], if at all.
    #[wasm_bindgen(getter)]
    pub fn timeout(&self) -> Option<f64> {
        self.connection.poll_timeout().map(|time| time.as_micros() as f64 / 1000.0)
    }
}

impl RawConnection {
    fn command(
        &mut self,
        len: usize,
        command: impl FnOnce(&mut Connection, &[u8]) -> Result<(), SendError>,
    ) -> Result<(), JsValue> {
        border::lend(len, |bytes| command(&mut self.connection, bytes)).map_err(|error| error::send(&error))
    }

    fn poll_events(&mut self, input: &mut Input<'_>) -> usize {
        self.table.clear();
        while let Some(event) = self.connection.poll_event(input) {
            self.record(event);
        }
        self.table.len() / 4
    }

    fn record(&mut self, event: Event<'_>) {
        match event {
            Event::Message(Message::Text(text)) => self.push(EventType::Text, 0, bytes_of(text)),
            Event::Message(Message::Binary(bytes)) => self.push(EventType::Binary, 0, bytes),
            Event::Ping(payload) => self.push(EventType::Ping, 0, payload),
            Event::Pong(payload) => self.push(EventType::Pong, 0, payload),
            Event::CloseReceived(close) => {
                self.push(EventType::Close, u32::from(close.code.get()), bytes_of(close.reason));
            }
            Event::Failed(error) => {
                self.failed = Some(error);
                self.push(EventType::Failed, 0, Cow::Borrowed(&[]));
            }
            Event::Closed(Closed { code, reason, was_clean, failure }) => {
                let failure = match failure {
                    None => FailureType::None,
                    Some(Failure::Protocol(_)) => FailureType::Protocol,
                    Some(Failure::CloseTimeout) => FailureType::CloseTimeout,
                    // Eof: what the transport did. The core's list is open, but it has no other.
                    Some(_) => FailureType::Eof,
                };
                let number = u32::from(code.get()) | (u32::from(was_clean) << 16) | ((failure as u32) << 17);
                self.push(EventType::Closed, number, Cow::Owned(reason.into_bytes()));
            }
            _ => unreachable!("the core has no other event"),
        }
    }

    fn push(&mut self, kind: EventType, number: u32, payload: Cow<'_, [u8]>) {
        // A borrowed payload lies in the border; moving an owned one into the list leaves its bytes where they are.
        self.table.extend([kind as u32, number, payload.as_ptr() as usize as u32, payload.len() as u32]);
        if let Cow::Owned(payload) = payload {
            self.owned.push(payload);
        }
    }
}

fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn kind(text: bool) -> MessageKind {
    if text { MessageKind::Text } else { MessageKind::Binary }
}

fn time(milliseconds: f64) -> Timestamp {
    Timestamp::from_micros((milliseconds * 1000.0) as u64)
}

fn config(settings: &[f64], auto_pong: bool) -> Config {
    let mut config = Config { auto_pong, ..Config::default() };
    let limits = &mut config.limits;
    let given = |index: usize| settings.get(index).copied().filter(|value| !value.is_nan());
    // A number beyond the type's range becomes its largest, which is no bound at all.
    limits.max_message_size = given(0).map_or(limits.max_message_size, |value| value as u64);
    limits.max_frame_size = given(1).map_or(limits.max_frame_size, |value| value as u64);
    limits.max_fragments = given(2).map_or(limits.max_fragments, |value| value as u32);
    limits.max_buffered_amount = given(3).map_or(limits.max_buffered_amount, |value| value as u64);
    limits.max_pending_pongs = given(4).map_or(limits.max_pending_pongs, |value| value as u16);
    config.close_timeout =
        given(5).map_or(config.close_timeout, |value| Duration::from_micros((value * 1000.0) as u64));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_table_and_its_answers_one_output() {
        let mut connection = RawConnection::new(false, None, &[f64::NAN; 6], true);
        let burst = b"\x89\x81\0\0\0\0!\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8";
        assert_eq!(connection.handle_bytes(0.0, border::fill(burst)), 3);
        let types: Vec<u32> = connection.table.chunks(4).map(|record| record[0]).collect();
        assert_eq!(types, [EventType::Ping as u32, EventType::Text as u32, EventType::Close as u32]);
        assert_eq!(connection.table[9], 1000);
        assert_eq!(connection.take_output(), b"\x8a\x01!\x88\x02\x03\xe8");
        assert!(connection.shutdown());
        assert_eq!(connection.handle_eof(1.0), 1);
        assert_eq!(connection.table[..2], [EventType::Closed as u32, 1000 | (1 << 16)]);
    }

    #[test]
    fn a_peer_that_never_answers_is_given_up_after_the_close_timeout() {
        let mut connection =
            RawConnection::new(false, None, &[f64::NAN, f64::NAN, f64::NAN, f64::NAN, f64::NAN, 20.0], true);
        connection.close(5.0, None, border::fill(b"")).unwrap();
        assert_eq!(connection.timeout(), Some(25.0));
        assert_eq!(connection.handle_timeout(24.9), 0);
        assert_eq!(connection.handle_timeout(25.0), 1);
        assert_eq!(connection.table[1], 1006 | ((FailureType::CloseTimeout as u32) << 17));
    }

    #[test]
    fn settings_that_are_not_given_are_the_cores() {
        assert_eq!(config(&[f64::NAN; 6], true), Config::default());
        let config = config(&[1.0, f64::INFINITY, 3.0, 4.0, 1e9, 6.5], false);
        let limits = &config.limits;
        assert_eq!((limits.max_message_size, limits.max_frame_size, limits.max_fragments), (1, u64::MAX, 3));
        assert_eq!((limits.max_buffered_amount, limits.max_pending_pongs), (4, u16::MAX));
        assert_eq!((config.close_timeout, config.auto_pong), (Duration::from_micros(6500), false));
    }
}
