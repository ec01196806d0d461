//! The clock that connections are told.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use itoden_core::Timestamp;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time now, counted from the first call in this process.
pub fn now() -> Timestamp {
    Timestamp::from_micros(u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// The same moment as an instant of tokio's clock.
pub(crate) fn instant(at: Timestamp) -> tokio::time::Instant {
    tokio::time::Instant::from_std(*START + Duration::from_micros(at.as_micros()))
}
