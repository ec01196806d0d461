//! The transport that every contender reads from and writes to: memory that is always ready.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes to be read, from the front again whenever [`rewind`](Self::rewind) says so; and a sink that copies what is
/// written, as a socket would. Clones are the same wire.
#[derive(Clone)]
pub struct Wire(Rc<Ends>);

struct Ends {
    input: Bytes,
    read: Cell<usize>,
    sink: RefCell<Sink>,
}

struct Sink {
    bytes: Vec<u8>,
    filled: usize,
}

impl Wire {
    /// A wire that brings `input`, and takes `capacity` bytes between two rewinds.
    pub fn new(input: Bytes, capacity: usize) -> Self {
        let sink = RefCell::new(Sink { bytes: vec![0; capacity], filled: 0 });
        Self(Rc::new(Ends { input, read: Cell::new(0), sink }))
    }

    /// Brings the input anew, and forgets what was written.
    #[inline]
    pub fn rewind(&self) {
        self.0.read.set(0);
        self.0.sink.borrow_mut().filled = 0;
    }

    /// Takes bytes of several slices at once, as a vectored write does. How many there were.
    ///
    /// # Panics
    /// If there is no room: a contender that writes more than its frames is broken.
    #[inline]
    pub fn put<'a>(&self, slices: impl IntoIterator<Item = &'a [u8]>) -> usize {
        let mut sink = self.0.sink.borrow_mut();
        let start = sink.filled;
        for slice in slices {
            let (from, to) = (sink.filled, sink.filled + slice.len());
            sink.bytes[from..to].copy_from_slice(slice);
            sink.filled = to;
        }
        sink.filled - start
    }

    /// Gives `fill` the next `count` bytes of the sink to write into: no copy, for the floor.
    #[inline]
    pub fn put_with(&self, count: usize, fill: impl FnOnce(&mut [u8])) {
        let mut sink = self.0.sink.borrow_mut();
        let (from, to) = (sink.filled, sink.filled + count);
        fill(&mut sink.bytes[from..to]);
        sink.filled = to;
    }

    /// How many bytes were written since the last rewind.
    #[inline]
    pub fn written(&self) -> usize {
        self.0.sink.borrow().filled
    }

    /// Those bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let sink = self.0.sink.borrow();
        sink.bytes[..sink.filled].to_vec()
    }

    /// The next bytes of the input, at most `count`.
    #[inline]
    fn bring(&self, count: usize) -> &[u8] {
        let from = self.0.read.get();
        let to = self.0.input.len().min(from + count);
        self.0.read.set(to);
        &self.0.input[from..to]
    }
}

impl Read for Wire {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bring(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Write for Wire {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(Self::put(self, [bytes]))
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(Self::put(self, slices.iter().map(|slice| &**slice)))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        buffer.put_slice(self.bring(buffer.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(Self::put(&self, [bytes])))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(Self::put(&self, slices.iter().map(|slice| &**slice))))
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs a future over a [`Wire`], which never waits: one poll is all that an executor would do.
///
/// # Panics
/// If the future waits.
#[inline]
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a future waits for a transport that is always ready"),
    }
}
