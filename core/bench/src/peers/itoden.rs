//! itoden-core: `Connection`, driven as a driver does.

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::frame::encode;
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ServerHandshake};
use itoden_core::header::FrameHeader;
use itoden_core::{
    Config, Connection, Event, MaskKeys, Message, MessageKind, Opcode, SendOptions, SharedMessage, Timestamp, Transmit,
};
use itoden_net::ThreadMaskKeys;

use crate::contender::{Class, Contender};
use crate::tally::Tally;
use crate::wire::Wire;
use crate::workload::{Takeover, Task, Workload};

/// What drivers read at a time if they have one buffer for all connections.
const READ: usize = 64 << 10;

/// Its ways of doing this workload.
pub fn contenders(workload: &Workload) -> Vec<Contender> {
    match workload.case.task {
        Task::Decode => {
            let mut all = vec![decoder(workload, server(), "itoden-core", workload.input.len())];
            if workload.input.len() > READ {
                all.push(decoder(workload, server(), "itoden-core, 64 KiB reads", READ));
            }
            all
        }
        Task::Inflate => {
            let (_, server) = compressing(workload.case.takeover, Arc::default());
            vec![decoder(workload, server, "itoden-core", workload.input.len())]
        }
        Task::EncodeServer => vec![
            encoder(workload, server()),
            sharing(workload),
            framer(workload, "itoden-core, frames", Class::Itoden, None),
        ],
        Task::EncodeClient => {
            vec![
                encoder(workload, Connection::client(Arc::default(), keys())),
                framer(workload, "itoden-core, frames", Class::Itoden, Some(keys())),
                framer(workload, "itoden-core, frames, fastrand keys", Class::Variant, Some(Box::new(FastrandKeys))),
            ]
        }
        Task::Deflate => vec![encoder(workload, compressing(workload.case.takeover, Arc::default()).1)],
    }
}

fn server() -> Connection {
    Connection::server(Arc::default())
}

fn keys() -> Box<dyn MaskKeys + Send> {
    Box::new(ThreadMaskKeys)
}

/// Keys that can be predicted, as sockudo-ws draws them.
struct FastrandKeys;

impl MaskKeys for FastrandKeys {
    fn next_key(&mut self) -> [u8; 4] {
        fastrand::u32(..).to_ne_bytes()
    }
}

/// A client and a server that have agreed on compression, whatever a message's length.
pub fn compressing(takeover: Takeover, config: Arc<Config>) -> (Connection, Connection) {
    let none = takeover == Takeover::None;
    let deflate = DeflateConfig {
        server_no_context_takeover: none,
        client_no_context_takeover: none,
        threshold: 0,
        ..DeflateConfig::default()
    };
    let config = Arc::new(Config { deflate: Some(deflate.clone()), ..Config::clone(&config) });
    let request = ClientRequest {
        host: "localhost".into(),
        target: "/".into(),
        subprotocols: Vec::new(),
        deflate: Some(deflate),
        headers: Headers::new(),
    };
    let (mut asking, asked) = ClientHandshake::new(request, [0; 16], HeadLimits::default()).expect("a request");
    let (upgrade, _) = ServerHandshake::new(HeadLimits::default())
        .handle_bytes(&asked.to_bytes())
        .expect("an upgrade")
        .expect("a whole request");
    let accepted = upgrade.accept(None, &Headers::new(), Arc::clone(&config)).expect("an answer");
    let (response, _) =
        asking.handle_bytes(&accepted.response.to_bytes()).expect("a response").expect("a whole response");
    let client = asking.open(&response, config, keys()).expect("an open connection");
    (client, accepted.connection)
}

/// Reads into one buffer, and is told of each message while it lies there.
fn decoder(workload: &Workload, mut connection: Connection, name: &'static str, read: usize) -> Contender {
    let input = workload.input.clone();
    let mut buffer = vec![0; read];
    Contender::new(name, Class::Itoden, None, move |tally| {
        for chunk in input.chunks(read) {
            let bytes = &mut buffer[..chunk.len()];
            bytes.copy_from_slice(chunk);
            let mut input = connection.handle_bytes(Timestamp::ZERO, bytes);
            while let Some(event) = connection.poll_event(&mut input) {
                match event {
                    Event::Message(Message::Text(text)) => tally.message(true, text.as_bytes()),
                    Event::Message(Message::Binary(bytes)) => tally.message(false, &bytes),
                    other => panic!("only messages were sent, but {other:?} came"),
                }
            }
        }
    })
}

/// `send`: the payload is copied once, into the connection's output.
fn encoder(workload: &Workload, mut connection: Connection) -> Contender {
    let wire = Wire::new(Default::default(), workload.capacity());
    let own = wire.clone();
    let payloads = workload.payloads.clone();
    let texts: Vec<String> =
        if workload.case.is_text() { workload.texts().map(str::to_owned).collect() } else { Vec::new() };
    let text = workload.case.is_text();
    Contender::new("itoden-core", Class::Itoden, Some(wire), move |tally| {
        own.rewind();
        if text {
            texts.iter().for_each(|text| connection.send(Message::text(text)).expect("an open connection"));
        } else {
            payloads.iter().for_each(|bytes| connection.send(Message::binary(bytes)).expect("an open connection"));
        }
        flush(&mut connection, &own, payloads.len(), tally);
    })
}

/// `send_shared_message`: a large payload is queued by reference.
fn sharing(workload: &Workload) -> Contender {
    let wire = Wire::new(Default::default(), workload.capacity());
    let own = wire.clone();
    let payloads = workload.payloads.clone();
    let kind = if workload.case.is_text() { MessageKind::Text } else { MessageKind::Binary };
    // Text is known to be UTF-8, as it is by the type of those peers that have one.
    let messages: Vec<_> =
        payloads.iter().map(|payload| SharedMessage::new(kind, payload.clone()).expect("UTF-8")).collect();
    let mut connection = server();
    Contender::new("itoden-core, shared", Class::Itoden, Some(wire), move |tally| {
        own.rewind();
        for message in &messages {
            connection.send_shared_message(message, SendOptions::default()).expect("an open connection");
        }
        flush(&mut connection, &own, payloads.len(), tally);
    })
}

/// `frame::encode`, into one buffer a burst: the codec alone, without a connection's state, bounds and queue.
fn framer(
    workload: &Workload,
    name: &'static str,
    class: Class,
    mut keys: Option<Box<dyn MaskKeys + Send>>,
) -> Contender {
    let wire = Wire::new(Default::default(), workload.capacity());
    let own = wire.clone();
    let payloads = workload.payloads.clone();
    let opcode = if workload.case.is_text() { Opcode::Text } else { Opcode::Binary };
    let mut buffer = Vec::with_capacity(workload.capacity());
    Contender::new(name, class, Some(wire), move |tally| {
        own.rewind();
        buffer.clear();
        for payload in &payloads {
            let masking_key = keys.as_mut().map(|keys| keys.next_key());
            let header = FrameHeader { fin: true, rsv: 0, opcode, masking_key, payload_len: 0 };
            encode(header, payload, &mut buffer);
        }
        own.put([&*buffer]);
        tally.sent(payloads.len(), own.written());
    })
}

#[inline]
fn flush(connection: &mut Connection, wire: &Wire, messages: usize, tally: &mut Tally) {
    while let Some(Transmit::Write(segments)) = connection.poll_transmit() {
        let count = wire.put(segments.iter());
        connection.transmitted(count);
    }
    tally.sent(messages, wire.written());
}
