//! Options of connections, read once for all the connections that share them.

use std::sync::Arc;
use std::time::Duration;

use itoden_core::{Config, Limits};
use napi_derive::napi;

use crate::deflate::DeflateOptions;

/// What lib/options.ts has read and checked. 0 is "no limit" for sizes; what is left out is as in the core.
#[napi(object)]
pub struct ConnectionOptions {
    /// Largest message in bytes.
    pub max_payload: Option<f64>,
    /// Largest frame in bytes.
    pub max_frame: Option<f64>,
    /// Most fragments of a message.
    pub max_fragments: Option<u32>,
    /// Milliseconds that the closing handshake may take.
    pub close_timeout: f64,
    /// Whether pings are answered.
    pub auto_pong: bool,
    /// Most pongs that may wait to be written; beyond it only the newest ping is answered.
    pub max_pending_pongs: Option<u16>,
    /// Milliseconds from one ping of the keepalive to the next; left out: none is sent.
    pub ping_interval: Option<f64>,
    /// Milliseconds that the peer may be silent after such a ping; left out: for ever.
    pub ping_timeout: Option<f64>,
    /// How to compress; left out: not at all.
    pub deflate: Option<DeflateOptions>,
}

/// The configuration that connections share.
#[napi]
pub struct ConnectionConfig {
    pub(crate) config: Arc<Config>,
}

#[napi]
impl ConnectionConfig {
    /// Reads the options.
    #[napi(constructor)]
    pub fn new(options: ConnectionOptions) -> Self {
        let defaults = Limits::default();
        let limits = Limits {
            max_message_size: options.max_payload.map_or(defaults.max_message_size, size),
            max_frame_size: options.max_frame.map_or(defaults.max_frame_size, size),
            max_fragments: options.max_fragments.unwrap_or(defaults.max_fragments),
            // `bufferedAmount` is how this API tells of a peer that does not read; `send` takes everything.
            max_buffered_amount: u64::MAX,
            max_pending_pongs: options.max_pending_pongs.unwrap_or(defaults.max_pending_pongs),
        };
        let close_timeout = milliseconds(options.close_timeout);
        let ping_interval = options.ping_interval.map(milliseconds);
        let ping_timeout = options.ping_timeout.map(milliseconds);
        let deflate = options.deflate.map(|deflate| deflate.config());
        let auto_pong = options.auto_pong;
        Self { config: Arc::new(Config { limits, close_timeout, auto_pong, ping_interval, ping_timeout, deflate }) }
    }
}

/// A time. Its bound is far above what a timer takes, so that an endless time needs no case of its own.
const fn milliseconds(time: f64) -> Duration {
    Duration::from_millis(time.clamp(0.0, 1e12) as u64)
}

fn size(bytes: f64) -> u64 {
    if bytes > 0.0 { bytes as u64 } else { u64::MAX }
}
