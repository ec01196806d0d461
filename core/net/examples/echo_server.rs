//! An echo server: `cargo run -p itoden-net --example echo_server -- 127.0.0.1:9001`.
//!
//! It echoes from inside the driver: the answer is made while the message still lies in the read buffer.
//!
//! `--tls FILE`, with a certificate and its key as PEM, serves TLS too, at a port of its own. `--poll` asks the system for
//! what came again and again rather than sleep until it comes: a core is then always busy, and no client pays for waking
//! the server, as no client does whose server is another machine; benchmarks of clients want that.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::handshake::{HeadLimits, Headers};
use itoden_core::{Config, Connection, Event};
use itoden_net::{Handler, drive, read_request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

type Failure = Box<dyn Error + Send + Sync>;

struct Echo;

impl Handler for Echo {
    fn on_event(&mut self, event: Event<'_>, connection: &mut Connection) {
        if let Event::Message(message) = event {
            // It fails only if the connection is closing by now, and then there is nobody to answer.
            let _ = connection.send(message);
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, config: Arc<Config>) -> Result<(), Failure> {
    let request = read_request(stream, HeadLimits::default()).await?;
    let opened = request.accept(None, &Headers::new(), config).await?;
    drive(opened.stream, opened.connection, opened.early, Echo).await;
    Ok(())
}

async fn secure(stream: TcpStream, tls: Option<TlsAcceptor>, config: Arc<Config>) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => serve(tls.accept(stream).await?, config).await,
        None => serve(stream, config).await,
    }
}

async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, config: Arc<Config>) -> Result<(), Failure> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let connection = secure(stream, tls.clone(), config.clone());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn acceptor(file: &str) -> Result<TlsAcceptor, Failure> {
    let chain = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(file)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn run(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<(), Failure> {
    // Every message is compressed for clients that offer it.
    let deflate = Some(DeflateConfig { threshold: 0, ..DeflateConfig::default() });
    let config = Arc::new(Config { deflate, ..Config::default() });
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}/", listener.local_addr()?);
    if tls.is_some() {
        let listener = TcpListener::bind((address.ip(), 0)).await?;
        println!("wss://localhost:{}/", listener.local_addr()?.port());
        tokio::spawn(listen(listener, tls, config.clone()));
    }
    listen(listener, None, config).await
}

fn main() -> Result<(), Failure> {
    let (mut address, mut tls, mut polls) = ("127.0.0.1:9001".parse()?, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--poll" => polls = true,
            "--tls" => tls = Some(acceptor(&arguments.next().ok_or("--tls wants a file")?)?),
            listens => address = listens.parse()?,
        }
    }
    if !polls {
        return Builder::new_multi_thread().enable_all().build()?.block_on(run(address, tls));
    }
    // A task that is always ready keeps the runtime from sleeping; after each of its turns the system is asked.
    Builder::new_current_thread().enable_all().event_interval(1).build()?.block_on(async {
        tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        run(address, tls).await
    })
}
