//! The opening handshake, of either end.

use std::mem;
use std::time::Duration;

use itoden_core::handshake::http1::HeadReader;
use itoden_core::handshake::{
    Accepted, BodyReader, ClientHandshake, HeadLimits, Headers, RequestHead, ResponseHead, ServerHandshake, Upgrade,
    server,
};
use itoden_core::{Connection, HandshakeError};
use pyo3::prelude::*;

use super::state::{Asked, Phase, State};
use crate::clock::now;
use crate::mask_keys::ThreadMaskKeys;
use crate::settings::Shared;

/// How long a refusal is given to reach a peer that still sends: a socket that is dropped while bytes are unread is
/// reset, and the reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(2);

/// How long a Close frame waits at most for the application to answer messages that came before the peer's: longer, and
/// the peer would take this end for gone.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

/// How long compressors are kept that are not used: both take 230 kB of a connection, and most connections rest mostly.
const COMPRESSION_RESTS_AFTER: Duration = Duration::from_secs(2);

impl State {
    pub(super) fn receive_handshake(&mut self, py: Python<'_>, bytes: &mut [u8]) {
        match mem::replace(&mut self.phase, Phase::Discarding) {
            Phase::ReadingRequest(mut handshake, mut before) => match handshake.handle_bytes(bytes) {
                Ok(None) => {
                    before.extend_from_slice(bytes);
                    self.phase = Phase::ReadingRequest(handshake, before);
                }
                Ok(Some((upgrade, used))) => {
                    self.rest.extend_from_slice(&bytes[used..]);
                    self.phase = Phase::Deciding(Box::new(Asked::Upgrade(upgrade)));
                }
                Err(error) => {
                    before.extend_from_slice(bytes);
                    if let Some(request) = head_of(&before, self.settings.head_limits) {
                        self.phase = Phase::Deciding(Box::new(Asked::Else(request, error)));
                    } else {
                        self.refuse(server::error_response(&error));
                        self.opening_error = Some(error);
                    }
                }
            },
            Phase::ReadingResponse(mut handshake) => match handshake.handle_bytes(bytes) {
                Ok(None) => self.phase = Phase::ReadingResponse(handshake),
                Ok(Some((response, used))) => self.take_response(py, *handshake, response, &mut bytes[used..]),
                Err(error) => self.opening_error = Some(error),
            },
            Phase::ReadingRefusal(mut body) => {
                body.push(bytes);
                self.phase = Phase::ReadingRefusal(body);
            }
            // The transport was paused; one that brings bytes all the same is not to lose them.
            Phase::Deciding(upgrade) => {
                self.rest.extend_from_slice(bytes);
                self.phase = Phase::Deciding(upgrade);
            }
            other => self.phase = other,
        }
    }

    fn take_response(&mut self, py: Python<'_>, handshake: ClientHandshake, response: ResponseHead, early: &mut [u8]) {
        match handshake.open(&response, self.settings.config.clone(), Box::new(ThreadMaskKeys)) {
            Ok(core) => {
                self.open(core);
                if !early.is_empty() {
                    self.receive(py, early);
                }
            }
            Err(error) => {
                if matches!(error, HandshakeError::UnexpectedStatus { .. }) {
                    let mut body = BodyReader::of(&response, self.settings.max_body_size);
                    body.push(early);
                    self.phase = Phase::ReadingRefusal(body);
                }
                self.opening_error = Some(error);
            }
        }
        self.response = Some(response);
    }

    pub(super) fn open(&mut self, mut core: Connection) {
        let tapped = self.tap.is_some();
        core.stream_messages(tapped);
        if !tapped {
            core.hold_endings(LONGEST_HOLD);
        }
        core.rest_compression_after(COMPRESSION_RESTS_AFTER);
        if self.awaits_listener {
            core.pause_reading();
        }
        self.phase = Phase::Open(Box::new(core));
    }

    /// A request that somebody else has read is to be answered.
    pub(super) fn adopt_request(&mut self, head: RequestHead) {
        let asked = match Upgrade::from_head(head.clone()) {
            Ok(upgrade) => Asked::Upgrade(upgrade),
            Err(error) => Asked::Else(head, error),
        };
        self.phase = Phase::Deciding(Box::new(asked));
    }

    /// What would be answered if the request were accepted. As an error: why it can't be; `None` if there is no request.
    pub(super) fn propose(
        &self,
        subprotocol: Option<&str>,
        headers: &Headers,
    ) -> Option<Result<Accepted, HandshakeError>> {
        let Phase::Deciding(asked) = &self.phase else { return None };
        Some(match &**asked {
            Asked::Upgrade(upgrade) => accept(upgrade, subprotocol, headers, &self.settings),
            Asked::Else(_, error) => Err(error.clone()),
        })
    }

    /// Accepts the request that was read; `None` if there is none any more. If the answer can't be made, the request still
    /// waits, to be accepted otherwise or refused. `fields` stand in the answer in place of those that it would have.
    pub(super) fn accept(
        &mut self,
        py: Python<'_>,
        subprotocol: Option<&str>,
        headers: &Headers,
        fields: Option<Headers>,
    ) -> Option<Result<ResponseHead, HandshakeError>> {
        let accepted = self.propose(subprotocol, headers)?;
        let checked = accepted.and_then(|mut accepted| {
            if let Some(fields) = fields {
                fields.check_sendable()?;
                accepted.response.headers = fields;
            }
            Ok(accepted)
        });
        let accepted = match checked {
            Ok(accepted) => accepted,
            Err(error) => return Some(Err(error)),
        };
        self.head_to_write.extend_from_slice(&accepted.response.to_bytes());
        self.open(accepted.connection);
        self.receive_rest(py);
        Some(Ok(accepted.response))
    }

    /// Answers with an HTTP response and ends the transport.
    pub(super) fn refuse(&mut self, response: Vec<u8>) {
        self.phase = Phase::Discarding;
        self.rest = Vec::new();
        self.head_to_write = response;
        self.linger = Some(now() + LINGER);
    }

    pub(super) fn read_request(&mut self) {
        self.phase = Phase::ReadingRequest(ServerHandshake::new(self.settings.head_limits), Vec::new());
    }
}

/// The request in `bytes`, if it is one of HTTP at all.
fn head_of(bytes: &[u8], limits: HeadLimits) -> Option<RequestHead> {
    let mut reader = HeadReader::new(limits);
    reader.push(bytes).ok()??;
    reader.request().ok()
}

fn accept(
    upgrade: &Upgrade,
    subprotocol: Option<&str>,
    headers: &Headers,
    settings: &Shared,
) -> Result<Accepted, HandshakeError> {
    let accepted = upgrade.clone().accept(subprotocol, headers, settings.config.clone())?;
    match &settings.any_client_window {
        Some(config) if accepted.connection.deflate().is_none() && !upgrade.extensions().is_empty() => {
            upgrade.clone().accept(subprotocol, headers, config.clone())
        }
        _ => Ok(accepted),
    }
}
