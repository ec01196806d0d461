//! The frame header: no bytes make the parser panic, what it reads it writes back, and whatever is cut off behind does not
//! change what it says.
#![no_main]

use itoden_core::ProtocolError;
use itoden_core::header::{FrameHeader, HeaderRules, MAX_HEADER_LEN};
use libfuzzer_sys::fuzz_target;

/// How many bytes have to be there before this error can be told: the field that shows it is whole then.
fn shown_by(error: &ProtocolError, bytes: &[u8]) -> usize {
    match error {
        ProtocolError::ReservedBits { .. }
        | ProtocolError::ReservedOpcode { .. }
        | ProtocolError::FragmentedControl { .. } => 1,
        ProtocolError::MaskedFrame | ProtocolError::UnmaskedFrame | ProtocolError::ControlTooLong { .. } => 2,
        ProtocolError::NonMinimalLength { .. } if bytes[1] & 0x7f == 126 => 4,
        ProtocolError::NonMinimalLength { .. } | ProtocolError::LengthOverflow { .. } => 10,
        other => panic!("no header can break this rule: {other:?}"),
    }
}

/// The header as the picture in §5.2 has it, read bit by bit; `None` if it is too short or breaks a rule.
fn naive(bytes: &[u8], rules: HeaderRules) -> Option<(FrameHeader, usize)> {
    let bit = |at: usize| bytes.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1);
    let number = |from: usize, to: usize| (from..to).try_fold(0u64, |sum, at| Some(sum << 1 | u64::from(bit(at)?)));
    let (fin, rsv, opcode) = (number(0, 1)? == 1, number(1, 4)? as u8, number(4, 8)?);
    let (masked, short) = (number(8, 9)? == 1, number(9, 16)?);
    let (payload_len, end) = match short {
        126 => (number(16, 32).filter(|&length| length > 125)?, 32),
        127 => (number(16, 80).filter(|length| (0x1_0000..1 << 63).contains(length))?, 80),
        short => (short, 16),
    };
    let control = opcode >= 8;
    let legal = rsv & !rules.allowed_rsv == 0
        && matches!(opcode, 0..=2 | 8..=10)
        && (!control || (fin && payload_len <= 125))
        && rules.masked.is_none_or(|required| required == masked);
    let masking_key = if masked { Some((number(end, end + 32)? as u32).to_be_bytes()) } else { None };
    let opcode = itoden_core::Opcode::from_bits(opcode as u8).filter(|_| legal)?;
    Some((FrameHeader { fin, rsv, opcode, masking_key, payload_len }, end / 8 + if masked { 4 } else { 0 }))
}

fuzz_target!(|data: &[u8]| {
    let [choice, bytes @ ..] = data else { return };
    let masked = [None, Some(false), Some(true), None][usize::from(choice >> 3 & 3)];
    let rules = HeaderRules { allowed_rsv: choice & 0b111, masked };
    let whole = FrameHeader::parse(bytes, rules);
    assert_eq!(whole.clone().ok().flatten(), naive(bytes, rules));
    let told_at = match &whole {
        Ok(None) => bytes.len() + 1,
        Ok(Some((header, len))) => {
            assert!((2..=MAX_HEADER_LEN).contains(len));
            let mut written = vec![0xee];
            header.write(&mut written);
            assert_eq!(header.encoded_len(), *len);
            assert_eq!(written[1..], bytes[..*len]);
            *len
        }
        Err(error) => shown_by(error, bytes),
    };
    for end in 0..=bytes.len().min(MAX_HEADER_LEN + 1) {
        let expected = if end < told_at { Ok(None) } else { whole.clone() };
        assert_eq!(FrameHeader::parse(&bytes[..end], rules), expected, "the first {end} bytes");
    }
});
