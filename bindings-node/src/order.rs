//! What JavaScript asks of connections, in batches: a table of records of four numbers (connection, kind, offset, length)
//! and a slab with the payloads.

use std::io::Write;
use std::net::TcpStream;

use bytes::Bytes;
use itoden_core::{CloseCode, Connection, Message, MessageKind, SendError, SendOptions};
use itoden_net::now;
use napi_derive::napi;

/// What is asked: the low eight bits of the second number.
#[napi]
#[derive(Debug)]
pub enum OrderKind {
    /// Send a text message.
    Text,
    /// Send a binary message.
    Binary,
    /// Send a ping.
    Ping,
    /// Send a pong.
    Pong,
    /// Begin the closing handshake, with the reason as payload and the code in the upper 16 bits.
    Close,
    /// Stop reading.
    Pause,
    /// Read again.
    Resume,
    /// End the transport without a closing handshake.
    Terminate,
    /// The connection is closed and JavaScript has forgotten it: its number may be used again.
    Release,
    /// Tell the messages that begin from now on in parts: `RecordKind.Part`.
    InParts,
    /// Tell them whole again.
    Whole,
    /// All that came is told, and answered: a connection that is about to end may do so.
    End,
}

/// Bits of the second number, beside the kind.
#[napi]
pub enum OrderFlag {
    /// The payload is a fragment of a message.
    Fragment = 0x100,
    /// The fragment is the last one of its message.
    Fin = 0x200,
    /// Tell by `RecordKind.Written` when it is written.
    Confirm = 0x400,
    /// The message, or the one that begins with this fragment, is not to be compressed.
    Uncompressed = 0x800,
    /// The Close frame has a code.
    Code = 0x1000,
}

/// One order, with the payload as the driver wants it.
pub struct Order<P> {
    /// What is asked.
    pub kind: OrderKind,
    /// The second number of the record.
    pub bits: i32,
    /// The payload; empty if there is none.
    pub payload: P,
}

/// A payload that is lent or shared.
pub trait Payload {
    /// The bytes.
    fn bytes(&self) -> &[u8];
    /// Sends it as a whole message.
    fn send(&self, connection: &mut Connection, kind: MessageKind, options: SendOptions) -> Result<(), SendError>;
}

impl Payload for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn send(&self, connection: &mut Connection, kind: MessageKind, options: SendOptions) -> Result<(), SendError> {
        let message = match kind {
            MessageKind::Text => Message::text(std::str::from_utf8(self).map_err(|_| SendError::TextNotUtf8)?),
            MessageKind::Binary => Message::binary(self),
        };
        connection.send_with(message, options)
    }
}

impl Payload for Bytes {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn send(&self, connection: &mut Connection, kind: MessageKind, options: SendOptions) -> Result<(), SendError> {
        connection.send_shared_with(kind, self.clone(), options)
    }
}

/// A large payload that is offered to a socket before it is copied.
pub struct Through<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The socket, which does not block.
    pub stream: &'a TcpStream,
}

impl Payload for Through<'_> {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn send(&self, connection: &mut Connection, kind: MessageKind, options: SendOptions) -> Result<(), SendError> {
        let message = match kind {
            MessageKind::Text => Message::text(std::str::from_utf8(self.bytes).map_err(|_| SendError::TextNotUtf8)?),
            MessageKind::Binary => Message::binary(self.bytes),
        };
        let mut stream = self.stream;
        // A socket that has failed says so again where the rest is written.
        connection.send_through(message, options, |slices| stream.write_vectored(slices).unwrap_or(0))
    }
}

impl<P: Payload> Order<P> {
    /// Whether JavaScript wants to hear that it is written.
    pub fn confirms(&self) -> bool {
        self.bits & OrderFlag::Confirm as i32 != 0
    }

    /// How many bytes of messages it brings.
    pub fn message_len(&self) -> u64 {
        match self.kind {
            OrderKind::Text | OrderKind::Binary => self.payload.bytes().len() as u64,
            _ => 0,
        }
    }

    /// Does what is asked of a connection that is open.
    pub fn perform(&self, connection: &mut Connection) -> Result<(), SendError> {
        match self.kind {
            OrderKind::Text => self.send(connection, MessageKind::Text),
            OrderKind::Binary => self.send(connection, MessageKind::Binary),
            OrderKind::Ping => connection.ping(self.payload.bytes()),
            OrderKind::Pong => connection.pong(self.payload.bytes()),
            OrderKind::Close => {
                let code = (self.bits & OrderFlag::Code as i32 != 0).then(|| CloseCode::new((self.bits >> 16) as u16));
                // A string of JavaScript was encoded for this: it is UTF-8.
                connection.close(now(), code, &String::from_utf8_lossy(self.payload.bytes()))
            }
            OrderKind::Pause => {
                connection.pause_reading();
                Ok(())
            }
            OrderKind::Resume => {
                connection.resume_reading();
                Ok(())
            }
            OrderKind::Terminate => {
                connection.handle_eof(now());
                Ok(())
            }
            OrderKind::InParts | OrderKind::Whole => {
                connection.stream_messages(matches!(self.kind, OrderKind::InParts));
                Ok(())
            }
            OrderKind::End => {
                connection.release_ending();
                Ok(())
            }
            OrderKind::Release => Ok(()),
        }
    }

    fn send(&self, connection: &mut Connection, kind: MessageKind) -> Result<(), SendError> {
        let options = SendOptions { compress: self.bits & OrderFlag::Uncompressed as i32 == 0 };
        if self.bits & OrderFlag::Fragment as i32 == 0 {
            return self.payload.send(connection, kind, options);
        }
        connection.send_fragment_with(kind, self.payload.bytes(), self.bits & OrderFlag::Fin as i32 != 0, options)
    }
}

/// The kind of an order by its number.
pub fn kind(bits: i32) -> Option<OrderKind> {
    Some(match bits & 0xff {
        0 => OrderKind::Text,
        1 => OrderKind::Binary,
        2 => OrderKind::Ping,
        3 => OrderKind::Pong,
        4 => OrderKind::Close,
        5 => OrderKind::Pause,
        6 => OrderKind::Resume,
        7 => OrderKind::Terminate,
        8 => OrderKind::Release,
        9 => OrderKind::InParts,
        10 => OrderKind::Whole,
        11 => OrderKind::End,
        _ => return None,
    })
}
