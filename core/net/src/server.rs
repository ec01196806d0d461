//! Accepting as a server.

use std::sync::Arc;
use std::time::Duration;

use itoden_core::handshake::{Accepted, HeadLimits, Headers, ServerHandshake, Upgrade, server};
use itoden_core::{Config, HandshakeError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::client::within;
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
/// A request that is not a valid opening handshake is answered here with the status of its error, and the error returned.
/// `limit` bounds the time: a client that sends its request byte by byte is given up after it.
pub async fn read_request<S>(
    mut stream: S,
    limits: HeadLimits,
    limit: Option<Duration>,
) -> Result<Request<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = ServerHandshake::new(limits);
    let read = async {
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
    match within(limit, read).await {
        Ok((upgrade, early)) => Ok(Request { upgrade, stream, early }),
        Err(error) => {
            let answer = match &error {
                ConnectError::Handshake(HandshakeError::UnexpectedEof, _) => None,
                ConnectError::Handshake(error, _) => Some(server::error_response(error)),
                ConnectError::Timeout => {
                    server::refuse(408, &Headers::new(), "the request was not sent in time\n").ok()
                }
                ConnectError::Io(_) | ConnectError::InvalidUrl(_) => None,
            };
            if let Some(answer) = answer {
                // The error that matters is the one above, whether or not the client still hears of it.
                let _ = finish(&mut stream, &answer).await;
            }
            Err(error)
        }
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
        self.stream.write_all(&response).await?;
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
    let _ = tokio::time::timeout(LINGER, drain).await;
    Ok(())
}
