//! The buffer through which bytes cross between JavaScript and Rust.
//!
//! There is one for the whole module: every call that uses it is synchronous, so no two need it at once. JavaScript asks
//! for room, writes into linear memory itself (text straight from its encoder), and makes its call; what comes back is
//! read the same way. That is one copy in and one copy out, with no allocation for each call.

use alloc::vec::Vec;

use crate::abi::local;

/// A buffer of up to this size is kept as it is.
const KEPT: usize = 64 << 10;

local! {
    BUFFER: Vec<u8> = Vec::new()
}

/// The address of a buffer of at least `len` bytes, or 0 if memory doesn't suffice. It holds until the next call of this.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(len: usize) -> *mut u8 {
    BUFFER.with(|buffer| {
        buffer.with_mut(|buffer| {
            // A stream of large chunks keeps its large buffer; the first small one gives it back.
            let oversized = buffer.len() > KEPT && len <= buffer.len() / 8;
            if len > buffer.len() || oversized {
                *buffer = Vec::new();
                let size = len.max(1024);
                if buffer.try_reserve_exact(size).is_err() {
                    return core::ptr::null_mut();
                }
                buffer.resize(size, 0);
            }
            buffer.as_mut_ptr()
        })
    })
}

/// Masks or unmasks the first `len` bytes of the border with `key`, whose first byte is its highest (§5.3).
#[cfg(feature = "frames")]
#[unsafe(no_mangle)]
pub extern "C" fn mask_border(key: u32, len: usize) {
    lend(len, |bytes| itoden_core::mask::apply(key.to_be_bytes(), 0, bytes));
}

/// Lends the first `len` bytes to `work`.
///
/// The buffer is taken out meanwhile, so that JavaScript called from within (a source of masking keys) may come back in.
pub(crate) fn lend<R>(len: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = BUFFER.with(|buffer| buffer.with_mut(core::mem::take));
    let result = work(&mut buffer[..len]);
    BUFFER.with(|kept| kept.with_mut(|kept| *kept = buffer));
    result
}

/// Does what JavaScript does: reserves room and writes `bytes` there.
#[cfg(test)]
pub(crate) fn fill(bytes: &[u8]) -> usize {
    assert!(!reserve(bytes.len()).is_null());
    lend(bytes.len(), |buffer| buffer.copy_from_slice(bytes));
    bytes.len()
}
