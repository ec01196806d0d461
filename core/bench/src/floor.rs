//! The floor: the least that a machine has to do, with no protocol around it. No WebSocket library is here.

use std::hint::black_box;

use bytes::Bytes;
use zlib_rs::{DeflateFlush, Inflate, InflateFlush};

use crate::contender::{Class, Contender};
use crate::frames;
use crate::mask;
use crate::wire::Wire;
use crate::workload::{Takeover, Task, Workload};

/// "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end" (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What stands under this workload: the bare loop first, then what it consists of.
pub fn contenders(workload: &Workload) -> Vec<Contender> {
    match workload.case.task {
        Task::Decode => {
            let mut all = vec![bare_decode(workload), memcpy(workload), xor(workload)];
            if workload.case.is_text() {
                all.push(simdutf8(workload));
            }
            all
        }
        Task::EncodeServer | Task::EncodeClient => vec![bare_encode(workload), memcpy(workload)],
        Task::Deflate => vec![bare_deflate(workload)],
        Task::Inflate => vec![bare_inflate(workload)],
    }
}

/// Copies in once, parses, unmasks in place, checks text, lends the slice.
fn bare_decode(workload: &Workload) -> Contender {
    let input = workload.input.clone();
    let mut buffer = vec![0; input.len()];
    Contender::new("bare loop", Class::Floor, None, move |tally| {
        buffer.copy_from_slice(&input);
        let mut rest = &mut buffer[..];
        while let [first, second, ..] = *rest {
            let (head, length) = match second & 0x7f {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                127 => (10, u64::from_be_bytes(rest[2..10].try_into().expect("8 bytes")) as usize),
                length => (2, usize::from(length)),
            };
            let (frame, tail) = rest.split_at_mut(head + 4 + length);
            let (head, payload) = frame.split_at_mut(head + 4);
            mask::apply(*head.last_chunk().expect("4 bytes"), payload);
            let text = first & 0xf == 1;
            assert!(!text || simdutf8::basic::from_utf8(payload).is_ok());
            tally.message(text, payload);
            rest = tail;
        }
    })
}

/// Writes headers and payloads to where they go, with one copy; a client's payloads are masked on their way.
fn bare_encode(workload: &Workload) -> Contender {
    let wire = Wire::new(Bytes::new(), workload.capacity());
    let payloads = workload.payloads.clone();
    let first = 0x80 | if workload.case.is_text() { 1 } else { 2 };
    let masked = workload.case.task == Task::EncodeClient;
    let total = payloads.iter().map(|payload| frames::len(payload.len(), masked)).sum();
    let mut key = 0x9e37_79b9_u32;
    let own = wire.clone();
    Contender::new("bare loop", Class::Floor, Some(wire), move |tally| {
        own.rewind();
        own.put_with(total, |mut rest| {
            for payload in &payloads {
                let mask = if masked { 0x80 } else { 0 };
                let mut target = match payload.len() {
                    length @ 0..126 => {
                        let (head, target) = rest.split_first_chunk_mut().expect("room for all");
                        *head = [first, mask | length as u8];
                        target
                    }
                    length @ 126..65536 => {
                        let (head, target) = rest.split_first_chunk_mut().expect("room for all");
                        *head = [first, mask | 126, (length >> 8) as u8, length as u8];
                        target
                    }
                    length => {
                        let (head, target) = rest.split_at_mut(10);
                        head[..2].copy_from_slice(&[first, mask | 127]);
                        head[2..].copy_from_slice(&(length as u64).to_be_bytes());
                        target
                    }
                };
                if masked {
                    key = key.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
                    let (head, behind) = target.split_first_chunk_mut().expect("room for all");
                    *head = key.to_ne_bytes();
                    target = behind;
                }
                let (target, behind) = target.split_at_mut(payload.len());
                if masked {
                    mask::copy(key.to_ne_bytes(), payload, target);
                } else {
                    target.copy_from_slice(payload);
                }
                rest = behind;
            }
        });
        tally.sent(payloads.len(), own.written());
    })
}

/// One copy of all payloads.
fn memcpy(workload: &Workload) -> Contender {
    let payloads = workload.payloads.clone();
    let mut target = vec![0; payloads.iter().map(Bytes::len).sum()];
    Contender::primitive("memcpy", move |tally| {
        let mut at = 0;
        for payload in &payloads {
            target[at..at + payload.len()].copy_from_slice(payload);
            at += payload.len();
        }
        black_box(&mut target);
        tally.messages += payloads.len() as u64;
    })
}

/// All payloads unmasked where they lie.
fn xor(workload: &Workload) -> Contender {
    let mut payloads: Vec<Vec<u8>> = workload.payloads.iter().map(|payload| payload.to_vec()).collect();
    Contender::primitive("XOR in place", move |tally| {
        for payload in &mut payloads {
            mask::apply([1, 2, 3, 4], payload);
            black_box(payload);
        }
        tally.messages += payloads.len() as u64;
    })
}

/// All payloads checked.
fn simdutf8(workload: &Workload) -> Contender {
    let payloads = workload.payloads.clone();
    Contender::primitive("simdutf8", move |tally| {
        for payload in &payloads {
            assert!(black_box(simdutf8::basic::from_utf8(payload).is_ok()));
        }
        tally.messages += payloads.len() as u64;
    })
}

/// zlib-rs alone, and a header.
fn bare_deflate(workload: &Workload) -> Contender {
    let wire = Wire::new(Bytes::new(), workload.capacity());
    let payloads = workload.payloads.clone();
    let mut deflate = Deflater::new(workload.case.takeover);
    let own = wire.clone();
    Contender::new("zlib-rs alone", Class::Floor, Some(wire), move |tally| {
        own.rewind();
        for payload in &payloads {
            let compressed = deflate.compress(payload);
            let length = compressed.len() as u16;
            let head = [0xc1, 126, (length >> 8) as u8, length as u8];
            match compressed.len() {
                0..126 => own.put([&[0xc1, length as u8], compressed]),
                _ => own.put([&head, compressed]),
            };
        }
        tally.sent(payloads.len(), own.written());
    })
}

/// zlib-rs alone, after a bare loop.
fn bare_inflate(workload: &Workload) -> Contender {
    let input = workload.input.clone();
    let mut buffer = vec![0; input.len()];
    let mut out = vec![0; workload.case.size];
    let mut inflate = Inflate::new(false, 15);
    let takeover = workload.case.takeover;
    Contender::new("zlib-rs alone", Class::Floor, None, move |tally| {
        buffer.copy_from_slice(&input);
        let mut rest = &mut buffer[..];
        while let [_, second, ..] = *rest {
            let (head, length) = match second & 0x7f {
                126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
                length => (2, usize::from(length)),
            };
            let (frame, tail) = rest.split_at_mut(head + 4 + length);
            let (head, payload) = frame.split_at_mut(head + 4);
            mask::apply(*head.last_chunk().expect("4 bytes"), payload);
            let before = inflate.total_out();
            inflate.decompress(payload, &mut out, InflateFlush::SyncFlush).expect("the input is deflated");
            let made = (inflate.total_out() - before) as usize;
            if takeover == Takeover::None {
                inflate.reset(false);
            } else {
                inflate.decompress(&TAIL, &mut [0; 1], InflateFlush::SyncFlush).expect("the tail is deflated");
            }
            assert!(simdutf8::basic::from_utf8(&out[..made]).is_ok());
            tally.message(true, &out[..made]);
            rest = tail;
        }
    })
}

/// Compresses whole messages at level 6, zlib's default, with a window of 2^15 bytes.
pub struct Deflater {
    deflate: zlib_rs::Deflate,
    out: Vec<u8>,
    takeover: Takeover,
}

impl Deflater {
    /// A compressor without a history.
    pub fn new(takeover: Takeover) -> Self {
        Self { deflate: zlib_rs::Deflate::new(6, false, 15), out: vec![0; 64 << 10], takeover }
    }

    /// The next message, compressed; at most about 60 kB.
    pub fn compress(&mut self, payload: &[u8]) -> &[u8] {
        let before = self.deflate.total_out();
        self.deflate.compress(payload, &mut self.out, DeflateFlush::SyncFlush).expect("there is room");
        let made = (self.deflate.total_out() - before) as usize;
        if self.takeover == Takeover::None {
            self.deflate.reset();
        }
        self.out[..made].strip_suffix(&TAIL).expect("a sync flush ends so")
    }
}
