//! Between Python's objects and the core's.

use itoden_core::handshake::Headers;
use itoden_core::{CloseCode, CloseFrame, Message, SendError};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::errors;

/// A received message: `str` for text, `bytes` for binary, made straight from the read buffer.
pub(crate) fn message_to_python(py: Python<'_>, message: &Message<'_>) -> Py<PyAny> {
    match message {
        Message::Text(text) => PyString::new(py, text).into_any().unbind(),
        Message::Binary(bytes) => PyBytes::new(py, bytes).into_any().unbind(),
    }
}

/// An argument that is `str` or bytes-like. Text is borrowed as UTF-8, and so are `bytes`; what can change is copied.
pub(crate) enum Payload<'a, 'py> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Copied(Bound<'py, PyBytes>),
}

impl<'a, 'py> Payload<'a, 'py> {
    /// `argument` is its name, for the error.
    pub(crate) fn extract(argument: &'static str, object: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Self::Text(text.to_str()?));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.as_bytes()));
        }
        if PyUntypedBuffer::get(object).is_ok() {
            // Also for a memoryview with strides or with items of several bytes: its bytes in order.
            let copy = object.py().get_type::<PyBytes>().call1((object,))?;
            return Ok(Self::Copied(copy.cast_into()?));
        }
        let came = object.get_type().qualname()?;
        Err(PyTypeError::new_err(format!("{argument} must be str or bytes-like, not {came}")))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Copied(bytes) => bytes.as_bytes(),
        }
    }

    /// The message to send: as the type of the argument says, or as `text` says.
    pub(crate) fn message(&self, py: Python<'_>, text: Option<bool>) -> PyResult<Message<'_>> {
        Ok(match (self, text) {
            (Self::Text(text), None | Some(true)) => Message::text(text),
            (_, Some(true)) => {
                let checked = itoden_core::utf8::whole(self.as_bytes());
                Message::text(checked.map_err(|_| errors::send_error(py, &SendError::TextNotUtf8))?)
            }
            _ => Message::binary(self.as_bytes()),
        })
    }
}

/// Header fields as Python has them: pairs of name and value, in order.
pub(crate) type Fields = Vec<(String, String)>;

pub(crate) fn headers_from_python(fields: Fields) -> Headers {
    fields.into_iter().collect()
}

pub(crate) fn headers_to_python(headers: &Headers) -> Fields {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The bytes of an HTTP response that an application gives instead of opening a connection.
///
/// Raises `ValueError` for a status outside 200 to 599, and `InvalidHandshake` for a header that could break out of its
/// line.
#[pyfunction]
#[pyo3(signature = (status, reason, headers, body))]
pub(crate) fn response_bytes<'py>(
    py: Python<'py>,
    status: u16,
    reason: &str,
    headers: Fields,
    body: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    if !(200..=599).contains(&status) {
        return Err(PyValueError::new_err(format!("the status of a response is {status}; 200 to 599 are allowed")));
    }
    let mut headers = headers_from_python(headers);
    // The reason phrase has the grammar of a field value, so it is checked as one.
    headers.append("Reason", reason);
    headers.check_sendable().map_err(|error| errors::handshake_error(py, &error))?;
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in headers.iter().take(headers.len() - 1) {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    // Each character, up to U+00FF, is one byte on the wire.
    let mut bytes: Vec<u8> = head.chars().map(|c| u32::from(c) as u8).collect();
    bytes.extend_from_slice(body);
    Ok(PyBytes::new(py, &bytes))
}

/// The payload of a Close frame (RFC 6455 §5.5.1). Raises `SendError` if none can say this.
#[pyfunction]
pub(crate) fn close_payload<'py>(py: Python<'py>, code: u16, reason: &str) -> PyResult<Bound<'py, PyBytes>> {
    let mut connection = itoden_core::Connection::server(std::sync::Arc::default());
    let refused = |error| errors::send_error(py, &error);
    connection.close(itoden_core::Timestamp::from_micros(0), Some(CloseCode::new(code)), reason).map_err(refused)?;
    let close = CloseFrame { code: CloseCode::new(code), reason: reason.into() };
    Ok(PyBytes::new(py, &close.payload()))
}

/// The code and the reason in the payload of a Close frame; 1005 if it is empty. Raises `ProtocolError`.
#[pyfunction]
pub(crate) fn parse_close(py: Python<'_>, payload: &[u8]) -> PyResult<(u16, String)> {
    let close = CloseFrame::parse(payload).map_err(|error| errors::protocol_error(py, &error))?;
    Ok((close.code.get(), close.reason.into_owned()))
}
