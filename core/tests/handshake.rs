//! The opening handshake beyond the shared vectors: what is sent, what a caller may not send, and bounds.

mod common;

use std::sync::Arc;

use itoden_core::handshake::headers::{Extension, extensions};
use itoden_core::handshake::http1::HeadReader;
use itoden_core::handshake::{
    ClientHandshake, ClientRequest, HeadLimits, Headers, HttpVersion, RequestHead, ServerHandshake, Upgrade,
    accept_key, server,
};
use itoden_core::{HandshakeError, Role};

const NONCE: [u8; 16] = *b"the sample nonce";

fn request() -> ClientRequest {
    ClientRequest {
        host: "example.com:8080".into(),
        target: "/chat?room=1".into(),
        subprotocols: vec!["soap".into(), "wamp".into()],
        deflate: None,
        headers: Headers::from_iter([("Origin", "http://example.com")]),
    }
}

fn ask(request: ClientRequest) -> Result<(ClientHandshake, Vec<u8>), HandshakeError> {
    let (handshake, head) = ClientHandshake::new(request, NONCE, HeadLimits::default())?;
    Ok((handshake, head.to_bytes()))
}

fn upgrade(request: &[u8]) -> Upgrade {
    let mut handshake = ServerHandshake::new(HeadLimits::default());
    let (upgrade, used) = handshake.handle_bytes(request).unwrap().expect("a whole request");
    assert_eq!(used, request.len());
    upgrade
}

#[test]
fn the_accept_key_is_that_of_the_rfc() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn a_client_asks_in_these_words() {
    let (_, bytes) = ask(request()).unwrap();
    let expected = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: soap, wamp\r\nOrigin: http://example.com\r\n\r\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn a_client_and_a_server_open_a_connection_with_a_subprotocol() {
    let (mut client, bytes) = ask(request()).unwrap();
    let upgrade = upgrade(&bytes);
    assert_eq!(upgrade.subprotocols(), ["soap", "wamp"]);
    assert_eq!(upgrade.origin(), Some("http://example.com"));
    assert_eq!(upgrade.request().target, "/chat?room=1");
    let accepted = upgrade.accept(Some("wamp"), &Headers::from_iter([("Set-Cookie", "a=1")]), Arc::default()).unwrap();
    assert_eq!(accepted.connection.subprotocol(), Some("wamp"));
    assert_eq!(accepted.connection.role(), Role::Server);
    // The server's first frame may come in the same chunk as its answer.
    let mut answer = accepted.response.to_bytes();
    let length = answer.len();
    answer.extend_from_slice(b"\x81\x02hi");
    let (response, used) = client.handle_bytes(&answer).unwrap().unwrap();
    assert_eq!(used, length);
    assert_eq!(response.headers.get("set-cookie"), Some("a=1"));
    let connection = client.open(&response, Arc::default(), Box::new(common::FixedKey)).unwrap();
    assert_eq!((connection.subprotocol(), connection.role()), (Some("wamp"), Role::Client));
}

#[test]
fn a_frame_behind_the_request_is_left_to_the_caller() {
    let (_, mut bytes) = ask(request()).unwrap();
    let head = bytes.len();
    bytes.extend(common::unhex("818537fa213d7f9f4d5158"));
    let mut handshake = ServerHandshake::new(HeadLimits::default());
    let (_, used) = handshake.handle_bytes(&bytes).unwrap().unwrap();
    assert_eq!(used, head);
}

#[test]
fn a_server_accepts_only_a_subprotocol_that_was_offered() {
    let (_, bytes) = ask(request()).unwrap();
    let error = upgrade(&bytes).accept(Some("mqtt"), &Headers::new(), Arc::default()).unwrap_err();
    assert_eq!(error.to_string(), "the subprotocol is \"mqtt\", which can't be put into an opening handshake");
}

#[test]
fn nothing_that_a_caller_gives_breaks_out_of_its_line() {
    let bad = |change: fn(&mut ClientRequest)| {
        let mut request = request();
        change(&mut request);
        ask(request).unwrap_err().name()
    };
    assert_eq!(bad(|r| r.host = "a\r\nX: y".into()), "invalid_option");
    assert_eq!(bad(|r| r.host = String::new()), "invalid_option");
    assert_eq!(bad(|r| r.target = "/a b".into()), "invalid_option");
    assert_eq!(bad(|r| r.target = "/a\r\nX: y".into()), "invalid_option");
    assert_eq!(bad(|r| r.target = "/a#b".into()), "invalid_option");
    assert_eq!(bad(|r| r.target = "chat".into()), "invalid_option");
    assert_eq!(bad(|r| r.subprotocols = vec!["a, b".into()]), "invalid_option");
    assert_eq!(bad(|r| r.subprotocols = vec!["a".into(), "a".into()]), "invalid_option");
    assert_eq!(bad(|r| r.headers.append("X", "a\r\nY: b")), "invalid_option");
    assert_eq!(bad(|r| r.headers.append("X Y", "a")), "invalid_option");
    assert_eq!(bad(|r| r.headers.append("X", "κ")), "invalid_option");
    assert_eq!(bad(|r| r.headers.append("sec-websocket-key", "mine")), "invalid_option");
    assert_eq!(server::refuse(403, &Headers::from_iter([("X", "a\nb")]), "").unwrap_err().name(), "invalid_option");
    assert_eq!(server::refuse(101, &Headers::new(), "").unwrap_err().name(), "invalid_option");
}

#[test]
fn a_refusal_is_a_whole_http_response() {
    let bytes = server::refuse(403, &Headers::from_iter([("X-Why", "origin")]), "no\n").unwrap();
    let expected = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Length: 3\r\nX-Why: origin\r\n\r\nno\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn a_refusal_has_one_length_and_one_type_whatever_the_caller_adds() {
    let added = [("content-type", "application/json"), ("content-length", "3"), ("Transfer-Encoding", "chunked")];
    let bytes = server::refuse(401, &Headers::from_iter(added), "{}").unwrap();
    let expected = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 2\r\n\
        content-type: application/json\r\n\r\n{}";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn what_the_handshake_itself_answers_is_not_the_callers_to_add() {
    let (_, bytes) = ask(request()).unwrap();
    for name in ["Sec-WebSocket-Accept", "sec-websocket-extensions", "Connection", "Transfer-Encoding"] {
        let added = Headers::from_iter([(name, "x")]);
        let error = upgrade(&bytes).accept(None, &added, Arc::default()).unwrap_err();
        assert_eq!(error.name(), "invalid_option", "{name}");
    }
}

#[test]
fn an_error_is_answered_with_what_is_allowed() {
    let answer = |error: HandshakeError| String::from_utf8(server::error_response(&error)).unwrap();
    let version = answer(HandshakeError::UnsupportedVersion { version: "8".into() });
    assert!(version.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{version}");
    assert!(version.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{version}");
    assert!(answer(HandshakeError::UpgradeRequired).contains("\r\nUpgrade: websocket\r\n"));
    assert!(answer(HandshakeError::InvalidMethod { method: "PUT".into() }).contains("\r\nAllow: GET\r\n"));
}

#[test]
fn a_head_may_be_as_long_as_its_limit_and_no_longer() {
    let head = b"GET / HTTP/1.1\r\nA: 1\r\n\r\n";
    let read = |max_head_size| HeadReader::new(HeadLimits { max_head_size, ..HeadLimits::default() }).push(head);
    assert_eq!(read(head.len()), Ok(Some(head.len())));
    assert_eq!(read(head.len() - 1), Err(HandshakeError::HeadTooLarge { limit: head.len() - 1 }));
}

#[test]
fn a_head_without_end_is_refused_at_the_limit_and_held_no_further() {
    let mut reader = HeadReader::new(HeadLimits::default());
    let chunk = [b'a'; 1000];
    let refused = (0..17).find_map(|_| reader.push(&chunk).err());
    assert_eq!(refused, Some(HandshakeError::HeadTooLarge { limit: 16 << 10 }));
}

#[test]
fn a_request_may_come_from_another_http_parser() {
    let head = RequestHead {
        method: "GET".into(),
        target: "/".into(),
        version: HttpVersion::Http11,
        headers: Headers::from_iter([
            ("host", "a"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ]),
    };
    assert!(Upgrade::from_head(head).is_ok());
}

#[test]
fn header_values_outside_ascii_are_read_byte_by_byte() {
    let (_, bytes) = ask(request()).unwrap();
    let mut bytes = bytes[..bytes.len() - 2].to_vec();
    bytes.extend_from_slice(b"X-Name: caf\xe9\r\n\r\n");
    assert_eq!(upgrade(&bytes).request().headers.get("x-name"), Some("caf\u{e9}"));
}

#[test]
fn extensions_are_read_with_parameters_and_quotes() {
    let headers = Headers::from_iter([
        ("Sec-WebSocket-Extensions", "foo; a=1 ;b ; c = \"t\\wo\" , bar,,"),
        ("sec-websocket-extensions", "baz"),
    ]);
    let extension = |name: &str, params: &[(&str, Option<&str>)]| Extension {
        name: name.into(),
        params: params.iter().map(|(name, value)| ((*name).into(), value.map(Into::into))).collect(),
    };
    let expected = [
        extension("foo", &[("a", Some("1")), ("b", None), ("c", Some("two"))]),
        extension("bar", &[]),
        extension("baz", &[]),
    ];
    assert_eq!(extensions(&headers).unwrap(), expected);
    for bad in ["foo bar", "foo; a=", "foo; a=\"\"", "foo; a=\"b c\"", "foo; a=\"b\\", ";a", "foo;", "\"foo\""] {
        let headers = Headers::from_iter([("Sec-WebSocket-Extensions", bad)]);
        assert!(extensions(&headers).is_err(), "{bad}");
    }
}
