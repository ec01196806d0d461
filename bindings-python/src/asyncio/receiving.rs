//! Bytes in, messages out: decoding, the queue of messages, and the end of the transport.

use std::collections::VecDeque;
use std::mem;

use itoden_core::{Connection, Event, HandshakeError, Input, Timestamp};
use pyo3::prelude::*;

use super::state::{Phase, State};
use crate::clock::now;
use crate::convert::message_to_python;

/// An empty queue keeps room for this many messages: 8 bytes each, for an allocation less a message.
const KEPT: usize = 32;

impl State {
    /// Bytes came.
    pub(super) fn receive(&mut self, py: Python<'_>, bytes: &mut [u8]) {
        self.wrote_this_turn = false;
        if let Phase::Open(core) = &mut self.phase {
            if core.is_reading_paused() || !self.rest.is_empty() {
                return self.rest.extend_from_slice(bytes);
            }
            // This end began to close, and the application has not made room since the loop's last turn: what comes is
            // thrown away, so that the Close frame behind it is reached.
            let discard = core.close_sent() && self.queue_is_full();
            let Phase::Open(core) = mem::replace(&mut self.phase, Phase::Discarding) else { return };
            let left = self.with_core(core, |state, core| {
                let mut input = core.handle_bytes(now(), bytes);
                state.take_events(py, core, &mut input, discard);
                input.len()
            });
            if left > 0 {
                self.rest.extend_from_slice(&bytes[bytes.len() - left..]);
            }
            return;
        }
        self.receive_handshake(py, bytes);
    }

    /// Decodes what was left while reading was paused, until it pauses again.
    pub(super) fn receive_rest(&mut self, py: Python<'_>) {
        if self.rest.is_empty() {
            return;
        }
        let Phase::Open(core) = mem::replace(&mut self.phase, Phase::Discarding) else { return };
        let (mut rest, start) = (mem::take(&mut self.rest), mem::take(&mut self.rest_start));
        let left = self.with_core(core, |state, core| {
            let mut input = core.handle_bytes(now(), &mut rest[start..]);
            state.take_events(py, core, &mut input, false);
            input.len()
        });
        if left > 0 {
            self.rest_start = rest.len() - left;
            self.rest = rest;
        }
    }

    /// Lends the connection out of its phase, so that the rest of the state can change beside it.
    fn with_core<R>(&mut self, mut core: Box<Connection>, f: impl FnOnce(&mut Self, &mut Connection) -> R) -> R {
        let result = f(self, &mut core);
        self.phase = Phase::Open(core);
        result
    }

    fn take_events(&mut self, py: Python<'_>, core: &mut Connection, input: &mut Input<'_>, discard: bool) {
        loop {
            let Some(event) = core.poll_event(input) else { return };
            match event {
                Event::Message(_) if discard => {}
                Event::Message(message) => {
                    self.queue.push_back(message_to_python(py, &message));
                    if self.queue_is_full() && !core.close_sent() {
                        core.pause_reading();
                    }
                }
                Event::Pong(payload) => self.take_pong(&payload),
                Event::Closed(closed) => self.closed = Some(closed),
                // A ping or a Close frame is answered by the core, which keeps the latter; a failure is told by `closed`.
                _ => {}
            }
        }
    }

    /// "A Pong frame sent in response to a Ping frame must have identical Application data [...] an endpoint [...] MAY
    /// elect to send a Pong frame for only the most recently processed Ping frame" (RFC 6455 §5.5.3): it answers the
    /// earlier ones too.
    fn take_pong(&mut self, payload: &[u8]) {
        if let Some(index) = self.pings.iter().position(|ping| ping.payload == payload) {
            let now = now();
            let answered = self.pings.drain(..=index);
            self.answered.extend(answered.map(|ping| (ping.future, now.since(ping.sent_at).as_secs_f64())));
        }
    }

    /// The transport's incoming side has ended. What came before is delivered first, however much waits already.
    pub(super) fn receive_eof(&mut self, py: Python<'_>) {
        loop {
            self.release_reading();
            self.receive_rest(py);
            // It stops where the queue is full; there is nobody left to be held back.
            if self.rest.is_empty() || !matches!(self.phase, Phase::Open(_)) {
                break;
            }
        }
        match mem::replace(&mut self.phase, Phase::Discarding) {
            Phase::Open(core) => self.with_core(core, |state, core| {
                core.handle_eof(now());
                state.take_events(py, core, &mut Input::empty(), false);
            }),
            Phase::ReadingRequest(_) | Phase::ReadingResponse(_) | Phase::Deciding(_) | Phase::New => {
                self.opening_error.get_or_insert(HandshakeError::UnexpectedEof);
            }
            Phase::ReadingRefusal { .. } => self.phase = Phase::ReadingRefusal { missing: 0 },
            Phase::Discarding => {}
        }
    }

    pub(super) fn receive_timeout(&mut self, py: Python<'_>, deadline: Timestamp) {
        match mem::replace(&mut self.phase, Phase::Discarding) {
            Phase::Open(core) => self.with_core(core, |state, core| {
                core.handle_timeout(now().max(deadline));
                state.take_events(py, core, &mut Input::empty(), false);
                state.given_up |= state.closed.is_some();
            }),
            // Nothing else has a timer than a refusal that lingers.
            other => (self.phase, self.given_up) = (other, true),
        }
    }

    /// The transport takes no more bytes, because of the exception `because`.
    pub(super) fn fail_writing(&mut self, because: Py<PyAny>) {
        if let Phase::Open(core) = &mut self.phase {
            core.handle_write_failure(now());
        }
        self.lost_because.get_or_insert(because);
        self.given_up = true;
    }

    /// Lets the core decode although the queue is full.
    pub(super) fn release_reading(&mut self) {
        if let Phase::Open(core) = &mut self.phase {
            core.resume_reading();
        }
    }

    /// The next message. Reading goes on when few are left.
    pub(super) fn take_message(&mut self, py: Python<'_>) -> Option<Py<PyAny>> {
        let message = self.queue.pop_front()?;
        let low = self.max_queue.map_or(usize::MAX, |(_, low)| low);
        if let Phase::Open(core) = &mut self.phase
            && core.is_reading_paused()
            && self.queue.len() <= low
        {
            core.resume_reading();
            self.receive_rest(py);
        }
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
        Some(message)
    }
}
