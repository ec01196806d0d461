//! The opening handshake over bytes (RFC 6455 §4).

use std::sync::{Arc, Mutex};

use itoden_core::handshake::http1::HeadReader;
use itoden_core::handshake::{
    self, ClientRequest, HeadLimits, RequestHead, ResponseHead, Upgrade, WebSocketUri, server,
};
use itoden_core::{Config, HandshakeError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::convert::{Fields, headers_from_python, headers_to_python};
use crate::errors::{self, handshake_error};
use crate::mask_keys::{ThreadMaskKeys, fill};
use crate::settings::Settings;

/// A response as Python has it: status, reason phrase, headers.
pub(crate) type Response = (u16, String, Fields);

pub(crate) fn response_to_python(head: &ResponseHead) -> Response {
    (head.status, head.reason.clone(), headers_to_python(&head.headers))
}

/// A request as Python has it: method, target, version of HTTP, headers.
pub(crate) type Request = (String, String, String, Fields);

pub(crate) fn request_to_python(head: &RequestHead) -> Request {
    (head.method.clone(), head.target.clone(), head.version.to_string(), headers_to_python(&head.headers))
}

/// What a server answers to a request with an error: the head and the body.
pub(crate) fn refusal_to_python<'py>(
    py: Python<'py>,
    error: &HandshakeError,
) -> PyResult<(Response, Bound<'py, PyBytes>)> {
    let bytes = server::error_response(error);
    let (head, used) = read_head(&bytes, HeadLimits::DEFAULT)
        .and_then(|read| read.ok_or(HandshakeError::UnexpectedEof))
        .map_err(|error| handshake_error(py, &error))?;
    Ok((response_to_python(&head), PyBytes::new(py, &bytes[used..])))
}

fn read_head(bytes: &[u8], limits: HeadLimits) -> Result<Option<(ResponseHead, usize)>, HandshakeError> {
    let mut reader = HeadReader::new(limits);
    let Some(used) = reader.push(bytes)? else { return Ok(None) };
    Ok(Some((reader.response()?, used)))
}

/// Reads the head of a response from the beginning of `data`, within the limits of `settings`. `None`: more bytes are
/// needed. Else the head, and how many bytes it has. Raises `InvalidHandshake`.
#[pyfunction]
pub(crate) fn read_response(py: Python<'_>, data: &[u8], settings: &Settings) -> PyResult<Option<(Response, usize)>> {
    let read = read_head(data, settings.shared.head_limits).map_err(|error| handshake_error(py, &error))?;
    Ok(read.map(|(head, used)| (response_to_python(&head), used)))
}

/// The parts of a URI: whether it is secure, host, port, the value of Host, the resource name, and what stands before an `@`.
type UriParts = (bool, String, u16, String, String, Option<String>);

/// Takes a WebSocket URI in ASCII apart (§3). Raises `InvalidURI`.
#[pyfunction]
pub(crate) fn parse_uri(py: Python<'_>, uri: &str) -> PyResult<UriParts> {
    match WebSocketUri::parse(uri) {
        Ok(parts) => {
            let authority = parts.authority();
            Ok((parts.secure, parts.host, parts.port, authority, parts.resource_name, parts.userinfo))
        }
        Err(HandshakeError::InvalidUri { what, .. }) => Err(errors::invalid_uri(py, uri, what)),
        Err(error) => Err(handshake_error(py, &error)),
    }
}

/// The client's side (§4.1): `request` is what to write, `receive_data()` takes the answer.
///
/// `host` is the value of Host, `target` the path with its query. `nonce`, 16 bytes, is for tests only; by default it is
/// random. `settings` say which compression is offered and how large the answer may be; by default none and the core's
/// limits. Raises `InvalidHandshake` for what can't be sent.
#[pyclass(frozen, module = "itoden._native")]
pub(crate) struct ClientHandshake {
    state: Mutex<Option<handshake::ClientHandshake>>,
    config: Arc<Config>,
    head: RequestHead,
    request: Vec<u8>,
}

impl ClientHandshake {
    /// The handshake itself, once.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<handshake::ClientHandshake> {
        let taken = self.state.lock_py_attached(py).expect("no panic under this lock").take();
        taken.ok_or_else(|| errors::raise(py, "InvalidState", "this handshake is over or in use already"))
    }

    pub(crate) fn request_bytes(&self) -> &[u8] {
        &self.request
    }
}

#[pymethods]
impl ClientHandshake {
    #[new]
    #[pyo3(signature = (host, target, *, subprotocols, headers, settings = None, nonce = None))]
    fn new(
        py: Python<'_>,
        host: String,
        target: String,
        subprotocols: Vec<String>,
        headers: Fields,
        settings: Option<&Bound<'_, Settings>>,
        nonce: Option<[u8; 16]>,
    ) -> PyResult<Self> {
        let nonce = nonce.unwrap_or_else(|| {
            let mut nonce = [0; 16];
            fill(&mut nonce);
            nonce
        });
        let (config, limits) = match settings {
            Some(settings) => (settings.get().shared.config.clone(), settings.get().shared.head_limits),
            None => (Arc::default(), HeadLimits::default()),
        };
        let (deflate, headers) = (config.deflate.clone(), headers_from_python(headers));
        let request = ClientRequest { host, target, subprotocols, deflate, headers };
        let (state, head) =
            handshake::ClientHandshake::new(request, nonce, limits).map_err(|error| handshake_error(py, &error))?;
        let request = head.to_bytes();
        Ok(Self { state: Mutex::new(Some(state)), config, head, request })
    }

    /// The bytes of the request.
    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.request)
    }

    /// The target of the request: path and query.
    #[getter]
    fn target(&self) -> &str {
        &self.head.target
    }

    /// The header fields of the request, in order.
    #[getter]
    fn headers(&self) -> Fields {
        headers_to_python(&self.head.headers)
    }

    /// Takes the next bytes of the answer. `None`: more are needed. Else the subprotocol that was agreed on, or `None`,
    /// in a tuple of one.
    fn receive_data(&self, py: Python<'_>, data: &[u8]) -> PyResult<Option<(Option<String>,)>> {
        let mut state = self.take(py)?;
        match state.handle_bytes(data) {
            Ok(None) => {
                *self.state.lock_py_attached(py).expect("no panic under this lock") = Some(state);
                Ok(None)
            }
            Ok(Some((response, _))) => {
                let opened = state.open(&response, self.config.clone(), Box::new(ThreadMaskKeys));
                let connection = opened.map_err(|error| handshake_error(py, &error))?;
                Ok(Some((connection.subprotocol().map(str::to_owned),)))
            }
            Err(error) => Err(handshake_error(py, &error)),
        }
    }
}

enum ServerState {
    Reading(handshake::ServerHandshake),
    Read(Box<Upgrade>),
    Over,
}

/// The server's side (§4.2): `receive_data()` takes the request, `accept()` returns the answer.
#[pyclass(frozen, module = "itoden._native")]
pub(crate) struct ServerHandshake {
    state: Mutex<ServerState>,
}

#[pymethods]
impl ServerHandshake {
    #[new]
    fn new() -> Self {
        Self { state: Mutex::new(ServerState::Reading(handshake::ServerHandshake::new(HeadLimits::default()))) }
    }

    /// Takes the next bytes of the request. `None`: more are needed. Else method, target and headers. Raises
    /// `InvalidHandshake`, whose `response` has the bytes to answer with.
    fn receive_data(&self, py: Python<'_>, data: &[u8]) -> PyResult<Option<Request>> {
        let mut guard = self.state.lock_py_attached(py).expect("no panic under this lock");
        let ServerState::Reading(handshake) = &mut *guard else {
            drop(guard);
            return Err(errors::raise(py, "InvalidState", "the request was read already"));
        };
        match handshake.handle_bytes(data) {
            Ok(None) => Ok(None),
            Ok(Some((upgrade, _))) => {
                let request = request_to_python(upgrade.request());
                *guard = ServerState::Read(Box::new(upgrade));
                Ok(Some(request))
            }
            Err(error) => {
                *guard = ServerState::Over;
                drop(guard);
                let raised = handshake_error(py, &error);
                raised.value(py).setattr("response", PyBytes::new(py, &server::error_response(&error)))?;
                Err(raised)
            }
        }
    }

    /// Accepts the request: the bytes of the answer. `subprotocol` is one that the client offers, or `None`.
    #[pyo3(signature = (subprotocol = None, headers = Vec::new()))]
    fn accept<'py>(
        &self,
        py: Python<'py>,
        subprotocol: Option<&str>,
        headers: Fields,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let state = std::mem::replace(
            &mut *self.state.lock_py_attached(py).expect("no panic under this lock"),
            ServerState::Over,
        );
        let ServerState::Read(upgrade) = state else {
            return Err(errors::raise(py, "InvalidState", "there is no request to accept"));
        };
        let accepted = upgrade.accept(subprotocol, &headers_from_python(headers), Arc::new(Config::default()));
        let response = accepted.map_err(|error| handshake_error(py, &error))?.response;
        Ok(PyBytes::new(py, &response.to_bytes()))
    }
}
