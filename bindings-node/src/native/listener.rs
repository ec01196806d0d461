//! Listening.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use itoden_core::Config;
use itoden_core::handshake::{HeadLimits, Headers, Upgrade};
use itoden_net::{Request, read_request};
use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Mailbox, Native, Stop, connection, runtime};
use crate::batch::{Batch, RecordKind, abnormal};
use crate::error::connect_json;
use crate::handshake::raw_headers;
use crate::inbox::Inbox;

/// How long a client may take for its request: what Node's `http` gives it for the head.
const LIMITS: HeadLimits = HeadLimits { open_timeout: Some(Duration::from_secs(60)), ..HeadLimits::DEFAULT };

/// How long to wait when the system has no descriptor for a connection, before asking again.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// A request that waits for JavaScript's answer.
pub struct Arrival {
    /// What the client asks for.
    pub upgrade: Upgrade,
    /// Where the answer goes; if it is dropped, so is the connection.
    pub answer: oneshot::Sender<Answer>,
}

/// What JavaScript answers to a request.
pub enum Answer {
    /// Open the connection.
    Accept(Option<String>, Headers, Arc<Config>, Mailbox),
    /// Refuse with a status, header fields and a body.
    Refuse(u16, Headers, String),
}

/// Binds a socket, and starts to accept connections.
pub fn start(
    inbox: &Arc<Inbox>,
    id: u32,
    host: Option<IpAddr>,
    port: u16,
    backlog: i32,
) -> io::Result<(SocketAddr, Stop)> {
    let socket = match host {
        Some(host) => bind(SocketAddr::new(host, port), backlog)?,
        // Both families at once, as Node does it; only the older one where there is no IPv6.
        None => match bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), backlog) {
            Err(error)
                if error.kind() != io::ErrorKind::AddrInUse && error.kind() != io::ErrorKind::PermissionDenied =>
            {
                bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), backlog)?
            }
            bound => bound?,
        },
    };
    let listener = {
        let _context = runtime()?.enter();
        TcpListener::from_std(socket.into())?
    };
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    inbox.spawn(listen(inbox.clone(), id, listener, stopped))?;
    Ok((address, stop))
}

fn bind(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Elsewhere than on Windows this lets a server start again while old connections linger.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

async fn listen(inbox: Arc<Inbox>, id: u32, listener: TcpListener, mut stopped: oneshot::Receiver<()>) {
    let stopping = watch::Sender::new(false);
    // Held by all that may still tell a record of this listener.
    let (telling, mut told) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, remote)) => {
                let stop = Stopping { stopping: stopping.subscribe(), _telling: telling.clone() };
                // Only a runtime that could not be started refuses a task, and this one runs.
                let _ = inbox.spawn(serve(inbox.clone(), id, stream, remote, stop));
            }
            // One connection that was given up before it was accepted says nothing about the next one.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(OUT_OF_DESCRIPTORS).await,
        }
    }
    drop(listener);
    drop(telling);
    stopping.send_replace(true);
    while told.recv().await.is_some() {}
    let mut batch = Batch::default();
    batch.push_value(id, RecordKind::ListenerClosed, 0);
    inbox.post(&mut batch, id);
}

/// What a connection has of its listener until its request is told.
struct Stopping {
    stopping: watch::Receiver<bool>,
    _telling: mpsc::Sender<()>,
}

async fn serve(inbox: Arc<Inbox>, listener: u32, stream: TcpStream, remote: SocketAddr, mut stop: Stopping) {
    let mut batch = Batch::default();
    let addresses = addresses(&stream, remote);
    // Small messages shall leave at once; batches are made above this. A socket that refuses works all the same.
    let _ = stream.set_nodelay(true);
    let reading = read_request(stream, LIMITS);
    let read = tokio::select! {
        read = reading => read,
        // Who has not asked for anything by now is not waited for.
        _ = stop.stopping.wait_for(|stopping| *stopping) => return,
    };
    let request = match read {
        Ok(request) => request,
        Err(error) => {
            let mut value = connect_json(&error);
            value["addresses"] = addresses;
            batch.push_json(listener, RecordKind::RequestFailed, &value);
            inbox.post(&mut batch, listener);
            return;
        }
    };
    let id = inbox.number();
    let (answer, answered) = oneshot::channel();
    let upgrade = request.upgrade();
    let head = upgrade.request();
    let value = json!({
        "listener": listener,
        "method": head.method,
        "target": head.target,
        "minorVersion": head.version.minor(),
        "rawHeaders": raw_headers(&head.headers),
        "subprotocols": upgrade.subprotocols(),
        "addresses": addresses,
    });
    batch.push_json(id, RecordKind::Request, &value);
    inbox.arrive(id, Arrival { upgrade: upgrade.clone(), answer }, &mut batch);
    drop(stop);
    if let Ok(answer) = answered.await {
        reply(inbox, id, request, answer).await;
    }
}

async fn reply(inbox: Arc<Inbox>, id: u32, request: Request<TcpStream>, answer: Answer) {
    match answer {
        Answer::Accept(subprotocol, headers, config, mailbox) => {
            match request.accept(subprotocol.as_deref(), &headers, config).await {
                Ok(opened) => connection::start(opened, id, &inbox, mailbox),
                // JavaScript has opened it already: it hears that the client is gone.
                Err(_) => {
                    let mut batch = Batch::default();
                    batch.push_json(id, RecordKind::Closed, &abnormal());
                    inbox.post(&mut batch, id);
                }
            }
        }
        Answer::Refuse(status, headers, body) => {
            // The refusal was checked when JavaScript gave it; a client that is gone need not hear it.
            let _ = request.refuse(status, &headers, &body).await;
        }
    }
}

/// Both ends of a socket, named as in Node.
pub fn addresses(stream: &TcpStream, remote: SocketAddr) -> Value {
    let local = stream.local_addr().unwrap_or(remote);
    json!({
        "remoteAddress": remote.ip().to_string(), "remotePort": remote.port(), "remoteFamily": family(remote),
        "localAddress": local.ip().to_string(), "localPort": local.port(), "localFamily": family(local),
    })
}

/// `IPv4` or `IPv6`, as in Node.
pub const fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv6() { "IPv6" } else { "IPv4" }
}

/// Both ends of an accepted connection.
pub fn accept(subprotocol: Option<String>, headers: Headers, config: Arc<Config>) -> (Native, Answer) {
    let (native, mailbox) = Native::new();
    (native, Answer::Accept(subprotocol, headers, config, mailbox))
}
