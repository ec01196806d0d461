//! yawc: frames that are whole messages, `Sink` and its own `next_frame`.

use futures_util::SinkExt;
use yawc::{Frame, OpCode, Options, Role, WebSocket};

use crate::contender::Contender;
use crate::wire::{Wire, ready};
use crate::workload::{Takeover, Task, Workload};

const NAME: &str = "yawc";

pub(super) fn contenders(workload: &Workload) -> Vec<Contender> {
    let wire = Wire::new(workload.input.clone(), workload.capacity());
    let own = wire.clone();
    let role = if workload.case.task == Task::EncodeClient { Role::Client } else { Role::Server };
    // Text is not checked by default, and 1 MiB is refused.
    let options = Options::default().with_utf8().with_max_payload_read(16 << 20);
    let count = workload.payloads.len();
    let socket = match workload.case.task {
        Task::Deflate | Task::Inflate => {
            let agreed = match workload.case.takeover {
                Takeover::Context => "permessage-deflate",
                Takeover::None => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            };
            let options = options.with_balanced_compression();
            WebSocket::from_stream_with_extensions(wire.clone(), role, Some(agreed), options)
        }
        _ => WebSocket::from_stream(wire.clone(), role, options),
    };
    let mut socket = socket.expect("a socket");
    match workload.case.task {
        Task::Decode | Task::Inflate => vec![Contender::peer(NAME, wire, move |tally| {
            own.rewind();
            ready(async {
                for _ in 0..count {
                    let frame = socket.next_frame().await.expect("a message");
                    assert!(frame.is_fin());
                    tally.message(frame.opcode() == OpCode::Text, frame.payload());
                }
            });
        })],
        Task::EncodeServer | Task::EncodeClient | Task::Deflate => {
            let payloads = workload.payloads.clone();
            let text = workload.case.is_text();
            vec![Contender::peer(NAME, wire, move |tally| {
                own.rewind();
                ready(async {
                    for payload in &payloads {
                        let payload = payload.clone();
                        let frame = if text { Frame::text(payload) } else { Frame::binary(payload) };
                        socket.feed(frame).await.expect("an open socket");
                    }
                    socket.flush().await.expect("an open socket");
                });
                tally.sent(count, own.written());
            })]
        }
    }
}
