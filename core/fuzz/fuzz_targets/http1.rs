//! HTTP/1.1 heads: any bytes give the same verdict in any chunks and hold no more than the limits; whatever this end writes is
//! well-formed, and nothing that a caller or a peer says can add a line to it.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use itoden_core::handshake::server::{error_response, refuse};
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ServerHandshake, Upgrade};
use itoden_core::{Config, HandshakeError};
use itoden_fuzz::ends::{Deflate, Keys};
use itoden_fuzz::memory;
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

#[derive(Arbitrary, Debug)]
enum Case<'a> {
    /// A server and any bytes.
    Server { valid: bool, bytes: &'a [u8], limits: Limits, chunk: u8, answer: Answer<'a> },
    /// A client and any bytes.
    Client { valid: bool, bytes: &'a [u8], limits: Limits, chunk: u8 },
    /// A client with any wishes, and a server that answers it.
    Both { request: Request<'a>, answer: Answer<'a>, chunk: u8 },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Limits(Option<(u16, u8)>);

#[derive(Arbitrary, Debug)]
struct Request<'a> {
    host: &'a str,
    target: &'a str,
    subprotocols: Vec<&'a str>,
    headers: Vec<(&'a str, &'a str)>,
    deflate: Option<Deflate>,
}

#[derive(Arbitrary, Debug)]
struct Answer<'a> {
    subprotocol: Option<&'a str>,
    headers: Vec<(&'a str, &'a str)>,
    deflate: Option<Deflate>,
    status: u16,
    body: &'a str,
}

/// The key that a nonce of 16 times 7 makes, and what is derived from it.
const NONCE: [u8; 16] = [7; 16];
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBw==";

impl Limits {
    fn get(self) -> HeadLimits {
        let small = |(size, headers)| HeadLimits {
            max_head_size: usize::from(size),
            max_headers: usize::from(headers),
            ..HeadLimits::DEFAULT
        };
        self.0.map_or_else(HeadLimits::default, small)
    }
}

/// A head as it stands on the wire, told into lines: the first one, the fields, and the body.
#[derive(Debug, PartialEq)]
struct Head {
    start: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Reads what this end has written as strictly as can be.
fn strict(bytes: &[u8]) -> Head {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line ends the head");
    let mut lines = head.split("\r\n");
    let start = lines.next().expect("there is a first line").to_owned();
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a field has a name and a value");
        assert!(
            name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)),
            "{name:?}"
        );
        assert!(!name.is_empty() && !value.contains(|c: char| c != '\t' && c.is_ascii_control()), "{name}: {value:?}");
        fields.push((name.to_owned(), value.to_owned()));
    }
    assert!(!start.contains(|c: char| c.is_ascii_control()), "{start:?}");
    Head { start, fields, body: bytes[bytes.len() - body.chars().count()..].to_vec() }
}

/// A response that refuses: exactly one length, that of the body, and the end of the connection.
fn check_refusal(response: &[u8], status: u16, body: &str, head_only: bool) {
    let head = strict(response);
    assert!(head.start.starts_with(&format!("HTTP/1.1 {status} ")), "{}", head.start);
    let all = |name: &str| -> Vec<&str> {
        let same = head.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("Content-Length"), [body.len().to_string()]);
    // "A sender of Upgrade MUST also send an "Upgrade" connection option" (RFC 9110 §7.8).
    let upgrades = !all("Upgrade").is_empty();
    assert_eq!(all("Connection"), [if upgrades { "close, Upgrade" } else { "close" }]);
    assert!(all("Transfer-Encoding").is_empty());
    assert_eq!(head.body, if head_only { b"" } else { body.as_bytes() });
    assert!(status != 426 || upgrades, "a 426 says what to upgrade to (RFC 9110 §15.5.22)");
}

/// Hands bytes over in chunks until there is a verdict; with it, how many bytes were taken.
fn push<T>(
    bytes: &[u8],
    chunk: usize,
    mut handle: impl FnMut(&[u8]) -> Result<Option<(T, usize)>, HandshakeError>,
) -> Result<Option<(T, usize)>, HandshakeError> {
    let mut before = 0;
    for chunk in bytes.chunks(chunk) {
        if let Some((verdict, used)) = handle(chunk)? {
            assert!(used <= chunk.len());
            return Ok(Some((verdict, before + used)));
        }
        before += chunk.len();
    }
    Ok(None)
}

/// What may be held of a head: itself twice, in doubled vectors, as bytes and as text of two bytes for each; its fields; and
/// what an error excerpts.
fn bound(limits: HeadLimits, came: usize) -> usize {
    16 * came.min(limits.max_head_size) + 256 * limits.max_headers + 4096
}

fn server(bytes: &[u8], limits: HeadLimits, chunk: u8, answer: &Answer<'_>) {
    let run = |chunk| {
        let mut handshake = ServerHandshake::new(limits);
        push(bytes, chunk, |chunk| handshake.handle_bytes(chunk))
    };
    let (whole, held) = memory::peak(|| run(usize::MAX));
    assert!(held <= bound(limits, bytes.len()), "{held} bytes are held for a head of {}", bytes.len());
    let shown = |result: &Result<Option<(Upgrade, usize)>, HandshakeError>| format!("{result:?}");
    for chunk in [1, usize::from(chunk) + 1] {
        assert_eq!(shown(&run(chunk)), shown(&whole), "in chunks of {chunk}");
    }
    match whole {
        Err(error) => {
            let status = error.status().expect("each error of a request has a status");
            let head_only = matches!(&error, HandshakeError::InvalidMethod { method } if method == "HEAD");
            check_refusal(&error_response(&error), status, &format!("{error}\n"), head_only);
        }
        Ok(None) => assert!(bytes.len() <= limits.max_head_size),
        Ok(Some((upgrade, used))) => {
            assert!(used <= limits.max_head_size && bytes[..used].ends_with(b"\r\n\r\n"));
            assert!(upgrade.request().headers.len() <= limits.max_headers);
            accept(upgrade, answer);
        }
    }
}

/// What is said to a client: the fields of the handshake and those of the caller, and no other.
fn accept(upgrade: Upgrade, answer: &Answer<'_>) -> Option<Vec<u8>> {
    let headers = Headers::from_iter(answer.headers.iter().copied());
    let config = Config { deflate: answer.deflate.map(Deflate::config), ..Config::default() };
    if let Ok(response) = refuse(answer.status, &headers, answer.body) {
        check_refusal(&response, answer.status, answer.body, false);
    }
    // One that was offered, or whatever the caller names.
    let offered = upgrade.subprotocols().first().cloned();
    let subprotocol = answer.subprotocol.map(|name| offered.as_deref().filter(|_| name.is_empty()).unwrap_or(name));
    let accepted = upgrade.accept(subprotocol, &headers, Arc::new(config)).ok()?;
    let response = accepted.response.to_bytes();
    let head = strict(&response);
    assert_eq!(head.start, "HTTP/1.1 101 Switching Protocols");
    assert!(head.body.is_empty());
    let own = 3 + usize::from(subprotocol.is_some());
    let fields: Vec<_> = head.fields[own..].iter().map(|(name, value)| (&**name, &**value)).collect();
    let extensions = usize::from(accepted.connection.deflate().is_some());
    let (added, extension) = fields.split_at(fields.len() - extensions);
    assert_eq!(added, answer.headers);
    assert!(extension.iter().all(|(name, _)| *name == "Sec-WebSocket-Extensions"));
    assert_eq!(accepted.connection.subprotocol(), subprotocol);
    Some(response)
}

fn client(bytes: &[u8], limits: HeadLimits, chunk: u8) {
    let ask = || {
        let request = ClientRequest {
            host: "localhost".to_owned(),
            target: "/".to_owned(),
            subprotocols: vec!["chat".to_owned()],
            deflate: Some(Default::default()),
            headers: Headers::new(),
        };
        ClientHandshake::new(request, NONCE, limits).expect("the request can be sent").0
    };
    let run = |chunk| {
        let mut handshake = ask();
        push(bytes, chunk, |chunk| handshake.handle_bytes(chunk))
    };
    let (whole, held) = memory::peak(|| run(usize::MAX));
    assert!(held <= bound(limits, bytes.len()) + 4096, "{held} bytes are held for a head of {}", bytes.len());
    for chunk in [1, usize::from(chunk) + 1] {
        assert_eq!(run(chunk), whole, "in chunks of {chunk}");
    }
    if let Ok(Some((response, used))) = whole {
        assert!(used <= limits.max_head_size && response.headers.len() <= limits.max_headers);
        let config = Config { deflate: Some(Default::default()), ..Config::default() };
        if let Ok(connection) = ask().open(&response, Arc::new(config), Box::new(Keys::default())) {
            assert_eq!(response.status, 101);
            assert!(connection.subprotocol().is_none_or(|name| name == "chat"));
        }
    }
}

fn both(wishes: &Request<'_>, answer: &Answer<'_>, chunk: u8) {
    let request = ClientRequest {
        host: wishes.host.to_owned(),
        target: wishes.target.to_owned(),
        subprotocols: wishes.subprotocols.iter().map(|&name| name.to_owned()).collect(),
        deflate: wishes.deflate.map(Deflate::config),
        headers: Headers::from_iter(wishes.headers.iter().copied()),
    };
    let limits = HeadLimits { max_head_size: 1 << 20, max_headers: 1000, ..HeadLimits::DEFAULT };
    let Ok((mut handshake, request)) = ClientHandshake::new(request, NONCE, limits) else { return };
    let bytes = request.to_bytes();
    let head = strict(&bytes);
    assert_eq!(head.start, format!("GET {} HTTP/1.1", wishes.target));
    assert!(head.body.is_empty());
    let mut expected = vec![
        ("Host", wishes.host.to_owned()),
        ("Upgrade", "websocket".to_owned()),
        ("Connection", "Upgrade".to_owned()),
        ("Sec-WebSocket-Key", KEY.to_owned()),
        ("Sec-WebSocket-Version", "13".to_owned()),
    ];
    if !wishes.subprotocols.is_empty() {
        expected.push(("Sec-WebSocket-Protocol", wishes.subprotocols.join(", ")));
    }
    let extensions = usize::from(wishes.deflate.is_some());
    let (own, rest) = head.fields.split_at(expected.len());
    assert!(own.iter().map(|(name, value)| (&**name, value.clone())).eq(expected));
    let added = rest[extensions..].iter().map(|(name, value)| (&**name, &**value));
    assert!(added.eq(wishes.headers.iter().copied()));

    let mut server = ServerHandshake::new(limits);
    let chunk = usize::from(chunk) + 1;
    let (upgrade, used) = push(&bytes, chunk, |chunk| server.handle_bytes(chunk))
        .unwrap_or_else(|error| panic!("a request that could be sent is refused: {error}"))
        .expect("the head is whole");
    assert_eq!(used, bytes.len());
    assert_eq!(
        (&*upgrade.request().target, upgrade.subprotocols()),
        (wishes.target, &*wishes.subprotocols.iter().map(|name| name.to_string()).collect::<Vec<_>>())
    );
    let Some(response) = accept(upgrade, answer) else { return };
    let (response, used) = push(&response, chunk, |chunk| handshake.handle_bytes(chunk))
        .unwrap_or_else(|error| panic!("a response that could be sent is refused: {error}"))
        .map(|(head, used)| {
            assert_eq!(used, response.len());
            (head, used)
        })
        .expect("the head is whole");
    assert!(used > 0);
    let config = Config { deflate: wishes.deflate.map(Deflate::config), ..Config::default() };
    handshake.open(&response, Arc::new(config), Box::new(Keys::default())).expect("the answer opens the connection");
}

fuzz_target!(|case: Case<'_>| {
    match case {
        Case::Server { valid, bytes, limits, chunk, answer } => {
            let head = format!(
                "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
            );
            let bytes = if valid { [head.as_bytes(), bytes].concat() } else { bytes.to_vec() };
            server(&bytes, limits.get(), chunk, &answer);
        }
        Case::Client { valid, bytes, limits, chunk } => {
            let accept = itoden_core::handshake::accept_key(KEY);
            let head = format!(
                "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
            );
            let bytes = if valid { [head.as_bytes(), bytes].concat() } else { bytes.to_vec() };
            client(&bytes, limits.get(), chunk);
        }
        Case::Both { request, answer, chunk } => both(&request, &answer, chunk),
    }
});
