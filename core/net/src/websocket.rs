//! An open connection as Rust programs use it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use itoden_core::{CloseCode, Closed, Connection, Event, Message, SendError, Transmit};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::{Driver, Handler};
use crate::time::now;
use crate::{ConnectError, Opened};

/// Messages that may wait to be taken; beyond it nothing more is decoded, and TCP holds the peer back.
const MAX_QUEUE: usize = 64;

/// An open connection and its transport.
///
/// Dropping it ends the transport without a closing handshake; [`close`](Self::close) does it in good order.
#[derive(Debug)]
pub struct WebSocket<S> {
    driver: Driver<S, Queue>,
}

/// What came and is not taken yet.
#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message<'static>>,
    closed: Option<Closed>,
}

impl Handler for Queue {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        match event {
            Event::Message(message) => {
                self.messages.push_back(message.into_owned());
                if self.messages.len() >= MAX_QUEUE {
                    connection.pause_reading();
                }
            }
            Event::Closed(closed) => self.closed = Some(closed),
            // Pings are answered by the connection; the end of a closing or failing connection comes as Closed.
            _ => {}
        }
    }
}

/// The connection is closed: nothing can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The message can't be sent as things are.
    Send(SendError),
    /// The connection closed before everything was written.
    Closed(Closed),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Closed(closed) => write!(f, "the connection is closed: {} {:?}", closed.code, closed.reason),
        }
    }
}

impl std::error::Error for Ended {}

impl From<Ended> for ConnectError {
    fn from(ended: Ended) -> Self {
        Self::Io(std::io::Error::other(ended))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Takes over a transport whose opening handshake is done.
    pub fn new(opened: Opened<S>) -> Self {
        Self { driver: Driver::new(opened.stream, opened.connection, opened.early, Queue::default()) }
    }

    /// The connection's state.
    pub const fn connection(&mut self) -> &mut Connection {
        self.driver.connection()
    }

    /// The next message; `None` once the connection is closed. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Option<Message<'static>> {
        poll_fn(|cx| {
            loop {
                if let Some(message) = self.driver.handler().messages.pop_front() {
                    self.driver.connection().resume_reading();
                    return Poll::Ready(Some(message));
                }
                let polled = self.poll(cx);
                if self.driver.handler().messages.is_empty() {
                    return polled.map(|()| None);
                }
            }
        })
        .await
    }

    /// Sends a message and waits until it is written, so that a peer that reads slowly holds the sender back.
    ///
    /// Messages that come meanwhile are kept for [`next`](Self::next). If the wait is cancelled, the message is sent
    /// by the next call that waits.
    pub async fn send(&mut self, message: Message<'_>) -> Result<(), Ended> {
        self.driver.connection().send(message).map_err(Ended::Send)?;
        poll_fn(|cx| {
            let ended = self.poll(cx).is_ready();
            // Not `buffered_amount`: an empty message has no payload, and its sender is to be held back all the same.
            let waits = matches!(self.driver.connection().poll_transmit(), Some(Transmit::Write(_)));
            if !waits && !ended {
                return Poll::Ready(Ok(()));
            }
            match &self.driver.handler().closed {
                Some(closed) => Poll::Ready(Err(Ended::Closed(closed.clone()))),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Closes the connection: the closing handshake, then the transport. Messages that still come are dropped.
    pub async fn close(mut self, code: Option<CloseCode>, reason: &str) -> Result<Closed, SendError> {
        self.driver.connection().close(now(), code, reason)?;
        let closed = poll_fn(|cx| {
            loop {
                let polled = self.poll(cx);
                let queue = self.driver.handler();
                if let Some(closed) = queue.closed.take() {
                    return Poll::Ready(closed);
                }
                if polled.is_pending() && queue.messages.is_empty() {
                    return Poll::Pending;
                }
                queue.messages.clear();
                self.driver.connection().resume_reading();
            }
        });
        Ok(closed.await)
    }

    /// How the connection ended, once [`next`](Self::next) has given `None`.
    pub fn closed(&mut self) -> Option<&Closed> {
        self.driver.handler().closed.as_ref()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.driver.handler().closed.is_some() {
            return Poll::Ready(());
        }
        self.driver.poll(cx)
    }
}
