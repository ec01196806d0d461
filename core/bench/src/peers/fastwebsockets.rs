//! fastwebsockets: frames, which are whole messages here; each is written by itself.

use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket};

use crate::contender::Contender;
use crate::wire::{Wire, ready};
use crate::workload::{Task, Workload};

const NAME: &str = "fastwebsockets";

pub(super) fn contenders(workload: &Workload) -> Vec<Contender> {
    let wire = Wire::new(workload.input.clone(), workload.capacity());
    let own = wire.clone();
    let role = if workload.case.task == Task::EncodeClient { Role::Client } else { Role::Server };
    let mut socket = WebSocket::after_handshake(wire.clone(), role);
    let count = workload.payloads.len();
    match workload.case.task {
        Task::Decode => vec![Contender::peer(NAME, wire, move |tally| {
            own.rewind();
            ready(async {
                for _ in 0..count {
                    let frame = socket.read_frame().await.expect("a message");
                    assert!(frame.fin);
                    tally.message(frame.opcode == OpCode::Text, &frame.payload);
                }
            });
        })],
        Task::EncodeServer | Task::EncodeClient => {
            let payloads = workload.payloads.clone();
            let text = workload.case.is_text();
            vec![Contender::peer(NAME, wire, move |tally| {
                own.rewind();
                let payloads = payloads.clone();
                ready(async {
                    for payload in &payloads {
                        let payload = Payload::Borrowed(payload);
                        let frame = if text { Frame::text(payload) } else { Frame::binary(payload) };
                        socket.write_frame(frame).await.expect("an open socket");
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
