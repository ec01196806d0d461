//! sockudo-ws: twice, since its protocol can be used without its stream.

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::protocol::{CompressedProtocol, Message, Protocol, Role};
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, WebSocketStream};

use crate::contender::Contender;
use crate::tally::Tally;
use crate::wire::{Wire, ready};
use crate::workload::{Takeover, Task, Workload};

const PROTOCOL: &str = "sockudo-ws protocol";
const STREAM: &str = "sockudo-ws stream";

pub(super) fn contenders(workload: &Workload) -> Vec<Contender> {
    let config = Config::builder().idle_timeout(0).auto_ping(false).build();
    let wire = || Wire::new(workload.input.clone(), workload.capacity());
    let role = if workload.case.task == Task::EncodeClient { Role::Client } else { Role::Server };
    let deflate = deflate(workload.case.takeover);
    let (frame, message) = (config.max_frame_size, config.max_message_size);
    match workload.case.task {
        Task::Decode => {
            let mut protocol = Protocol::new(role, frame, message);
            let stream = wire();
            let own = stream.clone();
            let mut socket = WebSocketStream::from_raw(stream.clone(), role, config);
            let count = workload.payloads.len();
            vec![
                decoder(workload, move |buffer, messages| protocol.process_into(buffer, messages).expect("messages")),
                Contender::peer(STREAM, stream, move |tally| {
                    own.rewind();
                    ready(async {
                        for _ in 0..count {
                            tell(&socket.next().await.expect("a message").expect("a message"), tally);
                        }
                    });
                }),
            ]
        }
        Task::Inflate => {
            let mut protocol = CompressedProtocol::server(frame, message, deflate.clone());
            let stream = wire();
            let own = stream.clone();
            let mut socket = CompressedWebSocketStream::server(stream.clone(), config, deflate);
            let count = workload.payloads.len();
            vec![
                decoder(workload, move |buffer, messages| protocol.process_into(buffer, messages).expect("messages")),
                Contender::peer(STREAM, stream, move |tally| {
                    own.rewind();
                    ready(async {
                        for _ in 0..count {
                            tell(&socket.next().await.expect("a message").expect("a message"), tally);
                        }
                    });
                }),
            ]
        }
        Task::EncodeServer | Task::EncodeClient => {
            let mut protocol = Protocol::new(role, frame, message);
            let stream = wire();
            let socket = WebSocketStream::from_raw(stream.clone(), role, config);
            vec![
                encoder(workload, wire(), move |message, out| protocol.encode_message(message, out).expect("a frame")),
                sender(workload, stream, socket),
            ]
        }
        Task::Deflate => {
            let mut protocol = CompressedProtocol::server(frame, message, deflate.clone());
            let stream = wire();
            let socket = CompressedWebSocketStream::server(stream.clone(), config, deflate);
            vec![
                encoder(workload, wire(), move |message, out| protocol.encode_message(message, out).expect("a frame")),
                sender(workload, stream, socket),
            ]
        }
    }
}

fn deflate(takeover: Takeover) -> DeflateConfig {
    let none = takeover == Takeover::None;
    DeflateConfig {
        server_no_context_takeover: none,
        client_no_context_takeover: none,
        compression_threshold: 0,
        ..DeflateConfig::default()
    }
}

/// Its `process_into`: all messages of a read at once.
fn decoder(workload: &Workload, mut process: impl FnMut(&mut BytesMut, &mut Vec<Message>) + 'static) -> Contender {
    let input = workload.input.clone();
    let wire = Wire::new(input.clone(), 0);
    let mut buffer = BytesMut::with_capacity(input.len());
    let mut messages = Vec::new();
    Contender::peer(PROTOCOL, wire, move |tally| {
        // What was given out before is dropped, so that the buffer is reclaimed, not allocated.
        messages.clear();
        buffer.clear();
        buffer.extend_from_slice(&input);
        process(&mut buffer, &mut messages);
        messages.iter().for_each(|message| tell(message, tally));
    })
}

/// Its `encode_message`, into one buffer a burst.
fn encoder(workload: &Workload, wire: Wire, mut encode: impl FnMut(&Message, &mut BytesMut) + 'static) -> Contender {
    let messages = messages(workload);
    let own = wire.clone();
    let mut buffer = BytesMut::with_capacity(workload.capacity());
    Contender::peer(PROTOCOL, wire, move |tally| {
        own.rewind();
        buffer.clear();
        messages.iter().for_each(|message| encode(message, &mut buffer));
        own.put([&*buffer]);
        tally.sent(messages.len(), own.written());
    })
}

fn sender<S>(workload: &Workload, wire: Wire, mut socket: S) -> Contender
where
    S: futures_util::Sink<Message, Error = sockudo_ws::Error> + Unpin + 'static,
{
    let messages = messages(workload);
    let own = wire.clone();
    Contender::peer(STREAM, wire, move |tally| {
        own.rewind();
        ready(async {
            for message in &messages {
                socket.feed(message.clone()).await.expect("an open socket");
            }
            socket.flush().await.expect("an open socket");
        });
        tally.sent(messages.len(), own.written());
    })
}

fn messages(workload: &Workload) -> Vec<Message> {
    let message = if workload.case.is_text() { Message::Text } else { Message::Binary };
    workload.payloads.iter().cloned().map(message).collect()
}

#[inline]
fn tell(message: &Message, tally: &mut Tally) {
    match message {
        Message::Text(text) => tally.message(true, text),
        Message::Binary(bytes) => tally.message(false, bytes),
        other => panic!("only messages were sent, but {other:?} came"),
    }
}
