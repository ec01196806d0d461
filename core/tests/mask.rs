//! Masking and the writing of frames, compared with a naive twin at every length and alignment. Miri runs this file too.

use itoden_core::frame::encode;
use itoden_core::header::FrameHeader;
use itoden_core::{Opcode, mask};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Every length up to where vectors begin, and some beyond; fewer in Miri, which is slow.
fn lengths() -> Vec<usize> {
    let long = [255, 256, 257, 383, 384, 385, 511, 1000, 1023];
    if cfg!(miri) { (0..40).chain(long).collect() } else { (0..300).chain(long).collect() }
}

fn alignments() -> std::ops::Range<usize> {
    if cfg!(miri) { 0..3 } else { 0..33 }
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 + 1) as u8).collect()
}

fn naive(key: [u8; 4], offset: usize, payload: &[u8]) -> Vec<u8> {
    payload.iter().enumerate().map(|(at, byte)| byte ^ key[(at + offset) % 4]).collect()
}

#[test]
fn every_length_at_every_alignment_and_offset_is_masked_as_byte_by_byte_and_nothing_beside_it() {
    for start in alignments() {
        for len in lengths() {
            let offset = start + len;
            let mut bytes = payload(start + len + 20);
            let expected = naive(KEY, offset, &bytes[start..start + len]);
            mask::apply(KEY, offset as u64, &mut bytes[start..start + len]);
            let all = payload(start + len + 20);
            assert_eq!(bytes[start..start + len], expected, "{len} bytes at {start}");
            assert_eq!((&bytes[..start], &bytes[start + len..]), (&all[..start], &all[start + len..]));
        }
    }
}

#[test]
fn a_masked_payload_is_appended_behind_what_was_there() {
    for start in alignments() {
        for len in lengths() {
            let mut out = payload(start);
            mask::append(KEY, &payload(len), &mut out);
            assert_eq!((&out[..start], &out[start..]), (&payload(start)[..], &naive(KEY, 0, &payload(len))[..]));
        }
    }
}

#[test]
fn a_frame_is_its_header_and_its_payload_at_every_length() {
    for masking_key in [None, Some(KEY)] {
        for len in lengths().into_iter().chain(if cfg!(miri) { vec![] } else { vec![65_535, 65_536, 70_001] }) {
            let header =
                FrameHeader { fin: true, rsv: 0, opcode: Opcode::Binary, masking_key, payload_len: len as u64 };
            let mut expected = vec![9; 3];
            header.write(&mut expected);
            assert_eq!(expected.len(), 3 + header.encoded_len());
            expected.extend(naive(masking_key.unwrap_or_default(), 0, &payload(len)));
            let mut out = Vec::with_capacity(3);
            out.extend([9; 3]);
            encode(header, &payload(len), &mut out);
            assert!(out == expected, "{len} bytes, masked by {masking_key:?}");
        }
    }
}
