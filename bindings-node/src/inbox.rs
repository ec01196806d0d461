//! Where the tasks of the native driver leave what JavaScript is to hear.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use tokio::sync::watch;

use crate::batch::Batch;
use crate::in_loop::Handed;
use crate::native::{Arrival, runtime};

/// Wakes the JavaScript thread. It does not keep the process alive by itself: see `Hub.setAlive`.
pub type Wake = ThreadsafeFunction<(), (), (), Status, false, true>;

/// While this many bytes wait for JavaScript, connections that bring more stop reading.
const FULL: usize = 4 << 20;

/// The meeting point of one JavaScript environment and its connections.
pub struct Inbox {
    /// Whether open connections are handed over to the event loop of the environment.
    pub in_loop: bool,
    state: Mutex<State>,
    closing: watch::Sender<bool>,
}

struct State {
    batch: Batch,
    /// Requests whose numbers JavaScript will read in the records behind them.
    arrivals: Vec<(u32, Arrival)>,
    /// Connections that go on in the event loop, once what was told of them before is told.
    handed: Vec<Handed>,
    /// Connections that have stopped reading because the inbox was full.
    held: Vec<u32>,
    numbers: Numbers,
    /// `None` once the environment has ended.
    wake: Option<Wake>,
    /// JavaScript has been woken and has not come yet.
    woken: bool,
}

/// Gives out the numbers of connections, and takes them back.
#[derive(Default)]
struct Numbers {
    next: u32,
    free: Vec<u32>,
}

impl Inbox {
    /// An empty one.
    pub fn new(wake: Wake, in_loop: bool) -> Arc<Self> {
        Arc::new(Self {
            in_loop,
            state: Mutex::new(State {
                batch: Batch::default(),
                arrivals: Vec::new(),
                handed: Vec::new(),
                held: Vec::new(),
                numbers: Numbers::default(),
                wake: Some(wake),
                woken: false,
            }),
            closing: watch::Sender::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half-done where a panic could come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a connection or a listener.
    pub fn number(&self) -> u32 {
        let numbers = &mut self.state().numbers;
        numbers.free.pop().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next - 1
        })
    }

    /// Takes a number back.
    pub fn free(&self, number: u32) {
        self.state().numbers.free.push(number);
    }

    /// Leaves records for JavaScript. Whether the inbox is full: then `connection` shall stop reading until it is told
    /// that there is room again.
    pub fn post(&self, batch: &mut Batch, connection: u32) -> bool {
        let mut state = self.state();
        state.batch.append(batch);
        state.wake();
        let full = state.batch.size() > FULL;
        if full {
            state.held.push(connection);
        }
        full
    }

    /// Leaves a request, and the record that tells of it.
    pub fn arrive(&self, connection: u32, arrival: Arrival, batch: &mut Batch) {
        let mut state = self.state();
        state.arrivals.push((connection, arrival));
        state.batch.append(batch);
        state.wake();
    }

    /// Leaves a connection for the event loop.
    pub fn hand_over(&self, handed: Handed) {
        let mut state = self.state();
        // Nobody takes it any more where the environment has ended.
        if state.wake.is_some() {
            state.handed.push(handed);
            state.wake();
        }
    }

    /// Moves records to JavaScript; requests that arrived, and connections for which there is room again.
    pub fn take(
        &self,
        table: &mut [i32],
        slab: &mut [u8],
        from: usize,
        large: &mut VecDeque<Vec<u8>>,
    ) -> (Vec<(u32, Arrival)>, Vec<u32>) {
        let mut state = self.state();
        state.batch.move_into(table, slab, from, large);
        // If more waits, JavaScript is told so and comes again by itself.
        state.woken = !state.batch.is_empty();
        let held = if state.batch.is_empty() { std::mem::take(&mut state.held) } else { Vec::new() };
        (std::mem::take(&mut state.arrivals), held)
    }

    /// The connections that go on in the event loop from now on.
    pub fn take_handed(&self) -> Vec<Handed> {
        let mut state = self.state();
        // JavaScript comes again if more waits, and hears that a connection is open before what came over it.
        if state.batch.is_empty() { std::mem::take(&mut state.handed) } else { Vec::new() }
    }

    /// Lets a task run until it is done or the environment ends.
    pub fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let mut closing = self.closing.subscribe();
        // Boxed: a future that is moved into a task has its place there twice.
        let task = Box::pin(task);
        runtime()?.spawn(async move {
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => {}
                () = task => {}
            }
        });
        Ok(())
    }

    /// Runs something on the JavaScript thread with the function that wakes it, if the environment has not ended.
    pub fn with_wake<T>(&self, run: impl FnOnce(&mut Wake) -> T) -> Option<T> {
        self.state().wake.as_mut().map(run)
    }

    /// The environment ends: nothing more reaches it, and every task of it ends with its socket.
    pub fn close(&self) {
        // Taken under the lock, so that no task is in the middle of a call into the environment.
        let mut state = self.state();
        let ended = (state.wake.take(), std::mem::take(&mut state.handed));
        drop(state);
        drop(ended);
        self.closing.send_replace(true);
    }
}

impl State {
    fn wake(&mut self) {
        if self.woken || (self.batch.is_empty() && self.handed.is_empty()) {
            return;
        }
        if let Some(wake) = &self.wake {
            self.woken = wake.call((), ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok;
        }
    }
}
