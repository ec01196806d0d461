//! The state machine of an open connection.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::close::{CloseCode, CloseFrame, MAX_REASON_LEN};
use crate::config::Config;
use crate::deflate::{DeflateParams, MessageDeflate};
use crate::error::{ProtocolError, SendError};
use crate::event::{Closed, Event, Failure};
use crate::frame::Decoder;
use crate::header::{FrameHeader, HeaderRules, MAX_CONTROL_PAYLOAD};
use crate::input::Input;
use crate::keepalive::{Due, Keepalive};
use crate::mask::MaskKeys;
use crate::message::{Assembler, Incoming, Message, MessageKind};
use crate::opcode::Opcode;
use crate::output::{Output, Transmit};
use crate::state::{ReadyState, Role, State};
use crate::time::Timestamp;
use crate::utf8::{self, Validator};

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
///   is a transition, seen as [`Event::Failed`] and a Close frame to write.
/// - *Commands* ask for something: [`send`](Self::send), [`ping`](Self::ping), [`close`](Self::close), …. They fail with
///   a [`SendError`] if the caller asks for what can't be, and then nothing has changed.
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
    /// The message that this end sends in fragments, if one is unfinished.
    sending: Option<Sending>,
    pending_pongs: u16,
    /// The newest ping that could not be answered because too many pongs wait.
    held_pong: Option<Box<[u8]>>,
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
        Self {
            config,
            mask_keys,
            decoder: Decoder::new(rules),
            assembler: Assembler::new(),
            output: Output::new(),
            state: State::open(),
            reading_paused: false,
            sending: None,
            pending_pongs: 0,
            held_pong: None,
            now: Timestamp::ZERO,
            close_deadline: None,
            keepalive,
            ending: None,
            subprotocol: None,
            deflate: None,
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

    /// Whether reading is paused.
    pub const fn is_reading_paused(&self) -> bool {
        self.reading_paused
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
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.received();
        }
        Input::new(bytes)
    }

    /// The transport's incoming side has ended.
    pub fn handle_eof(&mut self, now: Timestamp) {
        self.now = now;
        if !self.state.close_received() {
            self.end(Some(Failure::Eof));
            // Nobody is left to read it.
            self.output.clear();
        } else {
            self.end(None);
        }
    }

    /// The transport takes no more bytes, for whatever reason. What still comes is read, until the transport ends or
    /// [`Config::close_timeout`] has passed.
    pub fn handle_write_failure(&mut self, now: Timestamp) {
        self.now = now;
        self.state.fail_writing();
        self.output.clear();
        self.close_deadline.get_or_insert(now + self.config.close_timeout);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come. Calling it early is harmless.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        if self.close_deadline.is_some_and(|deadline| now >= deadline) {
            let cause = if self.state.write_failed() { Failure::Eof } else { Failure::CloseTimeout };
            self.end((!self.state.was_clean()).then_some(cause));
            self.output.clear();
        }
        if !self.state.writes() {
            return;
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

/// Commands.
impl Connection {
    /// Sends a message in one frame.
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.check_message()?;
        let payload = message.as_bytes();
        let compressed = self.is_worth_compressing(Some(payload.len()));
        self.push_data(message.kind().opcode(), true, compressed, compressed, payload);
        Ok(())
    }

    /// Sends a message whose bytes are shared, for example with other connections: a server queues a large one by
    /// reference. Bytes sent as text must be UTF-8.
    pub fn send_shared(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        self.check_message()?;
        if kind == MessageKind::Text {
            utf8::whole(&payload).map_err(|_| SendError::TextNotUtf8)?;
        }
        if self.is_worth_compressing(Some(payload.len())) {
            self.push_data(kind.opcode(), true, true, true, &payload);
            return Ok(());
        }
        let header = self.header(kind.opcode(), true);
        self.output.push_shared(header, payload);
        Ok(())
    }

    /// Sends the next fragment of a message (§5.4): the first one opens the message, the one with `fin` ends it.
    ///
    /// `kind` counts for the first fragment. A fragment of text may be cut inside a character; the message as a whole
    /// must be UTF-8.
    pub fn send_fragment(&mut self, kind: MessageKind, payload: &[u8], fin: bool) -> Result<(), SendError> {
        if self.sending.is_none() {
            self.check_message()?;
        } else {
            self.check_open()?;
        }
        let first = self.sending.is_none();
        let mut sending = self.sending.take().unwrap_or_else(|| {
            let compressed = self.is_worth_compressing(fin.then_some(payload.len()));
            Sending { kind, compressed, validator: Validator::default() }
        });
        if sending.kind == MessageKind::Text {
            let before = sending.validator;
            let mut valid = sending.validator.push(payload, |_| ());
            if fin {
                valid = valid.and_then(|()| sending.validator.finish());
            }
            if valid.is_err() {
                sending.validator = before;
                self.sending = (!first).then_some(sending);
                return Err(SendError::TextNotUtf8);
            }
        }
        let opcode = if first { sending.kind.opcode() } else { Opcode::Continuation };
        self.push_data(opcode, fin, first && sending.compressed, sending.compressed, payload);
        self.sending = (!fin).then_some(sending);
        Ok(())
    }

    /// Sends a ping with up to 125 bytes of application data (§5.5.2), also between the fragments of a message.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Ping, payload)
    }

    /// Sends a pong that nobody asked for, or the answer to a ping if [`Config::auto_pong`] is off (§5.5.3).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Pong, payload)
    }

    /// Begins the closing handshake (§7.1.2). Messages of the peer are still received until its Close frame comes.
    ///
    /// `None` sends a Close frame without a body. If the connection is closing or closed already, nothing happens.
    pub fn close(&mut self, now: Timestamp, code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
        match code {
            None if !reason.is_empty() => return Err(SendError::ReasonWithoutCode),
            Some(code) if !code.is_valid_on_wire() => {
                return Err(SendError::InvalidSendCode { close_code: code.get() });
            }
            _ if reason.len() > MAX_REASON_LEN => return Err(SendError::ReasonTooLong { length: reason.len() }),
            _ => {}
        }
        self.now = now;
        if self.state.close() {
            let code = code.unwrap_or(CloseCode::NO_STATUS);
            self.push_close(&CloseFrame { code, reason: Cow::Borrowed(reason) });
        }
        Ok(())
    }

    /// Stops [`poll_event`](Self::poll_event) from decoding, so that a busy application is not handed more than it can
    /// take. Bytes stay in the driver's buffer, and the driver stops reading: TCP then holds the peer back.
    pub const fn pause_reading(&mut self) {
        self.reading_paused = true;
    }

    /// Lets [`poll_event`](Self::poll_event) decode again. Bytes that were left go to `handle_bytes` anew.
    pub const fn resume_reading(&mut self) {
        self.reading_paused = false;
    }

    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        if !self.state.writes() {
            return Err(SendError::NotOpen);
        }
        let (buffered, limit) = (self.buffered_amount(), self.config.limits.max_buffered_amount);
        if buffered > limit { Err(SendError::BufferFull { buffered, limit }) } else { Ok(()) }
    }

    #[inline]
    fn check_message(&self) -> Result<(), SendError> {
        self.check_open()?;
        if self.sending.is_some() { Err(SendError::MessageUnfinished) } else { Ok(()) }
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlPayloadTooLong { length: payload.len() });
        }
        self.check_open()?;
        self.push_frame(opcode, true, payload);
        Ok(())
    }

    #[inline]
    fn header(&mut self, opcode: Opcode, fin: bool) -> FrameHeader {
        // "A client MUST mask all frames that it sends to the server" (§5.1).
        let masking_key = self.mask_keys.as_mut().map(|keys| keys.next_key());
        FrameHeader { fin, rsv: 0, opcode, masking_key, payload_len: 0 }
    }

    fn is_worth_compressing(&self, len: Option<usize>) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| deflate.is_worth(len))
    }

    /// Queues a frame of a message. RSV1 marks the first frame of a compressed message (RFC 7692 §6.1).
    #[inline]
    fn push_data(&mut self, opcode: Opcode, fin: bool, rsv1: bool, compressed: bool, payload: &[u8]) {
        let Some(deflate) = self.deflate.as_mut().filter(|_| compressed) else {
            return self.push_frame(opcode, fin, payload);
        };
        let mut smaller = Vec::new();
        deflate.compress(payload, fin, &mut smaller);
        if self.state.write_failed() {
            return;
        }
        let mut header = self.header(opcode, fin);
        header.rsv = if rsv1 { RSV1 } else { 0 };
        self.output.push(header, &smaller);
    }

    #[inline]
    fn push_frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if self.state.write_failed() {
            return;
        }
        let header = self.header(opcode, fin);
        self.output.push(header, payload);
    }

    fn push_close(&mut self, close: &CloseFrame<'_>) {
        let payload = close.payload();
        self.push_frame(Opcode::Close, true, &payload);
        // Read back, since a long reason is cut; what this end wrote is valid.
        self.ending.get_or_insert_default().sent = CloseFrame::parse(&payload).ok().map(CloseFrame::into_owned);
        self.close_deadline = Some(self.now + self.config.close_timeout);
        self.held_pong = None;
    }
}

/// Polls.
impl Connection {
    /// The next event. Its payload lies in the buffer behind `input`, or is owned if it came in several parts.
    ///
    /// Poll until `None` after every handler and command; with [`Input::empty`] where there are no bytes.
    #[inline]
    pub fn poll_event<'b>(&mut self, input: &mut Input<'b>) -> Option<Event<'b>> {
        while self.state.reads() && !self.reading_paused {
            let piece = match self.decoder.decode(input) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => return Some(self.fail(error, input)),
            };
            match self.assembler.push(piece, &self.config.limits, self.deflate.as_deref_mut()) {
                Ok(Some(Incoming::Message(message))) => return Some(Event::Message(message)),
                Ok(Some(control)) => return Some(self.receive_control(control, input)),
                Ok(None) => {}
                Err(error) => return Some(self.fail(error, input)),
            }
        }
        if !self.state.reads() {
            input.discard();
        }
        self.state.tell_closed().then(|| Event::Closed(self.closed()))
    }

    fn receive_control<'b>(&mut self, control: Incoming<'b>, input: &mut Input<'b>) -> Event<'b> {
        match control {
            Incoming::Message(message) => Event::Message(message),
            Incoming::Ping(payload) => {
                if self.config.auto_pong {
                    self.answer_ping(&payload);
                }
                Event::Ping(payload)
            }
            Incoming::Pong(payload) => {
                if let Some(keepalive) = &mut self.keepalive {
                    keepalive.pong(self.now, &payload);
                }
                Event::Pong(payload)
            }
            Incoming::Close(close) => {
                input.discard();
                let answer = self.state.receive_close(self.role());
                let ending = self.ending.get_or_insert_default();
                ending.received = Some(close.clone().into_owned());
                ending.peer_closed_first = answer;
                if answer {
                    // "the endpoint typically echos the status code it received" (§5.5.1); the reason too, as peers do.
                    self.push_close(&close);
                }
                Event::CloseReceived(close)
            }
        }
    }

    /// "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a Close
    /// frame" (§5.5.2). Nor is anything sent after a Close frame of this end's own (§5.5.1).
    fn answer_ping(&mut self, payload: &[u8]) {
        if !self.state.writes() {
            return;
        }
        if self.output.is_empty() {
            self.pending_pongs = 0;
        }
        if self.pending_pongs < self.config.limits.max_pending_pongs {
            self.pending_pongs += 1;
            self.push_frame(Opcode::Pong, true, payload);
        } else {
            self.held_pong = Some(payload.into());
        }
    }

    /// _Fail the WebSocket Connection_ (§7.1.7).
    #[cold]
    fn fail<'b>(&mut self, error: ProtocolError, input: &mut Input<'b>) -> Event<'b> {
        input.discard();
        self.ending.get_or_insert_default().failure = Some(Failure::Protocol(error.clone()));
        if self.state.fail() {
            let reason = error.to_string();
            self.push_close(&CloseFrame { code: error.close_code(), reason: Cow::Borrowed(&reason) });
        }
        // What was assembled is not needed any more.
        self.assembler = Assembler::new();
        Event::Failed(error)
    }

    fn closed(&self) -> Closed {
        let ending = self.ending.as_ref();
        let (code, reason) = match ending.and_then(|ending| ending.received.as_ref()) {
            Some(close) => (close.code, close.reason.clone().into_owned()),
            None => (CloseCode::ABNORMAL, String::new()),
        };
        let failure = self.failure().cloned();
        let was_clean = self.state.was_clean() && failure.is_none();
        Closed { code, reason, was_clean, failure }
    }

    /// What to do with the transport now.
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        if self.output.is_empty()
            && let Some(payload) = self.held_pong.take()
        {
            self.pending_pongs = 0;
            self.answer_ping(&payload);
        }
        if !self.output.is_empty() {
            return Some(Transmit::Write(self.output.segments()));
        }
        let tell = self.state.tell_shutdown() && !self.state.write_failed();
        tell.then_some(Transmit::Shutdown)
    }

    /// The transport has taken the next `count` bytes of what [`poll_transmit`](Self::poll_transmit) gave.
    ///
    /// # Panics
    /// If that is more than there were.
    pub fn transmitted(&mut self, count: usize) {
        self.output.advance(count);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        // Once a Close frame is sent its own time runs, and no ping may be sent any more.
        let keepalive = self.keepalive.as_ref().filter(|_| self.state.writes());
        self.close_deadline.or_else(|| keepalive.map(|keepalive| keepalive.deadline()))
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
