//! The cases of `core/vectors`: how they are written, and how the core runs them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ServerHandshake};
use itoden_core::{
    CloseCode, Config, Connection, Event, HandshakeError, Input, Message, MessageKind, SendError, Timestamp,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{FIXED_KEY, FixedKey, connection, hex, transmit, unhex};

/// The nonce of the clients under test: its key is that of RFC 6455 §1.3.
pub const NONCE: [u8; 16] = *b"the sample nonce";

/// What is longer is not cut into single bytes but into pieces of this many.
const PIECE: usize = 1021;
const SHORT: usize = 10_000;

/// The whole of one file.
pub fn read<T: DeserializeOwned>(name: &str) -> Vec<T> {
    // Above the crate where others than the core run the cases.
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("vectors"));
    let path = folders.find(|folder| folder.is_dir()).unwrap().join(format!("{name}.json"));
    let cases: Vec<T> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    cases
}

/// Hex digits or text, written out or made by repetition.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Written {
    Plain(String),
    Repeated { repeat: Box<Self>, times: usize },
    Parts(Vec<Self>),
}

impl Written {
    /// Read as hex digits.
    pub fn bytes(&self) -> Vec<u8> {
        self.expand(&unhex)
    }

    /// Read as text, each character one byte.
    pub fn head(&self) -> Vec<u8> {
        self.expand(&|text| text.chars().map(|c| c as u8).collect())
    }

    fn expand(&self, read: &impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
        match self {
            Self::Plain(text) => read(text),
            Self::Repeated { repeat, times } => repeat.expand(read).repeat(*times),
            Self::Parts(parts) => parts.iter().flat_map(|part| part.expand(read)).collect(),
        }
    }
}

/// A case over an open connection.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub section: String,
    pub role: String,
    #[serde(default)]
    pub limits: Limits,
    /// What the opening handshake agreed on, as the server answers it.
    pub extensions: Option<String>,
    #[serde(default)]
    pub send: Vec<Value>,
    pub chunks: Vec<Written>,
    #[serde(default)]
    pub eof: bool,
    pub events: Vec<Value>,
    pub sent: Value,
    /// The most that the connection may hold meanwhile, in bytes, and what that comes from.
    pub memory: Option<(usize, String)>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub max_message_size: Option<u64>,
    pub max_frame_size: Option<u64>,
    pub max_fragments: Option<u32>,
}

impl Case {
    /// The limits that the case wants.
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        let limits = &mut config.limits;
        limits.max_message_size = self.limits.max_message_size.unwrap_or(limits.max_message_size);
        limits.max_frame_size = self.limits.max_frame_size.unwrap_or(limits.max_frame_size);
        limits.max_fragments = self.limits.max_fragments.unwrap_or(limits.max_fragments);
        config
    }

    pub fn connection(&self) -> Connection {
        match &self.extensions {
            None => connection(&self.role, self.config()),
            Some(agreed) => super::deflating(&self.role, agreed, self.config()),
        }
    }

    /// The name of the error that the case fails with.
    pub fn error(&self) -> Option<&str> {
        self.events.iter().find(|event| event["type"] == "failed").map(|event| event["error"].as_str().unwrap())
    }

    /// What the peer sends, chunk by chunk.
    pub fn chunks(&self) -> Vec<Vec<u8>> {
        self.chunks.iter().map(Written::bytes).collect()
    }

    /// Runs the case as it stands, with its chunks joined, and cut small.
    pub fn run(&self) {
        let chunks = self.chunks();
        let joined = chunks.concat();
        let piece = if joined.len() > SHORT { PIECE } else { 1 };
        let pieces: Vec<_> = joined.chunks(piece).map(<[u8]>::to_vec).collect();
        // Whether endings are held and then released, or not, makes no difference to who says nothing meanwhile.
        for held in [false, true] {
            self.run_with(chunks.clone(), held);
            self.run_with(pieces.clone(), held);
            self.run_with(vec![joined.clone()], held);
        }
    }

    fn run_with(&self, chunks: Vec<Vec<u8>>, held: bool) {
        let name = &self.name;
        let mut connection = self.connection();
        connection.hold_endings(Duration::from_secs(held.into()));
        self.send.iter().for_each(|given| command(&mut connection, given));
        let mut sent = transmit(&mut connection);
        let mut events = Vec::new();
        for mut chunk in chunks {
            let mut input = connection.handle_bytes(Timestamp::ZERO, &mut chunk);
            while let Some(told) = connection.poll_event(&mut input) {
                events.push(event(&told));
            }
            sent.extend(transmit(&mut connection));
            connection.release_ending();
            sent.extend(transmit(&mut connection));
        }
        if self.eof {
            connection.handle_eof(Timestamp::ZERO);
            while let Some(told) = connection.poll_event(&mut Input::empty()) {
                events.push(event(&told));
            }
            sent.extend(transmit(&mut connection));
        }
        let expected: Vec<Value> = self.events.iter().map(written_out).collect();
        // Not assert_eq: some events have millions of bytes.
        assert!(events == expected, "{name} ({}): {}", self.role, cut(&json!(events)));
        match &self.sent {
            Value::String(bytes) => assert_eq!(&hex(&sent), bytes, "{name}"),
            close => {
                let (header, key) = if self.role == "client" { (6, FIXED_KEY) } else { (2, [0; 4]) };
                assert_eq!(sent[0], 0x88, "{name}");
                assert_eq!(sent.len(), header + usize::from(sent[1] & 0x7f), "{name}: one frame");
                let code = u16::from_be_bytes([sent[header] ^ key[0], sent[header + 1] ^ key[1]]);
                assert_eq!(json!({ "close": code }), *close, "{name}");
            }
        }
    }
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(2000).collect()
}

/// An expected event with its payload written out.
fn written_out(expected: &Value) -> Value {
    let mut expected = expected.clone();
    if let Some(payload) = expected.get_mut("hex") {
        *payload = json!(hex(&Written::deserialize(&*payload).unwrap().bytes()));
    }
    if let Some(text) = expected.get_mut("text").filter(|text| !text.is_string()) {
        *text = json!(String::from_utf8(Written::deserialize(&*text).unwrap().head()).unwrap());
    }
    expected
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

/// A case of an opening handshake.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    pub name: String,
    pub section: String,
    pub side: String,
    pub request: Option<Written>,
    pub response: Option<Written>,
    #[serde(default)]
    pub subprotocols: Vec<String>,
    pub subprotocol: Option<String>,
    pub error: Option<String>,
    /// As in [`Case`].
    pub memory: Option<(usize, String)>,
}

impl Handshake {
    /// The head that the peer sends.
    pub fn head(&self) -> Vec<u8> {
        if self.side == "server" { &self.request } else { &self.response }.as_ref().unwrap().head()
    }

    /// Runs the case with the head cut into pieces of several sizes.
    pub fn run(&self) {
        let head = self.head();
        for size in [1, 7, usize::MAX] {
            if self.side == "server" {
                let expected = match &self.response {
                    Some(response) => Ok(String::from_utf8(response.head()).unwrap()),
                    None => Err(self.error.clone().unwrap()),
                };
                assert_eq!(self.serve(head.chunks(size)), expected, "{}", self.name);
            } else {
                let expected = self.error.clone().map_or(Ok(self.subprotocol.clone()), Err);
                assert_eq!(self.ask(head.chunks(size)), expected, "{}", self.name);
            }
        }
    }

    /// What a server answers, or the error's name.
    pub fn serve<'a>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> Result<String, String> {
        let mut handshake = ServerHandshake::new(HeadLimits::default());
        for chunk in chunks {
            match handshake.handle_bytes(chunk) {
                Ok(None) => {}
                Ok(Some((upgrade, used))) => {
                    assert_eq!(used, chunk.len(), "{}", self.name);
                    let accepted = upgrade.accept(None, &Headers::new(), Arc::default()).unwrap();
                    return Ok(String::from_utf8(accepted.response.to_bytes()).unwrap());
                }
                Err(error) => {
                    let status = error.status().unwrap();
                    let answer = itoden_core::handshake::server::error_response(&error);
                    assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{}", self.name);
                    return Err(error.name().to_owned());
                }
            }
        }
        panic!("{}: the request is incomplete", self.name)
    }

    /// What a client makes of the answer: the subprotocol, or the error's name.
    pub fn ask<'a>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> Result<Option<String>, String> {
        let request = ClientRequest {
            host: "example.com".into(),
            target: "/chat".into(),
            subprotocols: self.subprotocols.clone(),
            deflate: None,
            headers: Headers::new(),
        };
        let (mut handshake, _) = ClientHandshake::new(request, NONCE, HeadLimits::default()).unwrap();
        let named = |error: HandshakeError| error.name().to_owned();
        for chunk in chunks {
            if let Some((response, used)) = handshake.handle_bytes(chunk).map_err(named)? {
                assert_eq!(used, chunk.len(), "{}", self.name);
                let opened = handshake.open(&response, Arc::default(), Box::new(FixedKey)).map_err(named)?;
                return Ok(opened.subprotocol().map(str::to_owned));
            }
        }
        panic!("{}: the response is incomplete", self.name)
    }
}

/// One row of the table: what happened somewhere, and what is done about it here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub row: String,
    #[serde(rename = "where")]
    pub happened: String,
    #[serde(default)]
    pub handshakes: Vec<Handshake>,
    #[serde(default)]
    pub connections: Vec<Case>,
    #[serde(default)]
    pub tests: Vec<Test>,
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
}

/// What bytes alone can't say: a test by its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    pub file: String,
    pub name: String,
    pub outcome: String,
}

/// What has no place here yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    pub what: String,
    pub belongs: String,
}
