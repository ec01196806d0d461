//! Writing to the socket itself while its transport has nothing to write.
//!
//! A transport's `write()` costs more than the system call below it: asyncio's is Python, and uvloop's waits for the end
//! of the loop's turn. What the socket does not take at once is the transport's, and so is every error.

#[cfg(unix)]
use std::io::{IoSlice, Write};
#[cfg(unix)]
use std::mem::ManuallyDrop;
#[cfg(unix)]
use std::net::TcpStream;
#[cfg(unix)]
use std::os::fd::{FromRawFd, RawFd};

use itoden_core::Segments;
#[cfg(unix)]
use pyo3::intern;
use pyo3::prelude::*;

#[cfg(unix)]
use crate::sync::line::Line;
#[cfg(unix)]
use crate::sync::socket::Socket;

/// Classes of transports that write plain bytes to the socket that they show, with the modules that they are from.
#[cfg(unix)]
const PLAIN: [(&str, &str); 3] = [
    ("asyncio.selector_events", "_SelectorSocketTransport"),
    ("uvloop.loop", "TCPTransport"),
    ("uvloop.loop", "UnixTransport"),
];

/// Bytes that are written by a thread while it lets others run.
#[cfg(unix)]
const MUCH: usize = 16 << 10;

/// The descriptor of a transport's socket, if it can be written to beside the transport.
#[derive(Clone, Copy)]
pub(super) struct Direct {
    #[cfg(unix)]
    descriptor: RawFd,
    /// It is a connection's in threads, which nothing else writes to while the connection has leave to.
    #[cfg(unix)]
    own: bool,
}

#[cfg(unix)]
impl Direct {
    pub(super) fn of(transport: &Bound<'_, PyAny>) -> Option<Self> {
        if let Ok(line) = transport.cast::<Line>() {
            let socket = line.get().socket()?;
            return Some(Self { descriptor: socket.descriptor(), own: true });
        }
        let class = transport.get_type();
        let (module, name) = (class.module().ok()?, class.name().ok()?);
        if !PLAIN.iter().any(|&(in_module, named)| module == in_module && name == named) {
            return None;
        }
        let socket = transport.call_method1("get_extra_info", ("socket",)).ok()?;
        let descriptor: RawFd = socket.call_method0("fileno").ok()?.extract().ok()?;
        (descriptor >= 0).then_some(Self { descriptor, own: false })
    }

    /// Whether the socket can be written to whenever the connection's output is polled, without asking the transport.
    pub(super) const fn is_own(self) -> bool {
        self.own
    }

    /// Whether the transport has nothing to write and its socket is open. `queued`: something was left to the transport, and
    /// it had not written it all when it was last asked.
    pub(super) fn is_free(self, transport: &Bound<'_, PyAny>, queued: bool) -> bool {
        let ask = |method| transport.call_method0(method).and_then(|answer| answer.is_truthy());
        let py = transport.py();
        let closing = ask(intern!(py, "is_closing")).unwrap_or(true);
        let waiting = queued && ask(intern!(py, "get_write_buffer_size")).unwrap_or(true);
        !closing && !waiting
    }

    /// Writes from the beginning of `segments` and returns how many bytes the socket took: 0 if it is the transport's turn.
    ///
    /// `is_free()` must have said so, and no Python code may have run since.
    pub(super) fn write(self, py: Python<'_>, segments: &Segments<'_>) -> usize {
        let mut slices = [IoSlice::new(&[]); 8];
        let count = segments.fill(&mut slices);
        if self.own {
            let (socket, slices) = (Socket::new(self.descriptor), &slices[..count]);
            // Copying much takes a while, in which other threads can run.
            let written =
                if segments.len() < MUCH { socket.send_now(slices) } else { py.detach(|| socket.send_now(slices)) };
            return written.unwrap_or(0);
        }
        let mut socket = self.borrow();
        let written = match &slices[..count] {
            [only] => socket.write(only),
            several => socket.write_vectored(several),
        };
        written.unwrap_or(0)
    }

    /// As `write()`, of bytes in one piece to a transport of the loop.
    pub(super) fn write_bytes(self, bytes: &[u8]) -> usize {
        self.borrow().write(bytes).unwrap_or(0)
    }

    /// The socket, for one call.
    fn borrow(self) -> ManuallyDrop<TcpStream> {
        // SAFETY: the transport, which is not closing, owns the descriptor and keeps it open; it is of a stream socket
        // that does not block. `ManuallyDrop` leaves closing it to the transport, and nothing runs in between that could.
        ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(self.descriptor) })
    }
}

#[cfg(not(unix))]
impl Direct {
    pub(super) const fn is_own(self) -> bool {
        false
    }

    /// Other systems complete what was begun (IOCP), in an order that is the transport's.
    pub(super) const fn of(_: &Bound<'_, PyAny>) -> Option<Self> {
        None
    }

    pub(super) const fn is_free(self, _: &Bound<'_, PyAny>, _: bool) -> bool {
        false
    }

    pub(super) const fn write(self, _: Python<'_>, _: &Segments<'_>) -> usize {
        0
    }

    pub(super) const fn write_bytes(self, _: &[u8]) -> usize {
        0
    }
}
