//! The time that an opening handshake may take: a clock that only the test moves.

mod common;

use std::time::Duration;

use itoden_core::handshake::{
    ClientHandshake, ClientRequest, ConnectHandshake, HeadLimits, Headers, ServerHandshake, WebSocketUri, server,
};
use itoden_core::{HandshakeError, Timestamp};

const LIMIT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_micros(1);
const START: Timestamp = Timestamp::from_micros(5_000_000);
const TIMEOUT: HandshakeError = HandshakeError::OpenTimeout { limit: LIMIT };

fn request() -> ClientRequest {
    ClientRequest::from(&WebSocketUri::parse("ws://example.com/").unwrap())
}

fn client(limits: HeadLimits) -> ClientHandshake {
    ClientHandshake::new(request(), [0; 16], limits).unwrap().0
}

fn without_limit() -> HeadLimits {
    HeadLimits { open_timeout: None, ..HeadLimits::default() }
}

#[test]
fn the_default_is_ten_seconds_from_the_moment_the_time_is_first_told() {
    let mut server = ServerHandshake::new(HeadLimits::default());
    assert_eq!(server.poll_timeout(), Some(Timestamp::ZERO), "asks for the time");
    assert_eq!(server.handle_timeout(START), Ok(()));
    assert_eq!(server.poll_timeout(), Some(START + LIMIT));
    assert_eq!(server.handle_timeout(START + (LIMIT - MOMENT)), Ok(()), "told too early");
    assert_eq!(server.handle_timeout(START + LIMIT), Err(TIMEOUT));
}

#[test]
fn a_server_answers_408() {
    let answer = String::from_utf8(server::error_response(&TIMEOUT)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nthe opening handshake was not done within 10s, which is open_timeout\n"),
        "{answer}"
    );
}

#[test]
fn a_byte_now_and_then_extends_nothing() {
    let (mut server, mut client) = (ServerHandshake::new(HeadLimits::default()), client(HeadLimits::default()));
    server.handle_timeout(START).unwrap();
    client.handle_timeout(START).unwrap();
    for second in 1..10 {
        assert!(server.handle_bytes(&b"GET /aaaaaaaa"[second..=second]).unwrap().is_none());
        assert!(client.handle_bytes(&b"HTTP/1.1 101 "[second - 1..second]).unwrap().is_none());
        let now = START + Duration::from_secs(second as u64);
        assert_eq!((server.handle_timeout(now), client.handle_timeout(now)), (Ok(()), Ok(())));
        assert_eq!((server.poll_timeout(), client.poll_timeout()), (Some(START + LIMIT), Some(START + LIMIT)));
    }
    assert_eq!(
        (server.handle_timeout(START + LIMIT), client.handle_timeout(START + LIMIT)),
        (Err(TIMEOUT), Err(TIMEOUT))
    );
}

#[test]
fn interim_answers_extend_nothing() {
    let mut http1 = client(HeadLimits::default());
    let (mut http2, _) = ConnectHandshake::new(request(), false, HeadLimits::default()).unwrap();
    http1.handle_timeout(START).unwrap();
    http2.handle_timeout(START).unwrap();
    assert!(http1.handle_bytes(b"HTTP/1.1 103 \r\n\r\n").unwrap().is_none());
    assert!(http2.handle_header_list(&Headers::from_iter([(":status", "103")])).unwrap().is_none());
    assert_eq!((http1.poll_timeout(), http2.poll_timeout()), (Some(START + LIMIT), Some(START + LIMIT)));
    assert_eq!(
        (http1.handle_timeout(START + LIMIT), http2.handle_timeout(START + LIMIT)),
        (Err(TIMEOUT), Err(TIMEOUT))
    );
}

#[test]
fn an_answer_ends_the_wait() {
    let mut http1 = client(HeadLimits::default());
    let (mut http2, _) = ConnectHandshake::new(request(), false, HeadLimits::default()).unwrap();
    http1.handle_timeout(START).unwrap();
    http2.handle_timeout(START).unwrap();
    assert!(http1.handle_bytes(b"HTTP/1.1 403 \r\n\r\n").unwrap().is_some());
    assert!(http2.handle_header_list(&Headers::from_iter([(":status", "403")])).unwrap().is_some());
    assert_eq!((http1.poll_timeout(), http2.poll_timeout()), (None, None));
    assert_eq!((http1.handle_timeout(START + LIMIT), http2.handle_timeout(START + LIMIT)), (Ok(()), Ok(())));
}

#[test]
fn a_whole_request_ends_the_wait() {
    let (_, head) = ClientHandshake::new(request(), [0; 16], HeadLimits::default()).unwrap();
    let mut server = ServerHandshake::new(HeadLimits::default());
    server.handle_timeout(START).unwrap();
    assert!(server.handle_bytes(&head.to_bytes()).unwrap().is_some());
    assert_eq!((server.poll_timeout(), server.handle_timeout(START + LIMIT)), (None, Ok(())));
}

#[test]
fn without_a_limit_it_takes_as_long_as_it_takes() {
    let (mut server, mut client) = (ServerHandshake::new(without_limit()), client(without_limit()));
    assert_eq!((server.poll_timeout(), client.poll_timeout()), (None, None));
    let late = Timestamp::from_micros(u64::MAX);
    assert_eq!((server.handle_timeout(START), client.handle_timeout(START)), (Ok(()), Ok(())));
    assert_eq!((server.handle_timeout(late), client.handle_timeout(late)), (Ok(()), Ok(())));
}

#[test]
fn a_limit_of_nothing_is_over_at_once() {
    let limits = HeadLimits { open_timeout: Some(Duration::ZERO), ..HeadLimits::default() };
    assert_eq!(client(limits).handle_timeout(START), Err(HandshakeError::OpenTimeout { limit: Duration::ZERO }));
}
