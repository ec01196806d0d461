//! Reading, writing and timing for one connection, in one task.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use itoden_core::{Connection, Event, Input, Timestamp, Transmit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use crate::time::{instant, now};

/// One read takes at most this much; larger messages are put together from several.
const READ_BUFFER: usize = 64 << 10;

/// Most reads before the task yields to others of its thread.
const READS_A_TURN: usize = 8;

/// Most slices of one vectored write.
const MAX_SLICES: usize = 16;

thread_local! {
    /// The read buffer of this thread, lent to one connection after another: none owns one while it waits.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is told of a connection, on the task that drives it.
pub trait Handler {
    /// Something happened. `connection` takes commands at once: an echo costs no trip through a channel.
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection);

    /// The events of one read are all told: the time to pass them on together.
    fn on_batch_end(&mut self, _connection: &mut Connection) {}

    /// Bytes were written; this many payload bytes still wait.
    fn on_written(&mut self, _buffered_amount: u64) {}
}

impl<H: Handler> Handler for &mut H {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        (**self).on_event(event, connection);
    }

    fn on_batch_end(&mut self, connection: &mut Connection) {
        (**self).on_batch_end(connection);
    }

    fn on_written(&mut self, buffered_amount: u64) {
        (**self).on_written(buffered_amount);
    }
}

/// A connection and its transport.
#[derive(Debug)]
pub struct Driver<S, H> {
    stream: S,
    connection: Connection,
    handler: H,
    /// Bytes that were read but not decoded, because reading is paused; from `rest_start` on.
    rest: Vec<u8>,
    rest_start: usize,
    timer: Option<(Timestamp, Pin<Box<Sleep>>)>,
    read_ended: bool,
    shutting_down: bool,
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> Driver<S, H> {
    /// `early` are bytes that came behind the opening handshake.
    pub const fn new(stream: S, connection: Connection, early: Vec<u8>, handler: H) -> Self {
        Self {
            stream,
            connection,
            handler,
            rest: early,
            rest_start: 0,
            timer: None,
            read_ended: false,
            shutting_down: false,
            closed: false,
        }
    }

    /// The connection, to give it commands. Poll the driver afterwards.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The handler.
    pub const fn handler(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Both, to let the handler command the connection.
    pub const fn parts(&mut self) -> (&mut H, &mut Connection) {
        (&mut self.handler, &mut self.connection)
    }

    /// Does all that can be done now. Ready once the connection is closed and [`Event::Closed`] was told.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.tell_events();
        for _ in 0..READS_A_TURN {
            self.receive_rest();
            // Between two reads, so that answers leave before more is taken in.
            self.poll_write(cx);
            if self.closed {
                return Poll::Ready(());
            }
            if self.poll_timer(cx) || self.poll_read(cx).is_ready() {
                continue;
            }
            return Poll::Pending;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once, into the buffer of the thread, and decodes what came.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.read_ended || self.connection.is_reading_paused() || !self.rest.is_empty() {
            return Poll::Pending;
        }
        // Taken out, not borrowed, while handlers run.
        let mut bytes = BUFFER.take();
        bytes.resize(READ_BUFFER, 0);
        let mut buffer = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        let count = buffer.filled().len();
        match polled {
            Poll::Ready(Ok(())) if count > 0 => self.receive(&mut bytes[..count]),
            // A transport that fails has ended.
            Poll::Ready(_) => {
                self.read_ended = true;
                self.connection.handle_eof(now());
                self.tell_events();
            }
            Poll::Pending => {}
        }
        BUFFER.set(bytes);
        polled.map(|_| ())
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        let mut input = self.connection.handle_bytes(now(), bytes);
        Self::tell(&mut self.connection, &mut self.handler, &mut input, &mut self.closed);
        self.rest.extend_from_slice(input.remaining());
    }

    /// Decodes what was left when reading was paused: it comes before anything that is read now.
    fn receive_rest(&mut self) {
        while !self.rest.is_empty() && !self.connection.is_reading_paused() {
            let (mut rest, start) = (std::mem::take(&mut self.rest), std::mem::take(&mut self.rest_start));
            let mut input = self.connection.handle_bytes(now(), &mut rest[start..]);
            Self::tell(&mut self.connection, &mut self.handler, &mut input, &mut self.closed);
            let left = input.len();
            if left > 0 {
                self.rest_start = rest.len() - left;
                self.rest = rest;
            }
        }
    }

    fn tell_events(&mut self) {
        Self::tell(&mut self.connection, &mut self.handler, &mut Input::empty(), &mut self.closed);
    }

    fn tell(connection: &mut Connection, handler: &mut H, input: &mut Input<'_>, closed: &mut bool) {
        let mut told = false;
        while let Some(event) = connection.poll_event(input) {
            *closed |= matches!(event, Event::Closed(_));
            handler.on_event(event, connection);
            told = true;
        }
        if told {
            handler.on_batch_end(connection);
        }
    }

    /// Writes as much as the transport takes, and ends it when the connection says so.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        let before = self.connection.buffered_amount();
        let result = loop {
            if self.shutting_down {
                match Pin::new(&mut self.stream).poll_shutdown(cx) {
                    Poll::Ready(done) => {
                        self.shutting_down = false;
                        break done;
                    }
                    Poll::Pending => break Ok(()),
                }
            }
            let stream = Pin::new(&mut self.stream);
            let polled = match self.connection.poll_transmit() {
                Some(Transmit::Write(segments)) => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    match segments.fill(&mut slices) {
                        1 => stream.poll_write(cx, &slices[0]),
                        filled => stream.poll_write_vectored(cx, &slices[..filled]),
                    }
                }
                Some(Transmit::Shutdown) => {
                    self.shutting_down = true;
                    continue;
                }
                None => break Ok(()),
            };
            match polled {
                Poll::Ready(Ok(0)) => break Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.connection.transmitted(count),
                Poll::Ready(Err(error)) => break Err(error),
                Poll::Pending => break Ok(()),
            }
        };
        let after = self.connection.buffered_amount();
        if after != before {
            self.handler.on_written(after);
        }
        // What is given up now is not written.
        if result.is_err() && !self.closed {
            self.connection.handle_write_failure(now());
        }
    }

    /// Whether the connection's time had come.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.connection.poll_timeout() else {
            self.timer = None;
            return false;
        };
        if self.timer.as_ref().is_none_or(|(at, _)| *at != deadline) {
            self.timer = Some((deadline, Box::pin(sleep_until(instant(deadline)))));
        }
        let Some((_, sleep)) = self.timer.as_mut() else { return false };
        if sleep.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.timer = None;
        self.connection.handle_timeout(now().max(deadline));
        self.tell_events();
        true
    }
}

/// Drives a connection until it is closed, with a handler that alone commands it. Who commands it from elsewhere too polls a
/// [`Driver`] beside what brings the commands.
pub async fn drive<S, H>(stream: S, connection: Connection, early: Vec<u8>, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let mut driver = Driver::new(stream, connection, early, handler);
    poll_fn(|cx| driver.poll(cx)).await;
}
