//! TLS between a transport and a connection: the part of `itoden.asyncio.tls` that every record passes.
//!
//! It drives OpenSSL by way of the module `ssl`, by a few native calls for what comes and for what goes. Handshakes, the
//! end, and whatever else is rare, are Python's: methods of `TLSTransport`.

use std::mem;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::PyTraverseError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyMemoryView, PySlice};

use super::direct::Direct;
use super::protocol::AsyncConnection;
use crate::guarded::Guarded;
use crate::read_buffer;

/// How many bytes are encrypted before they are written, and passed on at once to a protocol that brings no buffer.
const PIECE: usize = 256 << 10;

/// The protocol of the transport below, which sees ciphertext: that of `itoden.asyncio.tls.TLSTransport`.
#[pyclass(frozen, subclass, module = "itoden._native")]
pub(crate) struct TlsRecords {
    ssl: Ssl,
    links: Guarded<Links>,
    opened: AtomicBool,
    paused: AtomicBool,
    closing: AtomicBool,
    holding: AtomicBool,
    /// The transport below was given something to write, and may not have written it all.
    queued: AtomicBool,
}

/// Methods of an `ssl.SSLObject` and of its two `ssl.MemoryBIO`, bound.
struct Ssl {
    read: Py<PyAny>,
    write: Py<PyAny>,
    pending: Py<PyAny>,
    incoming: Py<PyAny>,
    feed: Py<PyAny>,
    outgoing: Py<PyAny>,
    take: Py<PyAny>,
}

/// Who is above and below. What was ended is let go of, so that no cycle outlives it for long.
#[derive(Default)]
struct Links {
    /// The `TLSTransport`.
    owner: Option<Py<PyAny>>,
    protocol: Option<Protocol>,
    raw: Option<Py<PyAny>>,
    direct: Option<Direct>,
}

/// Who is told plaintext.
enum Protocol {
    /// One of this package, which is called without a way through Python.
    Own(Py<AsyncConnection>),
    /// An `asyncio.BufferedProtocol`.
    Buffered(Py<PyAny>),
    /// An `asyncio.Protocol`.
    Plain(Py<PyAny>),
}

impl Protocol {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Own(connection) => Self::Own(connection.clone_ref(py)),
            Self::Buffered(protocol) => Self::Buffered(protocol.clone_ref(py)),
            Self::Plain(protocol) => Self::Plain(protocol.clone_ref(py)),
        }
    }
}

/// Why no more plaintext came than came.
enum Stop {
    /// There is no room for more.
    Full,
    /// There is no more ciphertext.
    Dry,
    /// A record is not whole yet.
    Incomplete,
    /// The peer ended its side with a close_notify.
    Over,
    /// `ssl.SSLError`: what follows is no record, or was changed on its way.
    Failed(PyErr),
}

#[pymethods]
impl TlsRecords {
    /// `tls`: what `incoming` and `outgoing`, each an `ssl.MemoryBIO`, were given to.
    #[new]
    #[pyo3(signature = (tls, incoming, outgoing))]
    fn new(tls: Bound<'_, PyAny>, incoming: Bound<'_, PyAny>, outgoing: Bound<'_, PyAny>) -> PyResult<Self> {
        let py = tls.py();
        // An `ssl.SSLObject` is Python around one that is not.
        let inner = tls.getattr_opt(intern!(py, "_sslobj"))?.unwrap_or(tls);
        let method = |of: &Bound<'_, PyAny>, name: &str| of.getattr(name).map(Bound::unbind);
        let ssl = Ssl {
            read: method(&inner, "read")?,
            write: method(&inner, "write")?,
            pending: method(&inner, "pending")?,
            feed: method(&incoming, "write")?,
            incoming: incoming.unbind(),
            take: method(&outgoing, "read")?,
            outgoing: outgoing.unbind(),
        };
        let [opened, paused, closing, holding, queued] = [const { AtomicBool::new(false) }; 5];
        Ok(Self { ssl, links: Guarded::default(), opened, paused, closing, holding, queued })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ssl { read, write, pending, incoming, feed, outgoing, take } = &self.ssl;
        for one in [read, write, pending, incoming, feed, outgoing, take] {
            visit.call(one)?;
        }
        let Some(links) = self.links.look() else { return Ok(()) };
        visit.call(&links.owner)?;
        visit.call(&links.raw)?;
        match &links.protocol {
            Some(Protocol::Own(connection)) => visit.call(connection),
            Some(Protocol::Buffered(protocol) | Protocol::Plain(protocol)) => visit.call(protocol),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let Some(mut links) = self.links.look() else { return };
        let before = mem::take(&mut *links);
        drop(links);
        drop(before);
    }

    /// The handshake is done.
    #[getter]
    fn opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    #[setter(opened)]
    fn set_opened(&self, opened: bool) {
        self.opened.store(opened, Ordering::Relaxed);
    }

    /// The protocol above is to be told of nothing.
    #[getter]
    fn paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    #[setter(paused)]
    fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Nothing more is told to the protocol above, nor taken from it.
    #[getter]
    fn closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    #[setter(closing)]
    fn set_closing(&self, closing: bool) {
        self.closing.store(closing, Ordering::Relaxed);
    }

    /// The owner holds plaintext that waits for what the peer has to say first.
    #[getter]
    fn holding(&self) -> bool {
        self.holding.load(Ordering::Relaxed)
    }

    #[setter(holding)]
    fn set_holding(&self, holding: bool) {
        self.holding.store(holding, Ordering::Relaxed);
    }

    /// Whose methods are called for what is rare.
    fn belong_to(&self, owner: Bound<'_, PyAny>) {
        let before = self.lock(owner.py()).owner.replace(owner.unbind());
        drop(before);
    }

    /// The one that it belongs to. Raises `RuntimeError` before `belong_to()`.
    #[getter]
    fn owner<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let owner = self.lock(py).owner.as_ref().map(|owner| owner.clone_ref(py));
        owner.map(|owner| owner.into_bound(py)).ok_or_else(|| PyRuntimeError::new_err("this belongs to no transport"))
    }

    /// Who is told plaintext from now on.
    fn tell(&self, protocol: Bound<'_, PyAny>) -> PyResult<()> {
        static BUFFERED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = protocol.py();
        let protocol = match protocol.cast_into::<AsyncConnection>() {
            Ok(connection) => Protocol::Own(connection.unbind()),
            Err(other) => {
                let other = other.into_inner();
                let buffered = other.is_instance(BUFFERED.import(py, "asyncio", "BufferedProtocol")?)?;
                if buffered { Protocol::Buffered(other.unbind()) } else { Protocol::Plain(other.unbind()) }
            }
        };
        let before = self.lock(py).protocol.replace(protocol);
        drop(before);
        Ok(())
    }

    /// What ciphertext is written to.
    fn write_to(&self, raw: Bound<'_, PyAny>) {
        let py = raw.py();
        let direct = Direct::of(&raw);
        let before = {
            let links = &mut *self.lock(py);
            links.direct = direct;
            links.raw.replace(raw.unbind())
        };
        // Nobody knows what was written to it before.
        self.queued.store(true, Ordering::Relaxed);
        drop(before);
    }

    /// Where the transport below is to read into.
    fn get_buffer(slf: &Bound<'_, Self>, sizehint: isize) -> PyResult<Py<PyMemoryView>> {
        let _ = sizehint;
        read_buffer::lend(slf.py(), slf.as_ptr().addr())
    }

    /// The transport below has read `nbytes` into it.
    fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        let (py, records) = (slf.py(), slf.get());
        let ciphertext = read_buffer::view_received(py, slf.as_ptr().addr(), nbytes)?;
        // It is copied: the buffer is free for plaintext.
        records.ssl.feed.call1(py, (ciphertext,))?;
        if records.opened() && !records.closing() {
            return records.read(py);
        }
        records.owner(py)?.call_method0(intern!(py, "_advance"))?;
        Ok(())
    }

    /// Tells the protocol above what has come, until it pauses.
    fn read(&self, py: Python<'_>) -> PyResult<()> {
        if self.holding() {
            self.owner(py)?.call_method0(intern!(py, "_write_held"))?;
        }
        while !self.paused() && !self.closing() {
            let protocol = self.lock(py).protocol.as_ref().map(|protocol| protocol.clone_ref(py));
            let Some(protocol) = protocol else { return Ok(()) };
            let (count, stop) = match &protocol {
                Protocol::Own(connection) => {
                    let connection = connection.bind(py);
                    let buffer = AsyncConnection::get_buffer(connection, -1)?;
                    let (count, stop) = self.decrypt_into(buffer.bind(py))?;
                    if count > 0 {
                        AsyncConnection::buffer_updated(connection, count)?;
                    }
                    (count, stop)
                }
                Protocol::Buffered(protocol) => {
                    let buffer = protocol.call_method1(py, intern!(py, "get_buffer"), (-1,))?;
                    let buffer = PyMemoryView::from(buffer.bind(py))?;
                    let (count, stop) = self.decrypt_into(&buffer)?;
                    if count > 0 {
                        protocol.call_method1(py, intern!(py, "buffer_updated"), (count,))?;
                    }
                    (count, stop)
                }
                Protocol::Plain(protocol) => {
                    let (data, stop) = self.decrypt(py)?;
                    let count = data.len()?;
                    if count > 0 {
                        protocol.call_method1(py, intern!(py, "data_received"), (data,))?;
                    }
                    (count, stop)
                }
            };
            match stop {
                Stop::Full if count > 0 && self.has_more(py)? => {}
                Stop::Full | Stop::Dry | Stop::Incomplete => break,
                Stop::Over => return self.owner(py)?.call_method0(intern!(py, "_end")).map(drop),
                Stop::Failed(error) => return self.fail(py, error),
            }
        }
        // Answers of TLS itself, like those to key updates (RFC 8446 §4.6.3).
        self.flush(py)
    }

    /// Encrypts bytes and writes them, behind what the owner holds; drops them once it closes.
    pub(super) fn write(&self, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        if self.closing() {
            return Ok(());
        }
        if self.holding() {
            return self.owner(data.py())?.call_method1(intern!(data.py(), "_hold"), (data,)).map(drop);
        }
        self.encrypt(data)
    }

    /// Encrypts bytes and writes them. What can't be encrypted before the peer has said something, in the middle of a new
    /// handshake as TLS 1.2 has them, is given to the owner's `_hold()`.
    fn encrypt(&self, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (py, size) = (data.py(), data.as_bytes().len());
        let part = |from: usize, to: usize| slice(&PyMemoryView::from(data)?, from, to);
        let mut done = 0;
        while done < size {
            let to = size.min(done + PIECE);
            let piece = if (done, to) == (0, size) { data.as_any().clone() } else { part(done, to)? };
            match self.ssl.write.bind(py).call1((piece,)) {
                // The module may let OpenSSL write less than all: a record at a time.
                Ok(count) => done += count.extract::<usize>()?,
                Err(error) if error.is_instance(py, want_read(py)?) => {
                    let rest = PyBytes::new(py, &data.as_bytes()[done..]);
                    self.owner(py)?.call_method1(intern!(py, "_hold"), (rest,))?;
                    break;
                }
                Err(error) if error.is_instance(py, ssl_error(py)?) => return self.fail(py, error),
                Err(error) => return Err(error),
            }
            if done < size && self.ssl.outgoing.bind(py).getattr(intern!(py, "pending"))?.extract::<usize>()? >= PIECE {
                self.flush(py)?;
            }
        }
        self.flush(py)
    }

    /// Writes the ciphertext that there is.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let data = self.ssl.take.bind(py).call0()?.cast_into::<PyBytes>()?;
        let bytes = data.as_bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        let (raw, direct) = {
            let links = &*self.lock(py);
            (links.raw.as_ref().map(|raw| raw.clone_ref(py)), links.direct)
        };
        let Some(raw) = raw else { return Ok(()) };
        let raw = raw.bind(py);
        let mut written = 0;
        if let Some(direct) = direct
            && direct.is_free(raw, self.queued.load(Ordering::Relaxed))
        {
            written = direct.write_bytes(bytes);
            self.queued.store(false, Ordering::Relaxed);
        }
        // One that is closing takes nothing any more, and some of them say so by an error.
        if written < bytes.len() && !raw.call_method0(intern!(py, "is_closing"))?.is_truthy()? {
            self.queued.store(true, Ordering::Relaxed);
            let rest = if written == 0 { data } else { PyBytes::new(py, &bytes[written..]) };
            raw.call_method1(intern!(py, "write"), (rest,))?;
        }
        Ok(())
    }
}

impl TlsRecords {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Links> {
        self.links.lock(py)
    }

    fn fail(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        self.owner(py)?.call_method1(intern!(py, "_fail"), (error.into_value(py),)).map(drop)
    }

    /// Whether there is ciphertext that was not decrypted, or plaintext that there was no room for.
    fn has_more(&self, py: Python<'_>) -> PyResult<bool> {
        let pending = |found: PyResult<Py<PyAny>>| found?.is_truthy(py);
        Ok(pending(self.ssl.incoming.getattr(py, intern!(py, "pending")))? || pending(self.ssl.pending.call0(py))?)
    }

    /// Fills a buffer, record by record (RFC 8446 §5.1: 2^14 bytes at most), until it is full or no more came.
    fn decrypt_into(&self, buffer: &Bound<'_, PyMemoryView>) -> PyResult<(usize, Stop)> {
        let (py, size) = (buffer.py(), buffer.len()?);
        let mut count = 0;
        loop {
            let room = if count == 0 { buffer.as_any().clone() } else { slice(buffer, count, size)? };
            match self.ssl.read.bind(py).call1((size - count, room)) {
                Ok(more) => match more.extract::<usize>()? {
                    0 => return Ok((count, Stop::Over)),
                    more => count += more,
                },
                Err(error) => return Ok((count, stop(py, error)?)),
            }
            if count >= size {
                return Ok((count, Stop::Full));
            }
            if !self.has_more(py)? {
                return Ok((count, Stop::Dry));
            }
        }
    }

    /// As much as one record has.
    fn decrypt<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Stop)> {
        match self.ssl.read.bind(py).call1((PIECE,)) {
            Ok(data) => {
                let stop = if data.is_empty()? { Stop::Over } else { Stop::Full };
                Ok((data, stop))
            }
            Err(error) => Ok((PyBytes::new(py, b"").into_any(), stop(py, error)?)),
        }
    }
}

/// What an error of reading means.
fn stop(py: Python<'_>, error: PyErr) -> PyResult<Stop> {
    if error.is_instance(py, want_read(py)?) {
        return Ok(Stop::Incomplete);
    }
    if error.is_instance(py, ssl_error(py)?) { Ok(Stop::Failed(error)) } else { Err(error) }
}

fn slice<'py>(view: &Bound<'py, PyMemoryView>, from: usize, to: usize) -> PyResult<Bound<'py, PyAny>> {
    let [from, to] = [from, to].map(|at| isize::try_from(at).unwrap_or(isize::MAX));
    view.get_item(PySlice::new(view.py(), from, to, 1))
}

fn want_read(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASS.import(py, "ssl", "SSLWantReadError")
}

fn ssl_error(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASS.import(py, "ssl", "SSLError")
}
