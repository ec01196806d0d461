//! The client under test of the Autobahn suite: `wstest -m fuzzingserver`, then
//! `cargo run -p itoden-net --example autobahn_client -- 127.0.0.1:9001`.

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::{Config, Connection, Event, Message};
use itoden_net::{ConnectOptions, Handler, WebSocket, connect, drive};

const AGENT: &str = "itoden";

struct Echo;

impl Handler for Echo {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        if let Event::Message(message) = event {
            // It fails only if the connection is closing by now, and then there is nobody to answer.
            let _ = connection.send(message);
        }
    }
}

fn options() -> ConnectOptions {
    let deflate = Some(DeflateConfig { threshold: 0, ..DeflateConfig::default() });
    ConnectOptions { config: Arc::new(Config { deflate, ..Config::default() }), ..ConnectOptions::default() }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let mut socket = WebSocket::new(connect(&format!("ws://{server}/getCaseCount"), options()).await?);
    let Some(Message::Text(count)) = socket.next().await else { return Err("the server gave no count".into()) };
    let count: u32 = count.parse()?;
    for case in 1..=count {
        let opened = connect(&format!("ws://{server}/runCase?case={case}&agent={AGENT}"), options()).await?;
        drive(opened.stream, opened.connection, opened.early, Echo).await;
    }
    let mut socket = WebSocket::new(connect(&format!("ws://{server}/updateReports?agent={AGENT}"), options()).await?);
    while socket.next().await.is_some() {}
    println!("{count} cases run");
    Ok(())
}
