//! What a connection tells: its events, the bytes to be written, and when it wants to be woken.

use alloc::borrow::Cow;

use super::{APART_THRESHOLD, Connection};
use crate::close::{CloseCode, CloseFrame};
use crate::error::ProtocolError;
use crate::event::{Closed, Event, Failure};
use crate::input::Input;
use crate::message::{Assembler, Incoming, Message, MessageKind};
use crate::opcode::Opcode;
use crate::output::Transmit;
use crate::prelude::{Box, String, ToOwned, ToString};
use crate::time::Timestamp;
use crate::utf8;

/// Polls.
impl Connection {
    /// The next event. Its payload lies in the buffer behind `input`, or is owned if it came in several parts.
    ///
    /// Poll until `None` after every handler and command; with [`Input::empty`] where there are no bytes.
    #[inline(always)]
    pub fn poll_event<'b>(&mut self, input: &mut Input<'b>) -> Option<Event<'b>> {
        // Most of what comes, short enough to be inlined where it is polled.
        if self.state.reads()
            && !self.reading_paused
            && let Some((kind, payload)) = self.decoder.decode_lent(input, self.lent_limit)
        {
            match kind {
                MessageKind::Binary => return Some(Event::Message(Message::Binary(Cow::Borrowed(payload)))),
                MessageKind::Text => {
                    return Some(match utf8::whole(payload) {
                        Ok(text) => Event::Message(Message::Text(Cow::Borrowed(text))),
                        Err(_) => self.fail_by_peer(ProtocolError::InvalidUtf8, input),
                    });
                }
            }
        }
        let event = self.poll_any_event(input);
        self.see_what_is_lent();
        event
    }

    #[inline(never)]
    fn poll_any_event<'b>(&mut self, input: &mut Input<'b>) -> Option<Event<'b>> {
        while self.state.reads() && !self.reading_paused {
            if self.assembler.apart {
                if self.decoder.missing() > 0 {
                    break;
                }
                self.assembler.apart = false;
                return Some(Event::BinaryApart);
            }
            let begins = self.may_begin_apart(input);
            let most = match &self.deflate {
                // Of what may be left to the driver only the header is taken.
                _ if begins => 0,
                Some(_) => self.assembler.step(),
                None => usize::MAX,
            };
            let piece = match self.decoder.decode_up_to(input, most) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => return Some(self.fail_by_peer(error, input)),
            };
            if begins && piece.header.payload_len >= u64::from(APART_THRESHOLD) {
                match self.assembler.begin_apart(&piece, &self.config.limits) {
                    Ok(()) => break,
                    Err(error) => return Some(self.fail_by_peer(error, input)),
                }
            }
            match self.assembler.push(piece, &self.config.limits, self.deflate.as_deref_mut()) {
                Ok(Some(incoming)) => return Some(self.receive(incoming, input)),
                Ok(None) => {}
                Err(error) => return Some(self.fail_by_peer(error, input)),
            }
        }
        if !self.state.reads() {
            input.discard();
        }
        self.state.tell_closed().then(|| Event::Closed(self.closed()))
    }

    /// Whether the next frame is a message whose payload is left to the driver if it is long enough. A header whose first byte
    /// came earlier is none of these.
    fn may_begin_apart(&self, input: &Input<'_>) -> bool {
        const BINARY: u8 = 0x82; // FIN, no reserved bit
        self.assembler.leaves
            && self.assembler.lends()
            && self.decoder.is_between_frames()
            && input.remaining().first() == Some(&BINARY)
    }

    fn receive<'b>(&mut self, incoming: Incoming<'b>, input: &mut Input<'b>) -> Event<'b> {
        match incoming {
            Incoming::Message(message) => Event::Message(message),
            Incoming::Part(part) => Event::MessagePart(part),
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
                let peer_closed_first = !self.state.close_sent();
                let ending = self.ending.get_or_insert_default();
                ending.received = Some(close.clone().into_owned());
                ending.peer_closed_first = peer_closed_first;
                if !self.hold_ending(true) {
                    self.answer_close(&close);
                }
                Event::CloseReceived(close)
            }
        }
    }

    pub(super) fn answer_close(&mut self, close: &CloseFrame<'_>) {
        if self.state.receive_close(self.role()) {
            // "the endpoint typically echos the status code it received" (§5.5.1); the reason too, as peers do.
            self.push_close(close);
        }
    }

    /// "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a Close
    /// frame" (§5.5.2). Nor is anything sent after a Close frame of this end's own (§5.5.1).
    fn answer_ping(&mut self, payload: &[u8]) {
        if !self.state.writes() {
            return;
        }
        if self.output.pongs() < self.config.limits.max_pending_pongs {
            self.push_frame(Opcode::Pong, true, payload);
        } else {
            self.held_pong = Some(Box::new(payload.to_vec()));
        }
    }

    /// _Fail the WebSocket Connection_ (§7.1.7).
    #[cold]
    fn fail_by_peer<'b>(&mut self, error: ProtocolError, input: &mut Input<'b>) -> Event<'b> {
        input.discard();
        self.ending.get_or_insert_default().failure = Some(Failure::Protocol(error.clone()));
        if !self.hold_ending(false) {
            self.close_failed(&error);
        }
        // What was assembled is not needed any more.
        self.assembler = Assembler::new();
        Event::Failed(error)
    }

    pub(super) fn close_failed(&mut self, error: &ProtocolError) {
        if self.state.fail() {
            // Sentences are made with `core::fmt`, which is larger than all else that a module of wasm needs.
            let reason = if cfg!(target_family = "wasm") { error.name().to_owned() } else { error.to_string() };
            self.push_close(&CloseFrame { code: error.close_code(), reason: Cow::Borrowed(&reason) });
        }
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
        if self.output.pongs() < self.config.limits.max_pending_pongs
            && let Some(payload) = self.held_pong.take()
        {
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

    /// The transport has taken all of what [`poll_transmit`](Self::poll_transmit) gave.
    pub fn transmitted_all(&mut self) {
        self.output.clear();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if at all.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        // Once a Close frame is sent its own time runs, and no ping may be sent any more.
        let keepalive = self.keepalive.as_ref().filter(|_| self.state.listens());
        let rest = self.deflate.as_ref().filter(|_| self.state.listens()).and_then(|deflate| deflate.rest_due());
        let keepalive = keepalive.map(|keepalive| keepalive.deadline());
        self.close_deadline.or_else(|| keepalive.into_iter().chain(rest).min())
    }
}
