//! What a connection is told when it opens, as numbers.

use core::time::Duration;

use itoden_core::Config;
use itoden_core::deflate::DeflateConfig;

/// How many numbers there are: `max_message_size`, `max_frame_size`, `max_fragments`, `max_buffered_amount`,
/// `max_pending_pongs`, `close_timeout` in milliseconds, `auto_pong` as 0 or 1, and of compression the level and the
/// threshold. Where one is NaN the core's default holds.
const COUNT: usize = 9;

/// Their length in bytes: each is an `f64` in the order of bytes of wasm.
pub(crate) const LEN: usize = COUNT * 8;

/// The configuration that they stand for. A number beyond a type's range becomes its largest, which is no bound at all.
pub(crate) fn config(settings: &[u8]) -> Config {
    let given = |index: usize| {
        let bytes = settings.get(index * 8..)?.first_chunk::<8>()?;
        Some(f64::from_le_bytes(*bytes)).filter(|value| !value.is_nan())
    };
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.max_message_size = given(0).map_or(limits.max_message_size, |value| value as u64);
    limits.max_frame_size = given(1).map_or(limits.max_frame_size, |value| value as u64);
    limits.max_fragments = given(2).map_or(limits.max_fragments, |value| value as u32);
    limits.max_buffered_amount = given(3).map_or(limits.max_buffered_amount, |value| value as u64);
    limits.max_pending_pongs = given(4).map_or(limits.max_pending_pongs, |value| value as u16);
    config.close_timeout =
        given(5).map_or(config.close_timeout, |value| Duration::from_micros((value * 1000.0) as u64));
    config.auto_pong = given(6).map_or(config.auto_pong, |value| value != 0.0);
    let mut deflate = DeflateConfig::default();
    deflate.level = given(7).map_or(deflate.level, |value| value as u8);
    deflate.threshold = given(8).map_or(deflate.threshold, |value| value as usize);
    config.deflate = Some(deflate);
    config
}

/// As JavaScript lays them out.
#[cfg(test)]
pub(crate) fn bytes(settings: [f64; COUNT]) -> Vec<u8> {
    settings.iter().flat_map(|setting| setting.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_not_given_are_the_cores() {
        let defaults = Config { deflate: Some(DeflateConfig::default()), ..Config::default() };
        assert_eq!(config(&bytes([f64::NAN; 9])), defaults);
        let config = config(&bytes([1.0, f64::INFINITY, 3.0, 4.0, 1e9, 6.5, 0.0, 9.0, 10.0]));
        let limits = &config.limits;
        assert_eq!((limits.max_message_size, limits.max_frame_size, limits.max_fragments), (1, u64::MAX, 3));
        assert_eq!((limits.max_buffered_amount, limits.max_pending_pongs), (4, u16::MAX));
        assert_eq!((config.close_timeout, config.auto_pong), (Duration::from_micros(6500), false));
        assert_eq!(config.deflate.map(|deflate| (deflate.level, deflate.threshold)), Some((9, 10)));
    }
}
