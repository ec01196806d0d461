//! Frames, for those who want to see each one: `itoden.protocol`.

use itoden_core::{Event, MessageKind, MessagePart, Opcode};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A frame: opcode, payload, and whether it ends a message.
pub(super) type TappedFrame = (u8, Py<PyBytes>, bool);

/// The frames that came, and what of the last one is there.
#[derive(Default)]
pub(super) struct Tap {
    pub(super) frames: Vec<TappedFrame>,
    /// Pieces of a frame that is not whole yet.
    pieces: Vec<u8>,
    /// The last frame of data was not the last one of its message.
    within_message: bool,
}

impl Tap {
    /// Keeps the frame that an event tells of.
    pub(super) fn keep(&mut self, py: Python<'_>, event: &Event<'_>) {
        match event {
            Event::Message(message) => self.keep_data(py, message.kind(), message.as_bytes(), true),
            Event::MessagePart(MessagePart { payload, ends_fragment: false, .. }) => {
                self.pieces.extend_from_slice(payload)
            }
            Event::MessagePart(part) if self.pieces.is_empty() => {
                self.keep_data(py, part.kind, &part.payload, part.last)
            }
            Event::MessagePart(part) => {
                let mut frame = std::mem::take(&mut self.pieces);
                frame.extend_from_slice(&part.payload);
                self.keep_data(py, part.kind, &frame, part.last);
            }
            Event::Ping(payload) => self.push(py, Opcode::Ping, payload, true),
            Event::Pong(payload) => self.push(py, Opcode::Pong, payload, true),
            Event::CloseReceived(close) => self.push(py, Opcode::Close, &close.payload(), true),
            _ => {}
        }
    }

    fn keep_data(&mut self, py: Python<'_>, kind: MessageKind, payload: &[u8], last: bool) {
        let opcode = match kind {
            _ if self.within_message => Opcode::Continuation,
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        };
        self.within_message = !last;
        self.push(py, opcode, payload, last);
    }

    fn push(&mut self, py: Python<'_>, opcode: Opcode, payload: &[u8], last: bool) {
        self.frames.push((opcode.bits(), PyBytes::new(py, payload).unbind(), last));
    }
}
