//! An echo server: `cargo run -p itoden-net --example echo_server -- 127.0.0.1:9001`.
//!
//! It echoes from inside the driver: the answer is made while the message still lies in the read buffer.

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{HeadLimits, Headers};
use itoden_core::{Config, Connection, Event};
use itoden_net::{Handler, drive, read_request};
use tokio::net::{TcpListener, TcpStream};

struct Echo;

impl Handler for Echo {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        if let Event::Message(message) = event {
            // It fails only if the connection is closing by now, and then there is nobody to answer.
            let _ = connection.send(message);
        }
    }
}

async fn serve(stream: TcpStream, config: Arc<Config>) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_nodelay(true)?;
    let request = read_request(stream, HeadLimits::default()).await?;
    let opened = request.accept(None, &Headers::new(), config).await?;
    drive(opened.stream, opened.connection, opened.early, Echo).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);
    // Every message is compressed for clients that offer it.
    let deflate = Some(DeflateConfig { threshold: 0, ..DeflateConfig::default() });
    let config = Arc::new(Config { deflate, ..Config::default() });
    loop {
        let (stream, peer) = listener.accept().await?;
        let config = config.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, config).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}
