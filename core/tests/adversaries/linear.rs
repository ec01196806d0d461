//! Twice the input takes at most twice the machine steps, and asks at most twice the bytes of the heap.
//!
//! Steps find what is looked at or moved again and again, exactly and on few bytes; the heap finds what is copied to a new
//! place again and again, on many.

use itoden_core::handshake::headers::{Headers, extensions, subprotocols};
use itoden_core::handshake::http1::{HeadLimits, HeadReader};
use itoden_core::{Config, Connection, Event, Message, MessageKind, Timestamp, Transmit};

use crate::common::{connection, deflating};
use crate::heap::measure;

/// Twice as much may cost a twentieth more than that: buffers grow by doubling, and numbers get longer.
fn at_most_doubles(what: &str, once: usize, twice: usize) {
    // The little by which any two runs may differ, as where memory is aligned in another way.
    const NOISE: usize = 500;
    assert!(twice * 10 <= once * 21 + NOISE, "{what}: {once} for the input, {twice} for twice as much");
}

/// Runs `work` on what `make` makes of some units and of twice as many: few for the steps, many for the heap.
fn is_linear<T>(few: usize, make: impl Fn(usize) -> T, work: impl Fn(T)) {
    let asked = |units| {
        let input = make(units);
        measure(|| work(input)).1.asked
    };
    at_most_doubles("bytes of the heap", asked(few * 64), asked(few * 128));
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        let steps = |units| {
            let input = make(units);
            crate::steps::count(|| work(input)) as usize
        };
        // What the first unit costs is not counted: it has all that is done once, and would hide what grows.
        steps(1);
        let first = steps(1);
        let more = |units| steps(1 + units).saturating_sub(first);
        at_most_doubles("machine steps", more(few), more(2 * few));
    }
}

/// The longest head that is read here, and few fields, so that it is the bytes that count.
const LIMITS: HeadLimits = HeadLimits { max_head_size: 1 << 20, max_headers: 2 };

#[test]
fn a_request_that_comes_byte_by_byte_is_read_in_linear_time() {
    let make = |bytes| format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(bytes)).into_bytes();
    is_linear(14, make, |head| {
        let mut reader = HeadReader::new(LIMITS);
        assert!(head.chunks(1).any(|byte| reader.push(byte).unwrap().is_some()));
        assert_eq!(reader.request().unwrap().headers.len(), 1);
    });
}

#[test]
fn a_response_that_comes_byte_by_byte_is_read_in_linear_time() {
    let make = |bytes| format!("HTTP/1.1 101 OK\r\nX: {}\r\n\r\n", "a".repeat(bytes)).into_bytes();
    is_linear(10, make, |head| {
        let mut reader = HeadReader::new(LIMITS);
        assert!(head.chunks(1).any(|byte| reader.push(byte).unwrap().is_some()));
        assert_eq!(reader.response().unwrap().headers.len(), 1);
    });
}

#[test]
fn a_subprotocol_with_spaces_in_it_is_refused_in_linear_time() {
    // An error shows the first 80 characters: what it takes to show them is no part of the growth.
    let make = |spaces| Headers::from_iter([("Sec-WebSocket-Protocol", format!("b{}x", " ".repeat(5000 + spaces)))]);
    is_linear(20_000, make, |headers| assert!(subprotocols(&headers).is_err()));
}

#[test]
fn an_extension_with_an_open_quote_is_refused_in_linear_time() {
    let make =
        |pairs| Headers::from_iter([("Sec-WebSocket-Extensions", format!("x; y=\"{}", "\\c".repeat(40 + pairs)))]);
    is_linear(24, make, |headers| assert!(extensions(&headers).is_err()));
}

#[test]
fn many_offers_are_read_in_linear_time() {
    let list = |count| (1000..1000 + count).map(|number| format!("p{number}")).collect::<Vec<_>>().join(", ");
    let make = |count| {
        Headers::from_iter([("Sec-WebSocket-Protocol", list(count)), ("Sec-WebSocket-Extensions", list(count))])
    };
    is_linear(6, make, |headers| {
        assert_eq!(subprotocols(&headers).unwrap().len(), extensions(&headers).unwrap().len());
    });
}

/// A message in fragments of `size` bytes, as a server sends it.
fn fragments(opcode: u8, size: u8, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0..count {
        let fin = if index + 1 == count { 0x80 } else { 0 };
        bytes.extend([fin | if index == 0 { opcode } else { 0 }, size]);
        bytes.extend((0..size).map(|_| b'a'));
    }
    bytes
}

/// Gives the bytes to a client in reads of `size` bytes; how many events came of them.
fn receive(connection: &mut Connection, bytes: &mut [u8], size: usize) -> usize {
    let mut events = 0;
    for chunk in bytes.chunks_mut(size) {
        let mut input = connection.handle_bytes(Timestamp::ZERO, chunk);
        while let Some(event) = connection.poll_event(&mut input) {
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
            events += 1;
        }
    }
    events
}

fn client() -> Connection {
    connection("client", Config::default())
}

#[test]
fn a_message_in_many_fragments_is_put_together_in_linear_time() {
    let make = |count| (client(), fragments(2, 16, count));
    is_linear(16, make, |(mut client, mut bytes)| assert_eq!(receive(&mut client, &mut bytes, usize::MAX), 1));
}

#[test]
fn a_text_in_many_fragments_is_checked_in_linear_time() {
    let make = |count| (client(), fragments(1, 16, count));
    is_linear(16, make, |(mut client, mut bytes)| assert_eq!(receive(&mut client, &mut bytes, usize::MAX), 1));
}

#[test]
fn a_message_that_comes_byte_by_byte_is_put_together_in_linear_time() {
    let make = |bytes: usize| {
        let mut frame = vec![0x81];
        match bytes {
            0..126 => frame.push(bytes as u8),
            _ => frame.extend([126, (bytes >> 8) as u8, bytes as u8]),
        }
        frame.extend(std::iter::repeat_n(b'a', bytes));
        (client(), frame)
    };
    is_linear(30, make, |(mut client, mut bytes)| assert_eq!(receive(&mut client, &mut bytes, 1), 1));
}

#[test]
fn compressed_messages_in_tiny_pieces_are_read_in_linear_time() {
    let make = |count| {
        // Each fragment is one byte of a block that is stored and not compressed.
        let mut bytes = vec![0x42, 0];
        for _ in 0..count {
            bytes.extend([0, 6, 0, 1, 0, 0xfe, 0xff, b'a']);
        }
        bytes.extend([0x80, 1, 0]);
        let mut client = deflating("client", "permessage-deflate", Config::default());
        // The decompressor is made for the first message.
        receive(&mut client, &mut [0xc2, 1, 0], usize::MAX);
        (client, bytes)
    };
    is_linear(8, make, |(mut client, mut bytes)| assert_eq!(receive(&mut client, &mut bytes, usize::MAX), 1));
}

#[test]
fn a_flood_of_pings_is_answered_in_linear_time() {
    let make = |count| (client(), [0x89, 1, 0].repeat(count));
    is_linear(8, make, |(mut client, mut bytes)| {
        let pings = bytes.len() / 3;
        assert_eq!(receive(&mut client, &mut bytes, usize::MAX), pings);
    });
}

/// Writes all that waits, at most `room` bytes at a time.
fn write(mut server: Connection, room: usize) {
    while let Some(Transmit::Write(segments)) = server.poll_transmit() {
        let count = segments.first().len().min(room);
        server.transmitted(count);
    }
}

#[test]
fn what_is_queued_for_a_slow_peer_is_written_in_linear_time() {
    let small = |count| {
        let mut server = connection("server", Config::default());
        (0..count).for_each(|_| server.send(Message::binary(b"small")).unwrap());
        server
    };
    is_linear(12, small, |server| write(server, 3));
    let payload = bytes::Bytes::from(vec![0; 4096]);
    let shared = |count| {
        let mut server = connection("server", Config::default());
        (0..count).for_each(|_| server.send_shared(MessageKind::Binary, payload.clone()).unwrap());
        server
    };
    is_linear(8, shared, |server| write(server, 4096));
}
