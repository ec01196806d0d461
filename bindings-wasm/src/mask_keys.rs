//! Where masking keys come from (RFC 6455 §5.3, §10.3).

use itoden_core::MaskKeys;
use itoden_core::mask::BufferedMaskKeys;

use crate::abi::{host, local};

type HostKeys = BufferedMaskKeys<fn(&mut [u8])>;

local! {
    /// Shared by all encoders and connections: one call into JavaScript pays for 256 keys.
    RANDOM: HostKeys = BufferedMaskKeys::new(host::random)
}

/// Keys from the host's generator.
pub(crate) struct Random;

impl MaskKeys for Random {
    fn next_key(&mut self) -> [u8; 4] {
        RANDOM.with(|keys| keys.with_mut(MaskKeys::next_key))
    }
}

/// Keys that the caller chooses one by one, as 32-bit numbers; the source has a number by which `lib/module.ts` knows it.
#[cfg(feature = "codec")]
pub(crate) struct Chosen(pub(crate) u32);

#[cfg(feature = "codec")]
impl MaskKeys for Chosen {
    fn next_key(&mut self) -> [u8; 4] {
        host::key(self.0).to_be_bytes()
    }
}

/// One key that is known already.
pub(crate) struct Given(pub(crate) [u8; 4]);

impl MaskKeys for Given {
    fn next_key(&mut self) -> [u8; 4] {
        self.0
    }
}
