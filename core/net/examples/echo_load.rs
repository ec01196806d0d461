//! Load for echo servers: `cargo run --release -p itoden-net --example echo_load -- 127.0.0.1:9001 64 1024 16` opens 64
//! connections for binary messages of 1,024 bytes, 16 of them in flight on each, and prints `ready`. Words may follow: with
//! `deflate` permessage-deflate is offered; with `poll` the load does not sleep during a run, so that no server pays for waking
//! it, as none does whose clients are other machines.
//!
//! Then each line of the standard input is a number of milliseconds: so long every echo is answered by the next message.
//! Once the last echo is there a line tells how many messages went both ways, and in how many seconds. With 0, each
//! connection sends what may be in flight, once. At the end of the input it ends.
//!
//! All of it runs on one thread, which does nothing between two runs.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::stdin;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use itoden_core::deflate::DeflateConfig;
use itoden_core::{Config, Connection, Event, Message};
use itoden_net::{ConnectOptions, Driver, Handler, Opened, connect};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::sleep;

/// What all connections share.
struct Load {
    connections: usize,
    payload: Vec<u8>,
    in_flight: usize,
    /// Whether it is never to sleep during a run.
    polls: bool,
    /// Whether an echo is answered by the next message.
    running: Cell<bool>,
    echoed: Cell<u64>,
    /// Messages of this run whose echo is the last of its line and is not there yet.
    outstanding: Cell<usize>,
    drained: Notify,
}

impl Load {
    /// One run, to its last echo; how long it took.
    async fn run(&self, duration: Duration, begin: &watch::Sender<()>) -> Duration {
        let began = Instant::now();
        self.echoed.set(0);
        self.outstanding.set(self.connections * self.in_flight);
        self.running.set(!duration.is_zero());
        begin.send_replace(());
        let echoes = async {
            sleep(duration).await;
            self.running.set(false);
            self.drained.notified().await;
        };
        // What is always ready keeps the runtime from sleeping; the system is asked whenever nothing else is ready.
        let polling = async {
            if self.polls {
                loop {
                    yield_now().await;
                }
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = echoes => {}
            () = polling => {}
        }
        began.elapsed()
    }

    fn send(&self, connection: &mut Connection) {
        if let Err(error) = connection.send(Message::binary(&self.payload[..])) {
            give_up(&format!("a message could not be sent: {error}"));
        }
    }
}

struct Line(Rc<Load>);

impl Handler for Line {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        let load = &self.0;
        match event {
            Event::Message(Message::Binary(data))
                if data.len() == load.payload.len() && data.last() == load.payload.last() =>
            {
                load.echoed.set(load.echoed.get() + 1);
                if load.running.get() {
                    return load.send(connection);
                }
                load.outstanding.set(load.outstanding.get() - 1);
                if load.outstanding.get() == 0 {
                    load.drained.notify_one();
                }
            }
            Event::Message(_) => give_up("a message came back that is not the one sent"),
            Event::Closed(_) => give_up("the server has closed a connection"),
            _ => {}
        }
    }
}

/// A load that is not what was asked for must not be measured.
fn give_up(reason: &str) -> ! {
    eprintln!("echo_load: {reason}");
    exit(1);
}

/// Drives a connection for ever, and sends its first messages whenever a run begins.
async fn drive(opened: Opened<TcpStream>, load: Rc<Load>, mut begin: watch::Receiver<()>) {
    let mut driver = Driver::new(opened.stream, opened.connection, opened.early, Line(load.clone()));
    loop {
        tokio::select! {
            biased;
            () = poll_fn(|cx| driver.poll(cx)) => return,
            begun = begin.changed() => match begun {
                Ok(()) => (0..load.in_flight).for_each(|_| load.send(driver.connection())),
                Err(_) => return,
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, size, in_flight, words @ ..] = &arguments[..] else {
        give_up(
            "the address, how many connections, how many bytes a message, and how many messages in flight are to be given",
        );
    };
    if let Some(unknown) = words.iter().find(|word| !["deflate", "poll"].contains(&word.as_str())) {
        give_up(&format!("{unknown:?} is none of the arguments; only `deflate` and `poll` may follow"));
    }
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    let deflate = has("deflate").then(DeflateConfig::default);
    let options =
        ConnectOptions { config: Arc::new(Config { deflate, ..Config::default() }), ..ConnectOptions::default() };
    let load = Rc::new(Load {
        connections: connections.parse()?,
        payload: (0..size.parse::<usize>()?).map(|index| index.to_le_bytes()[0]).collect(),
        in_flight: in_flight.parse()?,
        polls: has("poll"),
        running: Cell::new(false),
        echoed: Cell::new(0),
        outstanding: Cell::new(0),
        drained: Notify::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let (begin, begun) = watch::channel(());
    local.block_on(&runtime, async {
        for _ in 0..load.connections {
            match connect(&format!("ws://{address}/"), options.clone()).await {
                Ok(opened) => spawn_local(drive(opened, load.clone(), begun.clone())),
                Err(error) => give_up(&error.to_string()),
            };
        }
    });
    println!("ready");
    for line in stdin().lines() {
        let duration = Duration::from_millis(line?.parse()?);
        let took = local.block_on(&runtime, load.run(duration, &begin));
        println!("{} {}", load.echoed.get(), took.as_secs_f64());
    }
    Ok(())
}
