//! tungstenite: a blocking API over `Read` and `Write`.

use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::contender::Contender;
use crate::tally::Tally;
use crate::wire::Wire;
use crate::workload::{Task, Workload};

const NAME: &str = "tungstenite";

pub(super) fn contenders(workload: &Workload) -> Vec<Contender> {
    let wire = Wire::new(workload.input.clone(), workload.capacity());
    let own = wire.clone();
    let role = if workload.case.task == Task::EncodeClient { Role::Client } else { Role::Server };
    let mut socket = WebSocket::from_raw_socket(wire.clone(), role, Some(WebSocketConfig::default()));
    let count = workload.payloads.len();
    match workload.case.task {
        Task::Decode => vec![Contender::peer(NAME, wire, move |tally| {
            own.rewind();
            for _ in 0..count {
                tell(&socket.read().expect("a message"), tally);
            }
        })],
        Task::EncodeServer | Task::EncodeClient => {
            let messages = messages(workload);
            vec![Contender::peer(NAME, wire, move |tally| {
                own.rewind();
                for message in &messages {
                    socket.write(message.clone()).expect("an open socket");
                }
                socket.flush().expect("an open socket");
                tally.sent(count, own.written());
            })]
        }
        // It has no compression.
        Task::Deflate | Task::Inflate => Vec::new(),
    }
}

/// The payloads, shared: cloning a message raises a reference count.
pub(super) fn messages(workload: &Workload) -> Vec<Message> {
    if workload.case.is_text() {
        workload.texts().map(|text| Message::Text(text.into())).collect()
    } else {
        workload.payloads.iter().cloned().map(Message::Binary).collect()
    }
}

#[inline]
pub(super) fn tell(message: &Message, tally: &mut Tally) {
    match message {
        Message::Text(text) => tally.message(true, text.as_bytes()),
        Message::Binary(bytes) => tally.message(false, bytes),
        other => panic!("only messages were sent, but {other:?} came"),
    }
}
