//! What a connection is. Its methods, here and in the files beside, run no Python code: they are called under the lock.

use std::collections::VecDeque;
use std::sync::Arc;

use itoden_core::handshake::{BodyReader, ClientHandshake, RequestHead, ResponseHead, ServerHandshake, Upgrade};
use itoden_core::{Closed, Connection, HandshakeError, MessageKind, ReadyState, Timestamp};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::direct::Direct;
use super::listening::Listener;
use super::tap::Tap;
use super::tls::TlsRecords;
use super::trace::Traced;
use super::waiter::When;
use crate::settings::Shared;

/// How many bytes a client may send before it is answered, if that is read at all.
const READ_AHEAD: usize = 64 << 10;

/// Where a connection is, seen from its driver.
pub(super) enum Phase {
    /// No transport yet; or a client's, that has asked nothing yet.
    New,
    /// A server's, whose client has not finished its request: what came of it is kept beside.
    ReadingRequest(ServerHandshake, Vec<u8>),
    /// A server's, whose application decides about a request.
    Deciding(Box<Asked>),
    /// A client's, whose server has not finished its answer.
    ReadingResponse(Box<ClientHandshake>),
    /// A client's, that was refused.
    ReadingRefusal(BodyReader),
    /// The opening handshake is done.
    Open(Box<Connection>),
    /// The opening handshake failed; what still comes is thrown away.
    Discarding,
}

/// A request that came whole.
pub(super) enum Asked {
    Upgrade(Upgrade),
    /// A request of HTTP that does not ask for WebSocket, or not as it should: the application may answer it itself.
    Else(RequestHead, HandshakeError),
}

impl Asked {
    pub(super) const fn request(&self) -> &RequestHead {
        match self {
            Self::Upgrade(upgrade) => upgrade.request(),
            Self::Else(request, _) => request,
        }
    }
}

/// Something received that waits for `recv()` or `recv_streaming()`.
pub(super) enum Received {
    Message(Py<PyAny>),
    Fragment(Fragment),
}

/// A fragment of a message that is streamed, as bytes: a character may be cut between two of them.
pub(super) struct Fragment {
    pub(super) kind: MessageKind,
    pub(super) data: Py<PyBytes>,
    pub(super) last: bool,
}

/// A task that waits in `recv()` or `recv_streaming()`.
pub(super) struct Receiver {
    pub(super) future: Py<PyAny>,
    pub(super) woken: bool,
}

/// A ping whose pong has not come.
pub(super) struct Ping {
    pub(super) payload: Vec<u8>,
    pub(super) future: Py<PyAny>,
    pub(super) sent_at: Timestamp,
}

pub(super) struct State {
    pub(super) settings: Arc<Shared>,
    pub(super) phase: Phase,
    /// The transport, from `connection_made()` on; kept after its end for its addresses.
    pub(super) transport: Option<Py<PyAny>>,
    pub(super) event_loop: Option<Py<PyAny>>,
    /// The event loop is asyncio's, or like it.
    pub(super) has_tasks: bool,
    /// When a task runs that waits for a message, seen from the callback of the transport that brings it.
    pub(super) wakes: When,
    /// The transport's socket, if it can be written to.
    pub(super) direct: Option<Direct>,
    /// The transport's TLS, if it is that of this package.
    pub(super) tls: Option<Py<TlsRecords>>,
    /// There is no loop whose turn could be waited for.
    pub(super) in_threads: bool,
    /// The transport was given something to write, and may not have written it all.
    pub(super) queued_in_transport: bool,

    /// Received messages, until `recv()` takes them.
    pub(super) queue: VecDeque<Received>,
    /// What came of the fragment that is being received.
    pub(super) fragment: Vec<u8>,
    /// Fragments that `recv()` took already, until the last one of the message comes.
    pub(super) joining: Vec<Fragment>,
    /// `recv_streaming()` took a fragment, and not yet the last one.
    pub(super) within_stream: bool,
    pub(super) receiver: Option<Receiver>,
    /// Who is told of messages instead.
    pub(super) listener: Option<Listener>,
    /// A client's end is to be noticed while the application decides about its request.
    pub(super) reads_ahead: bool,
    /// Nothing is decoded before there is a listener to be told of it.
    pub(super) awaits_listener: bool,
    /// Bytes that came while reading was paused, from `rest_start` on. Empty, without an allocation, while it is not.
    pub(super) rest: Vec<u8>,
    pub(super) rest_start: usize,

    pub(super) pings: Vec<Ping>,
    /// Pings whose pong came: their futures and latencies in seconds, to be told after the lock.
    pub(super) answered: Vec<(Py<PyAny>, f64)>,
    /// How long the last answered ping took, in seconds.
    pub(super) latency: f64,
    /// How late the loop called the timer that ended this connection, in seconds: it was blocked that long.
    pub(super) blocked: f64,

    /// `pause_writing()` was called last, not `resume_writing()`.
    pub(super) writing_paused: bool,
    /// Tasks that wait until writing goes on.
    pub(super) drain_waiters: Vec<Py<PyAny>>,
    /// The application sent something that was written at once, and the loop has told nothing since.
    pub(super) wrote_this_turn: bool,
    pub(super) flush_scheduled: bool,

    /// The task that waits for the opening handshake, and what made it fail.
    pub(super) opening_waiter: Option<Py<PyAny>>,
    pub(super) opening_error: Option<HandshakeError>,
    /// What a server answered.
    pub(super) response: Option<ResponseHead>,
    /// Bytes of the handshake to be written.
    pub(super) head_to_write: Vec<u8>,
    /// A transport that only still has a refusal to deliver is dropped after this.
    pub(super) linger: Option<Timestamp>,
    /// The transport is of no more use: the peer did not answer in time, or takes nothing any more.
    pub(super) given_up: bool,

    pub(super) closed: Option<Closed>,
    /// `connection_lost()` was called, and with which exception.
    pub(super) lost: bool,
    pub(super) lost_because: Option<Py<PyAny>>,
    pub(super) lost_waiters: Vec<Py<PyAny>>,

    /// What was asked of the transport already.
    pub(super) transport_paused: bool,
    pub(super) refusal_shut: bool,
    pub(super) transport_ended: bool,
    pub(super) timer: Option<(Timestamp, Py<PyAny>)>,
    /// What a logger at the level DEBUG is to be told; `None` if there is none.
    pub(super) trace: Option<Vec<Traced>>,
    /// Keeps frames, in place of the queue of messages.
    pub(super) tap: Option<Tap>,
}

impl State {
    pub(super) fn new(settings: Arc<Shared>) -> Self {
        Self {
            settings,
            phase: Phase::New,
            transport: None,
            event_loop: None,
            has_tasks: false,
            wakes: When::NextTurn,
            direct: None,
            in_threads: false,
            queued_in_transport: true,
            tls: None,
            queue: VecDeque::new(),
            fragment: Vec::new(),
            joining: Vec::new(),
            within_stream: false,
            receiver: None,
            listener: None,
            reads_ahead: false,
            awaits_listener: false,
            rest: Vec::new(),
            rest_start: 0,
            pings: Vec::new(),
            answered: Vec::new(),
            latency: 0.0,
            blocked: 0.0,
            writing_paused: false,
            drain_waiters: Vec::new(),
            wrote_this_turn: false,
            flush_scheduled: false,
            opening_waiter: None,
            opening_error: None,
            response: None,
            head_to_write: Vec::new(),
            linger: None,
            given_up: false,
            closed: None,
            lost: false,
            lost_because: None,
            lost_waiters: Vec::new(),
            transport_paused: false,
            refusal_shut: false,
            transport_ended: false,
            timer: None,
            trace: None,
            tap: None,
        }
    }

    /// The objects of Python that it holds, for the garbage collector.
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.transport)?;
        visit.call(&self.tls)?;
        visit.call(&self.event_loop)?;
        visit.call(&self.opening_waiter)?;
        visit.call(&self.lost_because)?;
        visit.call(self.receiver.as_ref().map(|receiver| &receiver.future))?;
        visit.call(self.timer.as_ref().map(|(_, handle)| handle))?;
        if let Some(listener) = &self.listener {
            listener.visit(visit)?;
        }
        for future in self.drain_waiters.iter().chain(&self.lost_waiters) {
            visit.call(future)?;
        }
        for ping in &self.pings {
            visit.call(&ping.future)?;
        }
        Ok(())
    }

    /// 0 to 3: CONNECTING, OPEN, CLOSING, CLOSED.
    pub(super) fn ready_state(&self) -> u8 {
        match &self.phase {
            _ if self.lost => ReadyState::Closed as u8,
            Phase::Open(core) => core.ready_state() as u8,
            _ => 0,
        }
    }

    /// Whether the opening handshake has an outcome that the task which waits for it can act upon.
    pub(super) fn opening_is_decided(&self) -> bool {
        let waits = match &self.phase {
            Phase::New | Phase::ReadingRequest(..) | Phase::ReadingResponse(_) => true,
            Phase::ReadingRefusal(body) => !body.is_whole(),
            Phase::Deciding(_) | Phase::Open(_) | Phase::Discarding => false,
        };
        !waits || self.lost
    }

    /// Whether the transport should not be read from now.
    pub(super) fn wants_reading_paused(&self) -> bool {
        match &self.phase {
            // A client that sends before it is answered is held back.
            Phase::Deciding(_) => !self.reads_ahead || self.rest.len() > READ_AHEAD,
            Phase::Open(core) => core.is_reading_paused(),
            _ => false,
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let deadline = match &self.phase {
            _ if self.lost => None,
            Phase::Open(core) => core.poll_timeout(),
            _ => self.linger,
        };
        // Without a close timeout the deadline is the end of time.
        deadline.filter(|&deadline| deadline != Timestamp::from_micros(u64::MAX))
    }

    pub(super) fn queue_is_full(&self) -> bool {
        match &self.listener {
            Some(listener) => listener.is_full(),
            None => self.settings.max_queue.is_some_and(|(high, _)| self.queue.len() > high),
        }
    }
}
