//! Frames, written and read naively: what contenders are fed, and what they wrote is checked with. Never timed.

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Text, or else binary.
    pub text: bool,
    /// RSV1 (RFC 7692 §6).
    pub compressed: bool,
    /// The masking key, if it is a client's.
    pub key: Option<[u8; 4]>,
}

/// Bytes of a frame with a payload of this length.
pub const fn len(payload: usize, masked: bool) -> usize {
    let length = match payload {
        0..126 => 2,
        126..65536 => 4,
        _ => 10,
    };
    length + payload + if masked { 4 } else { 0 }
}

/// Appends a whole message in one frame.
pub fn write(frame: Frame, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | if frame.compressed { 0x40 } else { 0 } | if frame.text { 1 } else { 2 });
    let mask = if frame.key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..126 => out.push(mask | length as u8),
        length @ 126..65536 => {
            out.push(mask | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(mask | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&frame.key.unwrap_or_default()[..if mask == 0 { 0 } else { 4 }]);
    let key = frame.key.unwrap_or_default();
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// All frames of `bytes`, each with its payload unmasked.
///
/// # Panics
/// If they are not whole messages, one in each frame.
pub fn read(mut bytes: &[u8]) -> Vec<(Frame, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (first, second) = (bytes[0], bytes[1]);
        assert_eq!(first & 0b1011_0000, 0x80, "FIN alone, and at most RSV1");
        assert!(matches!(first & 0xf, 1 | 2), "text or binary");
        let (head, length) = match second & 0x7f {
            126 => (4, u16::from_be_bytes([bytes[2], bytes[3]]) as usize),
            127 => (10, u64::from_be_bytes(bytes[2..10].try_into().expect("8 bytes")) as usize),
            length => (2, usize::from(length)),
        };
        let key: Option<[u8; 4]> = (second & 0x80 != 0).then(|| bytes[head..head + 4].try_into().expect("4 bytes"));
        let start = head + if key.is_some() { 4 } else { 0 };
        let pad = key.unwrap_or_default();
        let payload = bytes[start..start + length].iter().zip(pad.iter().cycle()).map(|(byte, key)| byte ^ key);
        frames.push((Frame { text: first & 0xf == 1, compressed: first & 0x40 != 0, key }, payload.collect()));
        bytes = &bytes[start + length..];
    }
    frames
}
