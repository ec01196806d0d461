//! Points in time, passed in by the driver: the core reads no clock.

use core::num::NonZeroU64;
use core::ops::Add;
use core::time::Duration;

/// A point on the driver's monotonic clock, counted from a moment that the driver chooses.
///
/// Microseconds in 64 bits (584,000 years): small enough for a connection at rest, and free of `std::time::Instant`,
/// which no wasm host without a clock could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(
    /// One more than the microseconds, so that no time at all (`None`) needs no room of its own.
    NonZeroU64,
);

impl Timestamp {
    /// The moment from which the driver counts.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// `micros` microseconds after [`Timestamp::ZERO`].
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// Microseconds since [`Timestamp::ZERO`].
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.as_micros().saturating_sub(earlier.as_micros()))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)))
    }
}
