//! Errors on their way to JavaScript, where `lib/errors.ts` makes classes of them.

use itoden_core::{ProtocolError, SendError};
use js_sys::Array;
use wasm_bindgen::JsValue;

/// `[code, section, close code, message]`: the peer's fault.
pub(crate) fn protocol(error: &ProtocolError) -> JsValue {
    parts(error.name(), error.section(), error.close_code().get(), &error.to_string())
}

/// `[code, section, 0, message]`: the caller's fault.
pub(crate) fn send(error: &SendError) -> JsValue {
    parts(error.name(), error.section(), 0, &error.to_string())
}

fn parts(name: &str, section: &str, close_code: u16, message: &str) -> JsValue {
    Array::of4(&name.into(), &section.into(), &close_code.into(), &message.into()).into()
}
