//! A lock around what an object of Python's holds, that the garbage collector can look through.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::sync::MutexExt;

/// A value that is changed under a lock.
///
/// The garbage collector looks at each object several times, and takes away what it was told of the first time and not
/// again. So it must be told the same each time. While it runs, no other thread is attached to the interpreter; but one that
/// waits for the lock is not, and would have it from one look to the next. Therefore those are counted, by threads that
/// are attached.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T> {
    value: Mutex<T>,
    waiting: AtomicU32,
}

impl<T> Guarded<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value: Mutex::new(value), waiting: AtomicU32::new(0) }
    }

    /// Waits for the lock, if need be detached from the interpreter. It is to be given back while attached.
    pub(crate) fn lock(&self, py: Python<'_>) -> MutexGuard<'_, T> {
        if let Ok(guard) = self.value.try_lock() {
            return guard;
        }
        // What orders these for other threads is that they are attached one after the other, or stopped.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let locked = self.value.lock_py_attached(py);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        locked.expect("no panic under this lock")
    }

    /// For the garbage collector: `None` if it is in use, and so not to be collected.
    pub(crate) fn look(&self) -> Option<MutexGuard<'_, T>> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            return None;
        }
        self.value.try_lock().ok()
    }
}
