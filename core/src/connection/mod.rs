//! The state machine of an open connection: what it is, and what happens to it.
//!
//! - `commands`: what the application asks of it
//! - `polls`: what it tells the application, the transport and the timer

mod commands;
mod polls;

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::close::{CloseCode, CloseFrame};
use crate::config::{Config, Limits};
use crate::deflate::{DeflateParams, MessageDeflate};
use crate::event::Failure;
use crate::frame::Decoder;
use crate::header::HeaderRules;
use crate::input::Input;
use crate::keepalive::{Due, Keepalive};
use crate::mask::MaskKeys;
use crate::message::{Assembler, MessageKind};
use crate::opcode::Opcode;
use crate::output::Output;
use crate::prelude::{Box, Vec};
use crate::state::{ReadyState, Role, State};
use crate::time::Timestamp;
use crate::utf8::Validator;

/// From this length on a payload may be [left to the driver](Connection::receive_apart); of less a copy is cheaper.
pub const APART_THRESHOLD: u32 = 8192;

/// RSV1 among the reserved bits of a header.
const RSV1: u8 = 0b100;

/// An open WebSocket connection, without its socket.
///
/// # How to drive it
///
/// There are four families of methods:
///
/// - *Getters* tell what is.
/// - *Handlers* tell the connection what happened: [`handle_bytes`](Self::handle_bytes),
///   [`handle_eof`](Self::handle_eof), [`handle_timeout`](Self::handle_timeout). They never fail: what a peer does wrong
///   is a transition, seen as [`Event::Failed`](crate::Event::Failed) and a Close frame to write.
/// - *Commands* ask for something: [`send`](Self::send), [`ping`](Self::ping), [`close`](Self::close), …. They fail with
///   a [`SendError`](crate::SendError) if the caller asks for what can't be, and then nothing has changed.
/// - *Polls* tell what to do: [`poll_event`](Self::poll_event), [`poll_transmit`](Self::poll_transmit),
///   [`poll_timeout`](Self::poll_timeout). After each call of the two families above, poll events until `None`, then
///   transmits until `None` (or until the transport takes no more), then arm a timer for the timeout.
///
/// ```
/// # use std::sync::Arc;
/// # use itoden_core::{Config, Connection, Event, Message, Timestamp, Transmit};
/// let mut connection = Connection::server(Arc::new(Config::default()));
/// // "Hello" in one masked frame (RFC 6455 §5.7), as it would come from a socket.
/// let mut buffer = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let mut input = connection.handle_bytes(Timestamp::ZERO, &mut buffer);
/// while let Some(event) = connection.poll_event(&mut input) {
///     if let Event::Message(message) = event {
///         connection.send(message)?; // an echo: the payload still lies in `buffer`
///     }
/// }
/// while let Some(Transmit::Write(segments)) = connection.poll_transmit() {
///     assert_eq!(segments.first(), b"\x81\x05Hello");
///     let written = segments.len();
///     connection.transmitted(written);
/// }
/// # Ok::<(), itoden_core::SendError>(())
/// ```
///
/// A connection at rest owns no buffer: the read buffer is the driver's, and can serve all its connections.
pub struct Connection {
    config: Arc<Config>,
    /// A client's masking keys; a server has none.
    mask_keys: Option<Box<dyn MaskKeys + Send>>,
    decoder: Decoder,
    assembler: Assembler,
    output: Output,
    state: State,
    reading_paused: bool,
    /// How many milliseconds what ends the connection waits for [`release_ending`](Self::release_ending), at most.
    longest_hold: u32,
    /// Messages shorter than this may be lent if the next bytes are one in one frame: they are within every limit. 0 if
    /// what comes next belongs to something that has begun.
    lent_limit: u32,
    /// The message that this end sends in fragments, if one is unfinished.
    sending: Option<Sending>,
    /// The newest ping that could not be answered because too many pongs wait.
    #[expect(clippy::box_collection, reason = "hardly ever there: 8 bytes at rest instead of 24")]
    held_pong: Option<Box<Vec<u8>>>,
    /// When the driver last told the time.
    now: Timestamp,
    close_deadline: Option<Timestamp>,
    /// Made only if pings are to be sent.
    keepalive: Option<Box<Keepalive>>,
    /// Set once the connection begins to end; boxed, since most connections are not ending.
    ending: Option<Box<Ending>>,
    subprotocol: Option<Arc<str>>,
    /// The compression that the opening handshake agreed on.
    deflate: Option<Box<MessageDeflate>>,
}

/// A message that is sent in fragments: its kind, and the check that its text stays UTF-8 across them.
struct Sending {
    kind: MessageKind,
    compressed: bool,
    validator: Validator,
}

#[derive(Default)]
struct Ending {
    received: Option<CloseFrame<'static>>,
    sent: Option<CloseFrame<'static>>,
    peer_closed_first: bool,
    failure: Option<Failure>,
}

impl Connection {
    /// The server's end of a connection that is open: [`handshake`](crate::handshake) makes it, or the caller did.
    pub fn server(config: Arc<Config>) -> Self {
        Self::new(config, None)
    }

    /// The client's end of a connection that is open. Each frame sent takes one key from `mask_keys`.
    pub fn client(config: Arc<Config>, mask_keys: Box<dyn MaskKeys + Send>) -> Self {
        Self::new(config, Some(mask_keys))
    }

    fn new(config: Arc<Config>, mask_keys: Option<Box<dyn MaskKeys + Send>>) -> Self {
        let rules = HeaderRules { allowed_rsv: 0, masked: Some(mask_keys.is_none()) };
        let keepalive = config.ping_interval.map(|interval| Box::new(Keepalive::new(interval, config.ping_timeout)));
        let mut connection = Self {
            config,
            mask_keys,
            decoder: Decoder::new(rules),
            assembler: Assembler::new(),
            output: Output::new(),
            state: State::open(),
            reading_paused: false,
            longest_hold: 0,
            lent_limit: 0,
            sending: None,
            held_pong: None,
            now: Timestamp::ZERO,
            close_deadline: None,
            keepalive,
            ending: None,
            subprotocol: None,
            deflate: None,
        };
        connection.see_what_is_lent();
        connection
    }

    /// Sets the limit anew, after whatever it depends on may have changed.
    fn see_what_is_lent(&mut self) {
        let Limits { max_message_size, max_frame_size, max_fragments, .. } = self.config.limits;
        let begun = !self.decoder.is_between_frames() || !self.assembler.lends() || self.assembler.apart;
        let limit =
            if begun || max_fragments == 0 { 0 } else { max_message_size.min(max_frame_size).saturating_add(1) };
        self.lent_limit = u32::try_from(limit).unwrap_or(u32::MAX);
        if self.assembler.leaves {
            self.lent_limit = self.lent_limit.min(APART_THRESHOLD);
        }
    }

    /// Notes what the opening handshake agreed on.
    pub(crate) fn agree(&mut self, subprotocol: Option<&str>, deflate: Option<DeflateParams>) {
        self.subprotocol = subprotocol.map(Arc::from);
        if let (Some(params), Some(config)) = (deflate, &self.config.deflate) {
            self.deflate = Some(Box::new(MessageDeflate::new(params, self.role(), config)));
            // RSV1 is the "Per-Message Compressed" bit (RFC 7692 §6).
            let rules = HeaderRules { allowed_rsv: RSV1, masked: Some(self.mask_keys.is_none()) };
            self.decoder = Decoder::new(rules);
        }
    }
}

/// Getters.
impl Connection {
    /// Which end this is.
    pub const fn role(&self) -> Role {
        if self.mask_keys.is_some() { Role::Client } else { Role::Server }
    }

    /// OPEN, CLOSING or CLOSED.
    pub const fn ready_state(&self) -> ReadyState {
        self.state.ready_state()
    }

    /// The subprotocol that the opening handshake agreed on (§1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The compression that the opening handshake agreed on (RFC 7692).
    pub fn deflate(&self) -> Option<DeflateParams> {
        self.deflate.as_ref().map(|deflate| deflate.params())
    }

    /// Payload bytes of messages that were sent but are not written yet. Headers and control frames don't count.
    pub const fn buffered_amount(&self) -> u64 {
        self.output.buffered_amount()
    }

    /// Whether a Close frame was sent, or queued to be.
    pub const fn close_sent(&self) -> bool {
        self.state.close_sent()
    }

    /// Whether a Close frame came.
    pub const fn close_received(&self) -> bool {
        self.state.close_received()
    }

    /// The time from the last of the keepalive's pings to its pong ([`Config::ping_interval`]).
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.as_ref()?.latency()
    }

    /// What made the connection fail, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.ending.as_ref()?.failure.as_ref()
    }

    /// The Close frame that came.
    pub fn close_frame_received(&self) -> Option<&CloseFrame<'static>> {
        self.ending.as_ref()?.received.as_ref()
    }

    /// The Close frame that was sent, as the peer reads it: a long reason is cut.
    pub fn close_frame_sent(&self) -> Option<&CloseFrame<'static>> {
        self.ending.as_ref()?.sent.as_ref()
    }

    /// Whether the peer's Close frame came before this end sent one.
    pub fn peer_closed_first(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.peer_closed_first)
    }

    /// Whether the connection is about to end, and waits for [`release_ending`](Self::release_ending).
    pub const fn is_ending_held(&self) -> bool {
        self.state.is_held()
    }

    /// Whether reading is paused.
    pub const fn is_reading_paused(&self) -> bool {
        self.reading_paused
    }

    /// How many bytes of a frame that has begun are still to come: a hint for how much to read. 0 between frames.
    #[inline]
    pub const fn missing(&self) -> u64 {
        self.decoder.missing()
    }

    /// How many bytes of a payload the driver is to take for itself before it hands in what comes behind: those at the front of
    /// the cursor that was polled, then those that the transport brings. 0 if there is none. See
    /// [`receive_apart`](Self::receive_apart).
    #[inline]
    pub const fn missing_apart(&self) -> u64 {
        if self.assembler.apart && self.state.reads() { self.decoder.missing() } else { 0 }
    }

    /// Whether messages are told [part by part](Self::stream_messages).
    pub const fn streams_messages(&self) -> bool {
        self.assembler.streams_messages()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Handlers.
impl Connection {
    /// Bytes came from the peer. Poll events from the returned cursor until `None`.
    ///
    /// If reading is paused in the meantime, bytes stay in the cursor: keep them, and hand them in again afterwards.
    #[inline]
    pub fn handle_bytes<'b>(&mut self, now: Timestamp, bytes: &'b mut [u8]) -> Input<'b> {
        self.now = now;
        self.see_life();
        if let Some(deflate) = &mut self.deflate {
            deflate.see_time(now);
        }
        Input::new(bytes)
    }

    /// The peer lives; or it is not to blame for its silence, because this end does not read.
    #[inline]
    const fn see_life(&mut self) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.received();
        }
    }

    /// The next `count` bytes of a payload came that is left to the driver ([`receive_apart`](Self::receive_apart)). Poll for
    /// events behind it.
    ///
    /// # Panics
    /// If that is more than [`missing_apart`](Self::missing_apart).
    pub fn handle_apart(&mut self, now: Timestamp, count: u64) {
        assert!(count <= self.missing_apart(), "no more than what is missing can be taken");
        self.now = now;
        self.see_life();
        self.decoder.skip(count);
    }

    /// The transport's incoming side has ended.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.now = now;
        self.release_ending();
        if !self.state.close_received() {
            self.end(Some(Failure::Eof));
            // A peer that ends without a Close frame has broken off; nothing more is offered to it.
            self.output.clear();
        } else {
            self.end(None);
        }
    }

    /// The transport takes no more bytes, for whatever reason. What still comes is read, until the transport ends or
    /// [`Config::close_timeout`] has passed.
    pub fn handle_write_failure(&mut self, now: Timestamp) {
        self.now = now;
        self.state.fail_writing(!self.output.is_empty());
        if let Some(ending) = self.ending.as_mut().filter(|_| !self.state.close_sent()) {
            ending.sent = None;
        }
        self.output.clear();
        // Nothing that is held could be sent any more.
        self.release_ending();
        self.close_deadline.get_or_insert(now + self.config.close_timeout);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        let due = self.close_deadline.is_some_and(|deadline| now >= deadline);
        if due && self.state.is_held() {
            self.release_ending();
        } else if due {
            let cause = if self.state.write_failed() { Failure::Eof } else { Failure::CloseTimeout };
            self.end((!self.state.was_clean()).then_some(cause));
            self.output.clear();
        }
        if !self.state.listens() {
            return;
        }
        if self.reading_paused {
            self.see_life();
        }
        if let Some(deflate) = &mut self.deflate {
            deflate.rest(now, self.sending.is_some());
        }
        match self.keepalive.as_mut().map(|keepalive| keepalive.due(now)) {
            Some(Due::Ping(payload)) => self.push_frame(Opcode::Ping, true, &payload),
            Some(Due::Silent) => {
                self.ending.get_or_insert_default().failure = Some(Failure::PingTimeout);
                self.state.fail();
                self.push_close(&CloseFrame {
                    code: CloseCode::INTERNAL_ERROR,
                    reason: Cow::Borrowed("keepalive ping timeout"),
                });
            }
            Some(Due::Nothing) | None => {}
        }
    }

    fn end(&mut self, failure: Option<Failure>) {
        self.close_deadline = None;
        self.state.end();
        if let Some(failure) = failure {
            let ending = self.ending.get_or_insert_default();
            ending.failure.get_or_insert(failure);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role())
            .field("ready_state", &self.ready_state())
            .field("buffered_amount", &self.buffered_amount())
            .finish_non_exhaustive()
    }
}
