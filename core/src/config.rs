//! What a connection is told when it opens: limits and times, each with its default and the reason for it.

use core::time::Duration;

/// Bounds on what a peer can make this endpoint hold. All are inclusive: a message of exactly the limit passes.
///
/// Memory is never reserved from a length that a peer declares, only as bytes arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, in bytes of payload over all its fragments. Beyond it: 1009, as soon as a frame header declares it.
    ///
    /// Default 16 MiB: the largest message that the Autobahn suite exchanges, and far above what applications send.
    pub max_message_size: u64,
    /// Largest single data frame, in bytes of payload. Beyond it: 1009.
    ///
    /// Default: no bound of its own, since `max_message_size` bounds it already.
    pub max_frame_size: u64,
    /// Most frames in one message; empty ones count, or they would be a flood that no size limit sees. Beyond it: 1008.
    ///
    /// Default 131,072: Autobahn legitimately cuts 4 MiB into 65,536 fragments of 64 bytes.
    pub max_fragments: u32,
    /// Most bytes that may wait to be written, over all messages. Beyond it, sending fails with
    /// [`SendError::BufferFull`](crate::SendError::BufferFull), so that a peer that doesn't read can't use up memory.
    ///
    /// Default 64 MiB: room for four messages of the largest size. The message that crosses the bound is still taken.
    pub max_buffered_amount: u64,
    /// Most pongs that may wait to be written. Beyond it only the newest ping is answered, as §5.5.3 allows: an endpoint
    /// "MAY elect to send a Pong frame for only the most recently processed Ping frame".
    ///
    /// Default 128: at 131 bytes each, 17 kB for a peer that pings and never reads.
    pub max_pending_pongs: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_size: 16 << 20,
            max_frame_size: u64::MAX,
            max_fragments: 128 << 10,
            max_buffered_amount: 64 << 20,
            max_pending_pongs: 128,
        }
    }
}

/// Bounds on what a peer can make this endpoint hold until a connection is open: on the head that it sends, and on the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Longest head in bytes, its empty line included; a client counts the interim answers (1xx) before it too. Over HTTP/2
    /// the size is counted as RFC 9113 §6.5.2 does: names, values, and 32 bytes for each field. Beyond it: 431, or 414
    /// where not even the request line has ended.
    ///
    /// Default 16 KiB, as Node's `http` has it.
    pub max_head_size: usize,
    /// Most header fields; the pseudo-header fields of HTTP/2 don't count. Beyond it: 431.
    ///
    /// Default 100: browsers send about 15, proxies add a few.
    pub max_headers: usize,
    /// How long the opening handshake may take, from the moment the handshake is first told the time. A byte now and then
    /// does not extend it. After it a server answers 408 and a client gives up.
    ///
    /// Default 10 s: a packet may be lost three times (RFC 6298 waits for 1, 2 and 4 s), and who feeds in a request byte by
    /// byte holds a socket no longer. `None`: as long as it takes.
    pub open_timeout: Option<Duration>,
}

impl HeadLimits {
    /// The defaults.
    pub const DEFAULT: Self =
        Self { max_head_size: 16 << 10, max_headers: 100, open_timeout: Some(Duration::from_secs(10)) };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The configuration of a connection; one is shared by all the connections that have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What a peer can make this endpoint hold.
    pub limits: Limits,
    /// How long the closing handshake and the end of the transport may take, from the moment a Close frame is sent.
    /// After it the connection counts as closed and the driver drops the transport (§7.1.1 leaves the time open).
    ///
    /// Default 10 s: several lost packets' worth of retransmission.
    pub close_timeout: Duration,
    /// Whether a ping is answered with a pong by the connection itself (§5.5.2 asks for the answer).
    ///
    /// Default `true`. With `false` the application must answer each [`Event::Ping`](crate::Event::Ping).
    pub auto_pong: bool,
    /// How often to send a ping, at most once a millisecond, to keep the way open and to measure [`latency`](crate::Connection::latency).
    ///
    /// Default `None`: never.
    pub ping_interval: Option<Duration>,
    /// How long the peer may stay silent after such a ping. Any byte that comes is a sign of life, not only the pong.
    /// After it the connection fails with 1011 and [`Failure::PingTimeout`](crate::Failure::PingTimeout).
    ///
    /// Default `None`: for ever. Without effect if there is no `ping_interval`.
    pub ping_timeout: Option<Duration>,
    /// Whether to agree on compression (RFC 7692), and how; `None` declines it. Default `None`.
    pub deflate: Option<crate::deflate::DeflateConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            close_timeout: Duration::from_secs(10),
            auto_pong: true,
            ping_interval: None,
            ping_timeout: None,
            deflate: None,
        }
    }
}
