//! What connections tell and send, kept for comparison.

use itoden_core::header::{FrameHeader, HeaderRules};
use itoden_core::{Closed, Connection, Event, Message, Opcode, ProtocolError, Role, Transmit};

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
