//! Where masking keys come from (RFC 6455 §5.3, §10.3).

use std::cell::RefCell;

use itoden_core::MaskKeys;
use itoden_core::mask::BufferedMaskKeys;
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// The host's "strong source of entropy" (§5.3): every page, worker and server-side runtime has this one.
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

type HostKeys = BufferedMaskKeys<fn(&mut [u8])>;

thread_local! {
    /// Shared by all encoders and connections: one call into JavaScript pays for 256 keys.
    static RANDOM: RefCell<HostKeys> = const { RefCell::new(BufferedMaskKeys::new(get_random_values)) };
}

/// Keys from the host's generator.
pub(crate) struct Random;

impl MaskKeys for Random {
    fn next_key(&mut self) -> [u8; 4] {
        RANDOM.with_borrow_mut(MaskKeys::next_key)
    }
}

/// Keys that the caller chooses one by one, as 32-bit numbers. `lib/connection.ts` sees to it that the function neither
/// throws nor returns anything else.
pub(crate) struct Chosen(pub(crate) Function);

impl MaskKeys for Chosen {
    fn next_key(&mut self) -> [u8; 4] {
        let key = self.0.call0(&JsValue::UNDEFINED).ok().and_then(|key| key.as_f64());
        (key.expect("the function returns a number") as u32).to_be_bytes()
    }
}

/// One key that is known already.
pub(crate) struct Given(pub(crate) [u8; 4]);

impl MaskKeys for Given {
    fn next_key(&mut self) -> [u8; 4] {
        self.0
    }
}
