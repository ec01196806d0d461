//! An open connection over bytes.

use std::sync::{Arc, Mutex, MutexGuard};

use itoden_core::{
    CloseCode, Closed, Config, Event, Input, Limits, MaskKeys, Message, MessageKind, ProtocolError, Role, SendError,
    Transmit,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};

use super::agreed;
use crate::clock::now;
use crate::convert::message_to_python;
use crate::errors;
use crate::mask_keys::ThreadMaskKeys;

/// The same masking key for every frame: for tests, whose bytes are to be exact.
struct FixedMaskKey([u8; 4]);

impl MaskKeys for FixedMaskKey {
    fn next_key(&mut self) -> [u8; 4] {
        self.0
    }
}

/// An open WebSocket connection, without its socket (RFC 6455 §5 to §7).
///
/// `Connection("server")` or `Connection("client")`. Bytes go in with `receive_data()`, which returns what they mean;
/// `data_to_send()` returns what is to be written, after each call of any other method.
///
/// Events are tuples: `("text", str)`, `("binary", bytes)`, `("ping", bytes)`, `("pong", bytes)`,
/// `("close", code, reason)` when a Close frame came, `("failed", exception)` when the peer broke the protocol, and as the
/// last one `("closed", code, reason, clean)`.
#[pyclass(frozen, module = "itoden._native")]
pub(crate) struct Connection {
    core: Mutex<itoden_core::Connection>,
}

impl Connection {
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, itoden_core::Connection> {
        self.core.lock_py_attached(py).expect("no panic under this lock")
    }

    fn command(
        &self,
        py: Python<'_>,
        command: impl FnOnce(&mut itoden_core::Connection) -> Result<(), SendError>,
    ) -> PyResult<()> {
        let result = command(&mut self.lock(py));
        result.map_err(|error| errors::send_error(py, &error))
    }
}

/// An event as it leaves the lock. Tuples and exceptions are made after it: making them can run Python code.
enum Told {
    Payload(&'static str, Py<PyAny>),
    Close(u16, String),
    Failed(ProtocolError),
    Closed(Closed),
}

fn poll_all(py: Python<'_>, core: &mut itoden_core::Connection, input: &mut Input<'_>) -> Vec<Told> {
    let bytes = |payload: &[u8]| PyBytes::new(py, payload).into_any().unbind();
    let mut told = Vec::new();
    while let Some(event) = core.poll_event(input) {
        told.push(match event {
            Event::Message(message) => {
                let kind = match message.kind() {
                    MessageKind::Text => "text",
                    MessageKind::Binary => "binary",
                };
                Told::Payload(kind, message_to_python(py, &message))
            }
            Event::Ping(payload) => Told::Payload("ping", bytes(&payload)),
            Event::Pong(payload) => Told::Payload("pong", bytes(&payload)),
            Event::CloseReceived(close) => Told::Close(close.code.get(), close.reason.into_owned()),
            Event::Failed(error) => Told::Failed(error),
            Event::Closed(closed) => Told::Closed(closed),
            // Event is open for additions, but this package is built with the core whose events it knows.
            other => unreachable!("an event that this version does not know: {other:?}"),
        });
    }
    told
}

fn events_to_python<'py>(py: Python<'py>, told: Vec<Told>) -> PyResult<Bound<'py, PyList>> {
    let events = PyList::empty(py);
    for event in told {
        events.append(match event {
            Told::Payload(kind, payload) => (kind, payload).into_pyobject(py)?,
            Told::Close(code, reason) => ("close", code, reason).into_pyobject(py)?,
            Told::Failed(error) => ("failed", errors::protocol_error(py, &error).into_value(py)).into_pyobject(py)?,
            Told::Closed(Closed { code, reason, was_clean, .. }) => {
                ("closed", code.get(), reason, was_clean).into_pyobject(py)?
            }
        })?;
    }
    Ok(events)
}

#[pymethods]
impl Connection {
    /// `role` is `"server"` or `"client"`. `masking_key`, 4 bytes, fixes the key of a client's frames, for tests only; by
    /// default each is random (§5.3). Limits are in bytes and frames; `None` is the core's default.
    /// `extensions`, for tests too, is what the opening handshake agreed on, as the server answers it; every message is then
    /// compressed.
    #[new]
    #[pyo3(signature = (
        role, *, masking_key = None, max_message_size = None, max_frame_size = None, max_fragments = None, extensions = None,
    ))]
    fn new(
        py: Python<'_>,
        role: &str,
        masking_key: Option<[u8; 4]>,
        max_message_size: Option<u64>,
        max_frame_size: Option<u64>,
        max_fragments: Option<u32>,
        extensions: Option<&str>,
    ) -> PyResult<Self> {
        let mut limits = Limits::default();
        limits.max_message_size = max_message_size.unwrap_or(limits.max_message_size);
        limits.max_frame_size = max_frame_size.unwrap_or(limits.max_frame_size);
        limits.max_fragments = max_fragments.unwrap_or(limits.max_fragments);
        let config = Config { limits, ..Config::default() };
        let role = match role {
            "server" if masking_key.is_some() => {
                return Err(PyValueError::new_err("masking_key is for clients; a server masks nothing"));
            }
            "server" => Role::Server,
            "client" => Role::Client,
            _ => return Err(PyValueError::new_err(format!("role is {role:?}; it must be \"server\" or \"client\""))),
        };
        let mask_keys: Box<dyn MaskKeys + Send> = match masking_key {
            Some(key) => Box::new(FixedMaskKey(key)),
            None => Box::new(ThreadMaskKeys),
        };
        let core = match (extensions, role) {
            (Some(extensions), _) => agreed::connection(role, extensions, config, mask_keys)
                .map_err(|error| errors::handshake_error(py, &error))?,
            (None, Role::Server) => itoden_core::Connection::server(Arc::new(config)),
            (None, Role::Client) => itoden_core::Connection::client(Arc::new(config), mask_keys),
        };
        Ok(Self { core: Mutex::new(core) })
    }

    /// Bytes came from the peer: the events that they bring.
    fn receive_data<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let mut data = data.to_vec();
        let told = {
            let core = &mut *self.lock(py);
            let mut input = core.handle_bytes(now(), &mut data);
            poll_all(py, core, &mut input)
        };
        events_to_python(py, told)
    }

    /// The transport's incoming side has ended: the events that this brings.
    fn receive_eof<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let told = {
            let core = &mut *self.lock(py);
            core.handle_eof(now());
            poll_all(py, core, &mut Input::empty())
        };
        events_to_python(py, told)
    }

    /// All bytes that are to be written now.
    fn data_to_send<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let core = &mut *self.lock(py);
        let mut bytes = Vec::new();
        while let Some(Transmit::Write(segments)) = core.poll_transmit() {
            segments.iter().for_each(|segment| bytes.extend_from_slice(segment));
            let count = segments.len();
            core.transmitted(count);
        }
        PyBytes::new(py, &bytes)
    }

    /// Sends a text message (§5.6).
    fn send_text(&self, py: Python<'_>, text: &str) -> PyResult<()> {
        self.command(py, |core| core.send(Message::text(text)))
    }

    /// Sends a binary message (§5.6).
    fn send_binary(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.command(py, |core| core.send(Message::binary(data)))
    }

    /// Sends the next fragment of a message (§5.4). `kind`, `"text"` or `"binary"`, counts for the first one.
    fn send_fragment(&self, py: Python<'_>, kind: &str, data: &[u8], fin: bool) -> PyResult<()> {
        let kind = match kind {
            "text" => MessageKind::Text,
            "binary" => MessageKind::Binary,
            _ => return Err(PyValueError::new_err(format!("kind is {kind:?}; it must be \"text\" or \"binary\""))),
        };
        self.command(py, |core| core.send_fragment(kind, data, fin))
    }

    /// Sends a ping with at most 125 bytes (§5.5.2).
    fn send_ping(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.command(py, |core| core.ping(data))
    }

    /// Sends a pong with at most 125 bytes (§5.5.3).
    fn send_pong(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.command(py, |core| core.pong(data))
    }

    /// Begins the closing handshake (§7.1.2); `code` may be `None`.
    #[pyo3(signature = (code = Some(1000), reason = ""))]
    fn send_close(&self, py: Python<'_>, code: Option<u16>, reason: &str) -> PyResult<()> {
        self.command(py, |core| core.close(now(), code.map(CloseCode::new), reason))
    }
}
