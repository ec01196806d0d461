//! What connections hold when nothing happens on them: a server has tens of thousands of those.

use std::sync::Arc;

use itoden_core::deflate::DeflateConfig;
use itoden_core::{Config, Connection, Input, Message, MessageKind, SendError, Timestamp};

use crate::common::deflate::{always, shake_hands};
use crate::common::{FixedKey, transmit};
use crate::heap::{Heap, measure};

/// More than anything of a connection but a compressor or a window.
const SMALL: isize = 4096;

/// Everything that one end wants written goes to the other, which takes it.
fn carry(from: &mut Connection, to: &mut Connection) {
    let mut bytes = transmit(from);
    let mut input = to.handle_bytes(Timestamp::ZERO, &mut bytes);
    while to.poll_event(&mut input).is_some() {}
}

/// What is held on top of what was held after the same had happened once: buffers that a thread keeps for all its
/// connections are there by then.
fn held(mut happens: impl FnMut()) -> Heap {
    happens();
    measure(&mut happens).1
}

#[test]
fn a_connection_at_rest_holds_nothing_on_the_heap() {
    let exchange: fn(&mut Connection, &mut Connection) -> Result<(), SendError> = |client, server| {
        client.send(Message::text("Hello"))?;
        carry(client, server);
        server.send_shared(MessageKind::Binary, vec![7; 100_000].into())?;
        server.send_fragment(MessageKind::Text, b"in ", false)?;
        server.ping(b"now")?;
        server.send_fragment(MessageKind::Text, b"two", true)?;
        carry(server, client);
        carry(client, server);
        Ok(())
    };
    // The configuration is there once for all of a server's connections.
    let config = Arc::new(Config::default());
    let ((mut client, mut server), heap) =
        measure(|| (Connection::client(config.clone(), Box::new(FixedKey)), Connection::server(config.clone())));
    assert_eq!(heap.asked, 0, "one that was just opened: {heap:?}");
    exchange(&mut client, &mut server).unwrap();
    let heap = held(|| exchange(&mut client, &mut server).unwrap());
    assert!(heap.asked > 100_000, "a large message is put together: {heap:?}");
    assert_eq!(heap.kept, 0, "{heap:?}");
    assert_eq!(measure(move || drop((client, server))).1.kept, 0, "one that has talked");
}

#[test]
fn without_context_takeover_a_connection_at_rest_holds_no_compressor() {
    let config = DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..always() };
    let heap = measure(|| {
        let mut ends: Vec<_> = (0..50).map(|_| shake_hands(config.clone(), config.clone())).collect();
        for (client, server) in &mut ends {
            client.send(Message::text("Hello")).unwrap();
            carry(client, server);
            server.send(Message::text("Hello")).unwrap();
            carry(server, client);
        }
        ends
    })
    .1;
    // What the thread keeps for the next message of any connection is that of one compressor and one decompressor.
    assert!(heap.kept < 50 * SMALL + (512 << 10), "{heap:?}");
}

#[test]
fn a_thread_keeps_a_few_compressors_however_many_connections_have_ended() {
    let heap = measure(|| {
        let mut ends: Vec<_> = (0..20).map(|_| shake_hands(always(), always())).collect();
        for (client, server) in &mut ends {
            client.send(Message::text("Hello")).unwrap();
            carry(client, server);
        }
        drop(ends);
    })
    .1;
    assert!(heap.peak > 20 * (300 << 10), "each has its own while context takeover is agreed on: {heap:?}");
    assert!(heap.kept < 4 * (450 << 10), "four are kept: {heap:?}");
}

#[test]
fn a_compressor_that_is_released_is_not_held() {
    let mut ends: Vec<_> = (0..20).map(|_| shake_hands(always(), always())).collect();
    let (_, heap) = measure(|| {
        for (client, server) in &mut ends {
            client.send(Message::text("Hello")).unwrap();
            carry(client, server);
            client.release_compressor();
        }
    });
    // The servers keep their windows, for messages that refer to earlier ones; of compressors the thread keeps one.
    assert!(heap.kept < 20 * (64 << 10) + (450 << 10), "{heap:?}");
    let (client, _) = &mut ends[0];
    assert!(client.poll_event(&mut Input::empty()).is_none());
}
