//! What the methods of the Python class have in common: locking, doing what a change asks for, waiting, and errors.

use std::sync::MutexGuard;
use std::time::Duration;

use itoden_core::{CloseFrame, SendError, Timestamp};
use pyo3::intern;
use pyo3::prelude::*;

use super::protocol::AsyncConnection;
use super::sending::Taken;
use super::state::{Phase, State};
use super::trace::Traced;
use super::waiter::MessageWaiter;
use crate::errors::{self, Ended};

impl AsyncConnection {
    pub(super) fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock(py)
    }

    /// Changes the state, then does what that asks for.
    pub(super) fn change<R>(this: &Bound<'_, Self>, flush: bool, f: impl FnOnce(&mut State) -> R) -> PyResult<R> {
        let (result, todo) = {
            let state = &mut *this.get().lock(this.py());
            let result = f(state);
            (result, state.plan(this.py(), flush))
        };
        todo.carry_out(this)?;
        Ok(result)
    }

    /// For connections in threads: bytes came, in memory that nobody else looks at.
    #[cfg(unix)]
    pub(crate) fn receive(this: &Bound<'_, Self>, bytes: &mut [u8]) -> PyResult<()> {
        Self::change(this, true, |state| state.receive(this.py(), bytes))
    }

    /// For connections in threads: whether `_take()` has nothing to give and nothing to do.
    pub(crate) fn is_at_rest(&self, py: Python<'_>) -> bool {
        self.lock(py).is_at_rest()
    }

    /// For connections in threads: whether all that can be waited for is something to read.
    #[cfg(unix)]
    pub(crate) fn only_reads(&self, py: Python<'_>) -> bool {
        let state = self.lock(py);
        !state.transport_paused && !state.writing_paused
    }

    pub(super) fn fail_writing(this: &Bound<'_, Self>, error: PyErr) -> PyResult<()> {
        let because = error.into_value(this.py()).into_any();
        let one_too_many = Self::change(this, false, |state| state.fail_writing(because))?;
        drop(one_too_many);
        Ok(())
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

    pub(super) fn event_loop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = self.lock(py).event_loop.as_ref().map(|event_loop| event_loop.clone_ref(py));
        let event_loop = event_loop.ok_or_else(|| errors::raise(py, "InvalidState", "there is no transport yet"))?;
        Ok(event_loop.into_bound(py))
    }

    pub(super) fn create_future(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.event_loop(py)?.call_method0(intern!(py, "create_future"))?.unbind())
    }

    /// What a task can await until a message comes.
    pub(super) fn create_message_waiter(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let event_loop = {
            let state = self.lock(py);
            let event_loop = state.event_loop.as_ref().filter(|_| state.has_tasks);
            event_loop.map(|event_loop| event_loop.clone_ref(py))
        };
        match event_loop {
            Some(event_loop) => Ok(Py::new(py, MessageWaiter::new(event_loop))?.into_any()),
            None => self.create_future(py),
        }
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
                blocked: state.blocked,
            };
            let failure = match &state.closed {
                Some(closed) => closed.failure.as_ref(),
                // It may still close its end.
                None => core.and_then(|core| core.failure()),
            };
            (ended, failure.cloned())
        };
        errors::connection_closed(py, ended, failure.as_ref())
    }

    /// Sends through the core: `true` if it was taken, `false` if the connection is closing.
    pub(super) fn command(
        this: &Bound<'_, Self>,
        command: impl FnOnce(&mut itoden_core::Connection) -> Result<(), SendError>,
        traced: impl FnOnce() -> Traced,
    ) -> PyResult<bool> {
        let py = this.py();
        let taken = {
            let state = &mut *this.get().lock(py);
            let taken = state.command(command);
            if let (Some(trace), Taken::Now | Taken::Later { .. }) = (&mut state.trace, &taken) {
                trace.push(traced());
            }
            taken
        };
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

    pub(crate) fn already_receiving(py: Python<'_>, method: &str) -> PyErr {
        let message = format!("cannot call {method} while another coroutine is already running recv or recv_streaming");
        errors::raise(py, "ConcurrencyError", &message)
    }

    pub(super) fn not_open_yet(py: Python<'_>) -> PyErr {
        errors::raise(py, "InvalidState", "the opening handshake is not done")
    }

    /// What a sender is to wait for: room in the transport, or the end of a connection that is closing.
    pub(super) fn after_command(this: &Bound<'_, Self>, taken: bool) -> PyResult<Option<Py<PyAny>>> {
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
