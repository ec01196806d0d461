//! The peer that the core is compared with: tokio-websockets, the strictest of the other crates, over bytes in memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_sink::Sink;
use itoden_core::Role;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::{ClientBuilder, Error, Limits, Message, ServerBuilder, WebSocketStream};

/// What a peer tells; text as it comes, since the peer may get it wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// The other end broke the protocol.
    Failed,
}

/// The bytes that come, in chunks of at most this length, and those that go.
struct Memory<'a> {
    incoming: &'a [u8],
    chunk: usize,
    outgoing: Vec<u8>,
}

impl AsyncRead for Memory<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (chunk, rest) = self.incoming.split_at(self.incoming.len().min(self.chunk).min(buffer.remaining()));
        buffer.put_slice(chunk);
        self.incoming = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn stream(role: Role, max_frame: usize, memory: Memory<'_>) -> WebSocketStream<Memory<'_>> {
    let limits = Limits::default().max_payload_len(Some(max_frame));
    match role {
        Role::Client => ClientBuilder::new().limits(limits).take_over(memory),
        Role::Server => ServerBuilder::new().limits(limits).serve(memory),
    }
}

/// What a peer in this role is told of the bytes, and what it answers.
pub fn receive(role: Role, max_frame: usize, incoming: &[u8], chunk: usize) -> (Vec<Told>, Vec<u8>) {
    let mut stream = stream(role, max_frame, Memory { incoming, chunk, outgoing: Vec::new() });
    let mut context = Context::from_waker(Waker::noop());
    let mut told = Vec::new();
    loop {
        match Pin::new(&mut stream).poll_next(&mut context) {
            Poll::Ready(Some(Ok(message))) => told.push(read(&message)),
            // Bytes that are no whole frame at the end.
            Poll::Ready(Some(Err(Error::Io(_))) | None) => break,
            Poll::Ready(Some(Err(_))) => told.push(Told::Failed),
            Poll::Pending => unreachable!("the memory always has an answer"),
        }
    }
    let flushed = Pin::new(&mut stream).poll_flush(&mut context);
    assert!(matches!(flushed, Poll::Ready(Ok(()))));
    (told, std::mem::take(&mut stream.get_mut().outgoing))
}

fn read(message: &Message) -> Told {
    let payload = message.as_payload().to_vec();
    if message.is_text() {
        Told::Text(payload)
    } else if message.is_binary() {
        Told::Binary(payload)
    } else if message.is_ping() {
        Told::Ping(payload)
    } else if message.is_pong() {
        Told::Pong(payload)
    } else {
        let (code, reason) = message.as_close().expect("no other message is left");
        Told::Close(code.into(), reason.to_owned())
    }
}

/// The bytes by which a peer in this role sends the messages.
pub fn send(role: Role, messages: impl IntoIterator<Item = Message>) -> Vec<u8> {
    let mut stream = stream(role, usize::MAX, Memory { incoming: &[], chunk: 0, outgoing: Vec::new() });
    let mut context = Context::from_waker(Waker::noop());
    for message in messages {
        Pin::new(&mut stream).start_send(message).expect("it is open");
    }
    let flushed = Pin::new(&mut stream).poll_flush(&mut context);
    assert!(matches!(flushed, Poll::Ready(Ok(()))));
    std::mem::take(&mut stream.get_mut().outgoing)
}
