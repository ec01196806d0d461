//! The contenders, each in the cheapest way that its own API offers for whole, checked messages:
//!
//! - the transport is memory that is always ready ([`Wire`](crate::wire::Wire)); futures are polled once, without a runtime;
//! - what is sent lies in `Bytes`, and is handed over as each library likes it best: by reference count or borrowed;
//! - text that comes is checked as UTF-8, by every library with its fastest means;
//! - limits are raised only where a library would refuse 1 MiB; keepalive is off, as it is in itoden-core by default;
//! - masking keys are those that each library draws by itself.

mod fastwebsockets;
pub mod itoden;
mod sockudo;
mod tokio_tungstenite;
mod tokio_websockets;
mod tungstenite;
mod yawc;

use crate::contender::Contender;
use crate::workload::Workload;

/// Every peer that can do this workload.
pub fn contenders(workload: &Workload) -> Vec<Contender> {
    [
        tungstenite::contenders,
        tokio_tungstenite::contenders,
        fastwebsockets::contenders,
        tokio_websockets::contenders,
        sockudo::contenders,
        yawc::contenders,
    ]
    .into_iter()
    .flat_map(|contenders| contenders(workload))
    .collect()
}
