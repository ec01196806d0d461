//! The in-loop driver: sockets that are served in Node's own event loop, on the JavaScript thread, without a thread between
//! the socket and who hears of it.
//!
//! - [`uv`]: libuv, behind safe handles
//! - [`socket`]: one connection and its socket
//!
//! libuv tells which sockets are ready, and that is noted. Behind each round of the loop, if there are any, JavaScript is
//! called once, and calls back with its table and its slab (`Hub.serve`): the sockets are read straight into the slab,
//! frames are decoded where they lie, and what JavaScript sends is written when it has heard everything. So a message costs
//! a call of `epoll_wait` or `kevent`, a `recv` and a `send`, and nothing is read that JavaScript has no room for.

pub mod socket;
pub mod uv;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::net::TcpStream;
use std::rc::Rc;

use itoden_core::{Connection, Timestamp};
use itoden_net::now;
use napi::Env;
use napi::bindgen_prelude::Function;

use crate::native::Mailbox;
use socket::Socket;
use uv::{Callback, Check, Loop, Poll, READABLE, Timer};

/// A socket has failed, and its poll has been stopped by libuv.
pub const BROKEN: u8 = 4;
/// The time of a connection has come.
pub const DUE: u8 = 8;

/// A connection that comes from the thread of its handshake.
pub struct Handed {
    /// Its number.
    pub id: u32,
    /// The open connection.
    pub connection: Connection,
    /// Its socket, which does not block.
    pub stream: TcpStream,
    /// What came behind the handshake.
    pub early: Vec<u8>,
    /// What JavaScript has asked of it by now.
    pub mailbox: Mailbox,
}

/// What is ready, and when who is due: shared by the sockets of one environment.
pub struct Plane {
    uv: Rc<Loop>,
    /// Calls `Hub.serve`.
    serve: Callback,
    ready: RefCell<VecDeque<u32>>,
    /// By the number of a connection, what it is ready for; not 0 for those in `ready`.
    flags: RefCell<Vec<u8>>,
    deadlines: RefCell<BTreeSet<(Timestamp, u32)>>,
    /// When the timer runs.
    armed: Cell<Option<Timestamp>>,
    timer: OnceCell<Timer>,
    check: OnceCell<Check>,
}

impl Plane {
    /// Starts, where the host runs on the libuv that it says: this version.
    pub fn start(env: &Env, serve: &Function<'_, (), ()>, version: &str) -> napi::Result<Option<Rc<Self>>> {
        let Some(uv) = Loop::of(env, version) else { return Ok(None) };
        let plane = Rc::new(Self {
            serve: Callback::new(env, serve)?,
            ready: RefCell::default(),
            flags: RefCell::default(),
            deadlines: RefCell::default(),
            armed: Cell::new(None),
            timer: OnceCell::new(),
            check: OnceCell::new(),
            uv,
        });
        // The handles belong to the plane, so they must not keep it.
        let [weak, same] = [Rc::downgrade(&plane), Rc::downgrade(&plane)];
        let check = Check::new(&plane.uv, move || weak.upgrade().into_iter().for_each(|plane| plane.call()));
        let timer = Timer::new(&plane.uv, move || same.upgrade().into_iter().for_each(|plane| plane.expire()));
        let (Some(check), Some(timer)) = (check, timer) else { return Ok(None) };
        let _ = (plane.check.set(check), plane.timer.set(timer));
        Ok(Some(plane))
    }

    /// Watches the socket of a connection.
    pub fn watch(self: &Rc<Self>, id: u32, stream: &TcpStream) -> Option<Poll> {
        let plane = self.clone();
        let poll = Poll::new(&self.uv, stream, move |events| plane.mark(id, events.unwrap_or(READABLE | BROKEN)))?;
        poll.watch(READABLE).then_some(poll)
    }

    /// Notes what a connection is ready for.
    pub fn mark(&self, id: u32, what: u8) {
        let mut flags = self.flags.borrow_mut();
        let index = id as usize;
        if flags.len() <= index {
            flags.resize(index + 1, 0);
        }
        if flags[index] == 0 {
            self.ready.borrow_mut().push_back(id);
        }
        flags[index] |= what;
    }

    /// The next connection that is ready, and for what.
    pub fn next(&self) -> Option<(u32, u8)> {
        let id = self.ready.borrow_mut().pop_front()?;
        Some((id, std::mem::take(&mut self.flags.borrow_mut()[id as usize])))
    }

    /// Whether a connection is ready.
    pub fn is_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    fn call(&self) {
        if self.is_ready() {
            self.serve.call();
        }
    }

    /// A connection may have another deadline than before.
    pub fn reschedule(&self, id: u32, socket: &mut Socket) {
        let (after, before) = socket.deadline();
        if before == after {
            return;
        }
        let mut deadlines = self.deadlines.borrow_mut();
        if let Some(before) = before {
            deadlines.remove(&(before, id));
        }
        if let Some(after) = after {
            deadlines.insert((after, id));
            // A time that comes later than the timer's is seen when that has run.
            if self.armed.get().is_none_or(|armed| after < armed) {
                self.arm(after);
            }
        }
    }

    fn arm(&self, at: Timestamp) {
        self.armed.set(Some(at));
        let wait = at.since(now()).as_micros().div_ceil(1000);
        if let Some(timer) = self.timer.get() {
            timer.set(Some(u64::try_from(wait).unwrap_or(u64::MAX)));
        }
    }

    /// The timer has run. Who is due is served like who can be read, and read first: if this thread was busy for long, a sign
    /// of life may wait in the socket.
    fn expire(&self) {
        self.armed.set(None);
        let now = now();
        let mut deadlines = self.deadlines.borrow_mut();
        while let Some(&(at, id)) = deadlines.first() {
            // A timer counts whole milliseconds by a clock that is read once a round, so it may come early: it is set once more.
            if at > now {
                self.arm(at);
                break;
            }
            deadlines.pop_first();
            self.mark(id, READABLE | DUE);
        }
        drop(deadlines);
        self.call();
    }
}
