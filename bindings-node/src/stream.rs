//! A connection over a stream that Node owns: decoded where the chunk lies, on the JavaScript thread.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use itoden_core::mask::MaskKeys;
use itoden_core::{Connection, Input, Timestamp, Transmit};
use itoden_net::{ThreadMaskKeys, now};

use crate::batch::{Batch, RecordKind, is_silent};
use crate::order::{Order, Payload};

/// No chunk: every payload goes to the slab.
const NOWHERE: Range<usize> = 0..0;

/// A connection whose transport is a Duplex of Node.
pub struct Stream {
    connection: Connection,
    /// Bytes that came but are not decoded, because reading is paused.
    rest: Vec<u8>,
    /// When JavaScript was told to call `Hub.timeout`.
    timer: Option<Timestamp>,
    /// How many orders asked for a confirmation.
    confirms: usize,
    keys: Option<SuppliedKeys>,
    /// JavaScript knows that the peer has fallen silent.
    silence_told: bool,
    /// Whether it is among those that the next flush settles.
    pub touched: bool,
}

impl Stream {
    /// Takes over an open connection.
    pub fn new(mut connection: Connection, keys: Option<SuppliedKeys>) -> Self {
        // JavaScript hears of messages once the chunk is decoded, and its answers come later still.
        connection.hold_endings(connection.config().close_timeout);
        Self { connection, rest: Vec::new(), timer: None, confirms: 0, keys, silence_told: false, touched: false }
    }

    /// Takes masking keys for the next frames: how many there are now.
    pub fn supply_keys(&self, keys: &[u8]) -> u32 {
        self.keys.as_ref().map_or(0, |supplied| supplied.add(keys))
    }

    /// How long the last answer to a ping of the keepalive took.
    pub fn latency(&self) -> Option<Duration> {
        self.connection.latency()
    }

    /// A chunk came.
    pub fn feed(&mut self, id: u32, chunk: &mut [u8], batch: &mut Batch) {
        if self.rest.is_empty() {
            let start = chunk.as_ptr().addr();
            self.decode(id, chunk, &(start..start + chunk.len()), batch);
        } else {
            self.rest.extend_from_slice(chunk);
        }
        self.settle(id, batch);
    }

    /// The stream has ended.
    pub fn eof(&mut self, id: u32, batch: &mut Batch) {
        self.connection.handle_eof(now());
        self.settle(id, batch);
    }

    /// The time of the last `RecordKind::Timer` has come.
    pub fn timeout(&mut self, id: u32, batch: &mut Batch) {
        // A timer of JavaScript may come up to a millisecond early: then it is set once more, since a ping that was sent in the
        // future would have no latency.
        self.timer = None;
        self.connection.handle_timeout(now());
        self.settle(id, batch);
    }

    /// Does what JavaScript asks; what comes of it is told by [`settle`](Self::settle).
    pub fn perform<P: Payload>(&mut self, id: u32, order: &Order<P>, batch: &mut Batch) {
        let confirm = order.confirms();
        self.confirms += usize::from(confirm);
        if let Err(error) = order.perform(&mut self.connection) {
            let mut value = crate::error::json(error.name(), &error.to_string());
            value["confirm"] = if confirm { self.confirms } else { 0 }.into();
            batch.push_json(id, RecordKind::SendFailed, &value);
        }
    }

    fn decode(&mut self, id: u32, bytes: &mut [u8], chunk: &Range<usize>, batch: &mut Batch) {
        let mut input = self.connection.handle_bytes(now(), bytes);
        while let Some(event) = self.connection.poll_event(&mut input) {
            batch.push_event(id, event, chunk);
        }
        self.rest.extend_from_slice(input.remaining());
    }

    /// Tells all that is to be told and done now.
    pub fn settle(&mut self, id: u32, batch: &mut Batch) {
        self.touched = false;
        if is_silent(&self.connection) {
            batch.push_silence(id, &mut self.silence_told);
        }
        if !self.rest.is_empty() && !self.connection.is_reading_paused() {
            let mut rest = std::mem::take(&mut self.rest);
            self.decode(id, &mut rest, &NOWHERE, batch);
        }
        while let Some(event) = self.connection.poll_event(&mut Input::empty()) {
            batch.push_event(id, event, &NOWHERE);
        }
        loop {
            match self.connection.poll_transmit() {
                Some(Transmit::Write(segments)) => {
                    let length = segments.len();
                    batch.push_segments(id, RecordKind::Write, segments);
                    // Node's stream takes everything, and tells by `writableLength` how much of it waits.
                    self.connection.transmitted(length);
                }
                Some(Transmit::Shutdown) => batch.push_value(id, RecordKind::Shutdown, 0),
                None => break,
            }
        }
        let timer = self.connection.poll_timeout();
        if timer != self.timer {
            self.timer = timer;
            let value =
                timer.map_or(-1, |at| i32::try_from(at.since(now()).as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
            batch.push_value(id, RecordKind::Timer, value as usize);
        }
    }
}

/// Keys that JavaScript has made: those of the option `generateMask`.
#[derive(Clone, Default)]
pub struct SuppliedKeys(Arc<Mutex<VecDeque<[u8; 4]>>>);

impl SuppliedKeys {
    fn keys(&self) -> MutexGuard<'_, VecDeque<[u8; 4]>> {
        // Nothing is left half-done where a panic could come.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, keys: &[u8]) -> u32 {
        let mut supplied = self.keys();
        supplied.extend(keys.as_chunks().0);
        supplied.len() as u32
    }
}

impl MaskKeys for SuppliedKeys {
    fn next_key(&mut self) -> [u8; 4] {
        self.keys().pop_front().unwrap_or_else(|| ThreadMaskKeys.next_key())
    }
}

/// The same key for every frame: byte-exact tests.
pub struct FixedKey(pub [u8; 4]);

impl MaskKeys for FixedKey {
    fn next_key(&mut self) -> [u8; 4] {
        self.0
    }
}
