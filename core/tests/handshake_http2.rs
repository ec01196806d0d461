//! The opening handshake as header lists, beyond the shared vectors: what is sent, what a caller may not send, and bounds.

mod common;

use std::sync::Arc;

use itoden_core::handshake::{
    ClientRequest, ConnectHandshake, HeadLimits, Headers, HttpVersion, Refusal, Upgrade, WebSocketUri, http2,
};
use itoden_core::{HandshakeError, Role};

fn request() -> ClientRequest {
    ClientRequest {
        subprotocols: vec!["soap".into(), "wamp".into()],
        headers: Headers::from_iter([("Origin", "https://example.com"), ("X-Name", " caf\u{e9}\t")]),
        ..ClientRequest::from(&WebSocketUri::parse("wss://example.com:8443/chat?room=1").unwrap())
    }
}

fn ask(request: ClientRequest) -> Result<(ConnectHandshake, Headers), HandshakeError> {
    ConnectHandshake::new(request, true, HeadLimits::default())
}

fn upgrade(list: &Headers) -> Upgrade {
    Upgrade::from_header_list(list, &HeadLimits::default()).unwrap()
}

fn pairs(list: &Headers) -> Vec<(&str, &str)> {
    list.iter().collect()
}

#[test]
fn a_client_asks_in_these_words() {
    let (_, list) = ask(request()).unwrap();
    let expected = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "example.com:8443"),
        (":path", "/chat?room=1"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "soap, wamp"),
        ("origin", "https://example.com"),
        ("x-name", "caf\u{e9}"),
    ];
    assert_eq!(pairs(&list), expected);
    let (_, list) = ConnectHandshake::new(request(), false, HeadLimits::default()).unwrap();
    assert_eq!(list.get(":scheme"), Some("http"));
}

#[test]
fn a_client_and_a_server_open_a_connection_with_a_subprotocol() {
    let (mut client, list) = ask(request()).unwrap();
    let upgrade = upgrade(&list);
    assert_eq!(upgrade.subprotocols(), ["soap", "wamp"]);
    assert_eq!(upgrade.origin(), Some("https://example.com"));
    let accepted = upgrade.accept(Some("wamp"), &Headers::from_iter([("Set-Cookie", "a=1")]), Arc::default()).unwrap();
    let answer = accepted.response.to_header_list();
    assert_eq!(pairs(&answer), [(":status", "200"), ("sec-websocket-protocol", "wamp"), ("set-cookie", "a=1")]);
    assert_eq!((accepted.connection.subprotocol(), accepted.connection.role()), (Some("wamp"), Role::Server));
    let response = client.handle_header_list(&answer).unwrap().unwrap();
    assert_eq!(response.headers.get("Set-Cookie"), Some("a=1"));
    let connection = client.open(&response, Arc::default(), Box::new(common::FixedKey)).unwrap();
    assert_eq!((connection.subprotocol(), connection.role()), (Some("wamp"), Role::Client));
}

#[test]
fn an_application_sees_the_request_as_it_does_over_http1() {
    let (_, mut list) = ask(request()).unwrap();
    list.append("cookie", "a=1");
    list.append("x-last", "z");
    list.append("cookie", "b=2");
    let upgrade = upgrade(&list);
    let head = upgrade.request();
    assert_eq!(
        (head.method.as_str(), head.target.as_str(), head.version),
        ("CONNECT", "/chat?room=1", HttpVersion::Http2)
    );
    assert_eq!((head.authority(), head.resource_name().as_ref()), (Some("example.com:8443"), "/chat?room=1"));
    assert_eq!(head.headers.get("Host"), Some("example.com:8443"));
    assert_eq!(head.headers.get_all("Cookie").collect::<Vec<_>>(), ["a=1; b=2"]);
    assert!(head.headers.iter().all(|(name, _)| !name.starts_with(':')));
}

#[test]
fn what_a_client_may_not_add_is_refused_before_it_is_sent() {
    let bad = |change: &dyn Fn(&mut ClientRequest)| {
        let mut request = request();
        change(&mut request);
        ask(request).unwrap_err().name()
    };
    for name in [
        "Host",
        "Upgrade",
        "connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Transfer-Encoding",
        "Content-Length",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        ":path",
        ":x",
        "",
    ] {
        assert_eq!(bad(&|request| request.headers.append(name, "x")), "invalid_option", "{name:?}");
    }
    assert_eq!(bad(&|request| request.headers.append("TE", "gzip")), "invalid_option");
    assert_eq!(bad(&|request| request.headers.append("X", "a\r\nb")), "invalid_option");
    assert_eq!(bad(&|request| request.host = "me@example.com".into()), "invalid_option");
    assert_eq!(bad(&|request| request.target = "*".into()), "invalid_option");
    let mut allowed = request();
    allowed.headers.append("TE", "trailers");
    assert_eq!(ask(allowed).unwrap().1.get("te"), Some("trailers"));
}

#[test]
fn what_a_server_may_not_add_is_refused_before_it_is_sent() {
    let (_, list) = ask(request()).unwrap();
    for name in ["Connection", "upgrade", "keep-alive", "Content-Length", "Sec-WebSocket-Protocol", ":status"] {
        let error = upgrade(&list).accept(None, &Headers::from_iter([(name, "x")]), Arc::default()).unwrap_err();
        assert_eq!(error.name(), "invalid_option", "{name}");
    }
}

#[test]
fn a_list_may_be_as_large_as_its_limit_and_no_larger() {
    let (_, list) = ask(request()).unwrap();
    let size: usize = list.iter().map(|(name, value)| name.len() + value.chars().count() + 32).sum();
    let read = |max_head_size| {
        Upgrade::from_header_list(&list, &HeadLimits { max_head_size, ..HeadLimits::default() }).map(|_| ())
    };
    assert_eq!(read(size), Ok(()));
    assert_eq!(read(size - 1), Err(HandshakeError::HeadTooLarge { limit: size - 1 }));
}

#[test]
fn a_list_may_have_as_many_fields_as_its_limit_and_no_more() {
    let (_, list) = ask(request()).unwrap();
    let fields = list.len() - 5;
    let read = |max_headers| {
        Upgrade::from_header_list(&list, &HeadLimits { max_headers, ..HeadLimits::default() }).map(|_| ())
    };
    assert_eq!(read(fields), Ok(()));
    assert_eq!(read(fields - 1), Err(HandshakeError::TooManyHeaders { limit: fields - 1 }));
}

#[test]
fn interim_answers_are_skipped_and_count_towards_the_limit_together() {
    let interim = Headers::from_iter([(":status", "103"), ("link", "</style.css>")]);
    let (mut client, _) = ask(request()).unwrap();
    assert_eq!(client.handle_header_list(&interim), Ok(None));
    let answer = Headers::from_iter([(":status", "200")]);
    assert_eq!(client.handle_header_list(&answer).unwrap().map(|response| response.status), Some(200));
    let (mut client, _) = ask(request()).unwrap();
    let refused = (0..1000).find_map(|_| client.handle_header_list(&interim).err());
    assert_eq!(refused, Some(HandshakeError::HeadTooLarge { limit: 16 << 10 }));
}

#[test]
fn a_refusal_is_a_list_and_its_content() {
    let headers = Headers::from_iter([("X-Why", "origin"), ("Connection", "close"), ("Keep-Alive", "timeout=5")]);
    let refusal = Refusal::new(403, &headers, "not you\n").unwrap();
    let (list, content) = refusal.to_header_list();
    let expected = [
        (":status", "403"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "8"),
        ("x-why", "origin"),
    ];
    assert_eq!((pairs(&list), content), (expected.to_vec(), "not you\n"));
    assert_eq!(String::from_utf8(refusal.to_bytes()).unwrap().matches("Connection:").count(), 1);
}

#[test]
fn an_error_is_answered_with_what_is_allowed() {
    let answer = |error| Refusal::of(&error, HttpVersion::Http2).to_header_list().0;
    let version = answer(HandshakeError::UnsupportedVersion { version: "8".into() });
    assert_eq!((version.get(":status"), version.get("sec-websocket-version")), (Some("400"), Some("13")));
    let method = answer(HandshakeError::InvalidMethod { method: "GET".into() });
    assert_eq!((method.get(":status"), method.get("allow")), (Some("405"), Some("CONNECT")));
}

#[test]
fn errors_say_what_came_and_what_is_allowed() {
    let error = |change: &dyn Fn(&mut Headers)| {
        let (_, mut list) = ask(request()).unwrap();
        change(&mut list);
        Upgrade::from_header_list(&list, &HeadLimits::default()).unwrap_err().to_string()
    };
    assert_eq!(
        error(&|list| list.append("connection", "close")),
        "the header list is malformed: \"connection\" is a field that is specific to a connection of HTTP/1.1"
    );
    assert_eq!(
        error(&|list| *list = Headers::from_iter([(":method", "CONNECT"), (":protocol", "connect-udp")])),
        ":protocol is \"connect-udp\"; \"websocket\" is supported"
    );
}

#[test]
fn the_numbers_are_those_of_the_rfcs() {
    assert_eq!((http2::SETTINGS_ENABLE_CONNECT_PROTOCOL, http2::CANCEL, http2::PROTOCOL_ERROR), (8, 8, 1));
}
