//! tokio-tungstenite: tungstenite behind `Stream` and `Sink`.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::tungstenite::{messages, tell};
use crate::contender::Contender;
use crate::wire::{Wire, ready};
use crate::workload::{Task, Workload};

const NAME: &str = "tokio-tungstenite";

pub(super) fn contenders(workload: &Workload) -> Vec<Contender> {
    let wire = Wire::new(workload.input.clone(), workload.capacity());
    let own = wire.clone();
    let role = if workload.case.task == Task::EncodeClient { Role::Client } else { Role::Server };
    let mut socket = ready(WebSocketStream::from_raw_socket(wire.clone(), role, None));
    let count = workload.payloads.len();
    match workload.case.task {
        Task::Decode => vec![Contender::peer(NAME, wire, move |tally| {
            own.rewind();
            ready(async {
                for _ in 0..count {
                    tell(&socket.next().await.expect("a message").expect("a message"), tally);
                }
            });
        })],
        Task::EncodeServer | Task::EncodeClient => {
            let messages = messages(workload);
            vec![Contender::peer(NAME, wire, move |tally| {
                own.rewind();
                ready(async {
                    for message in &messages {
                        socket.feed(message.clone()).await.expect("an open socket");
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
