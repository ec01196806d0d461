//! Connecting.

use std::io;
use std::sync::Arc;

use itoden_net::{ConnectOptions, Opened, connect};
use serde_json::json;
use tokio::net::TcpStream;

use super::listener::addresses;
use super::{Letter, Mailbox, Native, connection};
use crate::batch::{Batch, RecordKind};
use crate::deflate::agreement_json;
use crate::error::connect_json;
use crate::handshake::raw_headers;
use crate::inbox::Inbox;
use crate::order::OrderKind;

/// Starts to connect; records with the number `id` tell how it goes on.
pub fn start(inbox: &Arc<Inbox>, id: u32, url: String, options: ConnectOptions) -> io::Result<Native> {
    let (native, mailbox) = Native::new();
    inbox.spawn(run(inbox.clone(), id, url, options, mailbox))?;
    Ok(native)
}

/// Tells exactly one record that ends the number's use: `ConnectFailed`, or `Closed` once it was `Opened`.
async fn run(inbox: Arc<Inbox>, id: u32, url: String, options: ConnectOptions, mut mailbox: Mailbox) {
    let attempt = tokio::select! {
        attempt = connect(&url, options) => Some(attempt),
        // JavaScript knows why, and asks no more.
        () = given_up(&mut mailbox) => None,
    };
    let mut batch = Batch::default();
    match attempt {
        None => {
            batch.push_json(id, RecordKind::ConnectFailed, &json!({ "message": "the connection was given up" }));
            inbox.post(&mut batch, id);
        }
        Some(Ok(opened)) => {
            batch.push_json(id, RecordKind::Opened, &opened_json(&opened));
            inbox.post(&mut batch, id);
            connection::start(opened, id, &inbox, mailbox);
        }
        Some(Err(error)) => {
            batch.push_json(id, RecordKind::ConnectFailed, &connect_json(&error));
            inbox.post(&mut batch, id);
        }
    }
}

/// Ready once JavaScript does not want the connection any more. Before it is open nothing else can be asked of it.
async fn given_up(mailbox: &mut Mailbox) {
    while let Some(letter) = mailbox.letters.recv().await {
        if matches!(letter, Letter::Order(order) if matches!(order.kind, OrderKind::Terminate)) {
            return;
        }
    }
}

fn opened_json(opened: &Opened<TcpStream>) -> serde_json::Value {
    let response = opened.response.as_ref();
    json!({
        "status": response.map(|response| response.status),
        "reason": response.map(|response| response.reason.as_str()),
        "minorVersion": response.map(|response| response.version.minor()),
        "rawHeaders": response.map(|response| raw_headers(&response.headers)),
        "subprotocol": opened.connection.subprotocol(),
        "addresses": opened.stream.peer_addr().ok().map(|remote| addresses(&opened.stream, remote)),
        "deflate": opened.connection.deflate().map(|params| agreement_json(&params)),
    })
}
