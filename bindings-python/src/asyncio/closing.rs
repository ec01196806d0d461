//! How this end closes a connection.

use itoden_core::{CloseCode, CloseFrame, SendError};
use pyo3::prelude::*;

use super::state::{Phase, State};
use crate::clock::now;

impl State {
    /// Begins the closing handshake. What came before is let in, and reading goes on until the peer's Close frame.
    pub(super) fn close(&mut self, py: Python<'_>, code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
        let Phase::Open(core) = &mut self.phase else { return Ok(()) };
        let close_was_sent = core.close_sent();
        core.close(now(), code, reason)?;
        if core.close_sent() && !close_was_sent {
            self.close_sent = Some(on_wire(code.unwrap_or(CloseCode::NO_STATUS), reason));
        }
        self.release_reading();
        self.receive_rest(py);
        Ok(())
    }
}

/// A Close frame as the peer reads it: a long reason is cut.
pub(super) fn on_wire(code: CloseCode, reason: &str) -> (u16, String) {
    let payload = CloseFrame { code, reason: reason.into() }.payload();
    match CloseFrame::parse(&payload) {
        Ok(close) => (close.code.get(), close.reason.into_owned()),
        Err(_) => (code.get(), reason.to_owned()),
    }
}
