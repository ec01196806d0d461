//! How long an opening may take, on a clock that stands still until all tasks wait, and then jumps to what is next.

use std::time::Duration;

use itoden_core::HandshakeError;
use itoden_core::handshake::HeadLimits;
use itoden_net::{ConnectError, ConnectOptions, connect, open, read_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(10);

/// A byte now and then, for as long as anyone takes them.
async fn trickle(stream: &mut DuplexStream, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        sleep(Duration::from_secs(3)).await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

fn is_timeout(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Handshake(HandshakeError::OpenTimeout { limit: LIMIT }, None))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_answered_with_408_after_the_default_time() {
    let (mut client, server) = duplex(1024);
    let start = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (read, answer) = tokio::join!(read_request(server, HeadLimits::default()), async move {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        (answer, start.elapsed())
    });
    assert!(is_timeout(&read.unwrap_err()));
    assert!(answer.0.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{}", answer.0);
    assert_eq!(answer.1.as_secs(), LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_a_byte_now_and_then_gains_no_time() {
    let (mut client, server) = duplex(1024);
    let start = Instant::now();
    let reading = async {
        let read = read_request(server, HeadLimits::default()).await;
        (read, start.elapsed())
    };
    let ((read, elapsed), ()) = tokio::join!(reading, trickle(&mut client, b"GET /"));
    assert!(is_timeout(&read.unwrap_err()));
    // What is left is the time in which the answer can still be read.
    assert_eq!(elapsed.as_secs(), LIMIT.as_secs() + 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_a_byte_now_and_then_gains_no_time() {
    let (mut server, client) = duplex(1024);
    let start = Instant::now();
    let opening = async {
        let opened = open("ws://example.com/", ConnectOptions::default(), client).await;
        (opened.map(|_| ()), start.elapsed())
    };
    let ((opened, elapsed), ()) = tokio::join!(opening, trickle(&mut server, b"HTTP/1.1 101 "));
    assert!(is_timeout(&opened.unwrap_err()));
    assert_eq!(elapsed.as_secs(), LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_takes_is_given_up_too() {
    let (_server, client) = duplex(16);
    let opened = open("ws://example.com/", ConnectOptions::default(), client).await;
    assert!(is_timeout(&opened.unwrap_err()));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_nobody_takes_holds_the_server_no_longer() {
    let (mut client, server) = duplex(8);
    let (read, ()) = tokio::join!(read_request(server, HeadLimits::default()), async {
        client.write_all(b"\x16\x03\x01").await.unwrap();
    });
    assert!(matches!(read, Err(ConnectError::Handshake(HandshakeError::InvalidHead { .. }, None))));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_an_answer_may_come_late() {
    let (mut server, client) = duplex(1024);
    let head_limits = HeadLimits { open_timeout: None, ..HeadLimits::default() };
    let opening = open("ws://example.com/", ConnectOptions { head_limits, ..ConnectOptions::default() }, client);
    let (opened, ()) = tokio::join!(opening, async {
        sleep(Duration::from_secs(3600)).await;
        server.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
    });
    let error = opened.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::UnexpectedStatus { status: 403 }, Some(_))));
}

#[tokio::test]
async fn a_server_that_accepts_nobody_is_given_up() {
    // A listener that accepts nothing: the system takes the connection, and nobody the request.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limit = Duration::from_millis(20);
    let head_limits = HeadLimits { open_timeout: Some(limit), ..HeadLimits::default() };
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let error = connect(&url, ConnectOptions { head_limits, ..ConnectOptions::default() }).await.unwrap_err();
    assert_eq!(error.to_string(), "the opening handshake was not done within 20ms, which is open_timeout");
}
