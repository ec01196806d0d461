//! The time that an opening handshake may take.

use core::time::Duration;

use crate::error::HandshakeError;
use crate::time::Timestamp;

/// Runs from the moment it is first told the time, whatever comes meanwhile.
#[derive(Debug)]
pub(super) struct OpenTimer {
    limit: Option<Duration>,
    deadline: Option<Timestamp>,
}

impl OpenTimer {
    pub(super) const fn new(limit: Option<Duration>) -> Self {
        Self { limit, deadline: None }
    }

    /// When to be told the time: at once for the first time, as a connection asks for it.
    pub(super) fn poll(&self) -> Option<Timestamp> {
        self.limit.map(|_| self.deadline.unwrap_or(Timestamp::ZERO))
    }

    pub(super) fn handle(&mut self, now: Timestamp) -> Result<(), HandshakeError> {
        let Some(limit) = self.limit else { return Ok(()) };
        let deadline = *self.deadline.get_or_insert(now + limit);
        if now < deadline { Ok(()) } else { Err(HandshakeError::OpenTimeout { limit }) }
    }

    /// The handshake has its answer: time matters no more.
    pub(super) const fn stop(&mut self) {
        self.limit = None;
    }
}
