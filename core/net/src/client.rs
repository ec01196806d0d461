//! Connecting as a client.

use std::sync::Arc;
use std::time::Duration;

use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers};
use itoden_core::{Config, HandshakeError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};

use crate::mask_keys::{ThreadMaskKeys, fill};
use crate::{ConnectError, Opened};

/// What a client asks for besides the URL.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The subprotocols that are wanted, in order of preference. Default: none.
    pub subprotocols: Vec<String>,
    /// Further header fields, as Origin, Authorization or Cookie. Default: none.
    pub headers: Headers,
    /// Bounds on the head of the server's answer.
    pub head_limits: HeadLimits,
    /// How long resolving, connecting and the handshake may take together. Default 30 s; `None`: as long as it takes.
    pub handshake_timeout: Option<Duration>,
    /// The configuration of the connection.
    pub config: Arc<Config>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            subprotocols: Vec::new(),
            headers: Headers::new(),
            head_limits: HeadLimits::default(),
            handshake_timeout: Some(Duration::from_secs(30)),
            config: Arc::default(),
        }
    }
}

/// Connects to a `ws:` URL (RFC 6455 §3) over TCP.
pub async fn connect(url: &str, options: ConnectOptions) -> Result<Opened<TcpStream>, ConnectError> {
    let url = parse(url)?;
    let limit = options.handshake_timeout;
    let attempt = async {
        let port = url.port_or_known_default().unwrap_or(80);
        let stream = match url.host() {
            Some(Host::Domain(name)) => TcpStream::connect((name, port)).await?,
            Some(Host::Ipv4(address)) => TcpStream::connect((address, port)).await?,
            Some(Host::Ipv6(address)) => TcpStream::connect((address, port)).await?,
            None => return Err(ConnectError::InvalidUrl(format!("the URL {url} has no host"))),
        };
        // A message that is sent shall leave now; batches are made above this.
        stream.set_nodelay(true)?;
        shake_hands(&url, options, stream).await
    };
    within(limit, attempt).await
}

/// Does the client's handshake for a `ws:` URL over a transport that is connected already.
pub async fn open<S>(url: &str, options: ConnectOptions, stream: S) -> Result<Opened<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let url = parse(url)?;
    within(options.handshake_timeout, shake_hands(&url, options, stream)).await
}

pub(crate) async fn within<T>(
    limit: Option<Duration>,
    attempt: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match limit {
        Some(limit) => timeout(limit, attempt).await.unwrap_or(Err(ConnectError::Timeout)),
        None => attempt.await,
    }
}

fn parse(text: &str) -> Result<Url, ConnectError> {
    let invalid = |why: &str| ConnectError::InvalidUrl(format!("the URL {text:?} {why}"));
    let url = Url::parse(text).map_err(|error| invalid(&format!("is not valid: {error}")))?;
    if url.scheme() != "ws" {
        return Err(invalid("has another scheme than ws:"));
    }
    // "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (§3).
    if url.fragment().is_some() {
        return Err(invalid("has a fragment, which a WebSocket URL must not have"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("has credentials; send them in the Authorization header"));
    }
    Ok(url)
}

async fn shake_hands<S>(url: &Url, options: ConnectOptions, mut stream: S) -> Result<Opened<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let host = url.host_str().unwrap_or_default();
    let request = ClientRequest {
        host: url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
        target: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        subprotocols: options.subprotocols,
        deflate: options.config.deflate.clone(),
        headers: options.headers,
    };
    let mut nonce = [0; 16];
    fill(&mut nonce);
    let (mut handshake, bytes) = ClientHandshake::new(request, nonce, options.head_limits)?;
    stream.write_all(&bytes).await?;

    let mut buffer = vec![0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(HandshakeError::UnexpectedEof.into());
        }
        let Some((response, used)) = handshake.handle_bytes(&buffer[..count])? else { continue };
        let early = buffer[used..count].to_vec();
        return match handshake.open(&response, options.config, Box::new(ThreadMaskKeys)) {
            Ok(connection) => Ok(Opened { connection, stream, early, response: Some(response) }),
            Err(error) => Err(ConnectError::Handshake(error, Some(Box::new(response)))),
        };
    }
}
