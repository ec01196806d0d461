//! The life of a connection after its opening handshake: every transition of either role is in this file.
//!
//! ```text
//!                 close() / send Close                    receive Close
//!        Open ─────────────────────────────▶ CloseSent ──────────────────┐
//!         │  receive Close / answer it                                   ▼
//!         ├─────────────────────────────────────────────────────────▶ Ending ──▶ Ended
//!         └──────── fail (from Open or CloseSent) / send Close ──────────▲    end of file or
//!                                                                             close timeout,
//!                                                                             from any state
//! ```
//!
//! If endings are held, there is Held between Open and Ending: the Close frame came, or the failure is known, but this end may
//! still send what answers earlier messages; then the ending is released, and a Close frame sent.
//!
//! In Ending no input is read any more: "after receiving a control frame indicating the connection should be closed, a
//! peer discards any further data received" (§1.4), and after a failure too (§7.1.7). The server, or whoever failed the
//! connection, then closes the transport; a client waits for the server to do it (§7.1.1).

/// Which end of the connection this is. Only masking and who closes the transport first depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that asked for the connection, and masks its frames.
    Client,
    /// The end that accepted it.
    Server,
}

/// The ready state as WHATWG names it; CONNECTING is the time of the [handshake](crate::handshake).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReadyState {
    /// OPEN (1): messages go both ways.
    Open = 1,
    /// CLOSING (2): a Close frame was sent or received, or the connection failed.
    Closing = 2,
    /// CLOSED (3): the transport has ended.
    Closed = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Held,
    CloseSent,
    Ending,
    Ended,
}

/// Where a connection is in its life, and what its driver must still be told.
#[derive(Clone, Debug)]
pub(crate) struct State {
    phase: Phase,
    close_sent: bool,
    close_received: bool,
    /// The driver is to end its side of the transport, once everything is written.
    shutdown: bool,
    shutdown_told: bool,
    closed_told: bool,
    /// The transport takes no more bytes, though it may still bring some.
    write_failed: bool,
}

impl State {
    pub(crate) const fn open() -> Self {
        Self {
            phase: Phase::Open,
            close_sent: false,
            close_received: false,
            shutdown: false,
            shutdown_told: false,
            closed_told: false,
            write_failed: false,
        }
    }

    pub(crate) const fn ready_state(&self) -> ReadyState {
        match self.phase {
            Phase::Open if !self.write_failed => ReadyState::Open,
            Phase::Open | Phase::Held | Phase::CloseSent | Phase::Ending => ReadyState::Closing,
            Phase::Ended => ReadyState::Closed,
        }
    }

    /// Whether frames from the peer still mean something.
    #[inline]
    pub(crate) const fn reads(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::CloseSent)
    }

    /// Whether frames may still be sent.
    #[inline]
    pub(crate) const fn writes(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Held) && !self.write_failed
    }

    /// Whether the peer is expected to say something.
    pub(crate) const fn listens(&self) -> bool {
        matches!(self.phase, Phase::Open) && !self.write_failed
    }

    /// Nothing more is read, because a Close frame came (`close`) or the peer broke the protocol; but what follows from it waits.
    /// Whether it does: where nothing can be sent any more there is nothing to wait for.
    pub(crate) const fn hold(&mut self, close: bool) -> bool {
        let holds = self.listens();
        if holds {
            self.phase = Phase::Held;
            self.close_received = close;
        }
        holds
    }

    pub(crate) const fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held)
    }

    pub(crate) const fn write_failed(&self) -> bool {
        self.write_failed
    }

    /// The transport takes no more bytes. What the peer sent before can still be read, its Close frame among it.
    /// A Close frame that was still `queued` is not sent.
    pub(crate) const fn fail_writing(&mut self, queued: bool) {
        self.write_failed = true;
        self.close_sent &= !queued;
    }

    pub(crate) const fn close_sent(&self) -> bool {
        self.close_sent
    }

    pub(crate) const fn close_received(&self) -> bool {
        self.close_received
    }

    /// This end begins the closing handshake. Whether a Close frame is to be sent: not twice.
    pub(crate) fn close(&mut self) -> bool {
        let begins = self.writes();
        if begins {
            self.phase = Phase::CloseSent;
            self.close_sent = true;
        }
        begins
    }

    /// A Close frame came. Whether it is to be answered with one: "If an endpoint receives a Close frame and did not
    /// previously send a Close frame, the endpoint MUST send a Close frame in response" (§5.5.1).
    pub(crate) fn receive_close(&mut self, role: Role) -> bool {
        let answer = !self.close_sent && !self.write_failed;
        self.close_sent |= answer;
        self.close_received = true;
        self.phase = Phase::Ending;
        // "the server MUST close the underlying TCP connection immediately; the client SHOULD wait for the server to
        // close the connection" (§5.5.1).
        self.shutdown = role == Role::Server;
        answer
    }

    /// The peer broke the protocol. Whether a Close frame is to be sent that says so (§7.1.7).
    pub(crate) fn fail(&mut self) -> bool {
        let send = !self.close_sent && !self.write_failed;
        self.close_sent |= send;
        self.phase = Phase::Ending;
        self.shutdown = true;
        send
    }

    /// The transport has ended, or is given up.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.shutdown = true;
    }

    /// "the WebSocket connection is said to have been closed cleanly" if the TCP connection closed after the closing
    /// handshake was complete (§7.1.4).
    pub(crate) const fn was_clean(&self) -> bool {
        self.close_sent && self.close_received
    }

    /// Whether to tell the driver now, once, to end its side of the transport.
    pub(crate) fn tell_shutdown(&mut self) -> bool {
        self.shutdown && !core::mem::replace(&mut self.shutdown_told, self.shutdown)
    }

    /// Whether to tell the application now, once, that the connection is closed.
    pub(crate) fn tell_closed(&mut self) -> bool {
        let ended = self.phase == Phase::Ended;
        ended && !core::mem::replace(&mut self.closed_told, ended)
    }
}
