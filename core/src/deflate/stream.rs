//! Compressing and decompressing messages (RFC 7692 §7.2).

use core::mem;
#[cfg(not(target_family = "wasm"))]
use std::thread::LocalKey;

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use super::RESTS;
#[cfg(not(target_family = "wasm"))]
use super::idle::Idle;
use super::idle::{Kept, Stream};
use crate::prelude::Vec;

/// Whether compression can be agreed on.
pub(crate) const AVAILABLE: bool = true;

/// "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end" (§7.2.1), and append them again (§7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The tail and one byte more.
const TAIL_AND_MORE: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];

/// Output grows by steps of at most this much, so that no step is far larger than what it brings.
const MAX_STEP: usize = 64 << 10;

/// zlib inflates fast only while there is this much room left: one match, and what it writes at once.
const FAST: usize = 258 + 64;

/// Why a message can't be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The bytes are not a DEFLATE stream.
    Invalid,
    /// There would be more than the limit. Nothing beyond it was produced.
    TooBig,
}

#[cfg(not(target_family = "wasm"))]
thread_local! {
    static COMPRESSORS: Idle<Deflate> = const { Idle::new(Vec::new()) };
    static DECOMPRESSORS: Idle<Inflate> = const { Idle::new(Vec::new()) };
}

impl Stream for Deflate {
    /// The level, and the bits of the window.
    type MadeFor = (u8, u8);

    fn new((level, window_bits): (u8, u8)) -> Self {
        Self::new(i32::from(level), false, window_bits)
    }

    #[cfg(not(target_family = "wasm"))]
    fn restart(&mut self, _made_for: (u8, u8)) {
        self.reset();
    }

    #[cfg(not(target_family = "wasm"))]
    fn idle() -> &'static LocalKey<Idle<Self>> {
        &COMPRESSORS
    }
}

impl Stream for Inflate {
    /// The bits of the window.
    type MadeFor = u8;

    fn new(window_bits: u8) -> Self {
        Self::new(false, window_bits)
    }

    #[cfg(not(target_family = "wasm"))]
    fn restart(&mut self, window_bits: u8) {
        match window_bits {
            15 => self.reset(false),
            // zlib-rs can restart a stream in place only with the largest window.
            _ => *self = Self::new(false, window_bits),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn idle() -> &'static LocalKey<Idle<Self>> {
        &DECOMPRESSORS
    }
}

/// Compresses the messages of one direction.
///
/// What it needs, 380 kB, it takes from the few that its thread keeps, and gives back when it is dropped.
pub struct Compressor {
    deflate: Kept<Deflate>,
}

impl Compressor {
    /// A compressor with a window of 2^`window_bits` bytes, 8 to 15, and a level of 1 to 9.
    pub fn new(level: u8, window_bits: u8) -> Self {
        // zlib has no raw streams with a window of 8 bits. With one of 9 it reaches back 512 - 262 = 250 bytes at most,
        // which a window of 256 bytes can follow.
        Self { deflate: Kept::new((level, window_bits.max(9))) }
    }

    /// Appends the next part of a message, compressed, to `out`; with `fin` it is the last part.
    ///
    /// Each part can be decompressed as soon as it has arrived: none waits in the compressor for the next one.
    pub fn compress(&mut self, mut payload: &[u8], fin: bool, out: &mut Vec<u8>) {
        let start = out.len();
        let deflate = &mut *self.deflate;
        loop {
            let (taken, made) = (deflate.total_in(), deflate.total_out());
            let room = (payload.len() / 2 + 64).min(MAX_STEP);
            let end = out.len();
            out.resize(end + room, 0);
            deflate
                .compress(payload, &mut out[end..], DeflateFlush::SyncFlush)
                .expect("a compressor takes any bytes at any time");
            payload = &payload[(deflate.total_in() - taken) as usize..];
            let made = (deflate.total_out() - made) as usize;
            out.truncate(end + made);
            // "The call is to be made again if there is no room left", says zlib: then it may have more to give.
            if payload.is_empty() && made < room {
                break;
            }
        }
        if fin && out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        // An empty message behind another one gives nothing at all; it is sent as "a single 0x00 byte" (§7.2.3.6).
        if fin && out.len() == start {
            out.push(0x00);
        }
    }
}

/// Decompresses the messages of one direction; taken and given back as a [`Compressor`] is.
pub struct Decompressor {
    window_bits: u8,
    /// `None` while it rests.
    inflate: Option<Kept<Inflate>>,
    /// Whether nothing has come since the message began, or since a block with BFINAL set ended.
    complete: bool,
    /// The last bytes that were produced, a window of them or more, if it is to rest at times.
    window: Option<Vec<u8>>,
}

impl Decompressor {
    /// A decompressor with a window of 2^`window_bits` bytes, 8 to 15.
    pub fn new(window_bits: u8) -> Self {
        Self { window_bits, inflate: None, complete: true, window: None }
    }

    /// A decompressor that can [`rest`](Self::rest).
    pub(crate) fn resting(window_bits: u8) -> Self {
        Self { window: Some(Vec::new()), ..Self::new(window_bits) }
    }

    /// Gives back all but the window, until more comes. Returns whether it could: not within a message.
    pub(crate) fn rest(&mut self) -> bool {
        let Some(window) = self.window.as_mut().filter(|_| self.complete) else { return false };
        self.inflate = None;
        let size = 1 << self.window_bits;
        window.drain(..window.len().saturating_sub(size));
        window.shrink_to_fit();
        true
    }

    fn wake(&mut self) {
        if self.inflate.is_some() {
            return;
        }
        let mut inflate = Kept::<Inflate>::new(self.window_bits);
        if let Some(window) = self.window.as_ref().filter(|window| RESTS && !window.is_empty()) {
            let size = 1 << self.window_bits;
            let last = &window[window.len().saturating_sub(size)..];
            inflate.set_dictionary(last).expect("a stream that begins takes any dictionary");
        }
        self.inflate = Some(inflate);
    }

    /// Appends the next part of a message, decompressed, to `out`, which may grow to `limit` bytes and no further; with
    /// `fin` it is the last part.
    pub fn decompress(
        &mut self,
        payload: &[u8],
        fin: bool,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), InflateError> {
        self.wake();
        // `out` is made longer than what is in it, and cut at the end: room is cleared once, however it is filled.
        let mut filled = out.len();
        let result = if payload.is_empty() { Ok(()) } else { self.push(payload, limit, out, &mut filled) };
        out.truncate(filled.min(limit));
        result?;
        if fin { self.finish() } else { Ok(()) }
    }

    /// Appends the tail. Where the message was whole, it ends a block without compression and brings nothing.
    ///
    /// A message without any byte, or one that ends with BFINAL but without the byte 0x00 behind it (§7.2.3.4), is whole
    /// as it is: it is taken as what it can only mean.
    fn finish(&mut self) -> Result<(), InflateError> {
        if mem::replace(&mut self.complete, true) {
            return Ok(());
        }
        let Some(inflate) = &mut self.inflate else { return Ok(()) };
        let whole = (inflate.total_in() + TAIL.len() as u64, inflate.total_out());
        // It stops at the end of a block, before the byte behind the tail; in the midst of one it would take that too.
        let mut more = [0; 1];
        let status = inflate.decompress(&TAIL_AND_MORE, &mut more, InflateFlush::Block);
        if status.is_err() || (inflate.total_in(), inflate.total_out()) != whole {
            return Err(InflateError::Invalid);
        }
        if status == Ok(Status::StreamEnd) {
            inflate.restart();
            self.window.iter_mut().for_each(Vec::clear);
        }
        Ok(())
    }

    fn push(
        &mut self,
        mut input: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
        filled: &mut usize,
    ) -> Result<(), InflateError> {
        let Some(inflate) = &mut self.inflate else { return Ok(()) };
        self.complete = false;
        loop {
            if *filled == out.len() {
                // One byte more than is allowed, so that a message of exactly the limit is told from a longer one.
                let room = (input.len() * 8 + FAST).min(MAX_STEP).min(limit.saturating_sub(*filled).saturating_add(1));
                if *filled + room > out.capacity() {
                    // Doubled, but not beyond the limit.
                    let most = out.capacity().saturating_mul(2).min(limit.saturating_add(1)).max(*filled + room);
                    out.reserve_exact(most - out.len());
                }
                out.resize(*filled + room, 0);
            }
            let (taken, made) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(input, &mut out[*filled..], InflateFlush::SyncFlush);
            input = &input[(inflate.total_in() - taken) as usize..];
            let made = (inflate.total_out() - made) as usize;
            if let Some(window) = self.window.as_mut().filter(|_| RESTS) {
                remember(window, &out[*filled..*filled + made], 1 << self.window_bits);
            }
            *filled += made;
            if *filled > limit {
                return Err(InflateError::TooBig);
            }
            match status {
                // A block with BFINAL set may come (§7.2.3.4): what follows it is a new stream.
                Ok(Status::StreamEnd) => {
                    inflate.restart();
                    self.window.iter_mut().for_each(Vec::clear);
                    if input.is_empty() {
                        self.complete = true;
                        return Ok(());
                    }
                }
                // No room was left: there may be more to come even if all input is taken.
                Ok(_) if *filled == out.len() => {}
                Ok(_) if input.is_empty() => return Ok(()),
                _ => return Err(InflateError::Invalid),
            }
        }
    }
}

/// Appends to the bytes that are remembered, of which a window's size is needed at least; twice that is kept at most.
fn remember(window: &mut Vec<u8>, bytes: &[u8], size: usize) {
    let bytes = &bytes[bytes.len().saturating_sub(size)..];
    if window.len() + bytes.len() > 2 * size {
        window.drain(..(window.len() + bytes.len()).saturating_sub(size).min(window.len()));
    }
    window.extend_from_slice(bytes);
}
