//! Turns of those who drive: waiting for bytes, reading them, and handing them to the connection.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::sync::Mutex;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::line::{Line, monotonic};
use super::socket::{ReceiveTimeout, Socket};
use crate::asyncio::protocol::AsyncConnection;

/// Who waits has room for so much on its stack: buffers for whole messages are held only while there is something to be read.
const FIRST: usize = 16 << 10;

/// A message that lies whole in so much is not copied before Python has it.
const MANY: usize = 256 << 10;

/// Buffers for what is more than `FIRST`: no more than are read into at the same time.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// More than this are not kept.
const KEPT: usize = 16;

/// Reads the socket of a connection; only the thread that drives does.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) socket: Socket,
    /// Python makes of the bytes what the connection is to be told: there is TLS.
    pub(super) encrypted: bool,
    timeout: ReceiveTimeout,
}

impl Reader {
    pub(super) fn new(descriptor: i32, encrypted: bool) -> Self {
        Self { socket: Socket::new(descriptor), encrypted, timeout: ReceiveTimeout::default() }
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
        let mut wait = timeout;
        if !timer.is_none() {
            let when: f64 = timer.getattr(intern!(py, "when"))?.extract()?;
            let left = (when - monotonic(py)?).max(0.0);
            wait = Some(timeout.map_or(left, |timeout| timeout.min(left)));
        }
        let mut first = [MaybeUninit::<u8>::uninit(); FIRST];
        // Rounded up, or what is due in less than a millisecond would be waited for without a pause.
        let milliseconds = wait.map(|seconds| (seconds * 1000.0).ceil() as u32);
        let came = py.detach(|| self.socket.receive_within(&mut first, milliseconds, &self.timeout));
        let taken = match came {
            Ok([]) => {
                line.call_method0(intern!(py, "_receive_end"))?;
                None
            }
            Ok(bytes) if self.encrypted => Self::hand_in_encrypted(line, connection, bytes, takes)?,
            Ok(bytes) if bytes.len() < FIRST => Self::hand_in(line, connection, bytes, takes)?,
            Ok(bytes) => self.read_more(line, connection, bytes, takes)?,
            Err(error) => {
                Self::tell_error(line, error)?;
                None
            }
        };
        // Time is looked at when nothing came, and when it is due: so often a turn begins.
        if taken.is_none() && !timer.is_none() {
            line.call_method0(intern!(py, "_tick"))?;
        }
        Ok(taken)
    }

    /// There may be more than what was read `first`.
    fn read_more<'py>(
        &self,
        line: &Bound<'py, Line>,
        connection: &Bound<'py, AsyncConnection>,
        first: &[u8],
        takes: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let spare = SPARE.lock().expect("no panic under this lock").pop();
        // The system gives zeros that take memory only where they are written to.
        let mut buffer = spare.unwrap_or_else(|| vec![0; MANY]);
        let more = line.py().detach(|| {
            let (start, rest) = buffer.split_at_mut(first.len());
            start.copy_from_slice(first);
            self.socket.receive_now(rest)
        });
        // An end or an error comes again when it is asked for again.
        let count = first.len() + more.unwrap_or(0);
        let taken = Self::hand_in(line, connection, &mut buffer[..count], takes);
        let mut kept = SPARE.lock().expect("no panic under this lock");
        if kept.len() < KEPT {
            kept.push(buffer);
        }
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
