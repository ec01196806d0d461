//! What an application asks of a connection.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::time::Duration;
#[cfg(not(target_family = "wasm"))]
use std::io::IoSlice;

use bytes::Bytes;

use super::{Connection, RSV1, Sending};
use crate::close::{CloseCode, CloseFrame, MAX_REASON_LEN};
use crate::error::SendError;
use crate::event::Failure;
use crate::header::{FrameHeader, MAX_CONTROL_PAYLOAD};
use crate::message::{Message, MessageKind, MessagePart, SendOptions, SharedMessage};
use crate::opcode::Opcode;
use crate::prelude::Vec;
use crate::time::Timestamp;
use crate::utf8::Validator;

/// Commands.
impl Connection {
    /// Sends a message in one frame.
    #[inline]
    pub fn send(&mut self, message: Message<'_>) -> Result<(), SendError> {
        self.send_with(message, SendOptions::default())
    }

    /// [`send`](Self::send), with options.
    #[inline]
    pub fn send_with(&mut self, message: Message<'_>, options: SendOptions) -> Result<(), SendError> {
        self.check_message()?;
        let payload = message.as_bytes();
        let compressed = self.compresses(options, Some(payload.len()));
        self.push_data(message.kind().opcode(), true, compressed, compressed, payload);
        Ok(())
    }

    /// Sends a message whose bytes are shared, for example with other connections: a server queues a large one by
    /// reference. Bytes sent as text must be UTF-8.
    pub fn send_shared(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        self.send_shared_with(kind, payload, SendOptions::default())
    }

    /// [`send_shared`](Self::send_shared), with options.
    pub fn send_shared_with(
        &mut self,
        kind: MessageKind,
        payload: Bytes,
        options: SendOptions,
    ) -> Result<(), SendError> {
        self.check_message()?;
        self.push_shared(SharedMessage::new(kind, payload)?, options);
        Ok(())
    }

    /// Sends a message that goes to many connections, and was checked once for all of them.
    pub fn send_shared_message(&mut self, message: &SharedMessage, options: SendOptions) -> Result<(), SendError> {
        self.check_message()?;
        self.push_shared(message.clone(), options);
        Ok(())
    }

    /// Sends a large message whose bytes can't be kept, by offering them to the transport before they are copied: `write` takes
    /// the slices and tells how many bytes the transport took, 0 if it takes none now or has failed. What it did not take is
    /// queued. `write` is not called if something waits already, or if the payload has to be masked or compressed.
    #[cfg(not(target_family = "wasm"))]
    pub fn send_through(
        &mut self,
        message: Message<'_>,
        options: SendOptions,
        write: impl FnOnce(&[IoSlice<'_>]) -> usize,
    ) -> Result<(), SendError> {
        let payload = message.as_bytes();
        if !self.output.is_empty()
            || self.mask_keys.is_some()
            || self.state.write_failed()
            || self.compresses(options, Some(payload.len()))
        {
            return self.send_with(message, options);
        }
        self.check_message()?;
        let mut header = self.header(message.kind().opcode(), true);
        header.payload_len = payload.len() as u64;
        let (head, head_len) = header.to_bytes();
        let written = write(&[IoSlice::new(&head[..head_len]), IoSlice::new(payload)]);
        if written < head_len + payload.len() {
            self.output.push(header, payload);
            self.output.advance(written);
        }
        Ok(())
    }

    /// Sends a message whose payload of `len` bytes stays with the driver, where the core can't refer to it, as in a host whose
    /// memory is another. Only the header is queued; [`Segments::parts`](crate::Segments::parts) tells where the payload goes, and
    /// how much of it is to be written yet. It counts toward `buffered_amount`, and [`transmitted`](Self::transmitted) counts its
    /// bytes as all others. Bytes sent as text must be UTF-8.
    ///
    /// What is returned is for a driver that writes everything at once: behind how many bytes of
    /// [`Segments::unwritten`](crate::Segments::unwritten) the payload goes, as long as nothing is written.
    ///
    /// `None`, and nothing is sent, if the payload has to be masked or compressed, or is empty: then it is for
    /// [`send_with`](Self::send_with).
    pub fn send_apart(
        &mut self,
        kind: MessageKind,
        len: usize,
        options: SendOptions,
    ) -> Result<Option<usize>, SendError> {
        if len == 0 || self.mask_keys.is_some() || self.state.write_failed() || self.compresses(options, Some(len)) {
            return Ok(None);
        }
        self.check_message()?;
        let header = self.header(kind.opcode(), true);
        Ok(Some(self.output.push_apart(header, len)))
    }

    fn push_shared(&mut self, message: SharedMessage, options: SendOptions) {
        let (kind, payload) = message.into_parts();
        if self.compresses(options, Some(payload.len())) {
            return self.push_data(kind.opcode(), true, true, true, &payload);
        }
        let header = self.header(kind.opcode(), true);
        self.output.push_shared(header, payload);
    }

    /// Sends the next fragment of a message (§5.4): the first one opens the message, the one with `fin` ends it.
    ///
    /// `kind` counts for the first fragment. A fragment of text may be cut inside a character; the message as a whole
    /// must be UTF-8.
    pub fn send_fragment(&mut self, kind: MessageKind, payload: &[u8], fin: bool) -> Result<(), SendError> {
        self.send_fragment_with(kind, payload, fin, SendOptions::default())
    }

    /// [`send_fragment`](Self::send_fragment), with options; those of the first fragment are for the whole message.
    pub fn send_fragment_with(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
        options: SendOptions,
    ) -> Result<(), SendError> {
        if self.sending.is_none() {
            self.check_message()?;
        } else {
            self.check_open()?;
        }
        let first = self.sending.is_none();
        let mut sending = self.sending.take().unwrap_or_else(|| {
            let compressed = self.compresses(options, fin.then_some(payload.len()));
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

    /// Sends a pong that nobody asked for, or the answer to a ping if [`Config::auto_pong`](crate::Config::auto_pong) is off (§5.5.3).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Pong, payload)
    }

    /// Begins the closing handshake (§7.1.2). Messages of the peer are still received until its Close frame comes.
    ///
    /// `None` sends a Close frame without a body. If the connection is closing or closed already, nothing happens.
    pub fn close(&mut self, now: Timestamp, code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
        check_close(code, reason)?;
        self.now = now;
        let held = self.state.is_held();
        if self.state.close() {
            let code = code.unwrap_or(CloseCode::NO_STATUS);
            self.push_close(&CloseFrame { code, reason: Cow::Borrowed(reason) });
            if held {
                self.finish_ending();
            }
        }
        Ok(())
    }

    /// Makes endings wait, or not, as is the default. For applications that hear of events later than they are polled, in
    /// batches: what they answer to messages can still be sent when the peer's Close frame, or what it did wrong, lay right
    /// behind these.
    ///
    /// While an ending is held nothing more is read and [`ReadyState`](crate::ReadyState) is CLOSING, but messages can be
    /// sent; the Close frame goes out after [`release_ending`](Self::release_ending), or when it was held for `longest`.
    /// What ends the transport ends the waiting too. Counted in milliseconds; less than one: nothing is held, as is the default.
    pub fn hold_endings(&mut self, longest: Duration) {
        self.longest_hold = longest.as_millis().try_into().unwrap_or(u32::MAX);
    }

    /// Lets a held ending go on: the peer's Close frame is answered, or the failure told by one. Else nothing happens.
    pub fn release_ending(&mut self) {
        if self.state.is_held() {
            self.close_deadline = None;
            self.finish_ending();
        }
    }

    /// Whether the ending that has come, with the peer's Close frame or without, is held.
    pub(super) fn hold_ending(&mut self, close: bool) -> bool {
        let holds = self.longest_hold > 0 && self.state.hold(close);
        if holds {
            self.close_deadline = Some(self.now + Duration::from_millis(self.longest_hold.into()));
        }
        holds
    }

    fn finish_ending(&mut self) {
        let Some(ending) = &self.ending else { return };
        if let Some(close) = ending.received.clone() {
            self.answer_close(&close);
        } else if let Some(Failure::Protocol(error)) = ending.failure.clone() {
            self.close_failed(&error);
        }
    }

    /// Fails the connection (§7.1.7) for a reason that only the application knows: a Close frame is sent, unless one was,
    /// nothing is read any more, and this end closes the transport. If the connection has ended, nothing happens.
    pub fn fail(&mut self, now: Timestamp, code: CloseCode, reason: &str) -> Result<(), SendError> {
        check_close(Some(code), reason)?;
        self.now = now;
        if (self.state.reads() || self.state.is_held()) && self.state.fail() {
            self.push_close(&CloseFrame { code, reason: Cow::Borrowed(reason) });
        }
        Ok(())
    }

    /// Takes the messages that begin from now on part by part, as they arrive: each [`Event::MessagePart`](crate::Event)
    /// is told at once, nothing is put together, and none of it is kept. Limits hold for them all the same; the
    /// [largest message](crate::Limits::max_message_size) may then be far larger than memory.
    pub fn stream_messages(&mut self, on: bool) {
        self.assembler.stream_messages(on);
        self.see_what_is_lent();
    }

    /// Takes the message that has begun part by part too. Returns what came of it, as its first part and a fragment of its
    /// own; `None` if nothing did, or its parts are told already.
    pub fn stream_begun_message(&mut self) -> Option<MessagePart<'static>> {
        self.assembler.stream_begun_message()
    }

    /// From now on leaves large binary messages to the driver, where the core can't refer to their bytes, as in a host whose
    /// memory is another: those of at least [`APART_THRESHOLD`](super::APART_THRESHOLD) bytes that come in one frame, neither
    /// masked nor compressed, and are not [streamed](Self::stream_messages). Default `false`.
    ///
    /// If such a message begins, polling ends behind its header, and [`missing_apart`](Self::missing_apart) is not 0: so many
    /// bytes are not to be handed in, but told to [`handle_apart`](Self::handle_apart) as they come. When all came there is
    /// [`Event::BinaryApart`](crate::Event::BinaryApart). Limits hold for them all the same.
    pub fn receive_apart(&mut self, on: bool) {
        self.assembler.leaves = on && self.mask_keys.is_some();
        self.see_what_is_lent();
    }

    /// Gives back the compressor, about 380 kB, if this end keeps one between messages (RFC 7692 §7.1.1, "context
    /// takeover"): for connections that send seldom. The next message that is compressed begins anew, and is a little
    /// larger. Nothing happens within a message that is sent in fragments.
    pub fn release_compressor(&mut self) {
        if self.sending.is_none()
            && let Some(deflate) = &mut self.deflate
        {
            deflate.release_compressor();
        }
    }

    /// From now on compressor and decompressor are given back when neither was used for `after`, or up to twice as long: what is
    /// left is the window of what the peer sent, 32 KiB at most. The next message that is compressed begins anew. The times are
    /// those that [`poll_timeout`](Self::poll_timeout) tells. By default both are kept.
    pub fn rest_compression_after(&mut self, after: core::time::Duration) {
        if let Some(deflate) = &mut self.deflate {
            deflate.rest_after(after);
        }
    }

    /// How long the closing handshake may take from now on, in place of [`Config::close_timeout`](crate::Config::close_timeout). One that has begun keeps its
    /// time.
    pub fn set_close_timeout(&mut self, timeout: Duration) {
        Arc::make_mut(&mut self.config).close_timeout = timeout;
    }

    /// Stops [`poll_event`](Self::poll_event) from decoding, so that a busy application is not handed more than it can
    /// take. Bytes stay in the driver's buffer, and the driver stops reading: TCP then holds the peer back.
    pub const fn pause_reading(&mut self) {
        self.reading_paused = true;
    }

    /// Lets [`poll_event`](Self::poll_event) decode again. Bytes that were left go to `handle_bytes` anew.
    pub const fn resume_reading(&mut self) {
        self.see_life();
        self.reading_paused = false;
    }

    #[inline]
    fn check_open(&self) -> Result<(), SendError> {
        if !self.state.writes() {
            return Err(SendError::NotOpen);
        }
        let (buffered, limit) = (self.output.queued(), self.config.limits.max_buffered_amount);
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

    #[inline]
    fn compresses(&self, options: SendOptions, len: Option<usize>) -> bool {
        self.deflate.as_ref().is_some_and(|deflate| options.compress && deflate.is_worth(len))
    }

    /// Queues a frame of a message. RSV1 marks the first frame of a compressed message (RFC 7692 §6.1).
    #[inline]
    fn push_data(&mut self, opcode: Opcode, fin: bool, rsv1: bool, compressed: bool, payload: &[u8]) {
        if compressed {
            self.push_compressed(opcode, fin, rsv1, payload)
        } else {
            self.push_frame(opcode, fin, payload)
        }
    }

    #[inline(never)]
    fn push_compressed(&mut self, opcode: Opcode, fin: bool, rsv1: bool, payload: &[u8]) {
        let Some(deflate) = &mut self.deflate else { return };
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
    pub(super) fn push_frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if self.state.write_failed() {
            return;
        }
        let header = self.header(opcode, fin);
        self.output.push(header, payload);
    }

    pub(super) fn push_close(&mut self, close: &CloseFrame<'_>) {
        let payload = close.payload();
        self.push_frame(Opcode::Close, true, &payload);
        // Read back, since a long reason is cut; what this end wrote is valid.
        self.ending.get_or_insert_default().sent = CloseFrame::parse(&payload).ok().map(CloseFrame::into_owned);
        self.close_deadline = Some(self.now + self.config.close_timeout);
        self.held_pong = None;
    }
}

/// Whether a Close frame can say this (§5.5.1, §7.4).
fn check_close(code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
    match code {
        None if !reason.is_empty() => Err(SendError::ReasonWithoutCode),
        Some(code) if !code.is_valid_on_wire() => Err(SendError::InvalidSendCode { close_code: code.get() }),
        _ if reason.len() > MAX_REASON_LEN => Err(SendError::ReasonTooLong { length: reason.len() }),
        _ => Ok(()),
    }
}
