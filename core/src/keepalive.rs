//! Pings at an interval, and the end of a connection whose peer has fallen silent (RFC 6455 §5.5.2: "A Ping frame may
//! serve either as a keepalive or as a means to verify that the remote endpoint is still responsive").

use core::time::Duration;

use crate::time::Timestamp;

/// The keepalive of one connection.
pub(crate) struct Keepalive {
    interval: Duration,
    timeout: Option<Duration>,
    /// When the next ping is due; due at once until the first call has told the time.
    next: Timestamp,
    started: bool,
    /// The ping that was sent last: when, and its number.
    sent: Option<(Timestamp, u32)>,
    /// Whether anything came since it was sent: any byte is a sign of life.
    alive: bool,
    number: u32,
    latency: Option<Duration>,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send a ping with this payload.
    Ping([u8; 4]),
    /// The peer has fallen silent.
    Silent,
}

impl Keepalive {
    pub(crate) const fn new(interval: Duration, timeout: Option<Duration>) -> Self {
        // No busy loop for an interval of nothing.
        let interval = if interval.as_millis() == 0 { Duration::from_millis(1) } else { interval };
        Self {
            interval,
            timeout,
            next: Timestamp::ZERO,
            started: false,
            sent: None,
            alive: true,
            number: 0,
            latency: None,
        }
    }

    /// The time from the last answered ping to its pong.
    pub(crate) const fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// When to ask [`Keepalive::due`] again.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.silent_at().map_or(self.next, |silent| silent.min(self.next))
    }

    /// When the peer counts as silent, if it stays so.
    fn silent_at(&self) -> Option<Timestamp> {
        let (sent, _) = self.sent.filter(|_| !self.alive)?;
        Some(sent + self.timeout?)
    }

    #[inline]
    pub(crate) const fn received(&mut self) {
        self.alive = true;
    }

    /// A pong came. One that answers the last ping tells the latency.
    pub(crate) fn pong(&mut self, now: Timestamp, payload: &[u8]) {
        if let Some((sent, number)) = self.sent
            && payload == number.to_be_bytes()
        {
            self.latency = Some(now.since(sent));
        }
    }

    pub(crate) fn due(&mut self, now: Timestamp) -> Due {
        if self.silent_at().is_some_and(|silent| now >= silent) {
            return Due::Silent;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.next = now + self.interval;
        if !core::mem::replace(&mut self.started, true) {
            return Due::Nothing;
        }
        // While a ping is unanswered and its time runs, another would only start the time anew.
        if self.silent_at().is_none() {
            self.number = self.number.wrapping_add(1);
            self.sent = Some((now, self.number));
            self.alive = false;
            return Due::Ping(self.number.to_be_bytes());
        }
        Due::Nothing
    }
}
