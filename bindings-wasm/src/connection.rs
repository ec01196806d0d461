//! The session without its transport: the core's `Connection` for JavaScript.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use itoden_core::{
    Closed, Connection, Event, Failure, Input, Message, MessageKind, ProtocolError, SendError, SendOptions, Timestamp,
    Transmit, utf8,
};

use crate::abi::{Handle, place, tell};
use crate::encoder::close_code;
use crate::mask_keys::{Chosen, Random};
use crate::{border, error, settings};

/// What a record of the table of events is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventType {
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
    /// The peer broke the protocol; [`connection_failure`] tells how.
    Failed = 5,
    /// The end. The number: the close code, bit 16 if the end was clean, and a [`FailureType`] from bit 17 on.
    Closed = 6,
    /// A binary message that JavaScript has.
    Apart = 7,
}

/// Why an end was not clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureType {
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
pub struct RawConnection {
    connection: Connection,
    /// Records of 4: type, number, address and length of the payload.
    table: Vec<u32>,
    /// Payloads that were put together from several chunks; they hold until JavaScript has copied them.
    owned: Vec<Vec<u8>>,
    failed: Option<ProtocolError>,
    shutdown: bool,
    /// The chunk that is read step by step, and how much of it is read.
    chunk: Vec<u8>,
    read: usize,
}

/// A connection. The border begins with the settings (`src/settings.rs`); the `extensions` bytes behind them are what the
/// opening handshake agreed on, as the server answers it. `keys` is the number of a client's source of masking keys, 0 for
/// the host's generator. 0, which is no handle, if these extensions can't be.
#[unsafe(no_mangle)]
pub extern "C" fn connection_new(client: bool, keys: u32, extensions: usize) -> Option<Handle<RawConnection>> {
    border::lend(settings::LEN + extensions, |bytes| {
        let (settings, extensions) = bytes.split_at(settings::LEN);
        RawConnection::new(client, keys, settings, extensions).map(Handle::new)
    })
}

/// The first `len` bytes of the border came from the peer; how many events that caused. With `apart` large payloads may be left to
/// JavaScript. The words: how many bytes of one come next, and how many of these bytes were not read, since they are of it.
#[unsafe(no_mangle)]
pub extern "C" fn connection_bytes(connection: Handle<RawConnection>, now: f64, apart: bool, len: usize) -> usize {
    connection.with(|raw| raw.handle_bytes(now, apart, len))
}

/// The next `count` bytes of such a payload came. Result and words as above.
#[unsafe(no_mangle)]
pub extern "C" fn connection_took(connection: Handle<RawConnection>, now: f64, count: u32) -> usize {
    connection.with(|raw| {
        // None of it is, if the connection has ended meanwhile.
        let count = u64::from(count).min(raw.connection.missing_apart());
        raw.connection.handle_apart(time(now), count);
        raw.poll_events(&mut Input::empty())
    })
}

/// The same as `connection_bytes` one event at a time, so that what is sent meanwhile goes before what the next frame causes: first with the
/// bytes, then with none until there is no event.
#[unsafe(no_mangle)]
pub extern "C" fn connection_step(connection: Handle<RawConnection>, now: f64, len: usize) -> usize {
    connection.with(|raw| raw.step(now, len))
}

/// The transport's incoming side has ended.
#[unsafe(no_mangle)]
pub extern "C" fn connection_eof(connection: Handle<RawConnection>, now: f64) -> usize {
    connection.with(|raw| raw.handle_eof(now))
}

/// The time that [`connection_deadline`] named has come.
#[unsafe(no_mangle)]
pub extern "C" fn connection_timeout(connection: Handle<RawConnection>, now: f64) -> usize {
    connection.with(|raw| raw.handle_timeout(now))
}

/// The address of the table of events.
#[unsafe(no_mangle)]
pub extern "C" fn connection_events(connection: Handle<RawConnection>) -> *const u32 {
    connection.with(|raw| raw.table.as_ptr())
}

/// Gives the payloads back, once JavaScript has copied them.
#[unsafe(no_mangle)]
pub extern "C" fn connection_release(connection: Handle<RawConnection>) {
    connection.with(|raw| raw.owned = Vec::new());
}

/// Leaves how the peer broke the protocol in the words, as `src/error.rs` has it.
#[unsafe(no_mangle)]
pub extern "C" fn connection_failure(connection: Handle<RawConnection>) {
    connection.with(|raw| raw.failed.iter().for_each(error::protocol));
}

/// Sends the first `len` bytes of the border as a message; `compress` if that was agreed on. 1 if it can't be sent, here and
/// in the commands below: the error is in the words.
#[unsafe(no_mangle)]
pub extern "C" fn connection_send(connection: Handle<RawConnection>, text: bool, compress: bool, len: usize) -> u32 {
    connection.with(|raw| {
        raw.command(len, |connection, bytes| {
            let message = match kind(text) {
                // SAFETY: `lib/module.ts` writes text by TextEncoder, which makes nothing but UTF-8.
                MessageKind::Text => Message::text(unsafe { str::from_utf8_unchecked(bytes) }),
                MessageKind::Binary => Message::binary(bytes),
            };
            connection.send_with(message, SendOptions { compress })
        })
    })
}

/// Sends a message whose payload of `len` bytes JavaScript keeps: the word is behind how many bytes of the output it goes. 1 as
/// above, and 2 if nothing was sent, since the payload has to be masked or compressed.
#[unsafe(no_mangle)]
pub extern "C" fn connection_apart(connection: Handle<RawConnection>, text: bool, compress: bool, len: usize) -> u32 {
    connection.with(|raw| match raw.connection.send_apart(kind(text), len, SendOptions { compress }) {
        Ok(Some(place)) => {
            tell(&[place as u32]);
            0
        }
        Ok(None) => 2,
        Err(error) => error::send(&error),
    })
}

/// Sends them as the next fragment of a message (§5.4).
#[unsafe(no_mangle)]
pub extern "C" fn connection_fragment(
    connection: Handle<RawConnection>,
    text: bool,
    fin: bool,
    compress: bool,
    len: usize,
) -> u32 {
    let options = SendOptions { compress };
    connection.with(|raw| {
        raw.command(len, |connection, bytes| connection.send_fragment_with(kind(text), bytes, fin, options))
    })
}

/// Sends them in a ping (§5.5.2), or else in a pong (§5.5.3).
#[unsafe(no_mangle)]
pub extern "C" fn connection_ping(connection: Handle<RawConnection>, ping: bool, len: usize) -> u32 {
    connection.with(|raw| raw.command(len, if ping { Connection::ping } else { Connection::pong }))
}

/// Begins the closing handshake (§7.1.2); the first `len` bytes of the border are the reason, and -1 is no code.
#[unsafe(no_mangle)]
pub extern "C" fn connection_close(connection: Handle<RawConnection>, now: f64, code: i32, len: usize) -> u32 {
    connection.with(|raw| {
        raw.command(len, |connection, reason| {
            let reason = utf8::whole(reason).map_err(|_| SendError::TextNotUtf8)?;
            connection.close(time(now), close_code(code), reason)
        })
    })
}

/// Leaves in the words where bytes lie that are to be written, and how many: 0 if there are none.
#[unsafe(no_mangle)]
pub extern "C" fn connection_output(connection: Handle<RawConnection>) {
    connection.with(|raw| tell(&raw.output()));
}

/// These bytes are written.
#[unsafe(no_mangle)]
pub extern "C" fn connection_transmitted(connection: Handle<RawConnection>) {
    connection.with(|raw| raw.connection.transmitted_all());
}

/// OPEN (1), CLOSING (2) or CLOSED (3); and as bits from 2 on whether, all output being taken, this side of the transport is
/// to be ended, whether a Close frame was sent, and whether one came.
#[unsafe(no_mangle)]
pub extern "C" fn connection_state(connection: Handle<RawConnection>) -> u32 {
    connection.with(|raw| {
        let (connection, bit) = (&raw.connection, |set: bool, place: u32| u32::from(set) << place);
        connection.ready_state() as u32
            | bit(raw.shutdown, 2)
            | bit(connection.close_sent(), 3)
            | bit(connection.close_received(), 4)
    })
}

/// Payload bytes of messages that are not taken yet.
#[unsafe(no_mangle)]
pub extern "C" fn connection_buffered(connection: Handle<RawConnection>) -> f64 {
    connection.with(|raw| raw.connection.buffered_amount() as f64)
}

/// When to call [`connection_timeout`]; NaN for never.
#[unsafe(no_mangle)]
pub extern "C" fn connection_deadline(connection: Handle<RawConnection>) -> f64 {
    let milliseconds = |time: Timestamp| time.as_micros() as f64 / 1000.0;
    connection.with(|raw| raw.connection.poll_timeout().map_or(f64::NAN, milliseconds))
}

/// Gives the connection's memory up.
#[unsafe(no_mangle)]
pub extern "C" fn connection_free(connection: Handle<RawConnection>) {
    connection.free();
}

impl RawConnection {
    fn new(client: bool, keys: u32, settings: &[u8], extensions: &[u8]) -> Option<Self> {
        let config = Arc::new(settings::config(settings));
        let connection = match (client, keys) {
            (false, _) => Connection::server(config),
            (true, 0) => Connection::client(config, Box::new(Random)),
            (true, source) => Connection::client(config, Box::new(Chosen(source))),
        };
        let connection = agree(connection, extensions)?;
        Some(Self {
            connection,
            table: Vec::new(),
            owned: Vec::new(),
            failed: None,
            shutdown: false,
            chunk: Vec::new(),
            read: 0,
        })
    }

    fn handle_bytes(&mut self, now: f64, apart: bool, len: usize) -> usize {
        border::lend(len, |bytes| {
            self.connection.receive_apart(apart);
            let mut input = self.connection.handle_bytes(time(now), bytes);
            self.poll_events(&mut input)
        })
    }

    fn step(&mut self, now: f64, len: usize) -> usize {
        if len > 0 {
            // The border is needed by whoever sends meanwhile.
            self.connection.receive_apart(false);
            (self.chunk, self.read) = (border::lend(len, |bytes| bytes.to_vec()), 0);
        }
        let (mut chunk, read) = (core::mem::take(&mut self.chunk), core::mem::take(&mut self.read));
        let end = chunk.len();
        let mut input = self.connection.handle_bytes(time(now), &mut chunk[read..]);
        self.table.clear();
        if let Some(event) = self.connection.poll_event(&mut input) {
            self.record(event);
            self.read = end - input.len();
            self.chunk = chunk;
        }
        self.table.len() / 4
    }

    fn handle_eof(&mut self, now: f64) -> usize {
        self.connection.handle_eof(time(now));
        self.poll_events(&mut Input::empty())
    }

    fn handle_timeout(&mut self, now: f64) -> usize {
        self.connection.handle_timeout(time(now));
        self.poll_events(&mut Input::empty())
    }

    fn output(&mut self) -> [u32; 2] {
        loop {
            match self.connection.poll_transmit() {
                // Nothing is queued by reference here, and all is written at once.
                Some(Transmit::Write(segments)) => return place(segments.unwritten().unwrap_or_default()),
                Some(Transmit::Shutdown) => self.shutdown = true,
                None => return [0, 0],
            }
        }
    }

    fn command(&mut self, len: usize, command: impl FnOnce(&mut Connection, &[u8]) -> Result<(), SendError>) -> u32 {
        match border::lend(len, |bytes| command(&mut self.connection, bytes)) {
            Ok(()) => 0,
            Err(error) => error::send(&error),
        }
    }

    fn poll_events(&mut self, input: &mut Input<'_>) -> usize {
        self.table.clear();
        while let Some(event) = self.connection.poll_event(input) {
            self.record(event);
        }
        tell(&[self.connection.missing_apart() as u32, input.len() as u32]);
        self.table.len() / 4
    }

    fn record(&mut self, event: Event<'_>) {
        match event {
            Event::Message(Message::Text(text)) => self.push(EventType::Text, 0, bytes_of(text)),
            Event::Message(Message::Binary(bytes)) => self.push(EventType::Binary, 0, bytes),
            Event::BinaryApart => self.push(EventType::Apart, 0, Cow::Borrowed(&[])),
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

#[cfg(feature = "deflate")]
fn agree(connection: Connection, extensions: &[u8]) -> Option<Connection> {
    connection.with_extensions(utf8::whole(extensions).ok()?).ok()
}

/// Without compression there is no extension to agree on.
#[cfg(not(feature = "deflate"))]
fn agree(connection: Connection, extensions: &[u8]) -> Option<Connection> {
    extensions.is_empty().then_some(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(settings: [f64; 9]) -> RawConnection {
        RawConnection::new(false, 0, &settings::bytes(settings), b"").expect("there are no extensions")
    }

    fn take_output(connection: &mut RawConnection) -> Vec<u8> {
        let mut output = Vec::new();
        while let Some(transmit) = connection.connection.poll_transmit() {
            match transmit {
                Transmit::Write(segments) => {
                    output.extend(segments.to_vec());
                    let len = segments.len();
                    connection.connection.transmitted(len);
                }
                Transmit::Shutdown => connection.shutdown = true,
            }
        }
        output
    }

    #[test]
    fn a_burst_is_one_table_and_its_answers_one_output() {
        let mut connection = server([f64::NAN; 9]);
        let burst = b"\x89\x81\0\0\0\0!\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8";
        assert_eq!(connection.handle_bytes(0.0, false, border::fill(burst)), 3);
        let types: Vec<u32> = connection.table.chunks(4).map(|record| record[0]).collect();
        assert_eq!(types, [EventType::Ping as u32, EventType::Text as u32, EventType::Close as u32]);
        assert_eq!(connection.table[9], 1000);
        assert_eq!(take_output(&mut connection), b"\x8a\x01!\x88\x02\x03\xe8");
        assert!(connection.shutdown);
        assert_eq!(connection.handle_eof(1.0), 1);
        assert_eq!(connection.table[..2], [EventType::Closed as u32, 1000 | (1 << 16)]);
    }

    #[test]
    fn a_peer_that_never_answers_is_given_up_after_the_close_timeout() {
        let mut settings = [f64::NAN; 9];
        settings[5] = 20.0;
        let connection = Handle::new(server(settings));
        let again = || connection.copy();
        assert_eq!(connection_close(again(), 5.0, -1, border::fill(b"")), 0);
        assert_eq!(connection_deadline(again()), 25.0);
        assert_eq!(connection_timeout(again(), 24.9), 0);
        assert_eq!(connection_timeout(again(), 25.0), 1);
        again().with(|raw| assert_eq!(raw.table[1], 1006 | ((FailureType::CloseTimeout as u32) << 17)));
        connection_free(again());
    }
}
