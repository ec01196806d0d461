//! Events handed to functions of a listener as they come, instead of being kept for `recv()`.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use itoden_core::{CloseCode, Message, ReadyState};
use pyo3::PyTraverseError;
use pyo3::exceptions::PyException;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::protocol::AsyncConnection;
use super::state::{Phase, Received, State};
use crate::convert::message_to_python;
use crate::errors;

/// Payload that is decoded before the listener is told: one read can hold a thousand times as much in compressed
/// messages.
const BATCH: usize = 1 << 20;

/// What a listener wants to be told with; `None` for what it does not.
#[derive(FromPyObject)]
pub(super) struct Callbacks {
    on_message: Option<Py<PyAny>>,
    on_ping: Option<Py<PyAny>>,
    on_pong: Option<Py<PyAny>>,
    on_close: Option<Py<PyAny>>,
    on_pause: Option<Py<PyAny>>,
    on_resume: Option<Py<PyAny>>,
}

/// Something that the listener is to be told.
pub(super) enum Told {
    Message(Py<PyAny>),
    Ping(Py<PyBytes>),
    Pong(Py<PyBytes>),
    Closed,
}

/// A listener, and what it has not been told yet.
pub(super) struct Listener {
    callbacks: Arc<Callbacks>,
    told: VecDeque<Told>,
    /// Bytes of payload in `told`.
    waiting: usize,
    /// The application wants to be told nothing now.
    paused: bool,
    /// A function of it failed: it is told only the end from now on.
    failed: bool,
    /// The listener is being told: what it sends is written together afterwards.
    pub(super) telling: bool,
}

impl Listener {
    pub(super) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Callbacks { on_message, on_ping, on_pong, on_close, on_pause, on_resume } = &*self.callbacks;
        for callback in [on_message, on_ping, on_pong, on_close, on_pause, on_resume] {
            visit.call(callback)?;
        }
        Ok(())
    }

    pub(super) fn take_message(&mut self, py: Python<'_>, message: &Message<'_>) {
        if !self.failed {
            self.waiting += message.as_bytes().len();
            self.told.push_back(Told::Message(message_to_python(py, message)));
        }
    }

    pub(super) fn take_ping(&mut self, py: Python<'_>, payload: &[u8]) {
        if self.callbacks.on_ping.is_some() {
            self.told.push_back(Told::Ping(PyBytes::new(py, payload).unbind()));
        }
    }

    pub(super) fn take_pong(&mut self, py: Python<'_>, payload: &[u8]) {
        if self.callbacks.on_pong.is_some() {
            self.told.push_back(Told::Pong(PyBytes::new(py, payload).unbind()));
        }
    }

    pub(super) fn take_end(&mut self) {
        self.told.push_back(Told::Closed);
    }

    /// Whether enough waits for now.
    pub(super) const fn is_full(&self) -> bool {
        self.waiting > BATCH
    }

    /// Whether all was told, and what the listener sent thereupon is in the core.
    pub(super) fn has_been_told(&self) -> bool {
        self.told.is_empty() && !self.telling
    }

    /// Whether there is something to tell and nobody tells it already.
    pub(super) fn is_due(&self) -> bool {
        !self.told.is_empty() && !self.paused && !self.telling
    }

    fn next(&mut self) -> Option<Told> {
        if self.paused {
            return None;
        }
        let told = self.told.pop_front();
        if self.told.is_empty() {
            self.waiting = 0;
        }
        told
    }
}

impl State {
    /// From now on messages are told instead of kept, those that came already first. Returns who was told before.
    pub(super) fn listen(&mut self, callbacks: Callbacks) -> Option<Listener> {
        let messages = mem::take(&mut self.queue).into_iter().filter_map(|received| match received {
            Received::Message(message) => Some(Told::Message(message)),
            Received::Fragment(_) => None,
        });
        let mut told: VecDeque<Told> = messages.collect();
        told.extend(self.lost.then_some(Told::Closed));
        let callbacks = Arc::new(callbacks);
        let listener = Listener { callbacks, told, waiting: 0, paused: false, failed: false, telling: false };
        self.listener.replace(listener)
    }

    /// Decodes what waits behind a full batch, unless the application wants nothing more.
    fn go_on_listening(&mut self, py: Python<'_>) {
        let paused = self.listener.as_ref().is_none_or(|listener| listener.paused);
        if let Phase::Open(core) = &mut self.phase
            && core.is_reading_paused()
            && !paused
        {
            core.resume_reading();
            self.receive_rest(py);
        }
    }

    /// Stops or goes on telling and reading.
    pub(super) fn pause_listening(&mut self, py: Python<'_>, pause: bool) {
        let Some(listener) = &mut self.listener else { return };
        listener.paused = pause;
        if pause {
            // A Close frame that is awaited is read all the same.
            if let Phase::Open(core) = &mut self.phase
                && !core.close_sent()
            {
                core.pause_reading();
            }
        } else if !listener.telling && listener.told.is_empty() {
            self.go_on_listening(py);
        }
    }
}

impl AsyncConnection {
    /// Tells the listener all that waits, then writes what it sent.
    pub(super) fn tell(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let state = this.get();
        let Some(callbacks) = state.lock(py).listener.as_mut().map(|listener| {
            listener.telling = true;
            listener.callbacks.clone()
        }) else {
            return Ok(());
        };
        let told = loop {
            let next = {
                let state = &mut *state.lock(py);
                match state.listener.as_mut().and_then(Listener::next) {
                    Some(told) => Some(told),
                    None => {
                        state.go_on_listening(py);
                        state.listener.as_mut().and_then(Listener::next)
                    }
                }
            };
            let Some(told) = next else { break Ok(()) };
            if let Err(error) =
                Self::tell_one(this, &callbacks, told).or_else(|error| Self::fail_listening(this, error))
            {
                break Err(error);
            }
        };
        Self::change(this, true, |state| {
            if let Some(listener) = &mut state.listener {
                listener.telling = false;
                // What the listener sent is before the answer to a Close frame.
                if listener.has_been_told() {
                    state.release_ending();
                }
            }
        })?;
        told
    }

    fn tell_one(this: &Bound<'_, Self>, callbacks: &Callbacks, told: Told) -> PyResult<()> {
        let py = this.py();
        let (callback, data) = match told {
            Told::Message(message) => (&callbacks.on_message, message),
            Told::Ping(payload) => (&callbacks.on_ping, payload.into_any()),
            Told::Pong(payload) => (&callbacks.on_pong, payload.into_any()),
            Told::Closed => {
                let Some(callback) = &callbacks.on_close else { return Ok(()) };
                let (code, reason) = {
                    let state = this.get().lock(py);
                    let closed = state.closed.as_ref();
                    closed.map_or((1006, String::new()), |closed| (closed.code.get(), closed.reason.clone()))
                };
                callback.call1(py, (code, reason))?;
                return Ok(());
            }
        };
        if let Some(callback) = callback {
            callback.call1(py, (data,))?;
        }
        Ok(())
    }

    /// "1011 indicates that a server is terminating the connection because it encountered an unexpected condition that
    /// prevented it from fulfilling the request" (RFC 6455 §7.4.1). The event loop is told of the exception, as of those
    /// of any asyncio protocol.
    fn fail_listening(this: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        let py = this.py();
        if !error.is_instance_of::<PyException>(py) {
            return Err(error); // KeyboardInterrupt and SystemExit are for the loop itself
        }
        let context = PyDict::new(py);
        context.set_item("message", "a function of a listener of itoden failed")?;
        context.set_item("exception", error.into_value(py))?;
        context.set_item("protocol", this)?;
        this.get().event_loop(py)?.call_method1(intern!(py, "call_exception_handler"), (context,))?;
        if this.get().lock(py).ready_state() == ReadyState::Open as u8 {
            let taken = Self::change(this, true, |state| {
                // What came with the message that it failed on is not told any more.
                if let Some(listener) = &mut state.listener {
                    listener.failed = true;
                    listener.told.clear();
                }
                state.close(py, Some(CloseCode::INTERNAL_ERROR), "")
            })?;
            taken.map_err(|error| errors::send_error(py, &error))?;
        }
        Ok(())
    }

    /// Tells the listener that the transport has more to write than it should, or has room again.
    pub(super) fn tell_of_writing(this: &Bound<'_, Self>, paused: bool) -> PyResult<()> {
        let py = this.py();
        let callbacks = this.get().lock(py).listener.as_ref().map(|listener| listener.callbacks.clone());
        let Some(callbacks) = callbacks else { return Ok(()) };
        let callback = if paused { &callbacks.on_pause } else { &callbacks.on_resume };
        let Some(callback) = callback else { return Ok(()) };
        callback.call0(py).map(drop).or_else(|error| Self::fail_listening(this, error))
    }
}
