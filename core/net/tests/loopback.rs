//! Real sockets on the loopback interface: both ends of this crate, and misdeeds written by hand.

use std::sync::Arc;

use itoden_core::handshake::{HeadLimits, Headers};
use itoden_core::{CloseCode, Config, Connection, Event, HandshakeError, Message};
use itoden_net::{
    ConnectError, ConnectOptions, Ended, Handler, ThreadMaskKeys, WebSocket, connect, drive, read_request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Echoes until the peer closes; gives back how the connection ended.
async fn echo(stream: TcpStream) -> Result<itoden_core::Closed, ConnectError> {
    let request = read_request(stream, HeadLimits::default()).await?;
    let subprotocol = request.upgrade().subprotocols().first().cloned();
    let mut config = Config::default();
    config.limits.max_message_size = 1 << 20;
    let opened = request.accept(subprotocol.as_deref(), &Headers::new(), Arc::new(config)).await?;
    let mut socket = WebSocket::new(opened);
    while let Some(message) = socket.next().await {
        match socket.send(message).await {
            Ok(()) | Err(Ended::Closed(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(socket.closed().unwrap().clone())
}

/// A server for one connection, and its address.
async fn serve() -> (String, JoinHandle<Result<itoden_core::Closed, ConnectError>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    (address, server)
}

async fn connected() -> (WebSocket<TcpStream>, JoinHandle<Result<itoden_core::Closed, ConnectError>>) {
    let (address, server) = serve().await;
    let opened = connect(&format!("ws://{address}/"), ConnectOptions::default()).await.unwrap();
    (WebSocket::new(opened), server)
}

#[tokio::test]
async fn messages_of_every_size_are_echoed() {
    let (mut client, server) = connected().await;
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
        client.send(Message::binary(&payload)).await.unwrap();
        assert_eq!(client.next().await, Some(Message::binary(&payload).into_owned()), "{size}");
    }
    client.send(Message::text("κόσμε")).await.unwrap();
    assert_eq!(client.next().await, Some(Message::text("κόσμε")));
    let closed = client.close(Some(CloseCode::NORMAL), "done").await.unwrap();
    assert!(closed.was_clean);
    let closed = server.await.unwrap().unwrap();
    assert_eq!((closed.code, closed.reason.as_str(), closed.was_clean), (CloseCode::NORMAL, "done", true));
}

#[tokio::test]
async fn many_messages_arrive_in_order_and_backpressure_holds_the_rest_back() {
    let (mut client, _server) = connected().await;
    let (mut sent, mut received) = (0u32, 0u32);
    while received < 5_000 {
        while sent < 5_000 && sent < received + 500 {
            client.send(Message::binary(&sent.to_be_bytes())).await.unwrap();
            sent += 1;
        }
        assert_eq!(client.next().await, Some(Message::binary(&received.to_be_bytes()).into_owned()));
        received += 1;
    }
}

/// Pauses at each message, and goes on at the end of each batch.
#[derive(Default)]
struct Hesitant(Vec<String>);

impl Handler for Hesitant {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        if let Event::Message(Message::Text(text)) = event {
            self.0.push(text.into_owned());
            connection.pause_reading();
        }
    }

    fn on_batch_end(&mut self, connection: &mut Connection) {
        connection.resume_reading();
    }
}

#[tokio::test]
async fn what_was_left_when_reading_paused_comes_before_what_is_read_later() {
    let (mut peer, stream) = tokio::io::duplex(1024);
    peer.write_all(b"\x81\x04four\x88\x00").await.unwrap();
    let early = b"\x81\x03one\x81\x03two\x81\x05three".to_vec();
    let connection = Connection::client(Arc::default(), Box::new(ThreadMaskKeys));
    let mut handler = Hesitant::default();
    let driving = drive(stream, connection, early, &mut handler);
    tokio::join!(driving, async move {
        peer.read_exact(&mut [0; 6]).await.unwrap();
    });
    assert_eq!(handler.0, ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn the_subprotocol_is_agreed_on() {
    let (address, _server) = serve().await;
    let options = ConnectOptions { subprotocols: vec!["chat".into()], ..ConnectOptions::default() };
    let opened = connect(&format!("ws://{address}/"), options).await.unwrap();
    assert_eq!(opened.connection.subprotocol(), Some("chat"));
}

#[tokio::test]
async fn a_message_above_the_limit_closes_with_1009() {
    let (mut client, _server) = connected().await;
    // The server may have ended before all of it is written.
    let _ = client.send(Message::binary(&vec![0; (1 << 20) + 1])).await;
    assert_eq!(client.next().await, None);
    assert_eq!(client.closed().unwrap().code, CloseCode::TOO_BIG);
}

#[tokio::test]
async fn a_client_that_vanishes_ends_its_connection_alone() {
    let (client, server) = connected().await;
    drop(client);
    let closed = server.await.unwrap().unwrap();
    assert_eq!((closed.code, closed.was_clean), (CloseCode::ABNORMAL, false));
}

/// Writes `bytes` to a new server; what it answers until it ends the transport.
async fn answer_to(bytes: &[u8]) -> (Vec<u8>, Result<itoden_core::Closed, ConnectError>) {
    let (address, server) = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    drop(stream);
    (answer, server.await.unwrap())
}

#[tokio::test]
async fn a_frame_in_the_same_write_as_the_request_is_not_lost() {
    let (address, server) = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = REQUEST.to_vec();
    bytes.extend_from_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n\x81\x05Hello") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
    }
    stream.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
    answer.clear();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"\x88\x00");
    drop(stream);
    assert!(server.await.unwrap().unwrap().was_clean);
}

#[tokio::test]
async fn a_client_that_does_not_mask_is_told_so_with_1002() {
    let mut bytes = REQUEST.to_vec();
    bytes.extend_from_slice(b"\x81\x05Hello");
    let (answer, ended) = answer_to(&bytes).await;
    let close = answer.iter().position(|&byte| byte == 0x88).unwrap();
    assert_eq!(answer[close + 2..close + 4], 1002u16.to_be_bytes());
    assert_eq!(ended.unwrap().code, CloseCode::ABNORMAL);
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_answered_with_its_status() {
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "426"),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        (b"\x16\x03\x01", "400"),
        (b"GET / HTTP/1.1\nHost: a\n\n", "400"),
    ] {
        let (answer, ended) = answer_to(request).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(matches!(ended, Err(ConnectError::Handshake(_, None))));
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_client_with_its_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let request = read_request(stream, HeadLimits::default()).await.unwrap();
        request.refuse(403, &Headers::new(), "not you\n").await.unwrap();
    });
    let error = connect(&format!("ws://{address}/"), ConnectOptions::default()).await.unwrap_err();
    let ConnectError::Handshake(error, Some(response)) = error else { panic!("{error}") };
    assert_eq!(error, HandshakeError::UnexpectedStatus { status: 403 });
    assert_eq!(response.status, 403);
    server.await.unwrap();
}

#[tokio::test]
async fn urls_that_are_no_websocket_urls_are_named() {
    for (url, why) in [
        ("http://127.0.0.1/", "scheme"),
        ("ws://127.0.0.1/#part", "fragment"),
        ("ws://me:secret@127.0.0.1/", "Authorization"),
        ("wss://127.0.0.1/", "ws: is supported"),
        ("ws://", "no host"),
        ("chat", "ws://"),
    ] {
        let error = connect(url, ConnectOptions::default()).await.unwrap_err();
        assert!(matches!(&error, ConnectError::InvalidUrl(text) if text.contains(why)), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_handshake_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let error = connect(&format!("ws://{address}/"), ConnectOptions::default()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::UnexpectedEof, None)), "{error}");
    server.await.unwrap();
}
