//! The native driver: sockets of `itoden-net`, on the threads of one tokio runtime that all environments share.
//!
//! Where the event loop can serve sockets ([`in_loop`](crate::in_loop)), they go there once their handshake is done.

pub mod client;
pub mod connection;
pub mod ledger;
pub mod listener;

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

pub use listener::{Answer, Arrival};

use crate::order::Order;

/// What comes to the task of a connection.
pub enum Letter {
    /// JavaScript asks for something.
    Order(Order<Bytes>),
    /// JavaScript has taken what waited for it.
    Room,
}

/// How JavaScript reaches the task of a connection.
pub struct Native {
    /// Where orders go.
    pub letters: mpsc::UnboundedSender<Letter>,
    /// What the task lets JavaScript see.
    pub gauges: Arc<Gauges>,
}

/// What a task tells without a record: read when JavaScript asks.
#[derive(Default)]
pub struct Gauges {
    /// How many payload bytes of messages are written, or given up.
    pub settled: AtomicU64,
    /// Microseconds that the last answer to a ping of the keepalive took; 0 before there is one.
    pub latency: AtomicU64,
}

/// The task's end of a [`Native`].
pub struct Mailbox {
    /// What JavaScript asks.
    pub letters: mpsc::UnboundedReceiver<Letter>,
    /// Where to leave what JavaScript may look at.
    pub gauges: Arc<Gauges>,
}

impl Native {
    /// Both ends.
    pub fn new() -> (Self, Mailbox) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let gauges = Arc::<Gauges>::default();
        (Self { letters: sender, gauges: gauges.clone() }, Mailbox { letters: receiver, gauges })
    }

    /// Leaves a letter. One whose task has ended needs none.
    pub fn send(&self, letter: Letter) {
        let _ = self.letters.send(letter);
    }

    /// See [`Gauges::settled`].
    pub fn settled(&self) -> u64 {
        self.gauges.settled.load(Ordering::Relaxed)
    }

    /// See [`Gauges::latency`].
    pub fn latency(&self) -> Option<Duration> {
        let micros = self.gauges.latency.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }
}

/// How JavaScript ends a listener: by dropping it.
pub type Stop = oneshot::Sender<()>;

/// The runtime; started by the first socket, and never stopped.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    // JavaScript takes one core for itself, so more threads than this have nothing to do.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let built = Builder::new_multi_thread().worker_threads(threads).thread_name("itoden").enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| built))
}
