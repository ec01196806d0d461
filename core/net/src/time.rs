//! The clock that connections are told: tokio's, which its tests can stop.

use std::sync::LazyLock;
use std::time::Duration;

use itoden_core::Timestamp;
use tokio::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time now, counted from the first call in this process.
pub fn now() -> Timestamp {
    let elapsed = Instant::now().saturating_duration_since(*START);
    Timestamp::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
}

/// The same moment as an instant of tokio's clock.
pub(crate) fn instant(at: Timestamp) -> Instant {
    *START + Duration::from_micros(at.as_micros())
}
