//! One connection and its socket, on the JavaScript thread.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use itoden_core::{Connection, Event, Input, ReadyState, Timestamp, Transmit};
use itoden_net::now;

use super::uv::{Poll, READABLE, WRITABLE};
use super::{BROKEN, DUE};
use crate::batch::{Batch, is_silent};
use crate::native::ledger::Ledger;
use crate::order::{Order, Payload, Through};

/// Most slices of one vectored write.
const MAX_SLICES: usize = 16;

/// No chunk: every payload goes to the slab.
const NOWHERE: Range<usize> = 0..0;

/// A connection whose socket the event loop watches.
pub struct Socket {
    connection: Connection,
    /// Until the connection is closed. The poll is dropped before the socket.
    line: Option<(Poll, TcpStream)>,
    /// What the poll tells.
    watched: u8,
    /// The socket took less than it was given.
    blocked: bool,
    read_ended: bool,
    closed: bool,
    /// JavaScript knows that the peer has fallen silent.
    silence_told: bool,
    /// Whether it is among those that the next flush settles.
    pub touched: bool,
    /// Bytes that came but are not decoded, because reading is paused.
    rest: Vec<u8>,
    /// When it is due, as the plane knows it.
    timer: Option<Timestamp>,
    ledger: Ledger,
}

impl Socket {
    /// Takes over an open connection. `early` came behind its handshake.
    pub fn new(connection: Connection, poll: Poll, stream: TcpStream, early: Vec<u8>) -> Self {
        Self {
            connection,
            line: Some((poll, stream)),
            watched: READABLE,
            blocked: false,
            read_ended: false,
            closed: false,
            silence_told: false,
            touched: false,
            rest: early,
            timer: None,
            ledger: Ledger::default(),
        }
    }

    /// How long the last answer to a ping of the keepalive took.
    pub fn latency(&self) -> Option<Duration> {
        self.connection.latency()
    }

    /// How many payload bytes are written or given up, of all that was asked to be sent.
    pub const fn settled(&self) -> u64 {
        self.ledger.settled(self.connection.buffered_amount())
    }

    /// How many bytes of a frame that has begun are still to come.
    pub const fn missing(&self) -> u64 {
        self.connection.missing()
    }

    /// When it is due now; and what that was before.
    pub fn deadline(&mut self) -> (Option<Timestamp>, Option<Timestamp>) {
        let now = if self.closed { None } else { self.connection.poll_timeout() };
        (now, std::mem::replace(&mut self.timer, now))
    }

    /// Does what JavaScript asks; what comes of it is told by [`settle`](Self::settle).
    pub fn perform<P: Payload>(&mut self, id: u32, order: &Order<P>, batch: &mut Batch) {
        self.ledger.perform(id, order, &mut self.connection, batch);
    }

    /// The same for a large payload, which is written at once if nothing waits.
    pub fn perform_large(&mut self, id: u32, order: Order<&[u8]>, batch: &mut Batch) {
        let Order { kind, bits, payload: bytes } = order;
        match &self.line {
            Some((_, stream)) if self.connection.buffered_amount() == 0 => {
                let order = Order { kind, bits, payload: Through { bytes, stream } };
                self.ledger.perform(id, &order, &mut self.connection, batch);
            }
            // Copied once, and written from there.
            _ => self.perform(id, &Order { kind, bits, payload: Bytes::copy_from_slice(bytes) }, batch),
        }
    }

    /// Does what the socket is ready for: reads once, into `room`. Payloads that lie in `chunk` stay there. Whether all of the
    /// room was filled, so that more may have come.
    pub fn serve(
        &mut self,
        id: u32,
        ready: u8,
        room: &mut [u8],
        chunk: &Range<usize>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> bool {
        if ready & BROKEN != 0 {
            self.watched = 0;
        }
        let mut filled = false;
        if ready & READABLE != 0 && self.reads() && self.rest.is_empty() {
            filled = self.read(id, room, chunk, now, batch);
        }
        if ready & DUE != 0 && self.timer.take().is_some() {
            self.connection.handle_timeout(now);
        }
        self.blocked &= ready & WRITABLE == 0;
        self.settle(id, batch);
        filled
    }

    const fn reads(&self) -> bool {
        !self.read_ended && !self.closed && !self.connection.is_reading_paused()
    }

    fn read(&mut self, id: u32, room: &mut [u8], chunk: &Range<usize>, now: Timestamp, batch: &mut Batch) -> bool {
        let Some((_, stream)) = &mut self.line else { return false };
        let count = loop {
            match stream.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // A socket that fails has ended.
                Ok(0) | Err(_) => {
                    self.read_ended = true;
                    self.connection.handle_eof(now);
                    return false;
                }
                Ok(count) => break count,
            }
        };
        let filled = count == room.len();
        self.decode(id, now, &mut room[..count], chunk, batch);
        filled
    }

    fn decode(&mut self, id: u32, now: Timestamp, bytes: &mut [u8], chunk: &Range<usize>, batch: &mut Batch) {
        let mut input = self.connection.handle_bytes(now, bytes);
        self.closed |= tell(&mut self.connection, &mut input, id, chunk, &mut self.silence_told, batch);
        self.rest.extend_from_slice(input.remaining());
    }

    /// Tells all that is to be told, writes what is to be written, and waits for what is to come.
    pub fn settle(&mut self, id: u32, batch: &mut Batch) {
        self.touched = false;
        if !self.rest.is_empty() && self.reads() {
            let mut rest = std::mem::take(&mut self.rest);
            self.decode(id, now(), &mut rest, &NOWHERE, batch);
        }
        self.tell_events(id, batch);
        if let Err(()) = self.write() {
            // What is given up now is not written; what was before, is.
            if !self.closed {
                self.ledger.confirm(id, self.connection.buffered_amount(), batch);
                self.connection.handle_write_failure(now());
            }
            self.blocked = false;
            self.tell_events(id, batch);
        }
        if self.closed {
            self.line = None;
            self.rest = Vec::new();
            return;
        }
        // A connection that closes without having said so could not write: what it gave up is not written.
        let connection = &self.connection;
        if connection.ready_state() == ReadyState::Open || connection.is_ending_held() || connection.close_sent() {
            self.ledger.confirm(id, connection.buffered_amount(), batch);
        }
        if is_silent(&self.connection) {
            batch.push_silence(id, &mut self.silence_told);
        }
        self.watch();
    }

    fn tell_events(&mut self, id: u32, batch: &mut Batch) {
        let mut nothing = Input::empty();
        self.closed |= tell(&mut self.connection, &mut nothing, id, &NOWHERE, &mut self.silence_told, batch);
    }

    /// Writes as much as the socket takes, and ends it when the connection says so. Fails if the socket has failed.
    fn write(&mut self) -> Result<(), ()> {
        let Some((_, stream)) = &mut self.line else { return Ok(()) };
        while !self.blocked {
            let (length, written) = match self.connection.poll_transmit() {
                Some(Transmit::Write(segments)) => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    match segments.fill(&mut slices) {
                        1 => (slices[0].len(), stream.write(&slices[0])),
                        filled => {
                            let slices = &slices[..filled];
                            (slices.iter().map(|slice| slice.len()).sum(), stream.write_vectored(slices))
                        }
                    }
                }
                Some(Transmit::Shutdown) => {
                    stream.shutdown(Shutdown::Write).map_err(|_| ())?;
                    continue;
                }
                None => break,
            };
            match written {
                Ok(0) => return Err(()),
                Ok(count) => {
                    self.connection.transmitted(count);
                    self.blocked = count < length;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(()),
            }
        }
        Ok(())
    }

    fn watch(&mut self) {
        let wanted = if self.reads() { READABLE } else { 0 } | if self.blocked { WRITABLE } else { 0 };
        if wanted != self.watched
            && let Some((poll, _)) = &self.line
            && poll.watch(wanted)
        {
            self.watched = wanted;
        }
    }
}

/// Tells what a connection tells; whether it is closed.
fn tell(
    connection: &mut Connection,
    input: &mut Input<'_>,
    id: u32,
    chunk: &Range<usize>,
    silence_told: &mut bool,
    batch: &mut Batch,
) -> bool {
    let mut closed = false;
    while let Some(event) = connection.poll_event(input) {
        if matches!(event, Event::Closed(_)) {
            closed = true;
            if is_silent(connection) {
                batch.push_silence(id, silence_told);
            }
        }
        batch.push_event(id, event, chunk);
    }
    closed
}
