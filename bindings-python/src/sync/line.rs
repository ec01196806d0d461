//! The native half of `itoden.sync.transport.Transport`: waiting for a message, in as few steps as there can be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

#[cfg(unix)]
use super::reading::Reader;
use super::wheel::{Left, Role, Wheel};
use crate::asyncio::protocol::AsyncConnection;
use crate::errors;

/// Drives a connection over a socket: the part that each message needs. The rest, and whatever is rare, is Python's.
///
/// `lock` is held by whoever changes the connection, and never while waiting.
#[pyclass(frozen, subclass, module = "itoden._native")]
pub(crate) struct Line {
    wheel: Mutex<Wheel>,
    /// A thread is in `recv()`.
    receiving: AtomicBool,
    /// A thread sends a message in fragments. Changed under the lock.
    sending: AtomicBool,
    lock: Py<PyAny>,
    acquire: Py<PyAny>,
    release: Py<PyAny>,
    /// Reads and writes, unless Python has to.
    #[cfg(unix)]
    reader: Option<Reader>,
}

#[pymethods]
impl Line {
    /// `descriptor`: of a socket that can be read here, or `None`. If it is `encrypted`, Python makes of the bytes what the
    /// connection is to be told.
    #[new]
    fn new(py: Python<'_>, descriptor: Option<i32>, encrypted: bool) -> PyResult<Self> {
        let lock = py.import("threading")?.call_method0("RLock")?;
        #[cfg(not(unix))]
        let _ = (descriptor, encrypted);
        Ok(Self {
            wheel: Mutex::default(),
            receiving: AtomicBool::new(false),
            sending: AtomicBool::new(false),
            acquire: lock.getattr("acquire")?.unbind(),
            release: lock.getattr("release")?.unbind(),
            lock: lock.unbind(),
            #[cfg(unix)]
            reader: descriptor.map(|descriptor| Reader::new(descriptor, encrypted)),
        })
    }

    /// Guards the connection and the socket.
    #[getter]
    fn lock(&self, py: Python<'_>) -> Py<PyAny> {
        self.lock.clone_ref(py)
    }

    /// Whether the transport has ended.
    #[getter]
    fn ended(&self) -> bool {
        self.wheel().ended
    }

    #[getter]
    fn _happened(&self) -> u64 {
        self.wheel().happened
    }

    /// How many turns were driven by threads of the application.
    #[getter]
    fn turns(&self) -> u64 {
        self.wheel().turns
    }

    /// Whether the watcher waits for bytes and time of the connection.
    #[getter]
    fn armed(&self) -> bool {
        self.wheel().armed
    }

    #[getter]
    fn _driven(&self) -> bool {
        self.wheel().is_driven()
    }

    // --- receiving ---

    /// Keeps other threads from receiving; `False` if one does.
    fn begin_receiving(&self) -> bool {
        !self.receiving.swap(true, Ordering::Acquire)
    }

    fn end_receiving(&self) {
        self.receiving.store(false, Ordering::Release);
    }

    /// The next message of `connection`; `None` if there was none within so many seconds.
    ///
    /// Raises what `AsyncConnection._take()` raises, and `ConcurrencyError` if another thread receives.
    fn receive<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, AsyncConnection>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Py<PyAny>>> {
        if !slf.get().begin_receiving() {
            return Err(AsyncConnection::already_receiving(slf.py(), "recv"));
        }
        let received = Self::wait_for_message(slf, connection, timeout);
        slf.get().end_receiving();
        received
    }

    // --- sending ---

    /// Sends a message of `connection`, as `AsyncConnection._send()`. Raises `ConcurrencyError` if another thread sends one in
    /// fragments.
    fn send<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, AsyncConnection>,
        message: Bound<'py, PyAny>,
        text: Option<bool>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let (py, this) = (slf.py(), slf.get());
        this.locked(py, || {
            if this.is_sending() {
                return Err(Self::already_sending(py));
            }
            AsyncConnection::_send(connection, message, text)
        })
    }

    /// Keeps other messages from being sent, until `end_sending()`: one in fragments begins.
    fn begin_sending(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        this.locked(py, || {
            if this.sending.swap(true, Ordering::Acquire) { Err(Self::already_sending(py)) } else { Ok(()) }
        })
    }

    fn end_sending(&self) {
        self.sending.store(false, Ordering::Release);
    }

    /// Whether a message is sent in fragments.
    fn is_sending(&self) -> bool {
        self.sending.load(Ordering::Acquire)
    }
    // --- who drives ---

    /// What a thread that waits is to do: 0 to look again, 1 to drive, 2 to write, 3 to follow.
    fn _begin(&self, seen: u64, reading_paused: bool, has_unsent: bool) -> u8 {
        match self.wheel().begin(seen, reading_paused, has_unsent) {
            Role::Looks => 0,
            Role::Drives => 1,
            Role::Pushes => 2,
            Role::Follows => 3,
        }
    }

    /// A turn of the thread that drives, if it waits for something to read only: waits for the socket or the time, so many
    /// seconds at the most, and does what is to be done. `False` if Python has to do it.
    fn _turn<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, AsyncConnection>,
        timeout: Option<f64>,
    ) -> PyResult<bool> {
        #[cfg(unix)]
        if let Some(reader) = &slf.get().reader
            && connection.get().only_reads(slf.py())
        {
            reader.turn(slf, connection, timeout, false)?;
            return Ok(true);
        }
        let _ = (slf, connection, timeout);
        Ok(false)
    }

    fn _stop_following(&self) {
        self.wheel().stop_following();
    }

    /// Has the socket no longer in its hands; nor the wheel, if it drove.
    pub(super) fn _leave(slf: &Bound<'_, Self>, drove: bool, by_application: bool) -> PyResult<()> {
        let py = slf.py();
        let Left { wakes, gives_back, offers } = slf.get().wheel().leave(drove, by_application);
        if wakes {
            slf.call_method0(intern!(py, "_wake"))?;
        }
        if gives_back {
            slf.call_method0(intern!(py, "_give_back"))?;
        }
        if offers {
            slf.call_method0(intern!(py, "_offer"))?;
        }
        Ok(())
    }

    /// Whether there are followers to be told that something happened.
    fn _happen(&self) -> bool {
        self.wheel().happen()
    }

    /// The transport has ended: whether threads have its socket in their hands, and whether it was armed.
    fn _set_ended(&self) -> (bool, bool) {
        self.wheel().end()
    }

    // --- for the watcher ---

    /// Whether the watcher is to look at it from now on, and did not yet.
    fn _heat(&self) -> bool {
        self.wheel().heat()
    }

    /// Begins to drive; `False` if somebody does, or did since the watcher began to watch.
    fn take_wheel(&self) -> bool {
        self.wheel().take()
    }

    fn _cool(&self, turns: u64, has_unsent: bool) -> Option<bool> {
        self.wheel().cool(turns, has_unsent)
    }

    /// The watcher watches it no more; if it is `hot`, it looks at it every now and then.
    #[pyo3(signature = (*, hot))]
    fn disarm(&self, hot: bool) {
        self.wheel().disarm(hot);
    }
}

impl Line {
    pub(super) fn wheel(&self) -> MutexGuard<'_, Wheel> {
        self.wheel.lock().expect("no panic under this lock")
    }

    pub(super) fn locked<R>(&self, py: Python<'_>, f: impl FnOnce() -> PyResult<R>) -> PyResult<R> {
        self.acquire.call0(py)?;
        let result = f();
        self.release.call0(py)?;
        result
    }

    fn already_sending(py: Python<'_>) -> PyErr {
        let message = "cannot call send while another thread is already running send";
        errors::raise(py, "ConcurrencyError", message)
    }

    fn wait_for_message<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, AsyncConnection>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let (py, this) = (slf.py(), slf.get());
        let until = timeout.map(|timeout| Ok::<_, PyErr>(monotonic(py)? + timeout)).transpose()?;
        loop {
            // Read before looking: what happens after it is noticed by whoever then would wait.
            let seen = this.wheel().happened;
            if !connection.get().is_at_rest(py) {
                let taken = this.locked(py, || AsyncConnection::_take(connection))?;
                if taken.is_some() {
                    return Ok(taken);
                }
            }
            let left = until.map(|until| Ok::<_, PyErr>((until - monotonic(py)?).max(0.0))).transpose()?;
            if let Some(taken) = Self::step(slf, connection, seen, left)? {
                return Ok(Some(taken));
            }
            if left == Some(0.0) {
                return this.locked(py, || AsyncConnection::_take(connection));
            }
        }
    }

    /// One turn; a message that came in it, if that is known.
    fn step<'py>(
        slf: &Bound<'py, Self>,
        connection: &Bound<'py, AsyncConnection>,
        seen: u64,
        timeout: Option<f64>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        #[cfg(unix)]
        if let Some(reader) = &slf.get().reader
            && connection.get().only_reads(py)
            && slf.get().wheel().try_drive(seen)
        {
            let taken = reader.turn(slf, connection, timeout, true);
            Self::_leave(slf, true, true)?;
            return taken;
        }
        let _ = connection;
        slf.call_method1(intern!(py, "_step"), (seen, timeout))?;
        Ok(None)
    }

    /// The socket, if what is written needs no TLS.
    #[cfg(unix)]
    pub(crate) fn socket(&self) -> Option<super::socket::Socket> {
        self.reader.as_ref().filter(|reader| !reader.encrypted).map(|reader| reader.socket)
    }
}

/// The clock that the times of timers are told by.
pub(super) fn monotonic(py: Python<'_>) -> PyResult<f64> {
    static MONOTONIC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    MONOTONIC.import(py, "time", "monotonic")?.call0()?.extract()
}
