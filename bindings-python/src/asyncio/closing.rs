//! How this end closes a connection.

use itoden_core::{CloseCode, ReadyState, SendError};
use pyo3::prelude::*;

use super::state::{Phase, State};
use crate::clock::now;

impl State {
    /// Begins the closing handshake. What came before is let in, and reading goes on until the peer's Close frame.
    pub(super) fn close(&mut self, py: Python<'_>, code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
        let Phase::Open(core) = &mut self.phase else { return Ok(()) };
        let closes = !core.close_sent();
        core.close(now(), code, reason)?;
        if closes && let Some(code) = code {
            self.trace_close(code, reason);
        }
        self.release_reading();
        self.receive_rest(py);
        Ok(())
    }

    /// Fails the connection. Nothing is read any more.
    pub(super) fn fail(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let Phase::Open(core) = &mut self.phase else { return Ok(()) };
        let closes = !core.close_sent() && core.ready_state() == ReadyState::Open;
        core.fail(now(), code, reason)?;
        if closes {
            self.trace_close(code, reason);
        }
        Ok(())
    }
}
