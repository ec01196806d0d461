//! What a change of the state asks of the transport, the loop and waiting tasks.

use std::mem;

use itoden_core::{Segments, Timestamp, Transmit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::direct::Direct;
use super::listening::Listener;
use super::protocol::AsyncConnection;
use super::state::{Phase, State};
use super::tls::TlsRecords;
use super::trace::Traced;
use super::waiter::{MessageWaiter, When};
use crate::clock::now;

/// Things to do, in the order of the fields. Made under the lock and done after it.
#[derive(Default)]
pub(super) struct Todo {
    transport: Option<Py<PyAny>>,
    write: Option<Py<PyBytes>>,
    tls: Option<Py<TlsRecords>>,
    /// Write to it as much as it takes, and then what `write` and `shut` would have said.
    direct: Option<Direct>,
    queued: bool,
    shut: bool,
    end: Option<End>,
    /// `Some(true)`: pause reading; `Some(false)`: resume it.
    pause_reading: Option<bool>,
    cancel_timer: Option<Py<PyAny>>,
    arm_timer: Option<Timestamp>,
    /// Futures of waiting tasks, which look at the state themselves once they run.
    wake: Vec<Py<PyAny>>,
    /// That of the task that waits for a message.
    wake_receiver: Option<Py<PyAny>>,
    /// When that task is to run.
    pub(super) when: When,
    answered: Vec<(Py<PyAny>, f64)>,
    unanswered: Vec<Py<PyAny>>,
    trace: Vec<Traced>,
    /// The listener is to be told.
    tell: bool,
}

#[derive(Clone, Copy)]
enum End {
    /// After what the transport still has to write, if the peer may still read it.
    Close,
    /// At once.
    Abort,
}

impl State {
    /// Takes what is to be done. With `flush` off, what the application sent stays until a later call.
    pub(super) fn plan(&mut self, py: Python<'_>, flush: bool) -> Todo {
        let mut todo = Todo::default();
        if !self.lost && self.transport.is_some() {
            self.plan_transport(py, flush, &mut todo);
        }
        let over = self.lost || self.closed.is_some();
        if let Some(receiver) = &mut self.receiver
            && !receiver.woken
            && (over || !self.queue.is_empty())
        {
            receiver.woken = true;
            todo.wake_receiver = Some(receiver.future.clone_ref(py));
        }
        if self.opening_waiter.is_some() && self.opening_is_decided() {
            todo.wake.extend(self.opening_waiter.take());
        }
        if !self.drain_waiters.is_empty() && (over || !self.writing_paused) {
            todo.wake.append(&mut self.drain_waiters);
        }
        if self.lost {
            todo.wake.append(&mut self.lost_waiters);
        }
        if !self.answered.is_empty() {
            todo.answered = mem::take(&mut self.answered);
        }
        if over && !self.pings.is_empty() {
            todo.unanswered = mem::take(&mut self.pings).into_iter().map(|ping| ping.future).collect();
        }
        if let Some(trace) = &mut self.trace {
            todo.trace = mem::take(trace);
        }
        todo.tell = self.listener.as_ref().is_some_and(Listener::is_due);
        let deadline = self.deadline();
        if deadline != self.timer.as_ref().map(|&(at, _)| at) {
            todo.cancel_timer = self.timer.take().map(|(_, handle)| handle);
            todo.arm_timer = deadline;
        }
        todo
    }

    fn plan_transport(&mut self, py: Python<'_>, flush: bool, todo: &mut Todo) {
        // While the transport has more than it can write, output stays in the core, which bounds it: else a peer that
        // pings and never reads would fill the transport's buffer with pongs.
        if flush && !self.writing_paused && !self.transport_ended {
            self.plan_output(py, todo);
        }
        if (self.given_up || self.closed.is_some()) && !mem::replace(&mut self.transport_ended, true) {
            todo.end = Some(if self.given_up { End::Abort } else { End::Close });
        }
        let pause = self.wants_reading_paused();
        if pause != self.transport_paused && !self.transport_ended {
            self.transport_paused = pause;
            todo.pause_reading = Some(pause);
        }
        if todo.write.is_some()
            || todo.direct.is_some()
            || todo.shut
            || todo.end.is_some()
            || todo.pause_reading.is_some()
        {
            todo.transport = self.transport.as_ref().map(|transport| transport.clone_ref(py));
            todo.tls = self.tls.as_ref().map(|tls| tls.clone_ref(py));
        }
    }

    /// Frames that can be written directly stay in the core until nothing is locked.
    fn plan_output(&mut self, py: Python<'_>, todo: &mut Todo) {
        match (&mut self.phase, self.direct) {
            (Phase::Open(core), Some(direct)) if self.head_to_write.is_empty() => match core.poll_transmit() {
                Some(Transmit::Write(segments)) if direct.is_own() => {
                    let count = direct.write(py, &segments);
                    core.transmitted(count);
                    (todo.write, todo.shut) = self.take_output(py);
                }
                Some(Transmit::Write(_)) => (todo.direct, todo.queued) = (Some(direct), self.queued_in_transport),
                Some(Transmit::Shutdown) => todo.shut = true,
                None => {}
            },
            _ => {
                (todo.write, todo.shut) = self.take_output(py);
                self.queued_in_transport |= todo.write.is_some();
            }
        }
    }

    /// Writes to the socket what it takes; returns the rest as `take_output()` does.
    fn write_directly(&mut self, py: Python<'_>, direct: Option<Direct>) -> (Option<Py<PyBytes>>, bool) {
        if let (Phase::Open(core), Some(direct)) = (&mut self.phase, direct)
            && let Some(Transmit::Write(segments)) = core.poll_transmit()
        {
            let count = direct.write(py, &segments);
            core.transmitted(count);
            self.queued_in_transport = false;
        }
        let rest = self.take_output(py);
        self.queued_in_transport |= rest.0.is_some();
        rest
    }

    /// All bytes that are to be written now, as one object, and whether this side of the transport ends after them.
    fn take_output(&mut self, py: Python<'_>) -> (Option<Py<PyBytes>>, bool) {
        let mut output: Option<Bound<'_, PyBytes>> = None;
        if !self.head_to_write.is_empty() {
            output = Some(PyBytes::new(py, &mem::take(&mut self.head_to_write)));
        }
        let mut shut = self.linger.is_some() && !mem::replace(&mut self.refusal_shut, true);
        if let Phase::Open(core) = &mut self.phase {
            loop {
                match core.poll_transmit() {
                    Some(Transmit::Write(segments)) => {
                        output = Some(join(py, output, segments));
                        let count = segments.len();
                        core.transmitted(count);
                    }
                    Some(Transmit::Shutdown) => shut = true,
                    None => break,
                }
            }
        }
        (output.map(Bound::unbind), shut)
    }
}

/// `before` and the segments behind it, in one object: one copy, straight into the memory that the transport is given.
fn join<'py>(py: Python<'py>, before: Option<Bound<'py, PyBytes>>, segments: Segments<'_>) -> Bound<'py, PyBytes> {
    let before = before.as_ref().map_or(&[][..], |before| before.as_bytes());
    let joined = PyBytes::new_with(py, before.len() + segments.len(), |bytes| {
        let (head, mut rest) = bytes.split_at_mut(before.len());
        head.copy_from_slice(before);
        for segment in segments.iter() {
            let (place, behind) = rest.split_at_mut(segment.len());
            place.copy_from_slice(segment);
            rest = behind;
        }
        Ok(())
    });
    joined.expect("enough memory for what is to be written")
}

impl Todo {
    /// Does it all. Nothing is locked.
    pub(super) fn carry_out(self, this: &Bound<'_, AsyncConnection>) -> PyResult<()> {
        let py = this.py();
        for traced in self.trace {
            this.call_method1(intern!(py, "_log_frame"), traced.into_python(py))?;
        }
        if let Some(transport) = &self.transport {
            let transport = transport.bind(py);
            let (mut write, mut shut_now) = (self.write, self.shut);
            if let Some(direct) = self.direct {
                let free = direct.is_free(transport, self.queued);
                (write, shut_now) = this.get().lock(py).write_directly(py, free.then_some(direct));
            }
            if let Some(bytes) = write
                && let Err(error) = match &self.tls {
                    Some(tls) => tls.get().write(bytes.bind(py)),
                    None => transport.call_method1(intern!(py, "write"), (bytes,)).map(drop),
                }
            {
                return AsyncConnection::fail_writing(this, error);
            }
            if shut_now {
                shut(transport);
            }
            if let Some(end) = self.end {
                end_transport(transport, end)?;
            }
            match self.pause_reading {
                Some(true) => drop(transport.call_method0(intern!(py, "pause_reading"))?),
                Some(false) => drop(transport.call_method0(intern!(py, "resume_reading"))?),
                None => {}
            }
        }
        if let Some(handle) = self.cancel_timer {
            handle.call_method0(py, intern!(py, "cancel"))?;
        }
        if let Some(deadline) = self.arm_timer {
            AsyncConnection::arm_timer(this, deadline, deadline.since(now()))?;
        }
        for future in self.wake {
            settle(future.bind(py), intern!(py, "set_result"), py.None().into_bound(py))?;
        }
        for (future, latency) in self.answered {
            settle(future.bind(py), intern!(py, "set_result"), latency.into_pyobject(py)?.into_any())?;
        }
        for future in self.unanswered {
            let future = future.bind(py);
            let closed = AsyncConnection::closed_exception(this).into_value(py).into_bound(py).into_any();
            if settle(future, intern!(py, "set_exception"), closed)? {
                // Marks it as seen: a pong that nobody waits for is not worth a log record.
                future.call_method0(intern!(py, "exception"))?;
            }
        }
        // Last: who is woken may run now, and do anything.
        if let Some(future) = self.wake_receiver {
            let future = future.bind(py);
            match future.cast::<MessageWaiter>() {
                Ok(waiter) => MessageWaiter::wake(waiter, self.when)?,
                Err(_) => drop(settle(future, intern!(py, "set_result"), py.None().into_bound(py))?),
            }
        }
        if self.tell { AsyncConnection::tell(this) } else { Ok(()) }
    }
}

/// Sets a future's outcome, unless its task gave up waiting. Whether it did.
fn settle(
    future: &Bound<'_, PyAny>,
    method: &Bound<'_, pyo3::types::PyString>,
    with: Bound<'_, PyAny>,
) -> PyResult<bool> {
    if future.call_method0(intern!(future.py(), "done"))?.is_truthy()? {
        return Ok(false);
    }
    future.call_method1(method, (with,))?;
    Ok(true)
}

/// Ends this side of the transport: a TCP FIN, or where that can't be done alone (TLS), the whole of it.
fn shut(transport: &Bound<'_, PyAny>) {
    let py = transport.py();
    let half = transport
        .call_method0(intern!(py, "can_write_eof"))
        .and_then(|can| can.is_truthy())
        .and_then(|can| if can { transport.call_method0(intern!(py, "write_eof")).map(|_| true) } else { Ok(false) });
    // A transport that has just failed refuses; it is closing then anyway, and connection_lost() will tell.
    if !half.unwrap_or(true) {
        let _ = transport.call_method0(intern!(py, "close"));
    }
}

fn end_transport(transport: &Bound<'_, PyAny>, end: End) -> PyResult<()> {
    let py = transport.py();
    let abort = match end {
        End::Abort => true,
        // The peer has ended its side, so what it did not read until now it will not: waiting for it could be forever.
        End::Close => {
            let left = transport.call_method0(intern!(py, "get_write_buffer_size"))?;
            left.extract::<usize>()? > 0
        }
    };
    transport.call_method0(if abort { intern!(py, "abort") } else { intern!(py, "close") })?;
    Ok(())
}
