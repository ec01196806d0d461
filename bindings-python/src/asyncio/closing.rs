//! How this end closes a connection.

use std::mem;

use itoden_core::{CloseCode, ReadyState, SendError};
use pyo3::prelude::*;

use super::state::{Phase, State};
use crate::clock::now;

impl State {
    /// Begins the closing handshake. What came before is let in, and reading goes on until the peer's Close frame.
    pub(super) fn close(&mut self, py: Python<'_>, code: Option<CloseCode>, reason: &str) -> Result<(), SendError> {
        // The peer was faster: its Close frame is answered.
        if self.release_ending() {
            return Ok(());
        }
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

    /// Lets an ending go on that waited for the application to answer what came before it. Whether there was one.
    pub(super) fn release_ending(&mut self) -> bool {
        let Phase::Open(core) = &mut self.phase else { return false };
        let held = core.is_ending_held();
        if held {
            core.release_ending();
            let Phase::Open(core) = mem::replace(&mut self.phase, Phase::Discarding) else { return false };
            self.trace_close_sent(&core);
            self.phase = Phase::Open(core);
        }
        held
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
