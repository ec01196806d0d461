//! What broke other implementations, over sockets: the cases of `core/vectors/adversaries.json` while an honest connection
//! is open, and what needs a transport to be seen. `docs/adversaries.md` names these tests.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::collections::HashSet;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::cases::{Case, Handshake, Row, read};
use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{HeadLimits, Headers, accept_key};
use itoden_core::{Config, Connection, Event, Failure, HandshakeError, Message};
use itoden_net::{
    ConnectError, ConnectOptions, Driver, Handler, Opened, ThreadMaskKeys, WebSocket, connect, read_request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

/// A server that echoes on every connection, with the configuration that stands in `config` when the connection comes.
struct Server {
    address: String,
    config: Arc<Mutex<Config>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = Arc::new(Mutex::new(Config::default()));
        let shared = Arc::clone(&config);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let config = shared.lock().unwrap().clone();
                tokio::spawn(async move {
                    let Ok(request) = read_request(stream, HeadLimits::default()).await else { return };
                    let Ok(opened) = request.accept(None, &Headers::new(), Arc::new(config)).await else { return };
                    let mut socket = WebSocket::new(opened);
                    while let Some(message) = socket.next().await {
                        if socket.send(message).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, config }
    }

    async fn stream(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    async fn client(&self) -> WebSocket<TcpStream> {
        let opened = connect(&format!("ws://{}/", self.address), ConnectOptions::default()).await;
        WebSocket::new(opened.unwrap())
    }
}

/// An honest connection, which must get its echo whatever others do.
async fn is_served(honest: &mut WebSocket<TcpStream>, meanwhile: &str) {
    honest.send(Message::text(meanwhile)).await.unwrap();
    assert_eq!(honest.next().await, Some(Message::text(meanwhile)), "while {meanwhile}");
}

/// The configuration of a case; every message is compressed if compression is agreed on.
fn config(case: &Case) -> Config {
    let deflate = case.extensions.is_some().then(|| DeflateConfig { threshold: 0, ..DeflateConfig::default() });
    Config { deflate, ..case.config() }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Sends all, and what comes back until the other side ends, which may be before all is sent.
async fn exchange(stream: TcpStream, chunks: &[Vec<u8>]) -> Vec<u8> {
    let (mut reading, mut writing) = stream.into_split();
    let mut answer = Vec::new();
    let write = async {
        for chunk in chunks {
            if writing.write_all(chunk).await.is_err() {
                return;
            }
        }
    };
    // A reset comes behind what is to be read.
    let _ = tokio::join!(write, reading.read_to_end(&mut answer));
    answer
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// Misbehaves on a connection to the server: the Close frame that answers must have the error's code.
async fn misbehave_as_client(server: &Server, honest: &mut WebSocket<TcpStream>, case: &Case) {
    *server.config.lock().unwrap() = config(case);
    let mut stream = server.stream().await;
    let offer = case.extensions.iter().map(|agreed| format!("Sec-WebSocket-Extensions: {agreed}\r\n"));
    stream.write_all(format!("{REQUEST}{}\r\n", offer.collect::<String>()).as_bytes()).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101 "));
    is_served(honest, &case.name).await;
    let Some(code) = case.sent["close"].as_u64() else {
        // Nothing ends: what it sends is taken, and it goes.
        for chunk in case.chunks() {
            stream.write_all(&chunk).await.unwrap();
        }
        is_served(honest, &case.name).await;
        return;
    };
    let answer = exchange(stream, &case.chunks()).await;
    assert_eq!(answer[0], 0x88, "{}: a Close frame comes first", case.name);
    assert_eq!(u64::from(u16::from_be_bytes([answer[2], answer[3]])), code, "{}", case.name);
    assert_eq!(answer.len(), 2 + usize::from(answer[1]), "{}: nothing else comes", case.name);
}

/// Misbehaves as the server of an itoden client, which must fail with the error's name.
async fn misbehave_as_server(case: &Case) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let misbehave = async {
        let mut stream = listener.accept().await.unwrap().0;
        let request = read_head(&mut stream).await;
        let extensions = case.extensions.iter().map(|agreed| format!("Sec-WebSocket-Extensions: {agreed}\r\n"));
        stream.write_all(response(&request, &extensions.collect::<String>()).as_bytes()).await.unwrap();
        exchange(stream, &case.chunks()).await;
    };
    let client = async {
        let options = ConnectOptions { config: Arc::new(config(case)), ..ConnectOptions::default() };
        let mut client = WebSocket::new(connect(&url, options).await.unwrap());
        while client.next().await.is_some() {}
        match client.closed().unwrap().failure.clone() {
            Some(Failure::Protocol(error)) => error.name(),
            other => panic!("{}: {other:?}", case.name),
        }
    };
    let ((), error) = tokio::join!(misbehave, client);
    assert_eq!(Some(error), case.error(), "{}", case.name);
}

fn response(request: &str, more: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{more}\r\n",
        accept_key(key)
    )
}

#[tokio::test]
async fn misdeeds_on_one_connection_leave_the_others_alone() {
    let server = Server::start().await;
    let mut honest = server.client().await;
    for case in read::<Row>("adversaries").iter().flat_map(|row| &row.connections).filter(|case| case.send.is_empty()) {
        if case.role == "server" {
            misbehave_as_client(&server, &mut honest, case).await;
        } else if case.error().is_some() {
            misbehave_as_server(case).await;
        }
        is_served(&mut honest, &case.name).await;
    }
}

async fn ask_wrongly(server: &Server, case: &Handshake) {
    let head = case.head();
    let status = case
        .error
        .as_ref()
        .map_or(101, |error| itoden_core::error::table().find(|row| row.name == error).unwrap().status);
    let answer = if status == 101 {
        let mut stream = server.stream().await;
        stream.write_all(&head).await.unwrap();
        read_head(&mut stream).await.into_bytes()
    } else {
        exchange(server.stream().await, &[head]).await
    };
    let expected = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(expected.as_bytes()), "{}: {}", case.name, String::from_utf8_lossy(&answer));
}

async fn answer_wrongly(case: &Handshake) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let answer = async {
        let mut stream = listener.accept().await.unwrap().0;
        let request = read_head(&mut stream).await;
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        // The vectors answer the sample nonce; bytes outside ASCII stand for themselves.
        let head: String = case.head().iter().map(|&byte| char::from(byte)).collect();
        let head = head.replace("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", &accept_key(key));
        exchange(stream, &[head.chars().map(|c| c as u8).collect()]).await;
    };
    let ask = async {
        let options = ConnectOptions { subprotocols: case.subprotocols.clone(), ..ConnectOptions::default() };
        match connect(&url, options).await {
            Ok(opened) => Ok(opened.connection.subprotocol().map(str::to_owned)),
            Err(ConnectError::Handshake(error, _)) => Err(error.name()),
            Err(error) => panic!("{}: {error}", case.name),
        }
    };
    let ((), outcome) = tokio::join!(answer, ask);
    assert_eq!(outcome, case.error.as_deref().map_or(Ok(case.subprotocol.clone()), Err), "{}", case.name);
}

#[tokio::test]
async fn misdeeds_in_an_opening_handshake_leave_open_connections_alone() {
    let server = Server::start().await;
    let mut honest = server.client().await;
    for case in read::<Row>("adversaries").iter().flat_map(|row| &row.handshakes) {
        if case.side == "server" {
            ask_wrongly(&server, case).await;
        } else {
            answer_wrongly(case).await;
        }
        is_served(&mut honest, &case.name).await;
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_holds_back_its_own_sender_alone() {
    const MESSAGES: usize = 2000;
    let server = Server::start().await;
    let mut honest = server.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut lazy = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    lazy.write_all(format!("{REQUEST}\r\n").as_bytes()).await.unwrap();
    let request = read_request(listener.accept().await.unwrap().0, HeadLimits::default()).await.unwrap();
    let mut sender = WebSocket::new(request.accept(None, &Headers::new(), Arc::default()).await.unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            sender.send(Message::binary(&[0; 65_536])).await?;
            counter.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<(), itoden_net::Ended>(())
    });
    // Until the sender has filled what the sockets hold, and gets no further while others are served.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        for round in 0..100 {
            is_served(&mut honest, &format!("one waits, {round}")).await;
        }
    }
    assert!(before < MESSAGES, "the sender waits");
    drop(lazy);
    assert!(sending.await.unwrap().is_err(), "and is told when its peer is gone");
}

/// An open pair over a pipe that holds `size` bytes: the client, and the server's end of the pipe.
fn pipe(size: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (stream, peer) = duplex(size);
    let connection = Connection::client(Arc::default(), Box::new(ThreadMaskKeys));
    (WebSocket::new(Opened { connection, stream, early: Vec::new(), response: None }), peer)
}

#[tokio::test]
async fn a_wait_for_a_message_that_is_given_up_loses_nothing() {
    let (mut client, mut peer) = pipe(3);
    let send = async move {
        for index in 0..200u8 {
            peer.write_all(&[0x02, 1, index, 0x00, 0, 0x80, 2, index, index]).await.unwrap();
        }
        peer
    };
    let mut given_up = 0;
    let receive = async {
        for index in 0..200u8 {
            let message = loop {
                tokio::select! {
                    biased;
                    message = client.next() => break message,
                    () = tokio::task::yield_now() => given_up += 1,
                }
            };
            assert_eq!(message, Some(Message::binary(&[index; 3]).into_owned()));
        }
    };
    tokio::join!(send, receive);
    assert!(given_up > 200, "{given_up}");
}

#[tokio::test]
async fn an_empty_message_holds_its_sender_back_too() {
    let (mut client, mut peer) = pipe(8);
    client.send(Message::text("")).await.unwrap();
    let waits = tokio::select! {
        biased;
        sent = client.send(Message::text("")) => panic!("{sent:?}, but 12 bytes don't fit into 8"),
        () = tokio::task::yield_now() => true,
    };
    assert!(waits);
    let mut frames = [0; 12];
    tokio::select! {
        read = peer.read_exact(&mut frames) => drop(read.unwrap()),
        message = client.next() => panic!("{message:?}"),
    }
    assert_eq!([frames[0], frames[1], frames[6], frames[7]], [0x81, 0x80, 0x81, 0x80]);
}

#[derive(Default)]
struct Counting {
    pongs: usize,
    message: usize,
}

impl Handler for Counting {
    fn on_event(&mut self, event: Event<'_>, _connection: &mut Connection) {
        match event {
            Event::Pong(payload) => {
                assert_eq!(&payload[..], [self.pongs as u8]);
                self.pongs += 1;
            }
            Event::Message(message) => self.message = message.as_bytes().len(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn pings_while_a_large_message_is_sent_are_answered() {
    let (mut client, peer) = pipe(1024);
    let mut server = Driver::new(peer, Connection::server(Arc::default()), Vec::new(), Counting::default());
    for index in 0..100 {
        server.connection().ping(&[index]).unwrap();
    }
    let receive = poll_fn(|cx| {
        assert!(server.poll(cx).is_pending());
        let Counting { pongs, message } = *server.handler();
        if pongs == 100 && message == 1 << 20 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    let send = async {
        client.send(Message::binary(&vec![0; 1 << 20])).await.unwrap();
        // The last pongs may be written behind the message.
        client.next().await
    };
    tokio::select! {
        () = receive => {}
        message = send => panic!("{message:?}"),
    }
}

#[tokio::test]
async fn masking_keys_come_from_the_operating_system_and_do_not_repeat() {
    let mut keys = HashSet::new();
    for _ in 0..2 {
        let (mut client, mut peer) = pipe(1 << 16);
        for _ in 0..1000 {
            client.send(Message::binary(b"")).await.unwrap();
        }
        for _ in 0..1000 {
            let mut frame = [0; 6];
            peer.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame[..2], [0x82, 0x80]);
            keys.insert([frame[2], frame[3], frame[4], frame[5]]);
        }
    }
    // Two of 2,000 random keys are the same once in 2,000 runs, four in hardly any.
    assert!(keys.len() >= 1998, "{}", keys.len());
}

/// Answers one request with these bytes; the request.
async fn answer_once(listener: TcpListener, answer: String) -> String {
    let mut stream = listener.accept().await.unwrap().0;
    let request = read_head(&mut stream).await;
    exchange(stream, &[answer.into_bytes()]).await;
    request
}

#[tokio::test]
async fn a_url_with_a_line_break_puts_nothing_into_the_request() {
    for path in ["a\r\nX-Injected: b", "?a\nX-Injected: b"] {
        let refused = connect(&format!("ws://127.0.0.1:9/{path}"), ConnectOptions::default()).await;
        assert!(matches!(refused, Err(ConnectError::InvalidUrl(_))), "{refused:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/a%0d%0aX-Injected:%20b", listener.local_addr().unwrap());
    let refusal = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    let (request, refused) = tokio::join!(answer_once(listener, refusal), connect(&url, ConnectOptions::default()));
    assert!(refused.is_err());
    assert!(request.starts_with("GET /a%0d%0aX-Injected:%20b HTTP/1.1\r\n"), "{request}");
    assert_eq!(request.matches("\r\n").count(), REQUEST.matches("\r\n").count() + 1, "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_error_and_its_target_is_never_asked() {
    let target = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    target.set_nonblocking(true).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let location = format!("ws://{}/", target.local_addr().unwrap());
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let headers = Headers::from_iter([("Authorization", "Basic c2VjcmV0")]);
    let options = ConnectOptions { headers, ..ConnectOptions::default() };
    let (request, refused) = tokio::join!(answer_once(listener, redirect), connect(&url, options));
    assert!(request.contains("\r\nAuthorization: Basic c2VjcmV0\r\n"));
    let Err(ConnectError::Handshake(error, Some(response))) = refused else { panic!("{refused:?}") };
    assert_eq!(error, HandshakeError::UnexpectedStatus { status: 302 });
    assert_eq!(response.headers.get("Location"), Some(location.as_str()));
    assert_eq!(target.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_server_sees_the_origin_and_can_refuse_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = async {
        let stream = listener.accept().await.unwrap().0;
        let request = read_request(stream, HeadLimits::default()).await.unwrap();
        assert_eq!(request.upgrade().origin(), Some("https://evil.example"));
        request.refuse(403, &Headers::new(), "not from there\n").await.unwrap();
    };
    let options = ConnectOptions {
        headers: Headers::from_iter([("Origin", "https://evil.example"), ("Cookie", "session=1")]),
        ..ConnectOptions::default()
    };
    let client = async {
        match connect(&url, options).await {
            Err(ConnectError::Handshake(error, _)) => error,
            other => panic!("{other:?}"),
        }
    };
    let ((), error) = tokio::join!(server, client);
    assert_eq!(error, HandshakeError::UnexpectedStatus { status: 403 });
}
