//! What a connection tells its application.

use alloc::borrow::Cow;
use core::fmt;

use crate::close::{CloseCode, CloseFrame};
use crate::error::ProtocolError;
use crate::message::{Message, MessagePart};
use crate::prelude::String;

/// Something that an application should know.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A whole message came.
    Message(Message<'b>),
    /// A part of a message came, and [messages are streamed](crate::Connection::stream_messages).
    MessagePart(MessagePart<'b>),
    /// A whole binary message came, whose payload the driver has taken
    /// ([`Connection::receive_apart`](crate::Connection::receive_apart)).
    BinaryApart,
    /// A ping came; unless [`Config::auto_pong`](crate::Config::auto_pong) is off, its pong is queued already.
    Ping(Cow<'b, [u8]>),
    /// A pong came, asked for or not.
    Pong(Cow<'b, [u8]>),
    /// A Close frame came. If this end had not sent one, the answer is queued already. Nothing more will be read.
    CloseReceived(CloseFrame<'b>),
    /// The peer broke the protocol. A Close frame with the error's code is queued; nothing more will be read.
    Failed(ProtocolError),
    /// The connection is closed: the last event, exactly once.
    Closed(Closed),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// "the WebSocket Connection Close Code" (§7.1.5): that of the Close frame that was received;
    /// [`CloseCode::NO_STATUS`] if it had none, [`CloseCode::ABNORMAL`] if no Close frame came.
    pub code: CloseCode,
    /// "the WebSocket Connection Close Reason" (§7.1.6).
    pub reason: String,
    /// Whether the closing handshake was completed before the transport ended (§7.1.4).
    pub was_clean: bool,
    /// Why it was not clean.
    pub failure: Option<Failure>,
}

/// Why a connection did not end cleanly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// The transport ended without a Close frame from the peer.
    Eof,
    /// The peer did not answer a Close frame within [`Config::close_timeout`](crate::Config::close_timeout).
    CloseTimeout,
    /// The peer was silent for [`Config::ping_timeout`](crate::Config::ping_timeout) after a ping.
    PingTimeout,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::Eof => f.write_str("the transport ended without a Close frame"),
            Self::CloseTimeout => f.write_str("the peer did not answer the Close frame in time"),
            Self::PingTimeout => f.write_str("the peer was silent after a ping for too long"),
        }
    }
}

impl core::error::Error for Failure {}
