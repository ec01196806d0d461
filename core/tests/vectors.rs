//! Runs the shared vectors: each case as it stands, with its chunks joined, and byte by byte.

mod common;

use common::{FIXED_KEY, hex, unhex};
use itoden_core::{CloseCode, Config, Connection, Event, Message, MessageKind, SendError, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[allow(dead_code, reason = "for readers")]
    section: String,
    role: String,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    send: Vec<Value>,
    chunks: Vec<String>,
    #[serde(default)]
    eof: bool,
    events: Vec<Value>,
    sent: Value,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    max_message_size: Option<u64>,
    max_frame_size: Option<u64>,
    max_fragments: Option<u32>,
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> Vec<T> {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<T> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    cases
}

fn connection(case: &Case) -> Connection {
    let mut config = Config::default();
    let limits = &mut config.limits;
    limits.max_message_size = case.limits.max_message_size.unwrap_or(limits.max_message_size);
    limits.max_frame_size = case.limits.max_frame_size.unwrap_or(limits.max_frame_size);
    limits.max_fragments = case.limits.max_fragments.unwrap_or(limits.max_fragments);
    common::connection(&case.role, config)
}

fn command(connection: &mut Connection, command: &Value) {
    let text = |name: &str| command[name].as_str().unwrap_or_default();
    let bytes = unhex(text("hex"));
    let result = match text("type") {
        "text" => connection.send(Message::text(text("text"))),
        "binary" => connection.send(Message::binary(&bytes)),
        "fragment" => {
            let kind = if text("kind") == "text" { MessageKind::Text } else { MessageKind::Binary };
            connection.send_fragment(kind, &bytes, command["fin"].as_bool().unwrap())
        }
        "ping" => connection.ping(&bytes),
        "pong" => connection.pong(&bytes),
        "close" => {
            let code = command["code"].as_u64().map(|code| CloseCode::new(code as u16));
            connection.close(Timestamp::ZERO, code, text("reason"))
        }
        other => panic!("unknown command {other}"),
    };
    let error = result.as_ref().err().map_or("", SendError::name);
    assert_eq!(error, text("error"), "{command}");
}

fn event(event: &Event<'_>) -> Value {
    match event {
        Event::Message(Message::Text(text)) => json!({"type": "text", "text": text}),
        Event::Message(Message::Binary(bytes)) => json!({"type": "binary", "hex": hex(bytes)}),
        Event::Ping(payload) => json!({"type": "ping", "hex": hex(payload)}),
        Event::Pong(payload) => json!({"type": "pong", "hex": hex(payload)}),
        Event::CloseReceived(close) => json!({"type": "close", "code": close.code.get(), "reason": close.reason}),
        Event::Failed(error) => json!({"type": "failed", "error": error.name()}),
        Event::Closed(closed) => json!({
            "type": "closed", "code": closed.code.get(), "reason": closed.reason, "clean": closed.was_clean,
        }),
        other => panic!("unknown event {other:?}"),
    }
}

fn run(case: &Case, chunks: Vec<Vec<u8>>) {
    let name = &case.name;
    let mut connection = connection(case);
    case.send.iter().for_each(|given| command(&mut connection, given));
    let mut sent = common::transmit(&mut connection);
    let mut events = Vec::new();
    for mut chunk in chunks {
        let mut input = connection.handle_bytes(Timestamp::ZERO, &mut chunk);
        while let Some(told) = connection.poll_event(&mut input) {
            events.push(event(&told));
        }
        sent.extend(common::transmit(&mut connection));
    }
    if case.eof {
        connection.handle_eof(Timestamp::ZERO);
        while let Some(told) = connection.poll_event(&mut itoden_core::Input::empty()) {
            events.push(event(&told));
        }
        sent.extend(common::transmit(&mut connection));
    }
    assert_eq!(json!(events), json!(case.events), "{name}");
    match &case.sent {
        Value::String(bytes) => assert_eq!(&hex(&sent), bytes, "{name}"),
        close => {
            let masked = case.role == "client";
            let (header, key) = if masked { (6, FIXED_KEY) } else { (2, [0; 4]) };
            assert_eq!(sent[0], 0x88, "{name}");
            assert_eq!(sent.len(), header + usize::from(sent[1] & 0x7f), "{name}: one frame");
            let code = u16::from_be_bytes([sent[header] ^ key[0], sent[header + 1] ^ key[1]]);
            assert_eq!(json!({ "close": code }), *close, "{name}");
        }
    }
}

fn run_file(name: &str) {
    for case in read::<Case>(name) {
        let chunks: Vec<_> = case.chunks.iter().map(|chunk| unhex(chunk)).collect();
        let joined = chunks.concat();
        run(&case, chunks);
        run(&case, joined.chunks(1).map(<[u8]>::to_vec).collect());
        run(&case, vec![joined]);
    }
}

#[test]
fn frames_are_read_as_the_vectors_say() {
    run_file("frames");
}

#[test]
fn messages_are_put_together_as_the_vectors_say() {
    run_file("messages");
}

#[test]
fn connections_close_as_the_vectors_say() {
    run_file("close");
}

#[test]
fn commands_send_what_the_vectors_say() {
    run_file("send");
}

#[test]
fn the_generated_table_of_errors_is_up_to_date() {
    let rows: Vec<Value> = read("errors");
    let names: Vec<_> = itoden_core::error::table().map(|row| row.name).collect();
    assert_eq!(rows.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len(), "names are distinct");
}
