//! Connections whose opening handshake agreed on compression, without the bytes of a handshake.

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ResponseHead, Upgrade};
use itoden_core::{Config, Connection, HandshakeError, MaskKeys, Role};

/// A connection that agreed on `extensions`, as a server answers them, and compresses every message. The handshake that
/// leads there is played with the core.
pub(super) fn connection(
    role: Role,
    extensions: &str,
    mut config: Config,
    mask_keys: Box<dyn MaskKeys + Send>,
) -> Result<Connection, HandshakeError> {
    config.deflate = Some(DeflateConfig { threshold: 0, ..DeflateConfig::default() });
    let request = ClientRequest {
        host: "localhost".into(),
        target: "/".into(),
        subprotocols: Vec::new(),
        deflate: config.deflate.clone(),
        headers: Headers::new(),
    };
    let (handshake, mut head) = ClientHandshake::new(request, [0; 16], HeadLimits::default())?;
    if role == Role::Server {
        // Offered is what is to be agreed on: a server takes an offer as it stands, where it wants nothing else.
        let kept = head.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Sec-WebSocket-Extensions"));
        head.headers = kept.chain([("Sec-WebSocket-Extensions", extensions)]).collect();
        return Ok(Upgrade::from_head(head)?.accept(None, &Headers::new(), Arc::new(config))?.connection);
    }
    let plain = Upgrade::from_head(head)?.accept(None, &Headers::new(), Arc::default())?.response;
    let headers = plain.headers.iter().chain([("Sec-WebSocket-Extensions", extensions)]).collect();
    handshake.open(&ResponseHead { headers, ..plain }, Arc::new(config), mask_keys)
}
