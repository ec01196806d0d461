//! The Python class, which is the asyncio protocol itself.

use std::time::Duration;

use itoden_core::handshake::{HttpVersion, RequestHead};
use itoden_core::{CloseCode, MessageKind};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyMemoryView, PyString};

use super::direct::Direct;
use super::listening::Callbacks;
use super::state::{Phase, Received, Receiver, State};
use super::tap::TappedFrame;
use super::trace::{Traced, kind_name};
use super::waiter::When;
use crate::convert::{Fields, Payload, headers_from_python};
use crate::errors;
use crate::guarded::Guarded;
use crate::mask_keys::ThreadMaskKeys;
use crate::read_buffer;
use crate::sans_io::handshake::{ClientHandshake, Request, Response, request_to_python};
use crate::settings::{Settings, seconds};
use crate::sync::line::Line;

/// What `_take_fragment()` returns.
type TakenFragment = (Py<PyAny>, Option<bool>, bool);

/// An asyncio protocol (`asyncio.BufferedProtocol`) that speaks WebSocket. `itoden.asyncio.connection.Connection` is its
/// public face; the methods with an underscore are for that class alone.
///
/// It belongs to the event loop that calls `connection_made()`, like every asyncio protocol. Other threads may read its
/// state.
#[pyclass(frozen, subclass, module = "itoden._native")]
pub(crate) struct AsyncConnection {
    pub(super) state: Guarded<State>,
    write_limit: (usize, Option<usize>),
    is_server: bool,
}

#[pymethods]
impl AsyncConnection {
    /// `settings` are shared by all connections of one `connect()` or `serve()`.
    #[new]
    #[pyo3(signature = (settings, is_server))]
    fn new(settings: &Bound<'_, Settings>, is_server: bool) -> Self {
        let settings = settings.get().shared.clone();
        let write_limit = settings.write_limit;
        Self { state: Guarded::new(State::new(settings)), write_limit, is_server }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.look() else { return Ok(()) };
        state.visit(&visit)
    }

    fn __clear__(&self) {
        let Some(mut state) = self.state.look() else { return };
        let settings = state.settings.clone();
        let before = std::mem::replace(&mut *state, State::new(settings));
        drop(state);
        drop(before);
    }

    // --- asyncio.BufferedProtocol ---

    /// The transport is there.
    fn connection_made(slf: &Bound<'_, Self>, transport: Bound<'_, PyAny>) -> PyResult<()> {
        static GET_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        let event_loop = GET_LOOP.import(py, "asyncio", "get_running_loop")?.call0()?;
        // In debug mode a loop tells which task has held it up: that it can if it runs the task itself.
        let debugs = event_loop.call_method0(intern!(py, "get_debug"))?.is_truthy()?;
        slf.get().lock(py).has_tasks = true;
        Self::_attach(slf, transport, event_loop)?;
        let mut state = slf.get().lock(py);
        // The transports that are known are called by their loop alone.
        let known = state.direct.is_some() || state.tls.is_some();
        state.wakes = match (debugs, known) {
            (true, _) => When::NextTurn,
            (false, true) => When::AtOnce,
            (false, false) => When::IfLoopRuns,
        };
        Ok(())
    }

    /// The transport is there, and what stands for its event loop: it has `call_later()`, `call_soon()` and
    /// `create_future()`. Not all drivers of this class are asyncio's.
    fn _attach(slf: &Bound<'_, Self>, transport: Bound<'_, PyAny>, event_loop: Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        transport.call_method1(intern!(py, "set_write_buffer_limits"), slf.get().write_limit)?;
        let direct = Direct::of(&transport);
        let tls = transport.getattr_opt(intern!(py, "_records"))?.and_then(|records| records.cast_into().ok());
        let in_threads = transport.is_instance_of::<Line>();
        let before = Self::change(slf, true, |state| {
            state.direct = direct;
            state.in_threads = in_threads;
            let tls = std::mem::replace(&mut state.tls, tls.map(Bound::unbind));
            let transport = state.transport.replace(transport.unbind());
            let before = (tls, transport, state.event_loop.replace(event_loop.unbind()));
            if slf.get().is_server {
                state.read_request();
            }
            before
        })?;
        drop(before);
        Ok(())
    }

    /// Where the transport is to read into: a buffer that all connections of the thread share.
    pub(super) fn get_buffer(slf: &Bound<'_, Self>, sizehint: isize) -> PyResult<Py<PyMemoryView>> {
        let _ = sizehint;
        read_buffer::lend(slf.py(), slf.as_ptr().addr())
    }

    /// The transport has read `nbytes` into the buffer.
    pub(super) fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        let py = slf.py();
        let todo = read_buffer::with_received(py, slf.as_ptr().addr(), nbytes, |bytes| {
            let state = &mut *slf.get().lock(py);
            state.receive(py, bytes);
            let mut todo = state.plan(py, true);
            todo.when = state.wakes;
            todo
        })?;
        todo.carry_out(slf)
    }

    /// Bytes came from elsewhere than the transport: from whoever spoke with the peer before.
    fn data_received(slf: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        let mut data = data.to_vec();
        Self::change(slf, true, |state| state.receive(slf.py(), &mut data))
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
            if let Some(listener) = &mut state.listener {
                listener.take_end();
            }
        })
    }

    /// The transport has more to write than `write_limit`.
    fn pause_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get().lock(slf.py()).writing_paused = true;
        Self::tell_of_writing(slf, true)
    }

    /// The transport has room again.
    fn resume_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::change(slf, true, |state| state.writing_paused = false)?;
        // What the core kept may have paused the transport again.
        if slf.get().lock(slf.py()).writing_paused { Ok(()) } else { Self::tell_of_writing(slf, false) }
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
        Self::wait_opening(slf)
    }

    /// Raises what made the opening handshake fail, if anything did.
    fn _check_opening(&self, py: Python<'_>) -> PyResult<()> {
        self.check_opening(py)
    }

    /// Server: the request that waits to be accepted or refused, or `None`.
    fn _request(&self, py: Python<'_>) -> Option<Request> {
        match &self.lock(py).phase {
            Phase::Deciding(asked) => Some(request_to_python(asked.request())),
            _ => None,
        }
    }

    /// Server: the subprotocols that the client offers.
    fn _offered_subprotocols(&self, py: Python<'_>) -> Vec<String> {
        self.offered_subprotocols(py)
    }

    /// Server: the end of a client is noticed while the application decides about its request. What it sends in that
    /// time is kept, up to 64 KiB.
    fn _read_ahead(&self, py: Python<'_>) {
        self.lock(py).reads_ahead = true;
    }

    /// Decodes nothing before `_listen()`: messages could be kept until then, but not pings.
    fn _await_listener(&self, py: Python<'_>) {
        self.lock(py).awaits_listener = true;
    }

    /// Server: raises what is wrong with the request that waits. The exception's `response` is the answer to it: status,
    /// reason phrase, headers and body.
    fn _check_request(&self, py: Python<'_>) -> PyResult<()> {
        self.check_request(py)
    }

    /// Client: the server's answer and what came of its body, or `None`.
    fn _response<'py>(&self, py: Python<'py>) -> Option<(Response, Bound<'py, PyBytes>)> {
        self.response_and_body(py)
    }

    /// Server: accepts the request with one of the offered subprotocols, or none. Returns the answer's head.
    /// `fields` stand in it in place of those that it would have.
    #[pyo3(signature = (subprotocol, headers, fields = None))]
    fn _accept(
        slf: &Bound<'_, Self>,
        subprotocol: Option<&str>,
        headers: Fields,
        fields: Option<Fields>,
    ) -> PyResult<Response> {
        Self::accept(slf, subprotocol, headers, fields)
    }

    /// Server: the head of the answer that `_accept()` would send.
    #[pyo3(signature = (subprotocol, headers))]
    fn _propose(&self, py: Python<'_>, subprotocol: Option<&str>, headers: Fields) -> PyResult<Response> {
        self.propose(py, subprotocol, headers)
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
    pub(crate) fn _take<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Py<PyAny>>> {
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
            Err(false) => Err(Self::already_receiving(py, "recv")),
        }
    }

    /// The next message if one waits, else a `MessageWaiter` to be awaited: after that `_take_after_wait()` is to follow, or
    /// `_stop_waiting()` if it failed. Raises as `_take()`.
    fn _take_or_wait(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match Self::_take(slf)? {
            Some(message) => Ok(message),
            None => Self::_wait_message(slf),
        }
    }

    /// As `_take_or_wait()`, for the one who has waited.
    fn _take_after_wait(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        slf.get()._stop_waiting(slf.py());
        Self::_take_or_wait(slf)
    }

    /// Begins to take messages fragment by fragment.
    fn _begin_stream(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.lock(py);
        if state.receiver.is_some() || state.within_stream {
            drop(state);
            return Err(Self::already_receiving(py, "recv_streaming"));
        }
        state.stream(py);
        Ok(())
    }

    /// The next fragment that waits, or `None`: its bytes or, of a message that came whole, that; the former with whether it
    /// is text, the latter with `None`; and whether it is the last. Raises `ConnectionClosed` if none can come any more.
    fn _take_fragment<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<TakenFragment>> {
        let py = slf.py();
        let taken = slf.get().lock(py).take_fragment(py);
        match taken {
            Ok((received, todo)) => {
                if let Some(todo) = todo {
                    todo.carry_out(slf)?;
                }
                Ok(received.map(|received| match received {
                    Received::Message(message) => (message, None, true),
                    Received::Fragment(fragment) => {
                        (fragment.data.into_any(), Some(fragment.kind == MessageKind::Text), fragment.last)
                    }
                }))
            }
            Err(true) => Err(Self::closed_exception(slf)),
            Err(false) => Err(Self::already_receiving(py, "recv_streaming")),
        }
    }

    /// A future to wait for the next message, until `_stop_waiting()`.
    fn _wait_message(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let future = slf.get().create_message_waiter(py)?;
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
    pub(crate) fn _send(
        slf: &Bound<'_, Self>,
        message: Bound<'_, PyAny>,
        text: Option<bool>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let payload = Payload::extract("message", &message)?;
        let message = payload.message(slf.py(), text)?;
        let kind = message.kind();
        let traced = || Traced::new(false, kind_name(kind), payload.as_bytes(), true);
        let taken = Self::command(slf, |core| core.send(message), traced)?;
        Self::after_command(slf, taken)
    }

    /// Sends a message, as `_send()`, without waiting for room. Raises `ConnectionClosed` if the connection is closing too.
    #[pyo3(signature = (message, text))]
    fn _post(slf: &Bound<'_, Self>, message: Bound<'_, PyAny>, text: Option<bool>) -> PyResult<()> {
        let payload = Payload::extract("message", &message)?;
        let message = payload.message(slf.py(), text)?;
        let kind = message.kind();
        let traced = || Traced::new(false, kind_name(kind), payload.as_bytes(), true);
        if Self::command(slf, |core| core.send(message), traced)? { Ok(()) } else { Err(Self::closed_exception(slf)) }
    }

    /// From now on messages are told to functions, instead of waiting to be taken: `on_message`, `on_ping`, `on_pong`,
    /// `on_close`, `on_pause` and `on_resume`, each of them or `None`.
    fn _listen(slf: &Bound<'_, Self>, callbacks: Callbacks) -> PyResult<()> {
        let before = Self::change(slf, true, |state| {
            let before = state.listen(callbacks);
            state.pause_listening(slf.py(), false);
            before
        })?;
        drop(before);
        Ok(())
    }

    /// Tells the listener nothing and reads nothing from now on, or goes on with both.
    fn _pause_listening(slf: &Bound<'_, Self>, pause: bool) -> PyResult<()> {
        Self::change(slf, true, |state| state.pause_listening(slf.py(), pause))
    }

    /// How many bytes wait to be written in the core; those in the transport are not among them.
    #[getter]
    fn _buffered_amount(&self, py: Python<'_>) -> u64 {
        match &self.lock(py).phase {
            Phase::Open(core) => core.buffered_amount(),
            _ => 0,
        }
    }

    /// Sends the next fragment of a message, as `_send()`: the first one begins it, the one with `fin` ends it.
    #[pyo3(signature = (fragment, text, first, fin))]
    fn _send_fragment(
        slf: &Bound<'_, Self>,
        fragment: Bound<'_, PyAny>,
        text: bool,
        first: bool,
        fin: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let payload = Payload::extract("fragment", &fragment)?;
        let kind = if text { MessageKind::Text } else { MessageKind::Binary };
        let traced = || Traced::new(false, if first { kind_name(kind) } else { "CONT" }, payload.as_bytes(), fin);
        let taken = Self::command(slf, |core| core.send_fragment(kind, payload.as_bytes(), fin), traced)?;
        Self::after_command(slf, taken)
    }

    /// Sends a pong, as `_send()`.
    fn _pong(slf: &Bound<'_, Self>, data: Bound<'_, PyAny>) -> PyResult<Option<Py<PyAny>>> {
        let payload = Payload::extract("data", &data)?;
        let traced = || Traced::new(false, "PONG", payload.as_bytes(), true);
        let taken = Self::command(slf, |core| core.pong(payload.as_bytes()), traced)?;
        Self::after_command(slf, taken)
    }

    /// Sends a ping: the future of its pong, or `None` if the connection is closing.
    #[pyo3(signature = (data))]
    fn _ping(slf: &Bound<'_, Self>, data: Option<Bound<'_, PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        Self::ping(slf, data)
    }

    // --- frames, for those who do without I/O of ours ---

    /// Keeps every frame that comes from now on for `_take_frames()`, in place of messages for `_take()`.
    fn _tap(&self, py: Python<'_>) {
        self.lock(py).tap.get_or_insert_default();
    }

    /// The frames that came since the last call: opcode, payload, and whether it is the last one of a message. The payload
    /// is not compressed any more. One that came in pieces is told when it is whole.
    fn _take_frames(&self, py: Python<'_>) -> Vec<TappedFrame> {
        self.lock(py).tap.as_mut().map(|tap| std::mem::take(&mut tap.frames)).unwrap_or_default()
    }

    /// Begins open, as if there had been an opening handshake that agreed on nothing.
    fn _open_at_once(slf: &Bound<'_, Self>) -> PyResult<()> {
        let is_server = slf.get().is_server;
        Self::change(slf, false, |state| {
            let config = state.settings.config.clone();
            state.open(if is_server {
                itoden_core::Connection::server(config)
            } else {
                itoden_core::Connection::client(config, Box::new(ThreadMaskKeys))
            });
        })
    }

    /// Server: a request that somebody else has read is the one to answer, whatever was before.
    fn _adopt_request(slf: &Bound<'_, Self>, method: String, target: String, headers: Fields) -> PyResult<()> {
        let head = RequestHead { method, target, version: HttpVersion::Http11, headers: headers_from_python(headers) };
        Self::change(slf, false, |state| state.adopt_request(head))
    }

    /// Sends a ping whose pong nobody waits for.
    fn _send_ping(slf: &Bound<'_, Self>, data: Bound<'_, PyAny>) -> PyResult<bool> {
        let payload = Payload::extract("data", &data)?;
        Self::command(
            slf,
            |core| core.ping(payload.as_bytes()),
            || Traced::new(false, "PING", payload.as_bytes(), true),
        )
    }

    /// Fails the connection (RFC 6455 §7.1.7).
    fn _fail(slf: &Bound<'_, Self>, code: u16, reason: &str) -> PyResult<()> {
        let py = slf.py();
        let failed = Self::change(slf, true, |state| state.fail(CloseCode::new(code), reason))?;
        failed.map_err(|error| errors::send_error(py, &error))
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

    /// How long the closing handshake may take, in seconds; `None` sets no limit.
    #[getter]
    fn _close_timeout(&self, py: Python<'_>) -> Option<f64> {
        let state = self.lock(py);
        let config = match &state.phase {
            Phase::Open(core) => core.config(),
            _ => &state.settings.config,
        };
        (config.close_timeout != Duration::MAX).then_some(config.close_timeout.as_secs_f64())
    }

    /// Changes that for this connection, which must be open.
    #[pyo3(signature = (timeout))]
    fn _set_close_timeout(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let timeout = seconds("close_timeout", timeout)?.unwrap_or(Duration::MAX);
        match &mut self.lock(py).phase {
            Phase::Open(core) => core.set_close_timeout(timeout),
            _ => return Err(Self::not_open_yet(py)),
        }
        Ok(())
    }

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
    pub(super) fn _wait_lost(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        // Who waits for the end answers nothing any more.
        let lost = Self::change(slf, true, |state| {
            state.release_ending();
            state.lost
        })?;
        if lost {
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

    /// The event loop, or what stands for it; `None` before there is a transport.
    #[getter]
    fn _event_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock(py).event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py))
    }

    /// 0 to 3: CONNECTING, OPEN, CLOSING, CLOSED.
    #[getter]
    fn _ready_state(&self, py: Python<'_>) -> u8 {
        self.lock(py).ready_state()
    }

    /// How long the last answered ping took, in seconds; 0 before any was.
    #[getter]
    fn latency(&self, py: Python<'_>) -> f64 {
        self.lock(py).latency
    }

    /// Tells `_log_frame()` of every frame from now on.
    fn _trace(&self, py: Python<'_>) {
        self.lock(py).trace.get_or_insert_default();
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
