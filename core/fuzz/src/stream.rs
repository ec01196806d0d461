//! Streams of frames, legal ones and others, as a peer may send them; and the same bytes handed to a connection in
//! different chunks.

use arbitrary::Arbitrary;
use itoden_core::deflate::Compressor;
use itoden_core::{Connection, Input, Role, Timestamp, mask};

use crate::recipe::{Kitchen, Recipe};
use crate::record::{Joiner, Told, transmit};

/// How the length of a payload is written.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Width {
    /// As §5.2 wants it.
    Least,
    /// In so many bytes, needed or not.
    Two,
    Eight,
    /// Not as long as the payload is: this number without its last so many bits.
    Other(u64, u8),
}

/// A part of a stream.
#[derive(Arbitrary, Clone, Debug)]
pub enum Part<'a> {
    /// A frame. `first` is its first byte; it is masked as its sender must, unless `strange`.
    Frame { first: u8, width: Width, strange: bool, payload: &'a [u8] },
    /// A text or binary message in fragments of these lengths. `strange` text has any bytes.
    Message { text: bool, strange: bool, compressed: bool, fragments: [u8; 3], payload: Recipe<'a> },
    /// The beginning of a text or binary frame that declares this number without its last so many bits.
    Begun { text: bool, declared: u32, shift: u8, payload: &'a [u8] },
    /// A ping or a pong.
    Control { pong: bool, payload: &'a [u8] },
    /// A Close frame. One code in two is near those that are defined; without one there is only the body.
    Close { code: Option<u16>, body: &'a [u8] },
    /// Any bytes.
    Bytes(&'a [u8]),
}

/// Writes streams as the peer of `role` sends them.
pub struct Writer {
    key: Option<[u8; 4]>,
    kitchen: Kitchen,
    /// The window of the compressor, which is made when it is first used: it is large.
    bits: Option<u8>,
    compressor: Option<Compressor>,
    bytes: Vec<u8>,
}

impl Writer {
    /// `bits` is the window of the peer's compressor, if compression is agreed on.
    pub fn new(role: Role, bits: Option<u8>) -> Self {
        let key = (role == Role::Server).then_some([0x37, 0xfa, 0x21, 0x3d]);
        Self { key, kitchen: Kitchen::default(), bits, compressor: None, bytes: Vec::new() }
    }

    pub fn write(mut self, parts: &[Part<'_>]) -> Vec<u8> {
        for part in parts {
            match part {
                Part::Frame { first, width, strange, payload } => {
                    self.frame(*first, *width, self.key.is_some() != *strange, payload);
                }
                Part::Message { text, strange, compressed, fragments, payload } => {
                    let made = match *text && !*strange {
                        true => self.kitchen.make_text(payload, 20_000).into_bytes(),
                        false => self.kitchen.make(payload, 20_000),
                    };
                    self.message(*text, *compressed, *fragments, &made);
                }
                Part::Begun { text, declared, shift, payload } => {
                    let width = Width::Other(u64::from(*declared >> (shift % 32)), 0);
                    self.frame(0x82 - u8::from(*text), width, self.key.is_some(), payload);
                }
                Part::Control { pong, payload } => {
                    let payload = &payload[..payload.len().min(125)];
                    self.frame(if *pong { 0x8a } else { 0x89 }, Width::Least, self.key.is_some(), payload);
                }
                Part::Close { code, body } => {
                    let code = code.map(|code| if code % 2 == 0 { 995 + code / 2 % 30 } else { code });
                    let body = [code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec()), body.to_vec()].concat();
                    self.frame(0x88, Width::Least, self.key.is_some(), &body);
                }
                Part::Bytes(bytes) => self.bytes.extend_from_slice(bytes),
            }
        }
        self.bytes
    }

    fn message(&mut self, text: bool, compressed: bool, fragments: [u8; 3], made: &[u8]) {
        let bits = self.bits.filter(|_| compressed);
        let mut rest = made;
        for (index, len) in fragments.into_iter().map(usize::from).chain([usize::MAX]).enumerate() {
            let last = len == usize::MAX;
            let (fragment, tail) = rest.split_at(len.min(rest.len()));
            rest = tail;
            // A length of 255 stands for no fragment at all.
            if len == 255 && index > 0 {
                continue;
            }
            let mut smaller = Vec::new();
            let payload = match bits {
                Some(bits) => {
                    let compressor = self.compressor.get_or_insert_with(|| Compressor::new(6, bits));
                    compressor.compress(fragment, last, &mut smaller);
                    &smaller
                }
                None => fragment,
            };
            let opcode = if index > 0 { 0 } else { 2 - u8::from(text) };
            let rsv1 = if bits.is_some() && index == 0 { 0x40 } else { 0 };
            self.frame(u8::from(last) << 7 | rsv1 | opcode, Width::Least, self.key.is_some(), payload);
        }
    }

    fn frame(&mut self, first: u8, width: Width, masked: bool, payload: &[u8]) {
        let mask_bit = u8::from(masked) << 7;
        let len = match width {
            Width::Other(len, shift) => len >> (shift % 64),
            _ => payload.len() as u64,
        };
        self.bytes.push(first);
        match (width, len) {
            (Width::Least | Width::Other(..), 0..=125) => self.bytes.push(mask_bit | len as u8),
            (Width::Eight, _) | (_, 0x1_0000..) => {
                self.bytes.push(mask_bit | 127);
                self.bytes.extend(len.to_be_bytes());
            }
            _ => {
                self.bytes.push(mask_bit | 126);
                self.bytes.extend((len as u16).to_be_bytes());
            }
        }
        match masked {
            true => {
                let key = self.key.unwrap_or([1, 2, 3, 4]);
                self.bytes.extend(key);
                mask::append(key, payload, &mut self.bytes);
            }
            false => self.bytes.extend_from_slice(payload),
        }
    }
}

/// How a stream is handed over.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    /// The lengths of the chunks, over and over; the rest is one chunk if there are none.
    pub chunks: &'a [u8],
    /// Whether the peer reads what it is sent, after each event, or nothing until the end.
    pub peer_reads: bool,
    /// Whether the application pauses reading after each event.
    pub pauses: bool,
}

/// Hands the stream over and then its end; what the connection told, its messages joined if it streams them, and what it
/// sent.
pub fn receive(mut connection: Connection, stream: &[u8], manner: Manner<'_>) -> (Vec<Told>, Vec<u8>) {
    let (mut told, mut sent) = (Joiner::default(), Vec::new());
    let mut lengths = manner.chunks.iter().map(|&len| usize::from(len) + 1).cycle();
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, tail) = rest.split_at(lengths.next().unwrap_or(usize::MAX).min(rest.len()));
        rest = tail;
        let mut buffer = chunk.to_vec();
        loop {
            let mut input = connection.handle_bytes(Timestamp::ZERO, &mut buffer);
            while let Some(event) = connection.poll_event(&mut input) {
                told.push(event);
                // An application that was told of the end has nothing more to say.
                connection.release_ending();
                if manner.peer_reads {
                    transmit(&mut connection, &mut sent);
                }
                if manner.pauses {
                    connection.pause_reading();
                }
            }
            let left = input.remaining().to_vec();
            assert!(left.is_empty() || connection.is_reading_paused(), "nothing is left but behind a pause");
            connection.resume_reading();
            if left.is_empty() {
                break;
            }
            buffer = left;
        }
    }
    transmit(&mut connection, &mut sent);
    connection.handle_eof(Timestamp::ZERO);
    while let Some(event) = connection.poll_event(&mut Input::empty()) {
        told.push(event);
    }
    transmit(&mut connection, &mut sent);
    (told.told, sent)
}
