//! The Python class, which is the asyncio protocol itself.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use itoden_core::{CloseCode, CloseFrame, SendError, Timestamp};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use pyo3::types::{PyBytes, PyMemoryView, PyString};

use super::sending::Taken;
use super::state::{Phase, Ping, Receiver, State};
use crate::clock::now;
use crate::convert::{Fields, Payload, headers_from_python};
use crate::errors::{self, Ended};
use crate::read_buffer;
use crate::sans_io::handshake::{ClientHandshake, Request, Response, request_to_python, response_to_python};
use crate::settings::Settings;

/// An asyncio protocol (`asyncio.BufferedProtocol`) that speaks WebSocket. `itoden.asyncio.connection.Connection` is its
/// public face; the methods with an underscore are for that class alone.
///
/// It belongs to the event loop that calls `connection_made()`, like every asyncio protocol. Other threads may read its
/// state.
#[pyclass(frozen, subclass, module = "itoden._native")]
pub(crate) struct AsyncConnection {
    state: Mutex<State>,
    write_limit: (usize, Option<usize>),
    is_server: bool,
}

impl AsyncConnection {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).expect("no panic under this lock")
    }

    /// Changes the state, then does what that asks for.
    fn change<R>(this: &Bound<'_, Self>, flush: bool, f: impl FnOnce(&mut State) -> R) -> PyResult<R> {
        let (result, todo) = {
            let state = &mut *this.get().lock(this.py());
            let result = f(state);
            (result, state.plan(this.py(), flush))
        };
        todo.carry_out(this)?;
        Ok(result)
    }

    pub(super) fn fail_writing(this: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        let because = error.into_value(this.py()).into_any();
        Self::change(this, false, |state| state.fail_writing(because))
    }

    pub(super) fn arm_timer(this: &Bound<'_, Self>, deadline: Timestamp, delay: Duration) -> PyResult<()> {
        let py = this.py();
        let callback = this.getattr(intern!(py, "_handle_timeout"))?;
        let event_loop = this.get().event_loop(py)?;
        let handle = event_loop.call_method1(intern!(py, "call_later"), (delay.as_secs_f64(), callback))?;
        let before = this.get().lock(py).timer.replace((deadline, handle.unbind()));
        drop(before);
        Ok(())
    }

    fn event_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = self.lock(py).event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py));
        let event_loop = event_loop.ok_or_else(|| errors::raise(py, "InvalidState", "there is no transport yet"))?;
        Ok(event_loop.into_bound(py))
    }

    fn create_future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.event_loop(py)?.call_method0(intern!(py, "create_future"))?.unbind())
    }

    /// The exception that tells how the connection ended.
    pub(super) fn closed_exception(this: &Bound<'_, Self>) -> PyErr {
        let py = this.py();
        let (ended, failure) = {
            let state = this.get().lock(py);
            let core = if let Phase::Open(core) = &state.phase { Some(core) } else { None };
            let pair = |close: &CloseFrame<'_>| (close.code.get(), close.reason.to_string());
            let ended = Ended {
                received: core.and_then(|core| core.close_frame_received()).map(pair),
                sent: core.and_then(|core| core.close_frame_sent()).map(pair),
                received_first: core.is_some_and(|core| core.peer_closed_first()),
                cause: state.lost_because.as_ref().map(|because| because.bind(py).clone()),
            };
            (ended, state.closed.as_ref().and_then(|closed| closed.failure.clone()))
        };
        errors::connection_closed(py, ended, failure.as_ref())
    }

    /// Sends through the core: `true` if it was taken, `false` if the connection is closing.
    fn command(
        this: &Bound<'_, Self>,
        command: impl FnOnce(&mut itoden_core::Connection) -> Result<(), SendError>,
    ) -> PyResult<bool> {
        let py = this.py();
        let taken = this.get().lock(py).command(command);
        match taken {
            Taken::Now => Self::change(this, true, |_| ())?,
            Taken::Later { schedule: true } => {
                let callback = this.getattr(intern!(py, "_flush"))?;
                this.get().event_loop(py)?.call_method1(intern!(py, "call_soon"), (callback,))?;
            }
            Taken::Later { schedule: false } => {}
            Taken::Closing => return Ok(false),
            Taken::Closed => return Err(Self::closed_exception(this)),
            Taken::Opening => return Err(Self::not_open_yet(py)),
            Taken::Refused(error) => return Err(errors::send_error(py, &error)),
        }
        Ok(true)
    }

    fn not_open_yet(py: Python<'_>) -> PyErr {
        errors::raise(py, "InvalidState", "the opening handshake is not done")
    }

    /// What a sender is to wait for: room in the transport, or the end of a connection that is closing.
    fn after_command(this: &Bound<'_, Self>, taken: bool) -> PyResult<Option<Py<PyAny>>> {
        let py = this.py();
        if !taken {
            return Self::_wait_lost(this);
        }
        if !this.get().lock(py).writing_paused {
            return Ok(None);
        }
        let future = this.get().create_future(py)?;
        this.get().lock(py).drain_waiters.push(future.clone_ref(py));
        Ok(Some(future))
    }
}

#[pymethods]
impl AsyncConnection {
    /// `settings` are shared by all connections of one `connect()` or `serve()`.
    #[new]
    #[pyo3(signature = (settings, is_server))]
    fn new(settings: &Bound<'_, Settings>, is_server: bool) -> Self {
        let settings = settings.get();
        let state = State::new(settings.config.clone(), settings.max_queue);
        Self { state: Mutex::new(state), write_limit: settings.write_limit, is_server }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Locked: in use, and so not to be collected.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        visit.call(&state.transport)?;
        visit.call(&state.event_loop)?;
        visit.call(&state.opening_waiter)?;
        visit.call(&state.lost_because)?;
        visit.call(state.receiver.as_ref().map(|receiver| &receiver.future))?;
        visit.call(state.timer.as_ref().map(|(_, handle)| handle))?;
        for future in state.drain_waiters.iter().chain(&state.lost_waiters) {
            visit.call(future)?;
        }
        for ping in &state.pings {
            visit.call(&ping.future)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let Ok(mut state) = self.state.try_lock() else { return };
        let config = state.config.clone();
        let before = std::mem::replace(&mut *state, State::new(config, None));
        drop(state);
        drop(before);
    }

    // --- asyncio.BufferedProtocol ---

    /// The transport is there.
    fn connection_made(slf: &Bound<'_, Self>, transport: Bound<'_, PyAny>) -> PyResult<()> {
        static GET_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        let event_loop = GET_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        transport.call_method1(intern!(py, "set_write_buffer_limits"), slf.get().write_limit)?;
        Self::change(slf, true, |state| {
            state.transport = Some(transport.unbind());
            state.event_loop = Some(event_loop.unbind());
            if slf.get().is_server {
                state.read_request();
            }
        })
    }

    /// Where the transport is to read into: a buffer that all connections of the thread share.
    fn get_buffer(slf: &Bound<'_, Self>, sizehint: isize) -> PyResult<Py<PyMemoryView>> {
        let _ = sizehint;
        read_buffer::lend(slf.py(), slf.as_ptr().addr())
    }

    /// The transport has read `nbytes` into the buffer.
    fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        let py = slf.py();
        let todo = read_buffer::with_received(py, slf.as_ptr().addr(), nbytes, |bytes| {
            let state = &mut *slf.get().lock(py);
            state.receive(py, bytes);
            state.plan(py, true)
        })?;
        todo.carry_out(slf)
    }

    /// The peer ended its side of the transport.
    fn eof_received(slf: &Bound<'_, Self>) -> PyResult<()> {
        // None, which lets the transport end this side too: what was to be written by then has been.
        Self::change(slf, true, |state| state.receive_eof(slf.py()))
    }

    /// The transport is gone.
    #[pyo3(signature = (exc))]
    fn connection_lost(slf: &Bound<'_, Self>, exc: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        Self::change(slf, false, |state| {
            state.receive_eof(slf.py());
            state.lost = true;
            if let Some(exc) = exc {
                state.lost_because.get_or_insert(exc.unbind());
            }
        })
    }

    /// The transport has more to write than `write_limit`.
    fn pause_writing(&self, py: Python<'_>) {
        self.lock(py).writing_paused = true;
    }

    /// The transport has room again.
    fn resume_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::change(slf, true, |state| state.writing_paused = false)
    }

    // --- callbacks of the loop ---

    fn _handle_timeout(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut fired = None;
        Self::change(slf, true, |state| {
            fired = state.timer.take();
            if let Some(&(deadline, _)) = fired.as_ref() {
                state.receive_timeout(slf.py(), deadline);
            }
        })
    }

    fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::change(slf, true, |state| {
            state.flush_scheduled = false;
            state.wrote_this_turn = false;
        })
    }

    // --- the opening handshake ---

    /// Client: sends the request.
    fn _start(slf: &Bound<'_, Self>, handshake: &Bound<'_, ClientHandshake>) -> PyResult<()> {
        let handshake = handshake.get();
        let taken = handshake.take(slf.py())?;
        Self::change(slf, true, |state| {
            // A transport that is lost already has nobody to ask.
            if matches!(state.phase, Phase::New) {
                state.phase = Phase::ReadingResponse(Box::new(taken));
                state.head_to_write.extend_from_slice(handshake.request_bytes());
            }
        })
    }

    /// A future to wait for the peer's part of the opening handshake, or `None` if it is there.
    fn _wait_opening(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        if slf.get().lock(py).opening_is_decided() {
            return Ok(None);
        }
        let future = slf.get().create_future(py)?;
        let before = slf.get().lock(py).opening_waiter.replace(future.clone_ref(py));
        drop(before);
        Ok(Some(future))
    }

    /// Raises what made the opening handshake fail, if anything did.
    fn _check_opening(&self, py: Python<'_>) -> PyResult<()> {
        let (error, lost_because) = {
            let state = self.lock(py);
            (state.opening_error.clone(), state.lost_because.as_ref().map(|because| because.clone_ref(py)))
        };
        let Some(error) = error else { return Ok(()) };
        let raised = errors::handshake_error(py, &error);
        raised.set_cause(py, lost_because.map(|because| PyErr::from_value(because.into_bound(py))));
        Err(raised)
    }

    /// Server: the request that waits to be accepted or refused, or `None`.
    fn _request(&self, py: Python<'_>) -> Option<Request> {
        match &self.lock(py).phase {
            Phase::Deciding(upgrade) => Some(request_to_python(upgrade)),
            _ => None,
        }
    }

    /// Server: the subprotocols that the client offers.
    fn _offered_subprotocols(&self, py: Python<'_>) -> Vec<String> {
        match &self.lock(py).phase {
            Phase::Deciding(upgrade) => upgrade.subprotocols().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Client: the server's answer and what came of its body, or `None`.
    fn _response<'py>(&self, py: Python<'py>) -> Option<(Response, Bound<'py, PyBytes>)> {
        let state = self.lock(py);
        let response = response_to_python(state.response.as_ref()?);
        Some((response, PyBytes::new(py, &state.body)))
    }

    /// Server: accepts the request with one of the offered subprotocols, or none. Returns the answer's head.
    #[pyo3(signature = (subprotocol, headers))]
    fn _accept(slf: &Bound<'_, Self>, subprotocol: Option<&str>, headers: Fields) -> PyResult<Response> {
        let py = slf.py();
        let headers = headers_from_python(headers);
        let accepted = Self::change(slf, true, |state| state.accept(py, subprotocol, &headers))?;
        let head = accepted.ok_or_else(|| errors::raise(py, "InvalidState", "there is no request to accept"))?;
        Ok(response_to_python(&head.map_err(|error| errors::handshake_error(py, &error))?))
    }

    /// Server: answers with an HTTP response instead, and ends the transport once it was read.
    fn _refuse(slf: &Bound<'_, Self>, response: &[u8]) -> PyResult<()> {
        Self::change(slf, true, |state| {
            if matches!(state.phase, Phase::Deciding(_)) {
                state.refuse(response.to_vec());
            }
        })
    }

    // --- messages ---

    /// The next message that waits, or `None`. Raises `ConnectionClosed` if none can come any more.
    fn _take<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let taken = slf.get().lock(py).take(py);
        match taken {
            Ok((message, todo)) => {
                if let Some(todo) = todo {
                    todo.carry_out(slf)?;
                }
                Ok(message)
            }
            Err(true) => Err(Self::closed_exception(slf)),
            Err(false) => {
                let message = "cannot call recv while another task is already running recv";
                Err(errors::raise(py, "ConcurrencyError", message))
            }
        }
    }

    /// A future to wait for the next message, until `_stop_waiting()`.
    fn _wait_message(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let future = slf.get().create_future(py)?;
        let receiver = Receiver { future: future.clone_ref(py), woken: false };
        let before = slf.get().lock(py).receiver.replace(receiver);
        drop(before);
        Ok(future)
    }

    fn _stop_waiting(&self, py: Python<'_>) {
        let before = self.lock(py).receiver.take();
        drop(before);
    }

    /// Sends a message. Returns a future if the sender is to wait: see `_check_sent()`.
    #[pyo3(signature = (message, text))]
    fn _send(slf: &Bound<'_, Self>, message: Bound<'_, PyAny>, text: Option<bool>) -> PyResult<Option<Py<PyAny>>> {
        let payload = Payload::extract("message", &message)?;
        let message = payload.message(slf.py(), text)?;
        let taken = Self::command(slf, |core| core.send(message))?;
        Self::after_command(slf, taken)
    }

    /// Sends a pong, as `_send()`.
    fn _pong(slf: &Bound<'_, Self>, data: Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
        let payload = Payload::extract("data", &data)?;
        let taken = Self::command(slf, |core| core.pong(payload.as_bytes()))?;
        Self::after_command(slf, taken)
    }

    /// Sends a ping: the future of its pong, or `None` if the connection is closing.
    #[pyo3(signature = (data))]
    fn _ping(slf: &Bound<'_, Self>, data: Option<Bound<'_, PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let payload = match &data {
            Some(data) => Payload::extract("data", data)?.as_bytes().to_vec(),
            None => slf.get().lock(py).unused_ping_payload(),
        };
        if slf.get().lock(py).pings.iter().any(|ping| ping.payload == payload) {
            let message = "a ping with the same data waits for its pong already";
            return Err(errors::raise(py, "ConcurrencyError", message));
        }
        let taken = Self::command(slf, |core| core.ping(&payload))?;
        if !taken {
            return Ok(None);
        }
        let future = slf.get().create_future(py)?;
        let ping = Ping { payload, future: future.clone_ref(py), sent_at: now() };
        slf.get().lock(py).pings.push(ping);
        Ok(Some(future))
    }

    /// Raises `ConnectionClosed` if the connection ended while a sender waited.
    fn _check_sent(slf: &Bound<'_, Self>) -> PyResult<()> {
        let over = {
            let state = slf.get().lock(slf.py());
            state.lost || state.closed.is_some()
        };
        if over { Err(Self::closed_exception(slf)) } else { Ok(()) }
    }

    // --- the end ---

    /// Begins the closing handshake.
    #[pyo3(signature = (code, reason))]
    fn _close(slf: &Bound<'_, Self>, code: Option<u16>, reason: &str) -> PyResult<()> {
        let py = slf.py();
        if slf.get().lock(py).ready_state() == 0 {
            return Err(Self::not_open_yet(py));
        }
        let closed = Self::change(slf, true, |state| state.close(py, code.map(CloseCode::new), reason))?;
        closed.map_err(|error| errors::send_error(py, &error))
    }

    /// A future to wait for the end of the transport, or `None` if it has ended.
    fn _wait_lost(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        if slf.get().lock(py).lost {
            return Ok(None);
        }
        let future = slf.get().create_future(py)?;
        slf.get().lock(py).lost_waiters.push(future.clone_ref(py));
        Ok(Some(future))
    }

    /// The `ConnectionClosed` that tells how the connection ended.
    fn _closed_exception(slf: &Bound<'_, Self>) -> Py<PyAny> {
        Self::closed_exception(slf).into_value(slf.py()).into_any()
    }

    // --- getters ---

    /// The asyncio transport, or `None` before there is one.
    #[getter]
    fn transport(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock(py).transport.as_ref().map(|transport| transport.clone_ref(py))
    }

    /// 0 to 3: CONNECTING, OPEN, CLOSING, CLOSED.
    #[getter]
    fn _ready_state(&self, py: Python<'_>) -> u8 {
        self.lock(py).ready_state()
    }

    /// How many received messages wait for `recv()`.
    #[getter]
    fn _queued(&self, py: Python<'_>) -> usize {
        self.lock(py).queue.len()
    }

    /// The subprotocol that the opening handshake agreed on (RFC 6455 §1.9), or `None`.
    #[getter]
    fn subprotocol<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        match &self.lock(py).phase {
            Phase::Open(core) => core.subprotocol().map(|name| PyString::new(py, name)),
            _ => None,
        }
    }

    /// "The WebSocket Connection Close Code" (RFC 6455 §7.1.5): that of the Close frame that was received; 1005 if it had
    /// none, 1006 if no Close frame came; `None` while the connection is not closed.
    #[getter]
    fn close_code(&self, py: Python<'_>) -> Option<u16> {
        self.lock(py).closed.as_ref().map(|closed| closed.code.get())
    }

    /// "The WebSocket Connection Close Reason" (RFC 6455 §7.1.6); `None` while the connection is not closed.
    #[getter]
    fn close_reason(&self, py: Python<'_>) -> Option<String> {
        self.lock(py).closed.as_ref().map(|closed| closed.reason.clone())
    }
}
