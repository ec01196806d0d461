//! What messages take: the calls over streams that [`shortcut`](crate::shortcut) hands out, and sockets in the event loop.

use itoden_net::now;

use super::{Hub, Slot, check};
use crate::batch::{RecordKind, abnormal};
use crate::error::Result;
use crate::in_loop::Handed;
use crate::in_loop::socket::Socket;
use crate::in_loop::uv::READABLE;
use crate::native::Letter;

/// A slab with less room than this part of it is not read into.
const LEAST_ROOM: usize = 16;

/// The read buffer for long frames.
const LONG: usize = 256 << 10;

/// What is read before JavaScript is to hear of it: bytes, and records.
const BATCH: (usize, usize) = (1 << 20, 1024);

impl Hub {
    /// A chunk came over a stream: decodes it, and moves what comes of it as `take`.
    pub fn decode(&mut self, id: u32, chunk: &mut [u8], table: &mut [i32], slab: &mut [u8], from: usize) -> Result<()> {
        check(table)?;
        self.with_stream(id, |stream, batch| stream.feed(id, chunk, batch));
        self.local.move_into(table, slab, from, &mut self.large);
        Ok(())
    }

    /// Does what orders ask, as `submit`, and moves what comes of it over streams and in the event loop, as `take`.
    pub fn encode(
        &mut self,
        orders: &[i32],
        count: u32,
        payloads: &[u8],
        table: &mut [i32],
        slab: &mut [u8],
        from: usize,
    ) -> Result<()> {
        check(table)?;
        self.submit(orders, count, payloads)?;
        // In this order connections are heard of; the list keeps its memory.
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            match self.slots.get_mut(id as usize) {
                Some(Slot::Stream(stream)) => stream.settle(id, &mut self.local),
                Some(Slot::Looped(socket)) => {
                    socket.settle(id, &mut self.local);
                    if let Some(plane) = &self.plane {
                        plane.reschedule(id, socket);
                    }
                }
                _ => {}
            }
        }
        self.touched = touched;
        self.local.move_into(table, slab, from, &mut self.large);
        Ok(())
    }

    /// Serves sockets of the event loop that are ready: reads them straight into the slab, from `from` on, so that payloads are
    /// told to lie in a chunk, which is the slab. Whether there are more.
    pub fn serve(&mut self, table: &mut [i32], slab: &mut [u8], from: usize) -> Result<bool> {
        check(table)?;
        let Some(plane) = self.plane.clone() else { return Ok(false) };
        let start = slab.as_ptr().addr();
        let (chunk, least) = (start..start + slab.len(), slab.len() / LEAST_ROOM);
        let now = now();
        let (mut used, mut taken) = (from, 0);
        while slab.len() > used + least && taken + self.local.size() < BATCH.0 && self.local.len() < BATCH.1 {
            let Some((id, ready)) = plane.next() else { break };
            let Some(Slot::Looped(socket)) = self.slots.get_mut(id as usize) else { continue };
            let room = &mut slab[used..];
            let missing = usize::try_from(socket.missing()).unwrap_or(usize::MAX);
            let more = if missing > room.len() {
                self.long.resize(LONG, 0);
                taken += missing.min(LONG);
                let long = &mut self.long[..missing.min(LONG)];
                socket.serve(id, ready, long, &(0..0), now, &mut self.local) && socket.missing() > 0
            } else {
                socket.serve(id, ready, room, &chunk, now, &mut self.local)
            };
            used = self.local.take_chunk_end(used);
            plane.reschedule(id, socket);
            if more {
                plane.mark(id, READABLE);
            }
        }
        self.local.move_into(table, slab, used, &mut self.large);
        table[1] += (used - from) as i32;
        Ok(plane.is_ready())
    }

    /// A connection goes on in the event loop, with what was asked of it meanwhile.
    pub(super) fn install(&mut self, handed: Handed) {
        let Handed { id, connection, stream, early, mut mailbox } = handed;
        let (Some(plane), Some(slot @ Slot::Native(_))) = (&self.plane, self.slots.get_mut(id as usize)) else {
            return;
        };
        let Some(poll) = plane.watch(id, &stream) else {
            self.local.push_json(id, RecordKind::Closed, &abnormal());
            return plane.mark(id, READABLE);
        };
        let mut socket = Socket::new(connection, poll, stream, early);
        while let Ok(letter) = mailbox.letters.try_recv() {
            if let Letter::Order(order) = letter {
                socket.perform(id, &order, &mut self.local);
            }
        }
        *slot = Slot::Looped(Box::new(socket));
        plane.mark(id, READABLE);
    }
}
