//! What a connection tells a logger at the level DEBUG.

use itoden_core::{CloseCode, CloseFrame, Connection, Event};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::state::State;

/// How much of a payload is kept for a log record, in bytes: more than is shown of it.
const SHOWN: usize = 256;

/// Something that went over the wire: whether it came, what it is (as `websockets` names frames, or a whole sentence), the beginning of its
/// payload, and the length of that in bytes.
pub(crate) struct Traced {
    pub(super) came: bool,
    pub(super) what: &'static str,
    pub(super) payload: Vec<u8>,
    pub(super) len: usize,
    /// Whether the message ends with it.
    pub(super) fin: bool,
}

/// A [`Traced`] as Python has it.
pub(super) type TracedParts = (bool, &'static str, Py<PyBytes>, usize, bool);

impl Traced {
    pub(super) fn new(came: bool, what: &'static str, payload: &[u8], fin: bool) -> Self {
        Self { came, what, payload: payload[..payload.len().min(SHOWN)].to_vec(), len: payload.len(), fin }
    }

    pub(super) fn close(came: bool, frame: &CloseFrame<'_>) -> Self {
        let mut payload = frame.code.get().to_be_bytes().to_vec();
        payload.extend_from_slice(frame.reason.as_bytes());
        Self::new(came, "CLOSE", &payload, true)
    }

    pub(super) fn into_python(self, py: Python<'_>) -> TracedParts {
        (self.came, self.what, PyBytes::new(py, &self.payload).unbind(), self.len, self.fin)
    }
}

impl State {
    /// Tells of what came, and of what the core answers by itself.
    pub(super) fn trace_event(&mut self, core: &Connection, event: &Event<'_>) {
        let Some(trace) = &mut self.trace else { return };
        match event {
            Event::Message(message) => {
                trace.push(Traced::new(true, kind_name(message.kind()), message.as_bytes(), true));
            }
            Event::MessagePart(part) => {
                let what = if part.first { kind_name(part.kind) } else { "CONT" };
                trace.push(Traced::new(true, what, &part.payload, part.last));
            }
            Event::Ping(payload) => {
                trace.push(Traced::new(true, "PING", payload, true));
                if !core.close_sent() {
                    trace.push(Traced::new(false, "PONG", payload, true));
                }
            }
            Event::Pong(payload) => trace.push(Traced::new(true, "PONG", payload, true)),
            Event::CloseReceived(close) => {
                trace.push(Traced::close(true, close));
                if core.peer_closed_first() {
                    self.trace_close_sent(core);
                }
            }
            Event::Failed(_) => self.trace_close_sent(core),
            _ => {}
        }
    }

    pub(super) fn trace_close_sent(&mut self, core: &Connection) {
        if let (Some(trace), Some(close)) = (&mut self.trace, core.close_frame_sent()) {
            trace.push(Traced::close(false, close));
        }
    }

    /// Tells of something that is no frame, in a whole sentence.
    pub(super) fn trace_keepalive(&mut self, sentence: &'static str) {
        if let Some(trace) = &mut self.trace {
            trace.push(Traced::new(false, sentence, &[], true));
        }
    }

    pub(super) fn trace_close(&mut self, code: CloseCode, reason: &str) {
        if let Some(trace) = &mut self.trace {
            trace.push(Traced::close(false, &CloseFrame { code, reason: reason.into() }));
        }
    }
}

pub(super) const fn kind_name(kind: itoden_core::MessageKind) -> &'static str {
    match kind {
        itoden_core::MessageKind::Text => "TEXT",
        itoden_core::MessageKind::Binary => "BINARY",
    }
}
