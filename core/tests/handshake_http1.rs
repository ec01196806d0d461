//! Heads of HTTP/1.1 as bytes, beyond the shared vectors: what comes around the one that counts, bounds, and refusals.

mod common;

use std::sync::Arc;

use itoden_core::HandshakeError;
use itoden_core::handshake::http1::HeadReader;
use itoden_core::handshake::{
    ClientHandshake, ClientRequest, HeadLimits, Headers, HttpVersion, Refusal, RequestHead, ServerHandshake, Upgrade,
    WebSocketUri, server,
};

const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const FIELDS: &str = "Host: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

fn request() -> ClientRequest {
    ClientRequest::from(&WebSocketUri::parse("ws://example.com/chat").unwrap())
}

fn client(limits: HeadLimits) -> ClientHandshake {
    ClientHandshake::new(request(), *b"the sample nonce", limits).unwrap().0
}

fn serve(bytes: &[u8]) -> Result<Option<Upgrade>, HandshakeError> {
    let read = ServerHandshake::new(HeadLimits::default()).handle_bytes(bytes)?;
    Ok(read.map(|(upgrade, _)| upgrade))
}

fn served(target: &str, more: &str) -> Upgrade {
    serve(format!("GET {target} HTTP/1.1\r\n{FIELDS}{more}\r\n").as_bytes()).unwrap().expect("a whole request")
}

#[test]
fn interim_answers_before_the_upgrade_are_skipped_however_the_bytes_are_cut() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    let bytes = [interim, ANSWER, "\u{1}\u{2}"].concat().into_bytes();
    let head = bytes.len() - 2;
    for size in [1, 2, 3, 50, head - 1, head, bytes.len()] {
        let mut client = client(HeadLimits::default());
        let mut taken = 0;
        let response = bytes.chunks(size).find_map(|chunk| match client.handle_bytes(chunk).unwrap() {
            Some((response, used)) => {
                taken += used;
                Some(response)
            }
            None => {
                taken += chunk.len();
                None
            }
        });
        assert_eq!((response.as_ref().map(|response| response.status), taken), (Some(101), head), "{size}");
        assert!(client.open(&response.unwrap(), Arc::default(), Box::new(common::FixedKey)).is_ok());
    }
}

#[test]
fn interim_answers_count_towards_the_limit_together() {
    let limits = HeadLimits { max_head_size: 1000, ..HeadLimits::default() };
    let mut client = client(limits);
    let interim = b"HTTP/1.1 100 \r\n\r\n";
    let error = (0..=1000 / interim.len()).find_map(|_| client.handle_bytes(interim).err());
    assert_eq!(error, Some(HandshakeError::HeadTooLarge { limit: 1000 }));
}

#[test]
fn an_interim_answer_alone_is_no_answer() {
    let mut client = client(HeadLimits::default());
    assert_eq!(client.handle_bytes(b"HTTP/1.1 102 Processing\r\n\r\n"), Ok(None));
    let (response, _) = client.handle_bytes(b"HTTP/1.1 404 \r\n\r\n").unwrap().unwrap();
    let error = client.open(&response, Arc::default(), Box::new(common::FixedKey)).unwrap_err();
    assert_eq!(error, HandshakeError::UnexpectedStatus { status: 404 });
}

#[test]
fn an_upgrade_answered_over_http_1_0_is_none() {
    let mut client = client(HeadLimits::default());
    let (response, _) = client.handle_bytes(ANSWER.replace("1.1 101", "1.0 101").as_bytes()).unwrap().unwrap();
    let error = client.open(&response, Arc::default(), Box::new(common::FixedKey)).unwrap_err();
    assert_eq!(error.to_string(), "the HTTP version is \"1.0\"; 1.1 is required");
}

#[test]
fn what_no_answer_begins_with_is_refused() {
    for (bytes, name) in [
        ("\r\n".to_owned() + ANSWER, "invalid_head"),
        (ANSWER.replace("HTTP/1.1 101", "HTTP/1.1  101"), "invalid_head"),
        (ANSWER.replace("HTTP/1.1 101", "HTTP/1.1 1010"), "invalid_head"),
        (ANSWER.replace("HTTP/1.1 101", "HTTP/1.1 1x1"), "invalid_head"),
        (ANSWER.replace("HTTP/1.1", "HTTP/2.0"), "invalid_http_version"),
        (ANSWER.replace("HTTP/1.1", "ICY"), "invalid_head"),
        (ANSWER.replace("Upgrade: websocket", "Upgrade : websocket"), "invalid_head"),
        (ANSWER.replace("Upgrade: websocket\r\n", "Upgrade:\r\n websocket\r\n"), "invalid_head"),
    ] {
        let error = client(HeadLimits::default()).handle_bytes(bytes.as_bytes()).unwrap_err();
        assert_eq!(error.name(), name, "{bytes}");
    }
}

#[test]
fn a_request_line_without_end_is_414_and_a_header_without_end_431() {
    let line = [b"GET /".as_slice(), &[b'a'; 16 << 10]].concat();
    let error = serve(&line).unwrap_err();
    assert_eq!((error.name(), error.status()), ("target_too_long", Some(414)));
    assert!(server::error_response(&error).starts_with(b"HTTP/1.1 414 URI Too Long\r\n"));
    let header = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 16 << 10]].concat();
    let error = serve(&header).unwrap_err();
    assert_eq!((error.name(), error.status()), ("head_too_large", Some(431)));
    let error = client(HeadLimits::default()).handle_bytes(&[b'a'; 16 << 10]).unwrap_err();
    assert_eq!(error.name(), "head_too_large", "a client asks for no target");
}

#[test]
fn an_upgrade_may_follow_other_requests_on_its_connection() {
    let first = "GET /style.css HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let bytes = format!("{first}GET /chat HTTP/1.1\r\n{FIELDS}\r\n");
    let mut reader = HeadReader::new(HeadLimits::default());
    let used = reader.push(bytes.as_bytes()).unwrap().unwrap();
    assert_eq!(used, first.len());
    assert_eq!(Upgrade::from_head(reader.request().unwrap()).unwrap_err(), HandshakeError::UpgradeRequired);
    let mut second = HeadReader::new(HeadLimits::default());
    assert_eq!(second.push(&bytes.as_bytes()[used..]), Ok(Some(bytes.len() - used)));
    assert!(Upgrade::from_head(second.request().unwrap()).is_ok());
}

#[test]
fn no_control_character_but_a_tab_passes() {
    for byte in (0..0x20).chain([0x7f]) {
        let mut bytes = format!("GET / HTTP/1.1\r\n{FIELDS}X: a").into_bytes();
        bytes.extend_from_slice(&[byte, b'b']);
        bytes.extend_from_slice(b"\r\n\r\n");
        match serve(&bytes) {
            Ok(upgrade) => assert_eq!((byte, upgrade.unwrap().request().headers.get("x")), (b'\t', Some("a\tb"))),
            Err(error) => assert!(byte != b'\t' && error.name() == "invalid_head", "{byte:#x}: {error}"),
        }
    }
}

#[test]
fn what_no_head_can_have_is_refused_before_the_head_ends() {
    for bytes in [&b"GET / HTTP/1.1\r\nX: a\rb"[..], b"GET / HTTP/1.1\r\r", b"\n", b"GET / HTTP/1.1\n", b"\0", b"a\x7f"]
    {
        assert_eq!(serve(bytes).unwrap_err().name(), "invalid_head", "{bytes:?}");
    }
}

#[test]
fn all_bytes_outside_ascii_reach_the_peer_as_they_are() {
    let value: String = (0x80..=0xff).map(|byte: u8| char::from(byte)).collect();
    let mut asked = request();
    asked.headers.append("X", value.clone());
    let (_, head) = ClientHandshake::new(asked, [0; 16], HeadLimits::default()).unwrap();
    let bytes = head.to_bytes();
    assert!(bytes.windows(128).any(|window| window.iter().copied().eq(0x80..=0xff)));
    let upgrade = serve(&bytes).unwrap().unwrap();
    assert_eq!(upgrade.request().headers.get("x"), Some(value.as_str()));
}

#[test]
fn the_same_is_asked_for_whether_the_target_is_absolute_or_not() {
    let asked = |target| {
        let upgrade = served(target, "");
        let head = upgrade.request();
        (head.authority().unwrap().to_owned(), head.resource_name().into_owned())
    };
    let pair = |authority: &str, name: &str| (authority.to_owned(), name.to_owned());
    assert_eq!(asked("/chat?room=1"), pair("example.com", "/chat?room=1"));
    assert_eq!(asked("//chat"), pair("example.com", "//chat"));
    assert_eq!(asked("http://example.org:81/chat?room=1"), pair("example.org:81", "/chat?room=1"));
    assert_eq!(asked("HTTPS://[::1]"), pair("[::1]", "/"));
    assert_eq!(asked("http://example.org?room=1"), pair("example.org", "/?room=1"));
}

#[test]
fn subprotocols_may_stand_in_several_lines() {
    let upgrade = served("/", "Sec-WebSocket-Protocol: b, a\r\nX: y\r\nsec-websocket-protocol: ,c\r\n");
    assert_eq!(upgrade.subprotocols(), ["b", "a", "c"]);
}

#[test]
fn a_request_that_was_parsed_as_another_version_is_refused() {
    for (version, shown) in [(HttpVersion::Http10, "1.0"), (HttpVersion::Http2, "2")] {
        let (method, target) = ("GET".to_owned(), "/".to_owned());
        let head = RequestHead { method, target, version, headers: Headers::new() };
        let expected = HandshakeError::InvalidHttpVersion { version: shown.into() };
        assert_eq!(Upgrade::from_head(head).unwrap_err(), expected);
    }
}

#[test]
fn an_answer_to_a_wrong_upgrade_names_it_as_a_connection_option() {
    for more in ["", "Sec-WebSocket-Version: 14\r\n"] {
        let request = if more.is_empty() { "Host: a\r\n" } else { FIELDS };
        let error = serve(format!("GET / HTTP/1.1\r\n{request}{more}\r\n").as_bytes()).unwrap_err();
        let answer = String::from_utf8(server::error_response(&error)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\n"), "{answer}");
        assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
        assert_eq!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"), !more.is_empty(), "{answer}");
    }
}

#[test]
fn the_answer_to_head_has_no_content() {
    let error = serve(format!("HEAD / HTTP/1.1\r\n{FIELDS}\r\n").as_bytes()).unwrap_err();
    let answer = String::from_utf8(server::error_response(&error)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn every_error_of_a_server_is_answered_with_a_whole_response() {
    for request in [
        "BAD\r\n\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\n{FIELDS}\r\n"),
        format!("GET / HTTP/1.0\r\n{FIELDS}\r\n"),
        format!("GET /#x HTTP/1.1\r\n{FIELDS}\r\n"),
        format!("GET / HTTP/1.1\r\n{FIELDS}Sec-WebSocket-Protocol: \u{e9}\r\n\r\n"),
    ] {
        let error = serve(request.as_bytes()).unwrap_err();
        let answer = String::from_utf8(server::error_response(&error)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {} ", error.status().unwrap())), "{answer}");
        assert!(head.contains("\r\nConnection: close"), "{answer}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{answer}");
        assert_eq!(body, format!("{error}\n"));
    }
}

#[test]
fn a_refusal_counts_its_content_in_bytes() {
    let bytes = server::refuse(403, &Headers::new(), "Grüße").unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains("\r\nContent-Length: 7\r\n"));
}

#[test]
fn a_status_that_is_no_refusal_is_refused() {
    for status in [0, 99, 100, 101, 200, 299, 304, 600, 999] {
        let error = Refusal::new(status, &Headers::new(), "").unwrap_err();
        assert_eq!(
            error,
            HandshakeError::InvalidOption { option: "the status of a refusal", value: status.to_string() }
        );
    }
    assert_eq!(Refusal::new(302, &Headers::from_iter([("Location", "/")]), "").unwrap().status(), 302);
}
