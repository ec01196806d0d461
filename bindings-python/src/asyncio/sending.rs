//! What the application sends and takes.

use std::mem;

use itoden_core::{Connection, MaskKeys, ReadyState, SendError};
use pyo3::prelude::*;

use super::state::{Phase, Received, State};
use super::todo::Todo;
use crate::mask_keys::ThreadMaskKeys;

/// What the application sent is written when the loop's turn ends at the latest, and at once when it is this much.
const FLUSH_AT: u64 = 64 << 10;

/// What became of something that the application sends.
pub(super) enum Taken {
    /// It is to be written now.
    Now,
    /// It is written together with what follows; a callback for that is to be scheduled or is already.
    Later {
        schedule: bool,
    },
    /// Nothing is sent any more; the connection will be closed soon.
    Closing,
    Closed,
    Opening,
    Refused(SendError),
}

impl State {
    pub(super) fn command(&mut self, command: impl FnOnce(&mut Connection) -> Result<(), SendError>) -> Taken {
        let over = self.lost || self.closed.is_some();
        let Phase::Open(core) = &mut self.phase else { return if over { Taken::Closed } else { Taken::Opening } };
        match command(core) {
            Ok(()) => {}
            Err(SendError::NotOpen) => return if over { Taken::Closed } else { Taken::Closing },
            Err(error) => return Taken::Refused(error),
        }
        // What is sent while more messages wait to be taken, or after something else in the same turn of the loop, goes
        // out in one write with what follows it: when the application begins to wait, or when the turn ends.
        if self.listener.as_ref().is_some_and(|listener| listener.telling) && core.buffered_amount() < FLUSH_AT {
            return Taken::Later { schedule: false };
        }
        if self.in_threads {
            return Taken::Now;
        }
        let later = (self.wrote_this_turn || !self.queue.is_empty()) && core.buffered_amount() < FLUSH_AT;
        self.wrote_this_turn = true;
        if !later {
            return Taken::Now;
        }
        Taken::Later { schedule: !mem::replace(&mut self.flush_scheduled, true) }
    }

    /// The next message, and what is to be done for it. As an error: whether the connection is over; if it is not, another
    /// task waits for a message.
    pub(super) fn take(&mut self, py: Python<'_>) -> Result<(Option<Py<PyAny>>, Option<Todo>), bool> {
        if self.receiver.is_some() || self.within_stream {
            return Err(false);
        }
        let message = self.take_message(py);
        self.after_take(py, message)
    }

    /// As [`take`](Self::take), but a fragment of a message that is streamed.
    pub(super) fn take_fragment(&mut self, py: Python<'_>) -> Result<(Option<Received>, Option<Todo>), bool> {
        if self.receiver.is_some() {
            return Err(false);
        }
        let received = self.take_received(py);
        if let Some(received) = &received {
            self.within_stream = matches!(received, Received::Fragment(fragment) if !fragment.last);
        }
        self.after_take(py, received)
    }

    /// Whether `take()` has nothing to give and nothing to do.
    pub(super) fn is_at_rest(&self) -> bool {
        let open = matches!(&self.phase, Phase::Open(core) if core.ready_state() == ReadyState::Open);
        let waits = self.queue.is_empty() && self.joining.is_empty();
        open && waits && !(self.lost || self.transport_paused || self.flush_scheduled || self.within_stream)
    }

    fn after_take<T>(&mut self, py: Python<'_>, taken: Option<T>) -> Result<(Option<T>, Option<Todo>), bool> {
        if taken.is_some() {
            // Only when reading went on is there anything to do.
            let todo = (self.transport_paused || self.trace.is_some()).then(|| self.plan(py, true));
            return Ok((taken, todo));
        }
        if self.lost || self.closed.is_some() {
            return Err(true);
        }
        // The application begins to wait: what it sent goes out before, and an ending behind that.
        let ends = self.release_ending();
        // Fragments that were taken, but are no whole message yet, made room: reading may go on.
        let todo = (ends || self.flush_scheduled || self.transport_paused).then(|| self.plan(py, true));
        Ok((None, todo))
    }

    /// Four random bytes that no other ping carries.
    pub(super) fn unused_ping_payload(&self) -> Vec<u8> {
        loop {
            let payload = ThreadMaskKeys.next_key().to_vec();
            if !self.pings.iter().any(|ping| ping.payload == payload) {
                return payload;
            }
        }
    }
}
