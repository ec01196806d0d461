//! Frames to bytes, one at a time.

use alloc::boxed::Box;
use alloc::sync::Arc;

use itoden_core::header::{FrameHeader, MAX_HEADER_LEN};
use itoden_core::{CloseCode, Config, Connection, MaskKeys, Opcode, SendError, Timestamp, Transmit, mask, utf8};

use crate::abi::{place, tell};
use crate::mask_keys::{Given, Random};
use crate::{border, error};

/// How many bytes JavaScript leaves free before a payload, for the longest header.
#[unsafe(no_mangle)]
pub extern "C" fn headroom() -> usize {
    MAX_HEADER_LEN
}

/// The RFC's name of an opcode in lower case: where it lies, and its length, in the words. 1 if there is none, as for
/// those that §5.2 reserves.
#[unsafe(no_mangle)]
pub extern "C" fn opcode_name(bits: u32) -> u32 {
    let Some(opcode) = Opcode::from_bits(bits as u8) else { return 1 };
    tell(&place(opcode.name().as_bytes()));
    0
}

/// A masking key for the encoders' next frame, from the host's generator.
#[unsafe(no_mangle)]
pub extern "C" fn random_key() -> u32 {
    u32::from_be_bytes(Random.next_key())
}

/// Makes a data frame around the payload of `len` bytes that lies in the border, [`headroom`] bytes in: the header is
/// written before it, and the payload is masked where it lies. Where in the border the frame begins.
///
/// `first` is the first byte of the frame: FIN, the reserved bits and an opcode of §5.2. "A client MUST mask all frames
/// that it sends" and "A server MUST NOT mask any frames" (§5.1): whether it is one is `masks`.
#[unsafe(no_mangle)]
pub extern "C" fn encode_data(first: u32, masks: bool, key: u32, len: usize) -> usize {
    let header = FrameHeader {
        fin: first & 0x80 != 0,
        rsv: (first >> 4 & 7) as u8,
        opcode: Opcode::from_bits(first as u8 & 0xf).expect("lib/encoder.ts passes an opcode of RFC 6455 §5.2"),
        masking_key: masks.then(|| key.to_be_bytes()),
        payload_len: len as u64,
    };
    border::lend(MAX_HEADER_LEN + len, |bytes| {
        let (head, payload) = bytes.split_at_mut(MAX_HEADER_LEN);
        let (written, written_len) = header.to_bytes();
        let start = MAX_HEADER_LEN - written_len;
        head[start..].copy_from_slice(&written[..written_len]);
        if let Some(key) = header.masking_key {
            mask::apply(key, 0, payload);
        }
        start
    })
}

/// Makes a control frame of the payload of `len` bytes in the border, and leaves there where it begins, and its length in
/// the words. `opcode` is that of a ping (§5.5.2), a pong (§5.5.3), or a Close frame whose reason the payload is (§5.5.1);
/// `code` is -1 for none. 1 if the payload or the code can't be sent: the error is in the words.
#[unsafe(no_mangle)]
pub extern "C" fn encode_control(opcode: u32, masks: bool, key: u32, code: i32, len: usize) -> u32 {
    let made =
        control(masks.then(|| key.to_be_bytes()), len, |connection, payload| match Opcode::from_bits(opcode as u8) {
            Some(Opcode::Ping) => connection.ping(payload),
            Some(Opcode::Pong) => connection.pong(payload),
            _ => {
                let reason = utf8::whole(payload).map_err(|_| SendError::TextNotUtf8)?;
                connection.close(Timestamp::ZERO, close_code(code), reason)
            }
        });
    match made {
        Ok(len) => {
            tell(&[len as u32]);
            0
        }
        Err(error) => error::send(&error),
    }
}

/// A close code as JavaScript passes it.
pub(crate) fn close_code(code: i32) -> Option<CloseCode> {
    u16::try_from(code).ok().map(CloseCode::new)
}

/// What may stand in a control frame is for the core's `Connection` to say: a fresh one sends each.
fn control(
    key: Option<[u8; 4]>,
    len: usize,
    command: impl FnOnce(&mut Connection, &[u8]) -> Result<(), SendError>,
) -> Result<usize, SendError> {
    let mut connection = match key {
        Some(key) => Connection::client(Arc::new(Config::default()), Box::new(Given(key))),
        None => Connection::server(Arc::new(Config::default())),
    };
    border::lend(MAX_HEADER_LEN + len, |bytes| {
        command(&mut connection, &bytes[MAX_HEADER_LEN..])?;
        let Some(Transmit::Write(segments)) = connection.poll_transmit() else { return Ok(0) };
        let frame = segments.unwritten().unwrap_or_default();
        // It fits: header and code are shorter than the room for a header.
        bytes[..frame.len()].copy_from_slice(frame);
        Ok(frame.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::told;

    const PING: u32 = 9;
    const CLOSE: u32 = 8;

    fn fill(payload: &[u8]) -> usize {
        border::fill(&[&[0; MAX_HEADER_LEN], payload].concat());
        payload.len()
    }

    fn control(opcode: u32, code: i32, payload: &[u8]) -> Vec<u8> {
        let len = fill(payload);
        assert_eq!(encode_control(opcode, false, 0, code, len), 0);
        border::lend(told()[0] as usize, |bytes| bytes.to_vec())
    }

    #[test]
    fn a_client_masks_hello_as_the_rfc_does() {
        let len = fill(b"Hello");
        let start = encode_data(0x81, true, 0x37fa_213d, len);
        border::lend(MAX_HEADER_LEN + len, |bytes| {
            assert_eq!(bytes[start..], [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        });
    }

    #[test]
    fn a_server_does_not_mask() {
        let len = fill(b"Hello");
        let start = encode_data(0, false, 0, len);
        border::lend(MAX_HEADER_LEN + len, |bytes| assert_eq!(&bytes[start..], b"\x00\x05Hello"));
        assert_eq!(control(PING, -1, b"Hello"), b"\x89\x05Hello");
        assert_eq!(control(CLOSE, 1000, b"bye"), b"\x88\x05\x03\xe8bye");
        assert_eq!(control(CLOSE, -1, b""), b"\x88\x00");
    }

    #[test]
    fn what_can_not_be_sent_leaves_its_name_and_numbers() {
        let len = fill(&[0; 126]);
        assert_eq!(encode_control(PING, false, 0, -1, len), 1);
        assert_eq!(told()[1..4], ["control_payload_too_long".len() as u32, 126, 0]);
    }
}
