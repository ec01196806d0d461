//! What the connections of one `connect()` or `serve()` have in common.

use std::sync::Arc;
use std::time::Duration;

use itoden_core::{Config, Limits};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Settings of connections, made once and shared by all that have the same.
#[pyclass(frozen, module = "itoden._native")]
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    /// Reading pauses when more messages than the first wait, and goes on when the second are left.
    pub(crate) max_queue: Option<(usize, usize)>,
    pub(crate) write_limit: (usize, Option<usize>),
}

#[pymethods]
impl Settings {
    #[new]
    #[pyo3(signature = (*, max_message_size, max_frame_size, close_timeout, max_queue, write_limit))]
    fn new(
        max_message_size: Option<u64>,
        max_frame_size: Option<u64>,
        close_timeout: Option<f64>,
        max_queue: Option<(usize, usize)>,
        write_limit: (usize, Option<usize>),
    ) -> PyResult<Self> {
        let limits = Limits {
            max_message_size: max_message_size.unwrap_or(u64::MAX),
            max_frame_size: max_frame_size.unwrap_or(u64::MAX),
            ..Limits::default()
        };
        let close_timeout = match close_timeout {
            None => Duration::MAX,
            Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| {
                PyValueError::new_err(format!(
                    "close_timeout is {seconds}; it must be a number of seconds, 0 or more, or None"
                ))
            })?,
        };
        let config = Config { limits, close_timeout, ..Config::default() };
        Ok(Self { config: Arc::new(config), max_queue, write_limit })
    }
}
