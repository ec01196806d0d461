//! Turns of those who drive: waiting for bytes, reading them, and handing them to the connection.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::line::{Line, monotonic};
use super::socket::{ReceiveTimeout, Socket};
use crate::asyncio::protocol::AsyncConnection;

/// Who waits has room for so much on its stack. A buffer for more is taken when there is something to be read, or before, if there
/// was more the last time and few wait with one.
const FIRST: usize = 16 << 10;

/// A message that lies whole in so much is not copied before Python has it.
const MANY: usize = 256 << 10;

/// Buffers for what is more than `FIRST`.
static SPARE: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());

type Buffer = Box<[MaybeUninit<u8>]>;

/// More than this are not kept, nor held by threads that wait.
const KEPT: usize = 16;

/// How many threads wait with a buffer.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// One of them.
struct Waiting;

impl Waiting {
    fn begin() -> Option<Self> {
        let few = |waiting| (waiting < KEPT).then_some(waiting + 1);
        WAITING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, few).ok().map(|_| Self)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn take_buffer() -> Buffer {
    let spare = SPARE.lock().expect("no panic under this lock").pop();
    // It takes memory only where it is written to.
    spare.unwrap_or_else(|| Box::new_uninit_slice(MANY))
}

fn give_back(buffer: Buffer) {
    let mut kept = SPARE.lock().expect("no panic under this lock");
    if kept.len() < KEPT {
        kept.push(buffer);
    }
}

/// Reads the socket of a connection; only the thread that drives does.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) socket: Socket,
    /// Python makes of the bytes what the connection is to be told: there is TLS.
    pub(super) encrypted: bool,
    /// More than `FIRST` came the last time.
    many: AtomicBool,
    timeout: ReceiveTimeout,
}

impl Reader {
    pub(super) fn new(descriptor: i32, encrypted: bool) -> Self {
        Self {
            socket: Socket::new(descriptor),
            encrypted,
            many: AtomicBool::new(false),
            timeout: ReceiveTimeout::default(),
        }
    }

    /// Waits for the socket or the time, so many seconds at the most, and does what is to be done. A message that came, or
    /// `None` if none did; or nobody is there who `takes` it.
    pub(super) fn turn<'py>(
        &self,
        line: &Bound<'py, Line>,
        connection: &Bound<'py, AsyncConnection>,
        timeout: Option<f64>,
        takes: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let py = line.py();
        let timer = line.getattr(intern!(py, "timer"))?;
        let (mut wait, mut is_due) = (timeout, false);
        if !timer.is_none() {
            let when: f64 = timer.getattr(intern!(py, "when"))?.extract()?;
            let left = (when - monotonic(py)?).max(0.0);
            wait = Some(timeout.map_or(left, |timeout| timeout.min(left)));
            is_due = left == 0.0;
        }
        // Rounded up, or what is due in less than a millisecond would be waited for without a pause.
        let milliseconds = wait.map(|seconds| (seconds * 1000.0).ceil() as u32);
        let waiting = if self.many.load(Ordering::Relaxed) { Waiting::begin() } else { None };
        let taken = if let Some(waiting) = waiting {
            let mut buffer = take_buffer();
            let came = py.detach(|| self.socket.receive_within(&mut buffer, milliseconds, &self.timeout));
            drop(waiting);
            let taken = self.turned(line, connection, came, takes);
            give_back(buffer);
            taken
        } else {
            let mut buffer = [MaybeUninit::<u8>::uninit(); FIRST];
            let came = py.detach(|| self.socket.receive_within(&mut buffer, milliseconds, &self.timeout));
            self.turned(line, connection, came, takes)
        }?;
        // What becomes due while bytes are read is done in the next turn.
        if is_due || (taken.is_none() && !timer.is_none()) {
            line.call_method0(intern!(py, "_tick"))?;
        }
        Ok(taken)
    }

    /// Does what is to be done after the waiting.
    fn turned<'py>(
        &self,
        line: &Bound<'py, Line>,
        connection: &Bound<'py, AsyncConnection>,
        came: io::Result<&mut [u8]>,
        takes: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let py = line.py();
        match came {
            Ok([]) => line.call_method0(intern!(py, "_receive_end")).map(|_| None),
            Ok(bytes) if self.encrypted => Self::hand_in_encrypted(line, connection, bytes, takes),
            Ok(bytes) if bytes.len() == FIRST => self.read_more(line, connection, bytes, takes),
            Ok(bytes) => {
                self.many.store(bytes.len() > FIRST, Ordering::Relaxed);
                Self::hand_in(line, connection, bytes, takes)
            }
            Err(error) => Self::tell_error(line, error).map(|()| None),
        }
    }

    /// There may be more than what was read `first`.
    fn read_more<'py>(
        &self,
        line: &Bound<'py, Line>,
        connection: &Bound<'py, AsyncConnection>,
        first: &[u8],
        takes: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let mut buffer = take_buffer();
        let bytes = line.py().detach(|| self.socket.receive_behind(first, &mut buffer));
        self.many.store(bytes.len() > FIRST, Ordering::Relaxed);
        let taken = Self::hand_in(line, connection, bytes, takes);
        give_back(buffer);
        taken
    }

    fn hand_in<'py>(
        line: &Bound<'py, Line>,
        connection: &Bound<'py, AsyncConnection>,
        bytes: &mut [u8],
        takes: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let this = line.get();
        this.locked(line.py(), || {
            if this.wheel().ended {
                return Ok(None);
            }
            AsyncConnection::receive(connection, bytes)?;
            if takes { AsyncConnection::_take(connection) } else { Ok(None) }
        })
    }

    fn hand_in_encrypted<'py>(
        line: &Bound<'py, Line>,
        connection: &Bound<'py, AsyncConnection>,
        bytes: &[u8],
        takes: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let (py, this) = (line.py(), line.get());
        this.locked(py, || {
            if this.wheel().ended {
                return Ok(None);
            }
            line.call_method1(intern!(py, "_receive_encrypted"), (PyBytes::new(py, bytes), bytes.len() == FIRST))?;
            if takes { AsyncConnection::_take(connection) } else { Ok(None) }
        })
    }

    fn tell_error(line: &Bound<'_, Line>, error: io::Error) -> PyResult<()> {
        let py = line.py();
        match error.kind() {
            ErrorKind::WouldBlock => Ok(()),
            ErrorKind::Interrupted => py.check_signals(),
            _ => line.call_method1(intern!(py, "_fail_reading"), (PyErr::from(error),)).map(drop),
        }
    }
}
