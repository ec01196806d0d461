//! tokio-websockets: `Stream` and `Sink`, vectored writes of payloads by reference.

use futures_util::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Message, ServerBuilder};

use crate::contender::Contender;
use crate::wire::{Wire, ready};
use crate::workload::{Task, Workload};

const NAME: &str = "tokio-websockets";

pub(super) fn contenders(workload: &Workload) -> Vec<Contender> {
    let wire = Wire::new(workload.input.clone(), workload.capacity());
    let own = wire.clone();
    let mut socket = match workload.case.task {
        Task::EncodeClient => ClientBuilder::new().take_over(wire.clone()),
        _ => ServerBuilder::new().serve(wire.clone()),
    };
    let count = workload.payloads.len();
    match workload.case.task {
        Task::Decode => vec![Contender::peer(NAME, wire, move |tally| {
            own.rewind();
            ready(async {
                for _ in 0..count {
                    let message = socket.next().await.expect("a message").expect("a message");
                    tally.message(message.is_text(), message.as_payload());
                }
            });
        })],
        Task::EncodeServer | Task::EncodeClient => {
            let payloads = workload.payloads.clone();
            let text = workload.case.is_text();
            vec![Contender::peer(NAME, wire, move |tally| {
                own.rewind();
                ready(async {
                    for payload in &payloads {
                        let payload = payload.clone();
                        let message = if text { Message::text(payload) } else { Message::binary(payload) };
                        socket.feed(message).await.expect("an open socket");
                    }
                    socket.flush().await.expect("an open socket");
                });
                tally.sent(count, own.written());
            })]
        }
        // It has no compression.
        Task::Deflate | Task::Inflate => Vec::new(),
    }
}
