//! Pings whose pongs are waited for.

use pyo3::prelude::*;

use super::protocol::AsyncConnection;
use super::state::Ping;
use super::trace::Traced;
use crate::clock::now;
use crate::convert::Payload;
use crate::errors;

impl AsyncConnection {
    pub(super) fn ping(slf: &Bound<'_, Self>, data: Option<Bound<'_, PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let payload = match &data {
            Some(data) => Payload::extract("data", data)?.as_bytes().to_vec(),
            None => slf.get().lock(py).unused_ping_payload(),
        };
        if slf.get().lock(py).pings.iter().any(|ping| ping.payload == payload) {
            let message = "already waiting for a pong with the same data";
            return Err(errors::raise(py, "ConcurrencyError", message));
        }
        let traced = || Traced::new(false, "PING", &payload, true);
        let taken = Self::command(slf, |core| core.ping(&payload), traced)?;
        if !taken {
            return Ok(None);
        }
        let future = slf.get().create_future(py)?;
        let ping = Ping { payload, future: future.clone_ref(py), sent_at: now() };
        slf.get().lock(py).pings.push(ping);
        Ok(Some(future))
    }
}
