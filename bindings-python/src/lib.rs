//! The native module of the Python package `itoden`: the core's `Connection` as an asyncio protocol, and sans I/O.
//!
//! - [`asyncio`]: [`AsyncConnection`](asyncio::AsyncConnection), the class that asyncio's transports drive
//! - [`sans_io`]: the core's connection and handshakes over bytes, for tests and for other drivers
//! - [`sync`]: who drives a connection in threads
//! - [`read_buffer`]: the buffer that the connections of a thread read into
//! - [`guarded`]: the lock of objects that the garbage collector looks at
//! - [`errors`]: the core's errors as Python exceptions
//!
//! No rule of the protocol is in this crate, nor in the Python above it.

mod asyncio;
mod clock;
mod convert;
mod errors;
mod guarded;
mod mask_keys;
mod read_buffer;
mod sans_io;
mod settings;
mod sync;

/// The native half of the package `itoden`. Import from `itoden` instead: names here can change in any version.
///
/// It does without a global interpreter lock: whatever threads share has a lock of its own.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::asyncio::{AsyncConnection, MessageWaiter, TlsRecords};
    #[pymodule_export]
    use crate::convert::{close_payload, parse_close, response_bytes};
    #[pymodule_export]
    use crate::errors::error_table;
    #[pymodule_export]
    use crate::read_buffer::give_buffer_back;
    #[pymodule_export]
    use crate::sans_io::connection::Connection;
    #[pymodule_export]
    use crate::sans_io::handshake::{ClientHandshake, ServerHandshake, parse_uri, read_response};
    #[pymodule_export]
    use crate::settings::Settings;
    #[pymodule_export]
    use crate::sync::line::Line;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::mask_keys::forget_in_forked_children(module.py())
    }
}
