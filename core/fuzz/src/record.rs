//! What connections tell and send, kept for comparison.

use itoden_core::header::{FrameHeader, HeaderRules};
use itoden_core::{
    Closed, Connection, Event, Message, MessageKind, MessagePart, Opcode, ProtocolError, Role, Transmit,
};

/// An event that owns what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Failed(ProtocolError),
    Closed(Closed),
}

impl From<Event<'_>> for Told {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(Message::Text(text)) => Self::Text(text.into_owned()),
            Event::Message(Message::Binary(bytes)) => Self::Binary(bytes.into_owned()),
            Event::Ping(payload) => Self::Ping(payload.into_owned()),
            Event::Pong(payload) => Self::Pong(payload.into_owned()),
            Event::CloseReceived(close) => Self::Close(close.code.get(), close.reason.into_owned()),
            Event::Failed(error) => Self::Failed(error),
            Event::Closed(closed) => Self::Closed(closed),
            other => panic!("an event that no target knows: {other:?}"),
        }
    }
}

/// What is told, with the parts of messages that are streamed put together.
#[derive(Debug, Default)]
pub struct Joiner {
    pub told: Vec<Told>,
    open: Option<(MessageKind, Vec<u8>)>,
}

impl Joiner {
    pub fn push(&mut self, event: Event<'_>) {
        match event {
            Event::MessagePart(part) => self.join(&part),
            event => self.told.push(event.into()),
        }
    }

    fn join(&mut self, part: &MessagePart<'_>) {
        assert_eq!(part.first, self.open.is_none(), "the first part is said to be the first, and no other");
        assert!(part.ends_fragment || !part.last && !part.payload.is_empty(), "{part:?}");
        let (kind, mut message) = self.open.take().unwrap_or((part.kind, Vec::new()));
        assert_eq!(part.kind, kind, "all parts say what the message is");
        message.extend_from_slice(&part.payload);
        match kind {
            _ if !part.last => self.open = Some((kind, message)),
            MessageKind::Text => {
                self.told.push(Told::Text(String::from_utf8(message).expect("parts of a text are UTF-8")))
            }
            MessageKind::Binary => self.told.push(Told::Binary(message)),
        }
    }
}

/// Takes all that the connection wants written; whether it then ended its side of the transport.
pub fn transmit(connection: &mut Connection, sent: &mut Vec<u8>) -> bool {
    while let Some(transmit) = connection.poll_transmit() {
        match transmit {
            Transmit::Write(segments) => {
                let len = segments.len();
                let before = sent.len();
                segments.iter().for_each(|slice| sent.extend_from_slice(slice));
                assert_eq!(sent.len() - before, len, "the segments are as long as they say");
                connection.transmitted(len);
            }
            Transmit::Shutdown => return true,
        }
    }
    false
}

/// A frame as it stands on the wire, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    pub rsv: u8,
    pub opcode: Opcode,
    pub payload: Vec<u8>,
}

/// Tells the bytes that an end in this role has sent into frames; it is a defect if they are none.
pub fn frames(role: Role, mut sent: &[u8]) -> Vec<Frame> {
    let rules = HeaderRules { allowed_rsv: 0b100, masked: Some(role == Role::Client) };
    let mut frames = Vec::new();
    while !sent.is_empty() {
        let (header, len) = FrameHeader::parse(sent, rules).expect("what is sent is legal").expect("and whole");
        let (payload, rest) = sent[len..].split_at(header.payload_len as usize);
        let key = header.masking_key.unwrap_or_default();
        let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        frames.push(Frame { fin: header.fin, rsv: header.rsv, opcode: header.opcode, payload });
        sent = rest;
    }
    frames
}
