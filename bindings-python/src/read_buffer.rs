//! The buffer that the connections of a thread read into.
//!
//! An asyncio transport calls `get_buffer()`, reads, and calls `buffer_updated()` with nothing of its loop in between: so
//! do the selector and proactor transports, asyncio's TLS over either, and uvloop. One buffer therefore serves all
//! connections of a thread, and one at rest owns none. A transport that held on to the buffer would mix the bytes of two
//! connections; that is noticed here and refused.
//!
//! Where connections have threads of their own, a buffer for each would be much: those give theirs back after each read.

use std::cell::{RefCell, UnsafeCell};
use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PySlice};

/// As much as asyncio reads at once by itself. A message that lies whole in it is not copied before Python has it.
const SIZE: usize = 256 << 10;

/// Memory that Python may write to.
#[pyclass(frozen, module = "itoden._native")]
struct ReadBuffer {
    bytes: Box<[UnsafeCell<u8>]>,
}

// SAFETY: the bytes are reached only through the buffer protocol, where Python answers for races as it does for a
// bytearray, and through `with_received`, which states its own reasons.
unsafe impl Sync for ReadBuffer {}

#[pymethods]
impl ReadBuffer {
    /// # Safety
    /// Python calls it with a `view` that is valid for writing.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().bytes;
        let (pointer, len) = (bytes.as_ptr().cast_mut(), bytes.len());
        // SAFETY: the memory lives as long as `slf`, which the view keeps alive, and is never moved or resized.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), pointer.cast(), len as ffi::Py_ssize_t, 0, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// A thread's buffer, its one view (making another for each read would cost more than parsing a short message), and the
/// connection that it is lent to.
struct Shared {
    buffer: Py<ReadBuffer>,
    view: Py<PyMemoryView>,
    borrower: usize,
}

impl Shared {
    fn new(py: Python<'_>) -> PyResult<Self> {
        let bytes = (0..SIZE).map(|_| UnsafeCell::new(0)).collect();
        let buffer = Py::new(py, ReadBuffer { bytes })?;
        let view = PyMemoryView::from(buffer.bind(py))?.unbind();
        Ok(Self { buffer, view, borrower: 0 })
    }
}

/// Buffers that were given back, for the next thread that reads: no more than read at the same time.
static SPARE: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// More than this are not kept.
const KEPT: usize = 16;

/// Whoever has them locked neither runs Python code nor lets others run, so that nobody waits long, nor while a process forks.
fn spares() -> MutexGuard<'static, Vec<Shared>> {
    SPARE.lock().expect("no panic under this lock")
}

thread_local! {
    static SHARED: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// The buffer of this thread, for the connection that `borrower` names until another asks.
pub(crate) fn lend(py: Python<'_>, borrower: usize) -> PyResult<Py<PyMemoryView>> {
    let mine = SHARED.with_borrow_mut(|shared| {
        let shared = shared.as_mut()?;
        shared.borrower = borrower;
        Some(shared.view.clone_ref(py))
    });
    if let Some(view) = mine {
        return Ok(view);
    }
    // Made while nothing is borrowed: making objects can run Python code, by way of the garbage collector.
    let spare = spares().pop();
    let fresh = Shared { borrower, ..spare.map_or_else(|| Shared::new(py), Ok)? };
    let view = fresh.view.clone_ref(py);
    let before = SHARED.replace(Some(fresh));
    drop(before);
    Ok(view)
}

/// Gives the buffer of this thread to the next one that reads.
#[pyfunction]
pub(crate) fn give_buffer_back() {
    let Some(mut shared) = SHARED.take() else { return };
    shared.borrower = 0;
    let mut spare = spares();
    if spare.len() < KEPT {
        spare.push(shared);
    } else {
        drop(spare);
        drop(shared);
    }
}

/// The first `count` bytes, which the transport of `borrower` has just read, to be copied at once.
pub(crate) fn view_received(py: Python<'_>, borrower: usize, count: usize) -> PyResult<Bound<'_, PyAny>> {
    let view = take_back(borrower, |shared| shared.view.clone_ref(py))?;
    let end = isize::try_from(count).unwrap_or(isize::MAX);
    view.bind(py).get_item(PySlice::new(py, 0, end, 1))
}

/// Gives `receive` the first `count` bytes, which the transport of `borrower` has just read.
///
/// `receive` must not run Python code: it may make `bytes` and `str` objects, but not call methods or drop objects whose
/// end could.
pub(crate) fn with_received<R>(
    py: Python<'_>,
    borrower: usize,
    count: usize,
    receive: impl FnOnce(&mut [u8]) -> R,
) -> PyResult<R> {
    let buffer = take_back(borrower, |shared| shared.buffer.clone_ref(py))?;
    let bytes = &buffer.get().bytes;
    if count > bytes.len() {
        let message = format!("nbytes is {count}, but the buffer has {} bytes", bytes.len());
        return Err(PyValueError::new_err(message));
    }
    // SAFETY: `count` bytes from the start lie in the buffer, which `buffer` keeps alive. Nothing else reaches them while
    // the slice lives: this thread runs only `receive`, which runs no Python code, and other threads are never given this
    // thread's buffer.
    let received = unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr().cast_mut().cast::<u8>(), count) };
    Ok(receive(received))
}

/// Ends a loan, of which `what` is asked.
fn take_back<R>(borrower: usize, what: impl FnOnce(&Shared) -> R) -> PyResult<R> {
    SHARED.with_borrow_mut(|shared| match shared {
        Some(shared) if shared.borrower == borrower => {
            shared.borrower = 0;
            Ok(what(shared))
        }
        _ => Err(PyRuntimeError::new_err(
            "buffer_updated() must follow get_buffer() at once and on the same thread; \
             this transport kept the buffer while another connection was given it",
        )),
    })
}
