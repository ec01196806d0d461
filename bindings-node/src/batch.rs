//! What happened, on its way to JavaScript: records of four numbers, and their payloads in one slab.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use itoden_core::{Closed, Connection, Event, Failure, Message, MessageKind, ProtocolError, Segments};
use napi_derive::napi;
use serde_json::{Value, json};

use crate::error;

/// Payloads of more bytes than this go to JavaScript as a buffer of their own, without a copy.
const LARGE: usize = 64 << 10;

/// An empty batch keeps at most this much memory for the next one.
const KEPT: usize = 1 << 20;

/// The numbers at the head of a table: how many records follow, how many bytes of the slab they take, whether more
/// records wait, and whether connections over streams have something to write (see `Hub.flush`).
pub const HEADER: usize = 4;

/// What a record tells: the low eight bits of its second number. Its payload is in brackets.
#[napi]
pub enum RecordKind {
    /// A text message came [UTF-8].
    Text,
    /// A binary message came [its bytes].
    Binary,
    /// A ping came [application data].
    Ping,
    /// A pong came [application data].
    Pong,
    /// A Close frame came; its code is in the upper 16 bits of the second number [the reason].
    CloseReceived,
    /// The peer broke the protocol, or has fallen silent [JSON: an error].
    Failed,
    /// The connection is closed: its last record [JSON: code, reason, wasClean].
    Closed,
    /// The first N orders with `OrderFlag.Confirm` are written; N is the third number.
    Written,
    /// An order was refused [JSON: an error, with the number of the order among those to be confirmed, or 0].
    SendFailed,
    /// A stream is to write these bytes [them].
    Write,
    /// A stream is to end its writable side, behind what it has to write.
    Shutdown,
    /// A stream is to call `Hub.timeout` in N milliseconds; N is the third number, -1 for never.
    Timer,
    /// A client's handshake is done [JSON: status, reason, rawHeaders, subprotocol].
    Opened,
    /// A client's handshake failed [JSON: an error].
    ConnectFailed,
    /// A listener has a valid request to open a connection [JSON].
    Request,
    /// A listener has answered a request that was not valid [JSON: an error, listener, remote].
    RequestFailed,
    /// A listener has ended: its port is free again.
    ListenerClosed,
    /// A part of a message came, after `OrderKind.InParts`; the second number has flags of `Part` [its bytes].
    Part,
}

/// What a `RecordKind.Part` is: bits of the second number.
#[napi]
pub enum Part {
    /// Of a binary message.
    Binary = 0x1_0000,
    /// A fragment ends with it.
    EndsFragment = 0x2_0000,
    /// The message ends with it.
    Last = 0x4_0000,
}

/// Where the payload of a record lies: bits 8 and 9 of its second number.
#[napi]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the slab, at the offset.
    Slab = 0,
    /// In the chunk that was fed, at the offset.
    Chunk = 0x100,
    /// In a buffer of its own: `Hub.takeLarge`, in the order of records.
    Large = 0x200,
    /// Nowhere: the third number is a value.
    Value = 0x300,
}

#[derive(Clone, Copy)]
struct Record {
    connection: u32,
    kind: i32,
    source: Source,
    offset: usize,
    length: usize,
}

/// Whether a connection fails because its peer did not answer the keepalive.
pub fn is_silent(connection: &Connection) -> bool {
    connection.failure() == Some(&Failure::PingTimeout)
}

/// What is told of a connection that ended without a word.
pub fn abnormal() -> Value {
    json!({ "code": 1006, "reason": "", "wasClean": false })
}

/// Records that wait for JavaScript.
#[derive(Default)]
pub struct Batch {
    records: VecDeque<Record>,
    /// Where the last payload ends that lies in a chunk, since `start_chunk`.
    chunk_end: usize,
    slab: Vec<u8>,
    large: VecDeque<Vec<u8>>,
    large_bytes: usize,
}

impl Batch {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many bytes wait: payloads, and the records themselves.
    pub fn size(&self) -> usize {
        self.slab.len() + self.large_bytes + self.records.len() * size_of::<Record>()
    }

    /// How many records wait.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// How much of the chunk is in use, as far as records since the last call tell; `least` if they tell of less.
    pub fn take_chunk_end(&mut self, least: usize) -> usize {
        std::mem::take(&mut self.chunk_end).max(least)
    }

    /// Adds a record with a payload.
    pub fn push(&mut self, connection: u32, kind: RecordKind, payload: Cow<'_, [u8]>) {
        self.push_coded(connection, kind as i32, payload);
    }

    /// Adds a record with a payload in JSON.
    pub fn push_json(&mut self, connection: u32, kind: RecordKind, payload: &Value) {
        self.push(connection, kind, Cow::Owned(payload.to_string().into_bytes()));
    }

    /// Adds a record with a number.
    pub fn push_value(&mut self, connection: u32, kind: RecordKind, value: usize) {
        self.records.push_back(Record {
            connection,
            kind: kind as i32,
            source: Source::Value,
            offset: value,
            length: 0,
        });
    }

    fn push_coded(&mut self, connection: u32, kind: i32, payload: Cow<'_, [u8]>) {
        let length = payload.len();
        let (source, offset) = if length > LARGE {
            self.large_bytes += length;
            self.large.push_back(payload.into_owned());
            (Source::Large, 0)
        } else {
            let offset = self.slab.len();
            self.slab.extend_from_slice(&payload);
            (Source::Slab, offset)
        };
        self.records.push_back(Record { connection, kind, source, offset, length });
    }

    /// Adds a record whose payload lies in several pieces.
    pub fn push_segments(&mut self, connection: u32, kind: RecordKind, segments: Segments<'_>) {
        if segments.len() > LARGE {
            return self.push(connection, kind, Cow::Owned(segments.to_vec()));
        }
        let (offset, length) = (self.slab.len(), segments.len());
        segments.iter().for_each(|segment| self.slab.extend_from_slice(segment));
        self.records.push_back(Record { connection, kind: kind as i32, source: Source::Slab, offset, length });
    }

    /// Adds what a connection tells. A payload that lies in `chunk` (a range of addresses) stays there.
    pub fn push_event(&mut self, connection: u32, event: Event<'_>, chunk: &Range<usize>) {
        match event {
            Event::Message(Message::Text(text)) => {
                let bytes = match text {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                };
                self.push_lent(connection, RecordKind::Text, bytes, chunk);
            }
            Event::Message(Message::Binary(bytes)) => self.push_lent(connection, RecordKind::Binary, bytes, chunk),
            Event::MessagePart(part) => {
                let mut kind = RecordKind::Part as i32;
                for (is, flag) in [
                    (part.kind == MessageKind::Binary, Part::Binary),
                    (part.ends_fragment, Part::EndsFragment),
                    (part.last, Part::Last),
                ] {
                    kind |= if is { flag as i32 } else { 0 };
                }
                self.push_lent_coded(connection, kind, part.payload, chunk);
            }
            Event::Ping(bytes) => self.push_lent(connection, RecordKind::Ping, bytes, chunk),
            Event::Pong(bytes) => self.push_lent(connection, RecordKind::Pong, bytes, chunk),
            Event::CloseReceived(close) => {
                let kind = RecordKind::CloseReceived as i32 | i32::from(close.code.get()) << 16;
                self.push_coded(connection, kind, Cow::Borrowed(close.reason.as_bytes()));
            }
            Event::Failed(error) => self.push_json(connection, RecordKind::Failed, &protocol_error(&error)),
            Event::Closed(closed) => self.push_json(connection, RecordKind::Closed, &closed_json(&closed)),
            // A kind of event that this binding does not know yet has nobody to hear it.
            _ => {}
        }
    }

    /// Adds, the first time, that the peer has fallen silent, for which the core has no event.
    pub fn push_silence(&mut self, id: u32, told: &mut bool) {
        if !std::mem::replace(told, true) {
            let message = Failure::PingTimeout.to_string();
            self.push_json(id, RecordKind::Failed, &error::json("ping_timeout", &message));
        }
    }

    fn push_lent(&mut self, connection: u32, kind: RecordKind, payload: Cow<'_, [u8]>, chunk: &Range<usize>) {
        self.push_lent_coded(connection, kind as i32, payload, chunk);
    }

    fn push_lent_coded(&mut self, connection: u32, kind: i32, payload: Cow<'_, [u8]>, chunk: &Range<usize>) {
        let address = payload.as_ptr().addr();
        if matches!(payload, Cow::Borrowed(_)) && chunk.contains(&address) {
            let (offset, length) = (address - chunk.start, payload.len());
            self.chunk_end = offset + length;
            self.records.push_back(Record { connection, kind, source: Source::Chunk, offset, length });
        } else {
            self.push_coded(connection, kind, payload);
        }
    }

    /// Moves all records of another batch behind these.
    pub fn append(&mut self, other: &mut Self) {
        let base = self.slab.len();
        self.slab.extend_from_slice(&other.slab);
        self.records.extend(other.records.drain(..).map(|mut record| {
            if record.source == Source::Slab {
                record.offset += base;
            }
            record
        }));
        self.large.append(&mut other.large);
        self.large_bytes += std::mem::take(&mut other.large_bytes);
        other.reset();
    }

    /// Moves as many records as fit into the table of JavaScript, their payloads into its slab from `from` on, and large
    /// ones to the end of `large`.
    pub fn move_into(&mut self, table: &mut [i32], slab: &mut [u8], from: usize, large: &mut VecDeque<Vec<u8>>) {
        let slab = slab.get_mut(from..).unwrap_or_default();
        let (mut count, mut used) = (0, 0);
        let (header, rows) = table.split_at_mut(HEADER);
        for row in rows.chunks_exact_mut(4) {
            let Some(record) = self.records.front() else { break };
            let offset = match record.source {
                Source::Slab => {
                    let Some(room) = slab.get_mut(used..used + record.length) else { break };
                    room.copy_from_slice(&self.slab[record.offset..record.offset + record.length]);
                    used += record.length;
                    from + used - record.length
                }
                Source::Large => {
                    if let Some(payload) = self.large.pop_front() {
                        self.large_bytes -= payload.len();
                        large.push_back(payload);
                    }
                    0
                }
                Source::Chunk | Source::Value => record.offset,
            };
            row.copy_from_slice(&[
                record.connection as i32,
                record.kind | record.source as i32,
                offset as i32,
                record.length as i32,
            ]);
            count += 1;
            self.records.pop_front();
        }
        header[0] = count;
        header[1] = used as i32;
        header[2] = i32::from(!self.records.is_empty());
        if self.records.is_empty() {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.slab.clear();
        self.slab.shrink_to(KEPT);
        self.records.shrink_to(KEPT / size_of::<Record>());
    }
}

fn protocol_error(error: &ProtocolError) -> Value {
    let mut value = error::json(error.name(), &error.to_string());
    if let ProtocolError::ReservedBits { bits } = error {
        value["bits"] = (*bits).into();
    }
    value
}

fn closed_json(closed: &Closed) -> Value {
    json!({ "code": closed.code.get(), "reason": closed.reason, "wasClean": closed.was_clean })
}
