//! Accepting as a server.

use std::sync::Arc;
use std::time::Duration;

use itoden_core::handshake::{Accepted, HeadLimits, Headers, ServerHandshake, Upgrade, server};
use itoden_core::{Config, HandshakeError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::client::{timed_out, until};
use crate::time::now;
use crate::{ConnectError, Opened};

/// How long a refusal is given to reach a peer that still sends.
const LINGER: Duration = Duration::from_secs(2);

/// A valid request to open a connection, to be accepted or refused.
#[derive(Debug)]
pub struct Request<S> {
    upgrade: Upgrade,
    stream: S,
    early: Vec<u8>,
}

/// Reads the request of a client.
///
/// A request that is not a valid opening handshake is answered here with the status of its error, and the error returned. So
/// is a client that takes longer than the limits allow, whether it sends nothing or byte by byte: 408.
///
/// # Errors
///
/// [`ConnectError::Handshake`] for what the client did, [`ConnectError::Io`] for the transport.
pub async fn read_request<S>(mut stream: S, limits: HeadLimits) -> Result<Request<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let error = match read(&mut stream, limits).await {
        Ok((upgrade, early)) => return Ok(Request { upgrade, stream, early }),
        Err(error) => error,
    };
    if let ConnectError::Handshake(cause, _) = &error
        && *cause != HandshakeError::UnexpectedEof
    {
        // The error that matters is the one above, whether or not the client still hears of it.
        let _ = timeout(LINGER, finish(&mut stream, &server::error_response(cause))).await;
    }
    Err(error)
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, limits: HeadLimits) -> Result<(Upgrade, Vec<u8>), ConnectError> {
    let mut handshake = ServerHandshake::new(limits);
    handshake.handle_timeout(now())?;
    let deadline = handshake.poll_timeout();
    let reading = async {
        let mut buffer = vec![0; 4096];
        loop {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Err(HandshakeError::UnexpectedEof.into());
            }
            if let Some((upgrade, used)) = handshake.handle_bytes(&buffer[..count])? {
                return Ok((upgrade, buffer[used..count].to_vec()));
            }
        }
    };
    match until(deadline, reading).await {
        Some(read) => read,
        None => Err(timed_out(deadline, |now| handshake.handle_timeout(now))),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Request<S> {
    /// What the client asks for.
    pub const fn upgrade(&self) -> &Upgrade {
        &self.upgrade
    }

    /// Opens the connection with one of the offered subprotocols, or none, and further header fields.
    pub async fn accept(
        mut self,
        subprotocol: Option<&str>,
        headers: &Headers,
        config: Arc<Config>,
    ) -> Result<Opened<S>, ConnectError> {
        let Accepted { response, connection } = self.upgrade.accept(subprotocol, headers, config)?;
        self.stream.write_all(&response.to_bytes()).await?;
        Ok(Opened { connection, stream: self.stream, early: self.early, response: None })
    }

    /// Refuses with an HTTP status, 300 to 599, and ends the transport.
    pub async fn refuse(mut self, status: u16, headers: &Headers, body: &str) -> Result<(), ConnectError> {
        let response = server::refuse(status, headers, body)?;
        Ok(finish(&mut self.stream, &response).await?)
    }
}

/// Writes the last bytes and ends the transport in good order: a socket that is dropped while bytes are unread is reset,
/// and the reset can overtake the answer. So what the peer still sends is read and thrown away, for a short time.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, last: &[u8]) -> std::io::Result<()> {
    stream.write_all(last).await?;
    stream.shutdown().await?;
    let drain = async {
        let mut sink = [0; 1024];
        while matches!(stream.read(&mut sink).await, Ok(count) if count > 0) {}
    };
    let _ = timeout(LINGER, drain).await;
    Ok(())
}
