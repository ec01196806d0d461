//! Bytes in, messages out: decoding, the queue of messages, and the end of the transport.

use std::collections::VecDeque;
use std::mem;

use itoden_core::{Connection, Event, Failure, HandshakeError, Input, MessageKind, MessagePart, ReadyState, Timestamp};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::state::{Fragment, Phase, Received, State};
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
            // Who has taken all messages has nothing left to answer, nor has who waits for the end.
            let answered = match &self.listener {
                Some(listener) => listener.has_been_told(),
                None => self.queue.is_empty() || !self.lost_waiters.is_empty(),
            };
            if answered {
                core.release_ending();
            }
            if self.trace.is_some() {
                self.trace_event(core, &event);
            }
            if let Some(tap) = &mut self.tap {
                tap.keep(py, &event);
            }
            match event {
                Event::Message(_) | Event::MessagePart(_) if discard || self.tap.is_some() => {}
                Event::Message(message) => {
                    match &mut self.listener {
                        Some(listener) => listener.take_message(py, &message),
                        None => self.queue.push_back(Received::Message(message_to_python(py, &message))),
                    }
                    self.hold_back(core);
                }
                Event::MessagePart(part) => {
                    self.take_part_of_fragment(py, &part);
                    self.hold_back(core);
                }
                Event::Ping(payload) => {
                    if let Some(listener) = &mut self.listener {
                        listener.take_ping(py, &payload);
                    }
                }
                Event::Pong(payload) => {
                    if let Some(listener) = &mut self.listener {
                        listener.take_pong(py, &payload);
                    }
                    if !self.take_pong(&payload)
                        && let Some(latency) = core.latency()
                    {
                        self.latency = latency.as_secs_f64();
                        self.trace_keepalive("% received keepalive pong");
                    }
                }
                Event::Closed(closed) => self.closed = Some(closed),
                // A Close frame is answered and kept by the core, as pings are answered; a failure is told by `closed`.
                _ => {}
            }
        }
    }

    /// "A Pong frame sent in response to a Ping frame must have identical Application data [...] an endpoint [...] MAY
    /// elect to send a Pong frame for only the most recently processed Ping frame" (RFC 6455 §5.5.3): it answers the
    /// earlier ones too.
    ///
    /// Returns whether it answers a ping of the application's.
    fn take_pong(&mut self, payload: &[u8]) -> bool {
        let Some(index) = self.pings.iter().position(|ping| ping.payload == payload) else { return false };
        let now = now();
        let answered = self.pings.drain(..=index);
        self.answered.extend(answered.map(|ping| (ping.future, now.since(ping.sent_at).as_secs_f64())));
        self.latency = self.answered.last().map_or(self.latency, |&(_, latency)| latency);
        true
    }

    /// A part of a streamed message: put together with the others of its fragment.
    fn take_part_of_fragment(&mut self, py: Python<'_>, part: &MessagePart<'_>) {
        if !part.ends_fragment {
            self.fragment.extend_from_slice(&part.payload);
            return;
        }
        let data = if self.fragment.is_empty() {
            PyBytes::new(py, &part.payload)
        } else {
            let mut fragment = mem::take(&mut self.fragment);
            fragment.extend_from_slice(&part.payload);
            PyBytes::new(py, &fragment)
        };
        let fragment = Fragment { kind: part.kind, data: data.unbind(), last: part.last };
        self.queue.push_back(Received::Fragment(fragment));
    }

    /// Reads no more while as much waits as may. A Close frame that is awaited is read all the same.
    fn hold_back(&self, core: &mut Connection) {
        if self.queue_is_full() && !core.close_sent() {
            core.pause_reading();
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
            Phase::ReadingRequest(..) | Phase::ReadingResponse(_) | Phase::Deciding(_) | Phase::New => {
                self.opening_error.get_or_insert(HandshakeError::UnexpectedEof);
            }
            Phase::ReadingRefusal(mut body) => {
                body.end();
                self.phase = Phase::ReadingRefusal(body);
            }
            Phase::Discarding => {}
        }
    }

    pub(super) fn receive_timeout(&mut self, py: Python<'_>, deadline: Timestamp) {
        match mem::replace(&mut self.phase, Phase::Discarding) {
            Phase::Open(core) => self.with_core(core, |state, core| {
                let now = now().max(deadline);
                // Only asked while it is open, when there is no end of the transport that polling would take.
                let writes =
                    |core: &mut Connection| core.ready_state() == ReadyState::Open && core.poll_transmit().is_some();
                let held = core.is_ending_held();
                let (waited, failed) = (state.trace.is_some() && writes(core), core.failure().is_some());
                core.handle_timeout(now);
                if held && !core.is_ending_held() {
                    state.trace_close_sent(core);
                } else if failed || core.failure().is_none() {
                    if state.trace.is_some() && !waited && writes(core) {
                        state.trace_keepalive("% sent keepalive ping");
                    }
                } else if matches!(core.failure(), Some(Failure::PingTimeout)) {
                    state.blocked = now.since(deadline).as_secs_f64();
                    state.trace_keepalive("- timed out waiting for keepalive pong");
                    state.trace_close_sent(core);
                }
                state.take_events(py, core, &mut Input::empty(), false);
                state.given_up |= state.closed.is_some();
            }),
            // Nothing else has a timer than a refusal that lingers.
            other => (self.phase, self.given_up) = (other, true),
        }
    }

    /// The transport takes no more bytes, because of the exception `because`. Returns it if another came first.
    pub(super) fn fail_writing(&mut self, because: Py<PyAny>) -> Option<Py<PyAny>> {
        if let Phase::Open(core) = &mut self.phase {
            core.handle_write_failure(now());
        }
        self.given_up = true;
        if self.lost_because.is_some() {
            return Some(because);
        }
        self.lost_because = Some(because);
        None
    }

    /// Lets the core decode although the queue is full.
    pub(super) fn release_reading(&mut self) {
        if let Phase::Open(core) = &mut self.phase {
            core.resume_reading();
        }
    }

    /// The next whole message, put together if it came in fragments. Reading goes on when few are left.
    pub(super) fn take_message(&mut self, py: Python<'_>) -> Option<Py<PyAny>> {
        loop {
            match self.take_received(py)? {
                Received::Message(message) => return Some(message),
                Received::Fragment(fragment) => {
                    let last = fragment.last;
                    self.joining.push(fragment);
                    if last {
                        return Some(join(py, &mem::take(&mut self.joining)));
                    }
                }
            }
        }
    }

    /// The next message or fragment. Reading goes on when few are left.
    pub(super) fn take_received(&mut self, py: Python<'_>) -> Option<Received> {
        let received = self.queue.pop_front()?;
        let low = self.settings.max_queue.map_or(usize::MAX, |(_, low)| low);
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
        Some(received)
    }

    /// Takes messages fragment by fragment from now on. What came of one that has begun is its first.
    pub(super) fn stream(&mut self, py: Python<'_>) {
        for fragment in mem::take(&mut self.joining).into_iter().rev() {
            self.queue.push_front(Received::Fragment(fragment));
        }
        if let Phase::Open(core) = &mut self.phase {
            core.stream_messages(true);
            if let Some(part) = core.stream_begun_message() {
                self.take_part_of_fragment(py, &part);
            }
        }
    }
}

/// The message that these fragments are. The core has checked that text is UTF-8.
fn join(py: Python<'_>, fragments: &[Fragment]) -> Py<PyAny> {
    let parts: Vec<&[u8]> = fragments.iter().map(|fragment| fragment.data.bind(py).as_bytes()).collect();
    let bytes = parts.concat();
    match fragments.first().map(|fragment| fragment.kind) {
        Some(MessageKind::Text) => PyString::new(py, &String::from_utf8_lossy(&bytes)).into_any().unbind(),
        _ => PyBytes::new(py, &bytes).into_any().unbind(),
    }
}
