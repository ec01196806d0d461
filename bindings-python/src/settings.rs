//! What the connections of one `connect()` or `serve()` have in common.

use std::sync::Arc;
use std::time::Duration;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::HeadLimits;
use itoden_core::{Config, Limits};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What is shared by all connections that have the same settings.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    /// For a client that does not say whether its window may be made smaller: compression without a bound on that window.
    pub(crate) any_client_window: Option<Arc<Config>>,
    pub(crate) head_limits: HeadLimits,
    /// Most bytes of the body of a refusal that a client waits for.
    pub(crate) max_body_size: usize,
    /// Reading pauses when more messages than the first wait, and goes on when the second are left.
    pub(crate) max_queue: Option<(usize, usize)>,
    pub(crate) write_limit: (usize, Option<usize>),
}

/// Settings of connections, made once.
#[pyclass(frozen, module = "itoden._native")]
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) shared: Arc<Shared>,
}

/// Whether server and client do without context takeover, the bits of their windows, the level of compression, and whether a
/// client must let its window be bounded.
type Deflate = (bool, bool, u8, u8, u8, bool);

#[pymethods]
impl Settings {
    /// Sizes are in bytes and times in seconds. `None` sets no limit, but for `max_fragments` and what is said of heads,
    /// where it is the core's default.
    #[new]
    #[pyo3(signature = (
        *, max_message_size, max_frame_size, close_timeout, max_queue, write_limit, deflate = None, ping_interval = None,
        ping_timeout = None, max_fragments = None, max_head_size = None, max_headers = None, max_body_size = 1048576,
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, each of them a setting")]
    fn new(
        max_message_size: Option<u64>,
        max_frame_size: Option<u64>,
        close_timeout: Option<f64>,
        max_queue: Option<(usize, usize)>,
        write_limit: (usize, Option<usize>),
        deflate: Option<Deflate>,
        ping_interval: Option<f64>,
        ping_timeout: Option<f64>,
        max_fragments: Option<u32>,
        max_head_size: Option<usize>,
        max_headers: Option<usize>,
        max_body_size: usize,
    ) -> PyResult<Self> {
        let limits = Limits {
            max_message_size: max_message_size.unwrap_or(u64::MAX),
            max_frame_size: max_frame_size.unwrap_or(u64::MAX),
            max_fragments: max_fragments.unwrap_or(Limits::default().max_fragments),
            ..Limits::default()
        };
        let needs_client_window = deflate.is_some_and(|(.., needed)| needed);
        let deflate = deflate.map(|(server_alone, client_alone, server_bits, client_bits, level, _)| DeflateConfig {
            server_no_context_takeover: server_alone,
            client_no_context_takeover: client_alone,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            level,
            ..DeflateConfig::default()
        });
        let config = Config {
            limits,
            close_timeout: seconds("close_timeout", close_timeout)?.unwrap_or(Duration::MAX),
            ping_interval: seconds("ping_interval", ping_interval)?,
            ping_timeout: seconds("ping_timeout", ping_timeout)?,
            deflate,
            ..Config::default()
        };
        let any_client_window = config.deflate.as_ref().filter(|_| !needs_client_window).map(|deflate| {
            let client_max_window_bits = DeflateConfig::default().client_max_window_bits;
            let deflate = Some(DeflateConfig { client_max_window_bits, ..deflate.clone() });
            Arc::new(Config { deflate, ..config.clone() })
        });
        let head_limits = HeadLimits {
            max_head_size: max_head_size.unwrap_or(HeadLimits::DEFAULT.max_head_size),
            max_headers: max_headers.unwrap_or(HeadLimits::DEFAULT.max_headers),
            // The time is kept by the event loop, together with that of the transport.
            open_timeout: None,
        };
        let config = Arc::new(config);
        let shared = Shared { config, any_client_window, head_limits, max_body_size, max_queue, write_limit };
        Ok(Self { shared: Arc::new(shared) })
    }
}

pub(crate) fn seconds(name: &str, value: Option<f64>) -> PyResult<Option<Duration>> {
    let convert = |seconds: f64| {
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            PyValueError::new_err(format!("{name} is {seconds}; it must be a number of seconds, 0 or more, or None"))
        })
    };
    value.map(convert).transpose()
}
