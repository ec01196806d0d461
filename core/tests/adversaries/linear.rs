//! Time in proportion to the bytes, by counting machine steps and the bytes asked of the heap.
//!
//! - What comes in parts: the next part takes the same steps whether little or much came before it. Whatever looks at, adds
//!   up or moves what is there already shows here at once.
//! - What is read at one go: twice the input takes at most twice the steps.
//! - Of both: twice the input asks at most twice the bytes of the heap.

use bytes::Bytes;
use itoden_core::handshake::HeadLimits;
use itoden_core::handshake::headers::{Headers, extensions, subprotocols};
use itoden_core::handshake::http1::HeadReader;
use itoden_core::{Config, Connection, Event, Message, MessageKind, Timestamp, Transmit};

use crate::common::{connection, deflating};
use crate::heap::measure;

/// A twentieth more is no growth: a number may have one more digit, memory may be aligned in another way.
fn is_at_most(what: &str, much: usize, allowed: usize) {
    const NOISE: usize = 500;
    assert!(much * 20 <= allowed * 21 + NOISE, "{what}: {much}, where {allowed} are allowed");
}

/// Runs `next` on what `make` makes of few and of many units: the steps must be the same.
fn the_next_part_costs_the_same<T>(make: impl Fn(usize) -> T, next: impl Fn(&mut T)) {
    let asked = |units| measure(|| make(units)).1.asked;
    // What a thread keeps for its connections is made once.
    asked(1);
    is_at_most("bytes of the heap for twice the input", asked(8000), 2 * asked(4000));
    // None of the two is where a buffer that grows by doubling does so.
    let [_, few, many] = [100, 1100, 17_600].map(|units| {
        let mut state = make(units);
        steps(|| next(&mut state))
    });
    is_at_most("machine steps behind sixteen times as much", many, few);
}

/// Runs `work` on what `make` makes of some units, and of twice as many.
fn twice_the_input_costs_twice<T>(units: usize, make: impl Fn(usize) -> T, work: impl Fn(T)) {
    let asked = |units| {
        let input = make(units);
        measure(|| work(input)).1.asked
    };
    is_at_most("bytes of the heap for twice the input", asked(units * 128), 2 * asked(units * 64));
    // What the first unit costs is not counted: it has all that is done once, and would hide what grows. Before it comes
    // one run in which the program finds out what the processor can do.
    let [_, first, once, twice] = [1, 1, 1 + units, 1 + 2 * units].map(|units| {
        let input = make(units);
        steps(|| work(input))
    });
    is_at_most("machine steps for twice the input", twice - first, 2 * (once - first));
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn steps(work: impl FnOnce()) -> usize {
    crate::steps::count(work) as usize
}

/// Nothing to count with: there the heap alone is compared.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn steps(work: impl FnOnce()) -> usize {
    work();
    0
}

/// The longest head that is read here; its fields are few, so that it is the bytes that count.
const LIMITS: HeadLimits = HeadLimits { max_head_size: 1 << 20, max_headers: 2, ..HeadLimits::DEFAULT };

/// A reader to which the beginning of a head has come, and behind it so many bytes of a field.
fn reader(beginning: &str, bytes: usize) -> HeadReader {
    let mut reader = HeadReader::new(LIMITS);
    let head = [beginning.as_bytes(), b"\r\nX: ", &b"a".repeat(bytes)].concat();
    assert!(head.chunks(1).all(|byte| reader.push(byte) == Ok(None)));
    reader
}

fn push_bytes(reader: &mut HeadReader) {
    for _ in 0..8 {
        assert_eq!(reader.push(b"b"), Ok(None));
    }
}

#[test]
fn a_request_that_comes_byte_by_byte_is_read_in_linear_time() {
    the_next_part_costs_the_same(|bytes| reader("GET / HTTP/1.1", bytes), push_bytes);
    let whole = |bytes| {
        let mut reader = reader("GET / HTTP/1.1", bytes);
        assert_eq!(reader.push(b"\r\n\r\n"), Ok(Some(4)));
        reader
    };
    twice_the_input_costs_twice(80, whole, |reader| assert_eq!(reader.request().unwrap().headers.len(), 1));
}

#[test]
fn a_response_that_comes_byte_by_byte_is_read_in_linear_time() {
    the_next_part_costs_the_same(|bytes| reader("HTTP/1.1 101 OK", bytes), push_bytes);
    let whole = |bytes| {
        let mut reader = reader("HTTP/1.1 101 OK", bytes);
        assert_eq!(reader.push(b"\r\n\r\n"), Ok(Some(4)));
        reader
    };
    twice_the_input_costs_twice(80, whole, |reader| assert_eq!(reader.response().unwrap().headers.len(), 1));
}

#[test]
fn a_subprotocol_with_spaces_in_it_is_refused_in_linear_time() {
    // An error shows the first 80 characters: what it takes to show them is no part of the growth.
    let make = |spaces| Headers::from_iter([("Sec-WebSocket-Protocol", format!("b{}x", " ".repeat(5000 + spaces)))]);
    twice_the_input_costs_twice(20_000, make, |headers| assert!(subprotocols(&headers).is_err()));
}

#[test]
fn an_extension_with_an_open_quote_is_refused_in_linear_time() {
    let make =
        |pairs| Headers::from_iter([("Sec-WebSocket-Extensions", format!("x; y=\"{}", "\\c".repeat(40 + pairs)))]);
    twice_the_input_costs_twice(25, make, |headers| assert!(extensions(&headers).is_err()));
}

/// Gives frames of a server to a client, which must tell of as many events.
fn receive(client: &mut Connection, frames: &[u8], size: usize, events: usize) {
    let mut told = 0;
    let mut bytes = frames.to_vec();
    for chunk in bytes.chunks_mut(size) {
        let mut input = client.handle_bytes(Timestamp::ZERO, chunk);
        while let Some(event) = client.poll_event(&mut input) {
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
            told += 1;
        }
    }
    assert_eq!(told, events);
}

/// A client to which a frame came, and then so many others.
fn client(first: &[u8], others: &[u8], count: usize) -> Connection {
    let mut client = connection("client", Config::default());
    receive(&mut client, first, usize::MAX, 0);
    receive(&mut client, &others.repeat(count), usize::MAX, 0);
    client
}

/// A fragment of sixteen letters.
const FRAGMENT: &[u8] = b"\x00\x10aaaaaaaaaaaaaaaa";

#[test]
fn a_message_in_many_fragments_is_put_together_in_linear_time() {
    let next = |client: &mut Connection| receive(client, &FRAGMENT.repeat(6), usize::MAX, 0);
    the_next_part_costs_the_same(|count| client(b"\x02\x00", FRAGMENT, count), next);
}

#[test]
fn a_text_in_many_fragments_is_checked_in_linear_time() {
    let next = |client: &mut Connection| receive(client, &FRAGMENT.repeat(6), usize::MAX, 0);
    the_next_part_costs_the_same(|count| client(b"\x01\x00", FRAGMENT, count), next);
}

#[test]
fn a_message_that_comes_byte_by_byte_is_put_together_in_linear_time() {
    for first in [b"\x81\x7f\0\0\0\0\0\x0f\0\0", b"\x82\x7f\0\0\0\0\0\x0f\0\0"] {
        let make = |bytes| {
            let mut client = client(first, b"", 0);
            receive(&mut client, &b"a".repeat(bytes), 1, 0);
            client
        };
        the_next_part_costs_the_same(make, |client| receive(client, b"bbbbbbbb", 1, 0));
    }
}

#[test]
fn compressed_messages_in_tiny_pieces_are_read_in_linear_time() {
    // A fragment with one letter in a block that is stored and not compressed.
    let fragment = [0, 6, 0, 1, 0, 0xfe, 0xff, b'a'];
    for first in [[0x41, 0], [0x42, 0]] {
        let make = |count| {
            let mut client = deflating("client", "permessage-deflate", Config::default());
            receive(&mut client, &first, usize::MAX, 0);
            receive(&mut client, &fragment.repeat(count), usize::MAX, 0);
            client
        };
        the_next_part_costs_the_same(make, |client| receive(client, &fragment.repeat(4), usize::MAX, 0));
    }
}

#[test]
fn a_flood_of_pings_is_answered_in_linear_time() {
    let make = |count| {
        let mut client = client(b"", b"", 0);
        receive(&mut client, &[0x89, 1, 0].repeat(count), usize::MAX, count);
        client
    };
    the_next_part_costs_the_same(make, |client| receive(client, &[0x89, 1, 0].repeat(6), usize::MAX, 6));
}

/// Writes a little of what waits.
fn write(server: &mut Connection) {
    for _ in 0..8 {
        let Some(Transmit::Write(segments)) = server.poll_transmit() else { panic!("nothing waits") };
        let count = segments.first().len().min(3);
        server.transmitted(count);
    }
}

#[test]
fn what_is_queued_for_a_slow_peer_is_written_in_linear_time() {
    let copied = |count| {
        let mut server = connection("server", Config::default());
        (0..count).for_each(|_| server.send(Message::binary(b"small")).unwrap());
        server
    };
    the_next_part_costs_the_same(copied, write);
    let payload = Bytes::from(vec![0; 4096]);
    let shared = |count| {
        let mut config = Config::default();
        config.limits.max_buffered_amount = u64::MAX;
        let mut server = connection("server", config);
        (0..count).for_each(|_| server.send_shared(MessageKind::Binary, payload.clone()).unwrap());
        server
    };
    the_next_part_costs_the_same(shared, write);
}
