//! The opening handshake, of either end.

use std::mem;
use std::time::Duration;

use itoden_core::HandshakeError;
use itoden_core::handshake::{ClientHandshake, HeadLimits, Headers, ResponseHead, ServerHandshake, Upgrade, server};
use pyo3::prelude::*;

use super::state::{Phase, State};
use crate::clock::now;
use crate::mask_keys::ThreadMaskKeys;

/// How long a refusal is given to reach a peer that still sends: a socket that is dropped while bytes are unread is
/// reset, and the reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(2);

/// Most bytes of the body of a refusal that a client waits for.
const MAX_BODY: usize = 64 << 10;

impl State {
    pub(super) fn receive_handshake(&mut self, py: Python<'_>, bytes: &mut [u8]) {
        match mem::replace(&mut self.phase, Phase::Discarding) {
            Phase::ReadingRequest(mut handshake) => match handshake.handle_bytes(bytes) {
                Ok(None) => self.phase = Phase::ReadingRequest(handshake),
                Ok(Some((upgrade, used))) => {
                    self.rest.extend_from_slice(&bytes[used..]);
                    self.phase = Phase::Deciding(Box::new(upgrade));
                }
                Err(error) => {
                    self.refuse(server::error_response(&error));
                    self.opening_error = Some(error);
                }
            },
            Phase::ReadingResponse(mut handshake) => match handshake.handle_bytes(bytes) {
                Ok(None) => self.phase = Phase::ReadingResponse(handshake),
                Ok(Some((response, used))) => self.take_response(py, *handshake, response, &mut bytes[used..]),
                Err(error) => self.opening_error = Some(error),
            },
            Phase::ReadingRefusal { missing } => self.take_body(missing, bytes),
            // The transport was paused; one that brings bytes all the same is not to lose them.
            Phase::Deciding(upgrade) => {
                self.rest.extend_from_slice(bytes);
                self.phase = Phase::Deciding(upgrade);
            }
            other => self.phase = other,
        }
    }

    fn take_response(&mut self, py: Python<'_>, handshake: ClientHandshake, response: ResponseHead, early: &mut [u8]) {
        match handshake.open(&response, self.config.clone(), Box::new(ThreadMaskKeys)) {
            Ok(core) => {
                self.phase = Phase::Open(Box::new(core));
                if !early.is_empty() {
                    self.receive(py, early);
                }
            }
            Err(error) => {
                if matches!(error, HandshakeError::UnexpectedStatus { .. }) {
                    let length = response.headers.get("Content-Length").and_then(|length| length.parse().ok());
                    self.take_body(length.map_or(0, |length: usize| length.min(MAX_BODY)), early);
                }
                self.opening_error = Some(error);
            }
        }
        self.response = Some(response);
    }

    fn take_body(&mut self, missing: usize, bytes: &[u8]) {
        let taken = missing.min(bytes.len());
        self.body.extend_from_slice(&bytes[..taken]);
        self.phase = Phase::ReadingRefusal { missing: missing - taken };
    }

    /// Accepts the request that was read; `None` if there is none any more. If the answer can't be made, the request still
    /// waits, to be accepted otherwise or refused.
    pub(super) fn accept(
        &mut self,
        py: Python<'_>,
        subprotocol: Option<&str>,
        headers: &Headers,
    ) -> Option<Result<ResponseHead, HandshakeError>> {
        let Phase::Deciding(upgrade) = &self.phase else { return None };
        let accepted = match Upgrade::clone(upgrade).accept(subprotocol, headers, self.config.clone()) {
            Ok(accepted) => accepted,
            Err(error) => return Some(Err(error)),
        };
        self.head_to_write.extend_from_slice(&accepted.response.to_bytes());
        self.phase = Phase::Open(Box::new(accepted.connection));
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
        self.phase = Phase::ReadingRequest(ServerHandshake::new(HeadLimits::default()));
    }
}
