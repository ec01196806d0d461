//! What a task awaits in `recv()` while nothing has come.

use std::mem;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::PyTraverseError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyTuple};

use crate::guarded::Guarded;

/// Waits for a message: a future of asyncio's in all that tasks ask of one. But where a future has its loop call the task
/// in its next turn, this runs the task at once, within the callback of the transport that brought the message: that
/// spares the loop a turn, and a call of the kernel.
#[pyclass(frozen, module = "itoden._native")]
pub(crate) struct MessageWaiter {
    event_loop: Py<PyAny>,
    /// It was given to a task, which has not seen it yet.
    blocking: AtomicBool,
    /// Whoever awaited it goes on.
    resumed: AtomicBool,
    state: Guarded<State>,
}

/// When a task runs that is woken.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum When {
    /// In the loop's next turn.
    #[default]
    NextTurn,
    /// At once, if its loop is the one that runs.
    IfLoopRuns,
    /// At once: only the loop calls what wakes it. Asking for the loop costs a call of the kernel before CPython 3.12.
    AtOnce,
}

#[derive(Default)]
struct State {
    outcome: Outcome,
    /// It was given to whoever drives the coroutine that awaits it.
    yielded: bool,
    callbacks: Vec<Callback>,
}

/// A function to be called with the waiter, and the `contextvars.Context` that it is called in.
type Callback = (Py<PyAny>, Py<PyAny>);

#[derive(Default)]
enum Outcome {
    #[default]
    Pending,
    Woken,
    /// With the message that `cancel()` was given, or `None`.
    Cancelled(Option<Py<PyAny>>),
}

#[pymethods]
impl MessageWaiter {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        let Some(state) = self.state.look() else { return Ok(()) };
        if let Outcome::Cancelled(message) = &state.outcome {
            visit.call(message)?;
        }
        state.callbacks.iter().try_for_each(|(callback, context)| {
            visit.call(callback)?;
            visit.call(context)
        })
    }

    fn __clear__(&self) {
        let Some(mut state) = self.state.look() else { return };
        let before = mem::take(&mut *state);
        drop(state);
        drop(before);
    }

    fn __repr__(&self, py: Python<'_>) -> &'static str {
        match self.lock(py).outcome {
            Outcome::Pending => "<MessageWaiter pending>",
            Outcome::Woken => "<MessageWaiter finished>",
            Outcome::Cancelled(_) => "<MessageWaiter cancelled>",
        }
    }

    // --- an awaitable, and its iterator ---

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Option<Py<Self>>> {
        let (py, waiter) = (slf.py(), slf.get());
        if let Some(outcome) = waiter.outcome(py) {
            waiter.resumed.store(true, Ordering::Relaxed);
            return outcome.map(|()| None);
        }
        if mem::replace(&mut waiter.lock(py).yielded, true) {
            return Err(PyRuntimeError::new_err("await wasn't used with future"));
        }
        waiter.blocking.store(true, Ordering::Relaxed);
        Ok(Some(slf.clone().unbind()))
    }

    // --- asyncio.Future ---

    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Ordering::Relaxed);
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    fn done(&self, py: Python<'_>) -> bool {
        !matches!(self.lock(py).outcome, Outcome::Pending)
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        matches!(self.lock(py).outcome, Outcome::Cancelled(_))
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        self.outcome(py).unwrap_or_else(|| Err(invalid_state(py, "Result is not set.")))
    }

    fn exception(&self, py: Python<'_>) -> PyResult<()> {
        self.outcome(py).unwrap_or_else(|| Err(invalid_state(py, "Exception is not set.")))
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = slf.py();
        let context = match context {
            Some(context) => context,
            None => COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0()?,
        };
        let callback = (callback, context.unbind());
        {
            let mut state = slf.get().lock(py);
            if matches!(state.outcome, Outcome::Pending) {
                state.callbacks.push(callback);
                return Ok(());
            }
        }
        slf.get().schedule(slf, callback)
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: Bound<'_, PyAny>) -> PyResult<usize> {
        // Comparing runs Python code, so not under the lock, and the callbacks stay meanwhile: it may fail, or the message come.
        let all: Vec<_> = self.lock(py).callbacks.iter().map(|(one, _)| one.clone_ref(py)).collect();
        let mut equal = Vec::new();
        for one in all {
            if callback.eq(one.bind(py))? {
                equal.push(one);
            }
        }
        let removed: Vec<_> = {
            let callbacks = &mut self.lock(py).callbacks;
            callbacks.extract_if(.., |(one, _)| equal.iter().any(|equal| equal.is(&*one))).collect()
        };
        Ok(removed.len())
    }

    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        slf.get().settle(slf, Outcome::Cancelled(msg), When::NextTurn)
    }

    fn set_result(slf: &Bound<'_, Self>, result: Bound<'_, PyAny>) -> PyResult<()> {
        let _ = result;
        match slf.get().settle(slf, Outcome::Woken, When::NextTurn)? {
            true => Ok(()),
            false => Err(invalid_state(slf.py(), "invalid state")),
        }
    }

    /// Raises what a task raised that was run at once, in a turn of its own: a transport is not to blame.
    #[staticmethod]
    fn _raise(error: Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyErr::from_value(error))
    }
}

impl MessageWaiter {
    pub(super) fn new(event_loop: Py<PyAny>) -> Self {
        let (blocking, resumed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { event_loop, blocking, resumed, state: Guarded::default() }
    }

    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock(py)
    }

    /// What whoever waits is told, if it is decided.
    fn outcome(&self, py: Python<'_>) -> Option<PyResult<()>> {
        let message = match &self.lock(py).outcome {
            Outcome::Pending => return None,
            Outcome::Woken => return Some(Ok(())),
            Outcome::Cancelled(message) => message.as_ref().map(|message| message.clone_ref(py)),
        };
        Some(Err(cancelled(py, message)))
    }

    /// Wakes the task that waits, unless it has given up.
    ///
    /// Nothing may be locked, and nothing be left to do: the task may do whatever it likes with the connection.
    pub(super) fn wake(this: &Bound<'_, Self>, when: When) -> PyResult<()> {
        this.get().settle(this, Outcome::Woken, when).map(drop)
    }

    /// Whether it was pending.
    fn settle(&self, this: &Bound<'_, Self>, outcome: Outcome, when: When) -> PyResult<bool> {
        let mut callbacks = {
            let mut state = self.lock(this.py());
            if !matches!(state.outcome, Outcome::Pending) {
                return Ok(false);
            }
            state.outcome = outcome;
            mem::take(&mut state.callbacks)
        };
        if when != When::NextTurn
            && callbacks.len() == 1
            && let Some(callback) = callbacks.pop_if(|(callback, _)| self.can_run(callback.bind(this.py()), when))
        {
            self.run(this, callback)?;
        }
        for callback in callbacks {
            self.schedule(this, callback)?;
        }
        Ok(true)
    }

    /// Whether a callback is the next step of a task which may run now: on its own loop, and while no other task runs.
    fn can_run(&self, callback: &Bound<'_, PyAny>, when: When) -> bool {
        static TASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static RUNNING_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = callback.py();
        let can = || -> PyResult<bool> {
            let task = callback.getattr(intern!(py, "__self__"))?;
            Ok(task.is_instance(TASK.import(py, "asyncio", "Task")?)?
                && (when == When::AtOnce
                    || RUNNING_LOOP.import(py, "asyncio", "_get_running_loop")?.call0()?.is(&self.event_loop))
                && current_task(self.event_loop.bind(py))?.is_none())
        };
        can().unwrap_or(false)
    }

    fn run(&self, this: &Bound<'_, Self>, (callback, context): Callback) -> PyResult<()> {
        let py = this.py();
        // The step asks a future for its outcome, which costs much less if it is one of asyncio's own.
        let run = |outcome| context.call_method1(py, intern!(py, "run"), (&callback, outcome));
        let Err(error) = finished_future(py).and_then(run) else { return Ok(()) };
        if !self.resumed.load(Ordering::Relaxed) {
            // It did not begin: somebody is within its context.
            return self.schedule(this, (callback, context));
        }
        // What tasks let through is for the loop, as KeyboardInterrupt is.
        let raise = this.getattr(intern!(py, "_raise"))?;
        self.event_loop.call_method1(py, intern!(py, "call_soon"), (raise, error.into_value(py)))?;
        Ok(())
    }

    /// Has the loop call it in its next turn.
    fn schedule(&self, this: &Bound<'_, Self>, (callback, context): Callback) -> PyResult<()> {
        let py = this.py();
        let options = PyDict::new(py);
        options.set_item(intern!(py, "context"), context)?;
        let args = PyTuple::new(py, [callback.bind(py), this.as_any()])?;
        self.event_loop.call_method(py, intern!(py, "call_soon"), args, Some(&options))?;
        Ok(())
    }
}

/// The task that a loop runs now, or `None`.
fn current_task<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = event_loop.py();
    // Before 3.12 `asyncio.current_task()` is Python, around this dictionary.
    let get = CURRENT.get_or_try_init(py, || {
        let tasks = py.import("asyncio.tasks")?;
        let get = if py.version_info() < (3, 12) {
            tasks.getattr("_current_tasks")?.getattr("get")
        } else {
            tasks.getattr("current_task")
        };
        get.map(Bound::unbind)
    })?;
    get.bind(py).call1((event_loop,))
}

/// A future with the result `None`, of no loop: of one it only asks whether it debugs.
fn finished_future<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
    static FINISHED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let finished = FINISHED.get_or_try_init(py, || {
        let asyncio = py.import("asyncio")?;
        let options = PyDict::new(py);
        let no_loop = PyDict::new(py);
        no_loop.set_item("get_debug", py.get_type::<PyBool>())?;
        options.set_item("loop", py.import("types")?.getattr("SimpleNamespace")?.call((), Some(&no_loop))?)?;
        let future = asyncio.getattr("Future")?.call((), Some(&options))?;
        future.call_method1("set_result", (py.None(),))?;
        PyResult::Ok(future.unbind())
    })?;
    Ok(finished.bind(py))
}

fn cancelled(py: Python<'_>, message: Option<Py<PyAny>>) -> PyErr {
    static CANCELLED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let error = CANCELLED.import(py, "asyncio", "CancelledError").and_then(|class| match message {
        Some(message) => class.call1((message,)),
        None => class.call0(),
    });
    error.map_or_else(|error| error, PyErr::from_value)
}

fn invalid_state(py: Python<'_>, message: &str) -> PyErr {
    static INVALID_STATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let error = INVALID_STATE.import(py, "asyncio", "InvalidStateError").and_then(|class| class.call1((message,)));
    error.map_or_else(|error| error, PyErr::from_value)
}
