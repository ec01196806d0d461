//! Frames to bytes, one at a time.

use std::sync::Arc;

use itoden_core::header::{FrameHeader, MAX_HEADER_LEN};
use itoden_core::{CloseCode, Config, Connection, MaskKeys, Opcode, SendError, Timestamp, Transmit, mask, utf8};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::mask_keys::{Given, Random};
use crate::{border, error};

/// How many bytes JavaScript leaves free before a payload, for the longest header.
#[wasm_bindgen]
pub fn headroom() -> usize {
    MAX_HEADER_LEN
}

/// Encodes frames. A payload lies in the border, [`headroom`] bytes in; the header is written before it, and the payload
/// is masked where it lies.
#[wasm_bindgen]
pub struct RawFrameEncoder {
    /// "A client MUST mask all frames that it sends" and "A server MUST NOT mask any frames" (§5.1).
    masks: bool,
    header: Vec<u8>,
}

#[wasm_bindgen]
impl RawFrameEncoder {
    /// A client's encoder masks, a server's doesn't.
    #[wasm_bindgen(constructor)]
    pub fn new(client: bool) -> Self {
        Self { masks: client, header: Vec::with_capacity(MAX_HEADER_LEN) }
    }

    /// Makes a data frame around the payload of `len` bytes; where in the border it begins. `opcode` is one of §5.2.
    pub fn data(&mut self, opcode: u8, fin: bool, key: Option<u32>, len: usize) -> usize {
        let header = FrameHeader {
            fin,
            rsv: 0,
            opcode: Opcode::from_bits(opcode).expect("lib/encoder.ts passes an opcode of RFC 6455 §5.2"),
            masking_key: self.key(key),
            payload_len: len as u64,
        };
        self.header.clear();
        header.write(&mut self.header);
        let start = MAX_HEADER_LEN - self.header.len();
        border::lend(MAX_HEADER_LEN + len, |bytes| {
            bytes[start..MAX_HEADER_LEN].copy_from_slice(&self.header);
            if let Some(key) = header.masking_key {
                mask::apply(key, 0, &mut bytes[MAX_HEADER_LEN..]);
            }
        });
        start
    }

    /// A ping with the payload of `len` bytes (§5.5.2).
    pub fn ping(&mut self, key: Option<u32>, len: usize) -> Result<Vec<u8>, JsValue> {
        self.control(key, len, |connection, payload| connection.ping(payload))
    }

    /// A pong with the payload of `len` bytes (§5.5.3).
    pub fn pong(&mut self, key: Option<u32>, len: usize) -> Result<Vec<u8>, JsValue> {
        self.control(key, len, |connection, payload| connection.pong(payload))
    }

    /// A Close frame whose reason is the payload of `len` bytes (§5.5.1).
    pub fn close(&mut self, key: Option<u32>, code: Option<u16>, len: usize) -> Result<Vec<u8>, JsValue> {
        self.control(key, len, |connection, reason| {
            let reason = utf8::whole(reason).map_err(|_| SendError::TextNotUtf8)?;
            connection.close(Timestamp::ZERO, code.map(CloseCode::new), reason)
        })
    }
}

impl RawFrameEncoder {
    fn key(&self, given: Option<u32>) -> Option<[u8; 4]> {
        self.masks.then(|| given.map_or_else(|| Random.next_key(), u32::to_be_bytes))
    }

    /// What may stand in a control frame is for the core's `Connection` to say: a fresh one sends each.
    fn control(
        &mut self,
        key: Option<u32>,
        len: usize,
        command: impl FnOnce(&mut Connection, &[u8]) -> Result<(), SendError>,
    ) -> Result<Vec<u8>, JsValue> {
        let mut connection = match self.key(key) {
            Some(key) => Connection::client(Arc::new(Config::default()), Box::new(Given(key))),
            None => Connection::server(Arc::new(Config::default())),
        };
        border::lend(MAX_HEADER_LEN + len, |bytes| command(&mut connection, &bytes[MAX_HEADER_LEN..]))
            .map_err(|error| error::send(&error))?;
        match connection.poll_transmit() {
            Some(Transmit::Write(segments)) => Ok(segments.to_vec()),
            _ => unreachable!("a command that did not fail has something to write"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(payload: &[u8]) -> usize {
        border::fill(&[&[0; MAX_HEADER_LEN], payload].concat());
        payload.len()
    }

    #[test]
    fn a_client_masks_hello_as_the_rfc_does() {
        let len = fill(b"Hello");
        let start = RawFrameEncoder::new(true).data(1, true, Some(0x37fa_213d), len);
        border::lend(MAX_HEADER_LEN + len, |bytes| {
            assert_eq!(bytes[start..], [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        });
    }

    #[test]
    fn a_server_does_not_mask() {
        let len = fill(b"Hello");
        let mut encoder = RawFrameEncoder::new(false);
        let start = encoder.data(0, false, None, len);
        border::lend(MAX_HEADER_LEN + len, |bytes| assert_eq!(&bytes[start..], b"\x00\x05Hello"));
        assert_eq!(encoder.ping(None, fill(b"Hello")).unwrap(), b"\x89\x05Hello");
        assert_eq!(encoder.close(None, Some(1000), fill(b"bye")).unwrap(), b"\x88\x05\x03\xe8bye");
        assert_eq!(encoder.close(None, None, fill(b"")).unwrap(), b"\x88\x00");
    }
}
