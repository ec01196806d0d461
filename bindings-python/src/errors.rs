//! The core's errors as Python exceptions.
//!
//! Which class an error has is decided by one table in `itoden/exceptions.py`; code, section and rule come from the
//! core's own.

use itoden_core::error::{self, Entry};
use itoden_core::{Failure, HandshakeError, ProtocolError, SendError};
use pyo3::exceptions::{PyEOFError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

/// The table of the core's errors: tuples of name, fault (`"protocol"`, `"handshake"` or `"send"`), close code or HTTP
/// status (0 where neither applies), section and rule.
#[pyfunction]
pub(crate) fn error_table() -> Vec<(&'static str, &'static str, u16, &'static str, &'static str)> {
    error::table()
        .map(|&Entry { name, fault, status, section, rule, .. }| (name, fault.name(), status, section, rule))
        .collect()
}

/// A function or class of `itoden.exceptions`.
fn exceptions<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("itoden.exceptions").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

fn from_core(py: Python<'_>, name: &str, message: String, fields: Option<Bound<'_, PyDict>>) -> PyErr {
    match exceptions(py, "from_core").and_then(|make| make.call1((name, message, fields))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

pub(crate) fn protocol_error(py: Python<'_>, error: &ProtocolError) -> PyErr {
    let fields = PyDict::new(py);
    let set = match error {
        ProtocolError::FrameTooBig { size, limit } | ProtocolError::MessageTooBig { size, limit } => {
            fields.set_item("size", size).and_then(|()| fields.set_item("max_size", limit))
        }
        _ => Ok(()),
    };
    set.map_or_else(|error| error, |()| from_core(py, error.name(), error.to_string(), Some(fields)))
}

pub(crate) fn send_error(py: Python<'_>, error: &SendError) -> PyErr {
    from_core(py, error.name(), error.to_string(), None)
}

pub(crate) fn handshake_error(py: Python<'_>, error: &HandshakeError) -> PyErr {
    let fields = PyDict::new(py);
    let set = match error {
        HandshakeError::MissingHeader { name } => {
            fields.set_item("name", name).and_then(|()| fields.set_item("value", py.None()))
        }
        HandshakeError::DuplicateHeader { name } => {
            fields.set_item("name", name).and_then(|()| fields.set_item("value", py.None()))
        }
        HandshakeError::InvalidHeader { name, value } => {
            fields.set_item("name", name).and_then(|()| fields.set_item("value", value))
        }
        HandshakeError::InvalidMethod { method } => fields.set_item("method", method),
        HandshakeError::InvalidHttpVersion { version } => fields.set_item("protocol", format!("HTTP/{version}")),
        _ => Ok(()),
    };
    set.map_or_else(|error| error, |()| from_core(py, error.name(), error.to_string(), Some(fields)))
}

/// One of the exceptions that this driver raises by itself: `ConcurrencyError`, `InvalidState`.
pub(crate) fn raise(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let class = exceptions(py, class).and_then(|class| Ok(class.cast_into::<PyType>()?));
    match class {
        Ok(class) => PyErr::from_type(class, (message.to_owned(),)),
        Err(error) => error,
    }
}

/// An `InvalidURI`, which is not an error of a handshake in the table of `websockets`.
pub(crate) fn invalid_uri(py: Python<'_>, uri: &str, what: &str) -> PyErr {
    match exceptions(py, "InvalidURI").and_then(|class| class.call1((uri, what))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// How a connection ended, as `itoden.exceptions.connection_closed` wants it.
pub(crate) struct Ended<'py> {
    pub(crate) received: Option<(u16, String)>,
    pub(crate) sent: Option<(u16, String)>,
    pub(crate) received_first: bool,
    pub(crate) cause: Option<Bound<'py, PyAny>>,
    /// How long the event loop was blocked when keepalive failed, in seconds.
    pub(crate) blocked: f64,
}

/// A `ConnectionClosedOK` or `ConnectionClosedError`, whose cause is what the transport told, or else the core's failure.
pub(crate) fn connection_closed(py: Python<'_>, ended: Ended<'_>, failure: Option<&Failure>) -> PyErr {
    let Ended { received, sent, received_first, cause, blocked } = ended;
    let cause = match failure {
        Some(Failure::Protocol(error)) => Some(protocol_error(py, error)),
        _ if cause.is_some() => cause.map(PyErr::from_value),
        Some(failure @ Failure::CloseTimeout) => Some(PyTimeoutError::new_err(failure.to_string())),
        Some(failure @ Failure::PingTimeout) => Some(PyTimeoutError::new_err(if blocked < 0.1 {
            failure.to_string()
        } else {
            format!("{failure}; the event loop itself was blocked for {blocked:.1} s before that")
        })),
        Some(failure) => Some(PyEOFError::new_err(failure.to_string())),
        None => None,
    };
    let cause = cause.map(|cause| cause.into_value(py));
    let made = exceptions(py, "connection_closed").and_then(|make| make.call1((received, sent, received_first, cause)));
    made.map_or_else(|error| error, PyErr::from_value)
}
