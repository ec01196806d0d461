//! What the methods of the Python class do about the opening handshake.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::protocol::AsyncConnection;
use super::state::{Asked, Phase};
use crate::convert::{Fields, headers_from_python};
use crate::errors;
use crate::sans_io::handshake::{Response, refusal_to_python, response_to_python};

impl AsyncConnection {
    pub(super) fn wait_opening(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        if slf.get().lock(py).opening_is_decided() {
            return Ok(None);
        }
        let future = slf.get().create_future(py)?;
        let before = slf.get().lock(py).opening_waiter.replace(future.clone_ref(py));
        drop(before);
        Ok(Some(future))
    }

    pub(super) fn check_opening(&self, py: Python<'_>) -> PyResult<()> {
        let (error, lost_because) = {
            let state = self.lock(py);
            (state.opening_error.clone(), state.lost_because.as_ref().map(|because| because.clone_ref(py)))
        };
        let Some(error) = error else { return Ok(()) };
        let raised = errors::handshake_error(py, &error);
        if let Some(because) = lost_because {
            let because = PyErr::from_value(because.into_bound(py));
            // That the transport ended may be told already: this is why.
            raised.cause(py).as_ref().unwrap_or(&raised).set_cause(py, Some(because));
        }
        Err(raised)
    }

    pub(super) fn offered_subprotocols(&self, py: Python<'_>) -> Vec<String> {
        match &self.lock(py).phase {
            Phase::Deciding(asked) => match &**asked {
                Asked::Upgrade(upgrade) => upgrade.subprotocols().to_vec(),
                Asked::Else(..) => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    pub(super) fn check_request(&self, py: Python<'_>) -> PyResult<()> {
        let error = match &self.lock(py).phase {
            Phase::Deciding(asked) => match &**asked {
                Asked::Upgrade(_) => return Ok(()),
                Asked::Else(_, error) => error.clone(),
            },
            _ => return Ok(()),
        };
        let raised = errors::handshake_error(py, &error);
        let (head, body) = refusal_to_python(py, &error)?;
        raised.value(py).setattr("answer", (head, body))?;
        Err(raised)
    }

    pub(super) fn response_and_body<'py>(&self, py: Python<'py>) -> Option<(Response, Bound<'py, PyBytes>)> {
        let state = self.lock(py);
        let response = response_to_python(state.response.as_ref()?);
        let body = match &state.phase {
            Phase::ReadingRefusal(body) => body.body(),
            _ => &[],
        };
        Some((response, PyBytes::new(py, body)))
    }

    pub(super) fn accept(
        slf: &Bound<'_, Self>,
        subprotocol: Option<&str>,
        headers: Fields,
        fields: Option<Fields>,
    ) -> PyResult<Response> {
        let py = slf.py();
        let (headers, fields) = (headers_from_python(headers), fields.map(headers_from_python));
        let accepted = Self::change(slf, true, |state| state.accept(py, subprotocol, &headers, fields))?;
        let head = accepted.ok_or_else(|| errors::raise(py, "InvalidState", "there is no request to accept"))?;
        Ok(response_to_python(&head.map_err(|error| errors::handshake_error(py, &error))?))
    }

    pub(super) fn propose(&self, py: Python<'_>, subprotocol: Option<&str>, headers: Fields) -> PyResult<Response> {
        let proposed = self.lock(py).propose(subprotocol, &headers_from_python(headers));
        let proposed = proposed.ok_or_else(|| errors::raise(py, "InvalidState", "there is no request to accept"))?;
        Ok(response_to_python(&proposed.map_err(|error| errors::handshake_error(py, &error))?.response))
    }
}
