//! WebSocket URIs (RFC 6455 §3).

use itoden_core::HandshakeError;
use itoden_core::handshake::uri::is_authority;
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, WebSocketUri};

fn parts(uri: &str) -> (bool, String, u16, String, String) {
    let uri = WebSocketUri::parse(uri).unwrap();
    (uri.secure, uri.host.clone(), uri.port, uri.resource_name.clone(), uri.authority())
}

#[test]
fn a_uri_is_taken_apart() {
    for (uri, secure, host, port, name, authority) in [
        ("ws://example.com", false, "example.com", 80, "/", "example.com"),
        ("wss://example.com/", true, "example.com", 443, "/", "example.com"),
        ("WS://Example.COM:80/Chat?Room=1", false, "example.com", 80, "/Chat?Room=1", "example.com"),
        ("ws://example.com:443/", false, "example.com", 443, "/", "example.com:443"),
        ("wss://example.com:443/", true, "example.com", 443, "/", "example.com"),
        ("wss://example.com:80/", true, "example.com", 80, "/", "example.com:80"),
        ("ws://example.com:/", false, "example.com", 80, "/", "example.com"),
        ("ws://example.com?a=b", false, "example.com", 80, "/?a=b", "example.com"),
        ("ws://example.com/?", false, "example.com", 80, "/?", "example.com"),
        ("ws://127.0.0.1:9001/", false, "127.0.0.1", 9001, "/", "127.0.0.1:9001"),
        ("ws://[::1]/", false, "::1", 80, "/", "[::1]"),
        ("ws://[2001:DB8::1]:8080/a", false, "2001:db8::1", 8080, "/a", "[2001:db8::1]:8080"),
        ("ws://a/b://c@d:e?f/g", false, "a", 80, "/b://c@d:e?f/g", "a"),
        ("ws://a/?q=[x]{y}|\"z\"%20", false, "a", 80, "/?q=[x]{y}|\"z\"%20", "a"),
    ] {
        assert_eq!(parts(uri), (secure, host.into(), port, name.into(), authority.into()), "{uri}");
    }
}

#[test]
fn credentials_are_set_apart_and_sent_nowhere() {
    let uri = WebSocketUri::parse("ws://me:a@b@example.com/").unwrap();
    assert_eq!((uri.userinfo.as_deref(), uri.host.as_str()), (Some("me:a@b"), "example.com"));
    let (_, head) = ClientHandshake::new(ClientRequest::from(&uri), [0; 16], HeadLimits::default()).unwrap();
    assert!(!String::from_utf8(head.to_bytes()).unwrap().contains("me"));
}

#[test]
fn what_is_no_websocket_uri_is_refused_with_the_reason() {
    for (uri, why) in [
        ("", "ws://"),
        ("example.com", "ws://"),
        ("ws:example.com", "ws://"),
        ("http://example.com/", "scheme"),
        ("://example.com/", "scheme"),
        ("ws://", "no host"),
        ("ws:///chat", "no host"),
        ("ws://:80/", "no host"),
        ("ws://me@/", "no host"),
        ("ws://example.com/#top", "fragment"),
        ("ws://example.com#", "fragment"),
        ("ws://example.com:65536/", "port"),
        ("ws://example.com:+80/", "port"),
        ("ws://example.com:80:80/", "port"),
        ("ws://[::1/", "host"),
        ("ws://[::g]/", "host"),
        ("ws://[::1]80/", "host"),
        ("ws://::1/", "host"),
        ("ws://[127.0.0.1]/", "host"),
        ("ws://exa\\mple.com/", "host"),
        ("ws://example.com/a b", "space"),
        ("ws://example.com/\r\nX: y", "control character"),
        ("ws://m\u{fc}ller.example/", "ASCII"),
    ] {
        match WebSocketUri::parse(uri) {
            Err(error @ HandshakeError::InvalidUri { .. }) => {
                assert!(error.to_string().contains(why), "{uri}: {error}");
            }
            other => panic!("{uri}: {other:?}"),
        }
    }
}

#[test]
fn an_error_does_not_tell_credentials() {
    for uri in
        ["http://me:secret@example.com/", "ws://me:secret@example.com/#x", "ws://me:secret@:1", "ws://me:secret@\u{fc}"]
    {
        let error = WebSocketUri::parse(uri).unwrap_err().to_string();
        assert!(!error.contains("secret") && !error.contains("me:"), "{error}");
    }
}

#[test]
fn an_authority_is_a_host_and_perhaps_a_port() {
    for good in ["a", "a.example", "a_b-c", "127.0.0.1", "[::]", "a:", "a:0", "[::1]:65535", "a%20b", "EXAMPLE"] {
        assert!(is_authority(good), "{good}");
    }
    for bad in [
        "", ":80", "a b", "a:b", "a:-1", "a:65536", "me@a", "a/", "a?", "[]", "[::1", "::1", "a,b c", "\u{e9}",
        "[::1]a",
    ] {
        assert!(!is_authority(bad), "{bad}");
    }
}
