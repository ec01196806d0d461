//! Masking keys from a generator that the operating system seeds, and seeds again every 64 KiB.
//!
//! As in itoden-net, on which this crate must not depend; here a forked child also forgets its parent's keys.

use std::cell::RefCell;

use itoden_core::mask::{BufferedMaskKeys, MaskKeys};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rand::rngs::{ChaCha8Rng, SysRng};
use rand::{Rng, SeedableRng};

/// Masking keys for the connections of a thread, drawn 256 at a time.
///
/// It holds nothing itself, so that a connection at rest costs no memory for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadMaskKeys;

type Keys = BufferedMaskKeys<fn(&mut [u8])>;

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys::new(fill)) };
    static GENERATOR: RefCell<Option<ChaCha8Rng>> = const { RefCell::new(None) };
}

/// After so many words of 32 bits, 64 KiB, the operating system seeds the generator again.
const WORDS: u128 = 16 << 10;

/// Fills `bytes` at random, with ChaCha: asking the operating system itself would cost more than all else that a small
/// frame costs. Of eight rounds, which nobody can foretell either and which cost two thirds of twelve. "The masking key
/// MUST be derived from a strong source of entropy" (RFC 6455 §5.3): without one nothing may be sent, so there is no way to go on.
pub(crate) fn fill(bytes: &mut [u8]) {
    GENERATOR.with_borrow_mut(|generator| {
        let fresh = generator.take().filter(|generator| generator.get_word_pos() < WORDS);
        let seeded = || ChaCha8Rng::try_from_rng(&mut SysRng).expect("the operating system gives random bytes");
        generator.insert(fresh.unwrap_or_else(seeded)).fill_bytes(bytes);
    });
}

impl MaskKeys for ThreadMaskKeys {
    fn next_key(&mut self) -> [u8; 4] {
        KEYS.with_borrow_mut(MaskKeys::next_key)
    }
}

#[pyfunction]
fn forget_mask_keys() {
    GENERATOR.set(None);
    KEYS.set(Keys::new(fill));
}

/// A forked child begins with a copy of its parent's memory: keys that were drawn but not used must not be sent by both,
/// or each could be foretold from the other. Only the thread that forks lives on in the child.
pub(crate) fn forget_in_forked_children(py: Python<'_>) -> PyResult<()> {
    let os = py.import("os")?;
    // Windows has no fork.
    if os.hasattr("register_at_fork")? {
        let hooks = PyDict::new(py);
        hooks.set_item("after_in_child", wrap_pyfunction!(forget_mask_keys, py)?)?;
        os.call_method("register_at_fork", (), Some(&hooks))?;
    }
    Ok(())
}
