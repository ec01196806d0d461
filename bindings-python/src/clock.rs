//! The driver's clock.

use std::sync::LazyLock;
use std::time::Instant;

use itoden_core::Timestamp;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time that connections are told: monotonic, counted from its first use in this process.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX))
}
