//! Points in time, passed in by the driver: the core reads no clock.

use core::ops::Add;
use core::time::Duration;

/// A point on the driver's monotonic clock, counted from a moment that the driver chooses.
///
/// Microseconds in a `u64` (584,000 years): small enough for a connection at rest, and free of
/// `std::time::Instant`, which no wasm host without a clock could make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment from which the driver counts.
    pub const ZERO: Self = Self(0);

    /// `micros` microseconds after [`Timestamp::ZERO`].
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since [`Timestamp::ZERO`].
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, delay: Duration) -> Self {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}
