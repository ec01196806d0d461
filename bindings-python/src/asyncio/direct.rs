//! Writing to the socket itself while its transport has nothing to write.
//!
//! A transport's `write()` costs more than the system call below it: asyncio's is Python, and uvloop's waits for the end
//! of the loop's turn. What the socket does not take at once is the transport's, and so is every error.

use pyo3::prelude::*;

/// Classes of transports that write plain bytes to the socket that they show, with the modules that they are from.
#[cfg(unix)]
const PLAIN: [(&str, &str); 3] = [
    ("asyncio.selector_events", "_SelectorSocketTransport"),
    ("uvloop.loop", "TCPTransport"),
    ("uvloop.loop", "UnixTransport"),
];

/// The descriptor of a transport's socket, if it can be written to beside the transport.
#[derive(Clone, Copy)]
pub(super) struct Direct {
    #[cfg(unix)]
    descriptor: std::os::fd::RawFd,
}

#[cfg(unix)]
impl Direct {
    pub(super) fn of(transport: &Bound<'_, PyAny>) -> Option<Self> {
        let class = transport.get_type();
        let (module, name) = (class.module().ok()?, class.name().ok()?);
        if !PLAIN.iter().any(|&(in_module, named)| module == in_module && name == named) {
            return None;
        }
        let socket = transport.call_method1("get_extra_info", ("socket",)).ok()?;
        let descriptor: std::os::fd::RawFd = socket.call_method0("fileno").ok()?.extract().ok()?;
        (descriptor >= 0).then_some(Self { descriptor })
    }

    /// Writes from the beginning of `bytes` and returns how many the socket took: 0 if it is the transport's turn.
    pub(super) fn write(self, transport: &Bound<'_, PyAny>, bytes: &[u8]) -> usize {
        use std::io::Write;
        use std::mem::ManuallyDrop;
        use std::net::TcpStream;
        use std::os::fd::FromRawFd;

        let py = transport.py();
        let ask = |method| transport.call_method0(method);
        // A transport that is closing may have closed the descriptor, and another file may have it now.
        let closing = ask(pyo3::intern!(py, "is_closing")).and_then(|closing| closing.is_truthy());
        let waiting = ask(pyo3::intern!(py, "get_write_buffer_size")).and_then(|size| size.is_truthy());
        if closing.unwrap_or(true) || waiting.unwrap_or(true) {
            return 0;
        }
        // SAFETY: the transport, which is not closing, owns the descriptor and keeps it open; it is of a stream socket
        // that does not block. `ManuallyDrop` leaves closing it to the transport, and nothing runs in between that could.
        let mut socket = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(self.descriptor) });
        socket.write(bytes).unwrap_or(0)
    }
}

#[cfg(not(unix))]
impl Direct {
    /// Other systems complete what was begun (IOCP), in an order that is the transport's.
    pub(super) const fn of(_: &Bound<'_, PyAny>) -> Option<Self> {
        None
    }

    pub(super) const fn write(self, _: &Bound<'_, PyAny>, _: &[u8]) -> usize {
        0
    }
}
