//! The bytes that a connection wants written, until the driver has written them.

use core::ops::Range;
#[cfg(not(target_family = "wasm"))]
use std::io::IoSlice;

use bytes::Bytes;

use crate::frame;
use crate::header::{FrameHeader, HeaderRules};
use crate::opcode::Opcode;
use crate::prelude::{Box, Vec};

/// Shared unmasked payloads of at least this many bytes are queued by reference; below it a copy is cheaper than one
/// more segment in the write.
pub const SHARE_THRESHOLD: usize = 4096;

/// What a driver is to do, in this order.
#[derive(Debug)]
pub enum Transmit<'a> {
    /// Write these bytes, all or as many as the transport takes, and tell
    /// [`Connection::transmitted`](crate::Connection::transmitted) how many.
    Write(Segments<'a>),
    /// End this side of the transport (a TCP FIN), and go on reading until its other side ends. Comes at most once.
    Shutdown,
}

/// Frames queued behind each other: contiguous but for large payloads that are queued by reference, or stay with the driver.
///
/// A frame is kept until it is wholly written, so that the header at the front can always be read back: this is how the
/// written part of the queue is told into frames without a record for each.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    /// Where the front frame begins in `bytes`.
    front: usize,
    /// How many bytes of the front frame are written, header included.
    front_written: usize,
    /// Boxed: few connections have any.
    beside: Option<Box<Beside>>,
    /// Payload bytes of the data frames in the queue, the front frame's written ones included.
    buffered: u64,
    /// Those of the front frame that are written.
    front_counted: u64,
    /// Pongs in the queue.
    pongs: u16,
}

/// Payloads that are not in the queue.
#[derive(Debug, Default)]
struct Beside {
    /// In order, each with the index in `bytes` that it goes before.
    payloads: Vec<(usize, Payload)>,
    /// How many of them are written: a list from which the first are taken is larger in a module of wasm.
    written: usize,
    /// The bytes of them all: a slow peer takes a little of many, and they are not to be counted anew each time.
    len: usize,
}

#[derive(Debug)]
enum Payload {
    /// By reference.
    Shared(Bytes),
    /// So many bytes that the driver has.
    Apart(usize),
}

impl Beside {
    /// Those that are not written.
    fn waiting(&self) -> &[(usize, Payload)] {
        &self.payloads[self.written..]
    }
}

impl Output {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), front: 0, front_written: 0, beside: None, buffered: 0, front_counted: 0, pongs: 0 }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // A frame leaves the queue only as a whole, and none is without a header.
        self.bytes.is_empty()
    }

    /// Payload bytes of messages that are not written yet; headers and control frames don't count.
    pub(crate) const fn buffered_amount(&self) -> u64 {
        self.buffered - self.front_counted
    }

    /// Bytes in the queue, headers and control frames included, of which a part of the first frame may be written.
    pub(crate) fn queued(&self) -> u64 {
        self.buffered.max((self.bytes.len() - self.front) as u64)
    }

    /// Pongs in the queue.
    #[inline]
    pub(crate) const fn pongs(&self) -> u16 {
        self.pongs
    }

    /// Queues a frame, copying its payload.
    #[inline(always)]
    pub(crate) fn push(&mut self, header: FrameHeader, payload: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take();
        }
        frame::encode(header, payload, &mut self.bytes);
        self.count(header, payload.len());
    }

    /// Queues a frame, keeping a reference to its payload if that is large and needs no masking.
    pub(crate) fn push_shared(&mut self, mut header: FrameHeader, payload: Bytes) {
        if payload.len() < SHARE_THRESHOLD || header.masking_key.is_some() {
            return self.push(header, &payload);
        }
        header.payload_len = payload.len() as u64;
        self.push_beside(header, payload.len(), Payload::Shared(payload));
    }

    /// Queues the header of a frame whose `len` bytes of payload the driver has; behind how many bytes of the queue they go.
    pub(crate) fn push_apart(&mut self, mut header: FrameHeader, len: usize) -> usize {
        header.payload_len = len as u64;
        self.push_beside(header, len, Payload::Apart(len));
        self.bytes.len() - self.front
    }

    fn push_beside(&mut self, header: FrameHeader, len: usize, payload: Payload) {
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take();
        }
        header.write(&mut self.bytes);
        self.count(header, len);
        let beside = self.beside.get_or_insert_default();
        beside.len += len;
        beside.payloads.push((self.bytes.len(), payload));
    }

    #[inline]
    fn count(&mut self, header: FrameHeader, len: usize) {
        match header.opcode {
            Opcode::Pong => self.pongs = self.pongs.saturating_add(1),
            opcode if opcode.is_control() => {}
            _ => self.buffered += len as u64,
        }
    }

    pub(crate) fn segments(&self) -> Segments<'_> {
        Segments { output: self }
    }

    /// A connection at rest owns no buffer.
    pub(crate) fn clear(&mut self) {
        spare::keep(core::mem::replace(self, Self::new()).bytes);
    }

    /// The next `count` bytes are written.
    pub(crate) fn advance(&mut self, count: usize) {
        let len = self.segments().len();
        assert!(count <= len, "{count} bytes are said to be written, but only {len} were to be");
        if count == len {
            return self.clear();
        }
        let mut written = self.front_written + count;
        loop {
            let Ok(Some((header, header_len))) = FrameHeader::parse(&self.bytes[self.front..], HeaderRules::ANY) else {
                unreachable!("the queue begins with a header that this connection wrote");
            };
            let payload_len = header.payload_len as usize;
            let counts = !header.opcode.is_control();
            if written < header_len + payload_len {
                self.front_written = written;
                self.front_counted = if counts { written.saturating_sub(header_len) as u64 } else { 0 };
                break;
            }
            written -= header_len + payload_len;
            self.front += header_len;
            match self.beside.as_mut() {
                Some(beside) if beside.waiting().first().is_some_and(|&(position, _)| position == self.front) => {
                    beside.payloads[beside.written].1 = Payload::Apart(0);
                    beside.written += 1;
                    beside.len -= payload_len;
                    // So that each is moved once at the most.
                    if beside.written > beside.payloads.len() / 2 {
                        beside.payloads.drain(..core::mem::take(&mut beside.written));
                    }
                }
                _ => self.front += payload_len,
            }
            match header.opcode {
                Opcode::Pong => self.pongs = self.pongs.saturating_sub(1),
                _ if counts => self.buffered -= header.payload_len,
                _ => {}
            }
        }
        // What is written is given back once it is most of the buffer, so that each byte is moved once at the most.
        if self.front > (64 << 10) && self.front > self.bytes.len() / 2 {
            self.bytes.drain(..self.front);
            for (position, _) in self.beside.iter_mut().flat_map(|beside| &mut beside.payloads[beside.written..]) {
                *position -= self.front;
            }
            self.front = 0;
        }
    }
}

/// One buffer for all connections of a thread that have nothing to write: whoever has takes it, grown as it is.
#[cfg(not(target_family = "wasm"))]
mod spare {
    use core::cell::Cell;

    /// A larger buffer is freed.
    const MAX_CAPACITY: usize = 256 << 10;

    thread_local! {
        static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }

    pub(super) fn take() -> Vec<u8> {
        SPARE.try_with(Cell::take).unwrap_or_default()
    }

    pub(super) fn keep(mut buffer: Vec<u8>) {
        if (1..=MAX_CAPACITY).contains(&buffer.capacity()) {
            buffer.clear();
            let _ = SPARE.try_with(|spare| spare.set(buffer));
        }
    }
}

/// Without threads' own variables a buffer is asked of the allocator each time.
#[cfg(target_family = "wasm")]
mod spare {
    use crate::prelude::Vec;

    pub(super) const fn take() -> Vec<u8> {
        Vec::new()
    }

    pub(super) fn keep(_buffer: Vec<u8>) {}
}

/// A part of what a connection wants written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// These bytes of a payload that stays with the driver ([`Connection::send_apart`](crate::Connection::send_apart)): of the
    /// first one that is not wholly written, then of the next, in the order in which they were sent.
    Apart(Range<usize>),
}

/// The bytes that a connection wants written: one or more slices, in order.
///
/// A driver that keeps payloads apart asks for [`parts`](Self::parts); for others those of [`iter`](Self::iter) are all.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    output: &'a Output,
}

impl<'a> Segments<'a> {
    /// Every part, in order; none is empty.
    pub fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let output = self.output;
        let mut at = output.front;
        let mut skip = output.front_written;
        let mut payloads = output.beside.iter().flat_map(|beside| beside.waiting());
        let mut own_next = true;
        let mut next_payload = payloads.next();
        core::iter::from_fn(move || {
            loop {
                let (part, len) = if own_next {
                    let end = next_payload.map_or(output.bytes.len(), |&(position, _)| position);
                    let start = core::mem::replace(&mut at, end);
                    (Part::Bytes(&output.bytes[start..end]), end - start)
                } else {
                    let (_, payload) = next_payload?;
                    next_payload = payloads.next();
                    match payload {
                        Payload::Shared(bytes) => (Part::Bytes(bytes), bytes.len()),
                        Payload::Apart(len) => (Part::Apart(0..*len), *len),
                    }
                };
                let finished = own_next && next_payload.is_none();
                own_next = !own_next;
                let skipped = skip.min(len);
                skip -= skipped;
                if skipped < len {
                    return Some(match part {
                        Part::Bytes(bytes) => Part::Bytes(&bytes[skipped..]),
                        Part::Apart(_) => Part::Apart(skipped..len),
                    });
                }
                if finished {
                    return None;
                }
            }
        })
    }

    /// Every slice, in order, as far as the first payload that the driver keeps apart; none is empty.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.parts().map_while(|part| match part {
            Part::Bytes(bytes) => Some(bytes),
            Part::Apart(_) => None,
        })
    }

    /// The first slice; the whole of the bytes unless payloads are queued by reference or kept apart.
    pub fn first(&self) -> &'a [u8] {
        self.iter().next().unwrap_or_default()
    }

    /// All bytes but the payloads that the driver keeps apart, which go where [`Connection::send_apart`](crate::Connection::send_apart)
    /// told. `None` if payloads are queued by reference, or something was written already: then the bytes have [parts](Self::parts).
    pub fn unwritten(&self) -> Option<&'a [u8]> {
        let output = self.output;
        let shared =
            |beside: &Beside| beside.waiting().iter().any(|(_, payload)| matches!(payload, Payload::Shared(_)));
        let begun = output.front + output.front_written > 0;
        (!begun && !output.beside.as_deref().is_some_and(shared)).then_some(&output.bytes)
    }

    /// Fills `slices` for a vectored write; how many were filled.
    #[cfg(not(target_family = "wasm"))]
    pub fn fill(&self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, slice) in slices.iter_mut().zip(self.iter()) {
            *slot = IoSlice::new(slice);
            filled += 1;
        }
        filled
    }

    /// How many bytes there are, over all parts.
    pub fn len(&self) -> usize {
        let output = self.output;
        let beside = output.beside.as_ref().map_or(0, |beside| beside.len);
        output.bytes.len() - output.front + beside - output.front_written
    }

    /// Whether there are no bytes. Never true of what [`Transmit::Write`] brings.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slices of [`iter`](Self::iter) in one allocation.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.iter().map(<[u8]>::len).sum());
        self.iter().for_each(|slice| bytes.extend_from_slice(slice));
        bytes
    }
}
