//! The task that drives one open connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use itoden_core::{Connection, Event, ReadyState};
use itoden_net::{Driver, Handler, Opened};
use tokio::net::TcpStream;

use super::ledger::Ledger;
use super::{Gauges, Letter, Mailbox};
use crate::batch::{Batch, RecordKind, abnormal, is_silent};
use crate::in_loop::Handed;
use crate::inbox::Inbox;
use crate::order::{Order, OrderKind};

/// Passes on what a connection tells, once a batch.
struct Forwarder {
    id: u32,
    inbox: Arc<Inbox>,
    batch: Batch,
    /// Whether the inbox was full, so that reading waits.
    held: bool,
    ledger: Ledger,
    /// The last record of this connection is made.
    closed: bool,
    /// JavaScript knows that the peer has fallen silent.
    silence_told: bool,
    gauges: Arc<Gauges>,
}

impl Forwarder {
    fn post(&mut self) {
        if !self.batch.is_empty() {
            self.held |= self.inbox.post(&mut self.batch, self.id);
        }
    }

    /// Confirms what is written, while `buffered` payload bytes still wait. Nothing comes behind the last record: JavaScript
    /// may have given the number to another connection by then.
    fn confirm(&mut self, buffered: u64) {
        if !self.closed {
            self.ledger.confirm(self.id, buffered, &mut self.batch);
        }
    }

    fn tell_silence(&mut self, silent: bool) {
        if silent && !self.closed {
            self.batch.push_silence(self.id, &mut self.silence_told);
        }
    }

    fn measure(&self, connection: &Connection) {
        if let Some(latency) = connection.latency() {
            self.gauges.latency.store((latency.as_micros() as u64).max(1), Ordering::Relaxed);
        }
    }
}

impl Handler for Forwarder {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        match event {
            Event::Closed(_) => {
                self.tell_silence(is_silent(connection));
                self.closed = true;
            }
            // Before JavaScript hears of the pong.
            Event::Pong(_) => self.measure(connection),
            _ => {}
        }
        // The read buffer is lent for this call only, so nothing stays in a chunk.
        self.batch.push_event(self.id, event, &(0..0));
    }

    fn on_batch_end(&mut self, connection: &mut Connection) {
        self.post();
        if self.held {
            connection.pause_reading();
        }
    }

    fn on_written(&mut self, buffered_amount: u64) {
        self.confirm(buffered_amount);
    }
}

struct Task {
    driver: Driver<TcpStream, Forwarder>,
    mailbox: Mailbox,
    /// JavaScript asked to pause.
    paused: bool,
    orphaned: bool,
}

/// Drives a connection until it is closed: in the event loop of its environment if that serves sockets, or else on a task of
/// its own, since that of its handshake was larger.
pub fn start(mut opened: Opened<TcpStream>, id: u32, inbox: &Arc<Inbox>, mailbox: Mailbox) {
    // JavaScript hears of messages on its own thread, and its answers come later.
    opened.connection.hold_endings(opened.connection.config().close_timeout);
    if inbox.in_loop {
        return hand_over(opened, id, inbox, mailbox);
    }
    let handler = Forwarder {
        id,
        inbox: inbox.clone(),
        batch: Batch::default(),
        held: false,
        ledger: Ledger::default(),
        closed: false,
        silence_told: false,
        gauges: mailbox.gauges.clone(),
    };
    let mut task = Task {
        driver: Driver::new(opened.stream, opened.connection, opened.early, handler),
        mailbox,
        paused: false,
        orphaned: false,
    };
    // Only a runtime that could not be started refuses a task, and this is called on it.
    let _ = inbox.spawn(poll_fn(move |cx| task.poll(cx)));
}

fn hand_over(opened: Opened<TcpStream>, id: u32, inbox: &Inbox, mailbox: Mailbox) {
    let Opened { connection, stream, early, .. } = opened;
    match stream.into_std() {
        Ok(stream) => inbox.hand_over(Handed { id, connection, stream, early, mailbox }),
        // The system has lost the socket.
        Err(_) => {
            let mut batch = Batch::default();
            batch.push_json(id, RecordKind::Closed, &abnormal());
            inbox.post(&mut batch, id);
        }
    }
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.orphaned {
            match self.mailbox.letters.poll_recv(cx) {
                Poll::Ready(Some(Letter::Order(order))) => self.perform(&order),
                Poll::Ready(Some(Letter::Room)) => {
                    self.driver.handler().held = false;
                    self.read_or_not();
                }
                Poll::Ready(None) => {
                    self.orphaned = true;
                    self.driver.connection().handle_eof(itoden_net::now());
                }
                Poll::Pending => break,
            }
        }
        let done = self.driver.poll(cx);
        self.report();
        done
    }

    fn perform(&mut self, order: &Order<bytes::Bytes>) {
        if matches!(order.kind, OrderKind::Pause | OrderKind::Resume) {
            self.paused = matches!(order.kind, OrderKind::Pause);
            return self.read_or_not();
        }
        let (forwarder, connection) = self.driver.parts();
        forwarder.ledger.perform(forwarder.id, order, connection, &mut forwarder.batch);
    }

    fn read_or_not(&mut self) {
        if self.paused || self.driver.handler().held {
            self.driver.connection().pause_reading();
        } else {
            self.driver.connection().resume_reading();
        }
    }

    /// Tells how much is written.
    fn report(&mut self) {
        let connection = self.driver.connection();
        let buffered = connection.buffered_amount();
        // A connection that closes without having said so could not write: what it gave up is not written.
        let open = connection.ready_state() == ReadyState::Open || connection.is_ending_held();
        let writes = open || connection.close_sent();
        let silent = is_silent(connection);
        let forwarder = self.driver.handler();
        self.mailbox.gauges.settled.store(forwarder.ledger.settled(buffered), Ordering::Relaxed);
        if writes {
            forwarder.confirm(buffered);
        }
        forwarder.tell_silence(silent);
        forwarder.post();
        if forwarder.held {
            self.driver.connection().pause_reading();
        }
    }
}
