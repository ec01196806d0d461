//! Connecting as a client.

use std::sync::Arc;

use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, WebSocketUri};
use itoden_core::{Config, HandshakeError, Timestamp};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::mask_keys::{ThreadMaskKeys, fill};
use crate::time::{instant, now};
use crate::{ConnectError, Opened};

/// What a client asks for besides the URL.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The subprotocols that are wanted, in order of preference. Default: none.
    pub subprotocols: Vec<String>,
    /// Further header fields, as Origin, Authorization or Cookie. Default: none.
    pub headers: Headers,
    /// Bounds on the head of the server's answer, and on how long resolving, connecting and the handshake may take together.
    pub head_limits: HeadLimits,
    /// The configuration of the connection.
    pub config: Arc<Config>,
}

/// Connects to a `ws:` URL (RFC 6455 §3) over TCP.
///
/// # Errors
///
/// [`ConnectError`]: the URL or an option can't be used, the transport failed, the server refused, or the time was up.
pub async fn connect(url: &str, options: ConnectOptions) -> Result<Opened<TcpStream>, ConnectError> {
    let uri = parse(url)?;
    let address = (uri.host.clone(), uri.port);
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        // A message that is sent shall leave now; batches are made above this.
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    shake_hands(&uri, options, connecting).await
}

/// Does the client's handshake for a `ws:` URL over a transport that is connected already.
///
/// # Errors
///
/// As [`connect`].
pub async fn open<S>(url: &str, options: ConnectOptions, stream: S) -> Result<Opened<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    shake_hands(&parse(url)?, options, async { Ok(stream) }).await
}

fn parse(url: &str) -> Result<WebSocketUri, ConnectError> {
    let uri = WebSocketUri::parse(url).map_err(|error| ConnectError::InvalidUrl(error.to_string()))?;
    let host = &uri.host;
    if uri.secure {
        return Err(ConnectError::InvalidUrl(format!("the URL of {host} has the scheme wss:; ws: is supported")));
    }
    if uri.userinfo.is_some() {
        let advice = "send them in the Authorization header";
        return Err(ConnectError::InvalidUrl(format!("the URL of {host} has credentials; {advice}")));
    }
    Ok(uri)
}

/// The handshake is made before the transport, so that what can't be asked for is known at once and one time bounds both.
async fn shake_hands<S>(
    uri: &WebSocketUri,
    options: ConnectOptions,
    connecting: impl Future<Output = Result<S, ConnectError>>,
) -> Result<Opened<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = ClientRequest {
        subprotocols: options.subprotocols,
        deflate: options.config.deflate.clone(),
        headers: options.headers,
        ..ClientRequest::from(uri)
    };
    let mut nonce = [0; 16];
    fill(&mut nonce);
    let (mut handshake, request) = ClientHandshake::new(request, nonce, options.head_limits)?;
    handshake.handle_timeout(now())?;
    let deadline = handshake.poll_timeout();
    let asking = async {
        let mut stream = connecting.await?;
        stream.write_all(&request.to_bytes()).await?;
        let mut buffer = vec![0; 4096];
        loop {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Err(ConnectError::from(HandshakeError::UnexpectedEof));
            }
            if let Some((response, used)) = handshake.handle_bytes(&buffer[..count])? {
                return Ok((stream, response, buffer[used..count].to_vec()));
            }
        }
    };
    let Some(answered) = until(deadline, asking).await else {
        return Err(timed_out(deadline, |now| handshake.handle_timeout(now)));
    };
    let (stream, response, early) = answered?;
    match handshake.open(&response, options.config, Box::new(ThreadMaskKeys)) {
        Ok(connection) => Ok(Opened { connection, stream, early, response: Some(response) }),
        Err(error) => Err(ConnectError::Handshake(error, Some(Box::new(response)))),
    }
}

/// What comes of `step`; `None` if it takes longer than that.
pub(crate) async fn until<T>(deadline: Option<Timestamp>, step: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(instant(deadline), step).await.ok(),
        None => Some(step.await),
    }
}

/// Tells a handshake that its deadline has passed; what it says of that.
pub(crate) fn timed_out(
    deadline: Option<Timestamp>,
    handle_timeout: impl FnOnce(Timestamp) -> Result<(), HandshakeError>,
) -> ConnectError {
    let now = deadline.map_or_else(now, |deadline| now().max(deadline));
    handle_timeout(now).expect_err("a deadline that has passed").into()
}
