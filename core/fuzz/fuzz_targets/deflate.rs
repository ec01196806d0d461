//! permessage-deflate: what one end compresses is what the other gets, within the window that they agreed on; and any bytes
//! become what a second inflater makes of them, and no more than the limit.
#![no_main]

use arbitrary::Arbitrary;
use itoden_core::Role;
use itoden_core::deflate::{Compressor, DeflateConfig, DeflateParams, InflateError, MessageDeflate};
use itoden_fuzz::ends::Deflate;
use itoden_fuzz::inflate::{Verdict, inflate};
use itoden_fuzz::memory;
use itoden_fuzz::recipe::{Kitchen, Recipe};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// What is cut off the end of each message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The most that the messages of one case have together.
const MOST: usize = 80_000;

#[derive(Arbitrary, Debug)]
enum Case<'a> {
    Honest { deflate: Deflate, client: bool, messages: Vec<Message<'a>>, chunks: [u8; 4] },
    Any { deflate: Deflate, client: bool, limit: u16, messages: Vec<Foreign<'a>>, chunks: [u8; 4] },
}

#[derive(Arbitrary, Debug)]
struct Message<'a> {
    recipe: Recipe<'a>,
    /// The length of its first fragment, if it has two.
    first: Option<u16>,
}

/// A message of a peer that need not keep to anything.
#[derive(Arbitrary, Debug)]
enum Foreign<'a> {
    Bytes(&'a [u8]),
    /// Compressed with the largest window, whatever was agreed on, and perhaps cut or continued.
    Compressed {
        recipe: Recipe<'a>,
        level: u8,
        cut: u8,
        more: &'a [u8],
    },
}

impl Foreign<'_> {
    fn bytes(&self, kitchen: &mut Kitchen) -> Vec<u8> {
        match *self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Compressed { ref recipe, level, cut, more } => {
                let mut compressed = Vec::new();
                Compressor::new(1 + level % 9, 15).compress(&kitchen.make(recipe, 70_000), true, &mut compressed);
                compressed.truncate(compressed.len().saturating_sub(cut.into()));
                compressed.extend_from_slice(more);
                compressed
            }
        }
    }
}

/// One direction of a connection: who compresses, who decompresses, with which window, and whether each message starts anew.
struct Direction {
    sender: MessageDeflate,
    receiver: MessageDeflate,
    bits: u8,
    anew: bool,
}

fn direction(deflate: Deflate, from_client: bool) -> Direction {
    let config = deflate.config();
    let params = DeflateParams {
        server_no_context_takeover: config.server_no_context_takeover,
        client_no_context_takeover: config.client_no_context_takeover,
        server_max_window_bits: config.server_max_window_bits,
        client_max_window_bits: config.client_max_window_bits,
    };
    let end = |role, config: &DeflateConfig| MessageDeflate::new(params, role, config);
    let (client, server) = (end(Role::Client, &config), end(Role::Server, &config));
    if from_client {
        let (bits, anew) = (params.client_max_window_bits, params.client_no_context_takeover);
        Direction { sender: client, receiver: server, bits, anew }
    } else {
        let (bits, anew) = (params.server_max_window_bits, params.server_no_context_takeover);
        Direction { sender: server, receiver: client, bits, anew }
    }
}

/// Decompresses one message in chunks of these lengths.
fn decompress(
    end: &mut MessageDeflate,
    payload: &[u8],
    chunks: &[u8],
    limit: usize,
) -> (Vec<u8>, Option<InflateError>) {
    let mut out = Vec::new();
    let mut lengths = chunks.iter().map(|&len| usize::from(len) + 1).cycle();
    let mut rest = payload;
    loop {
        let (chunk, tail) = rest.split_at(lengths.next().unwrap_or(usize::MAX).min(rest.len()));
        rest = tail;
        if let Err(error) = end.decompress(chunk, rest.is_empty(), limit, &mut out) {
            return (out, Some(error));
        }
        if rest.is_empty() {
            return (out, None);
        }
    }
}

/// What is compressed comes out again, whatever the chunks, and other inflaters read it too.
fn honest(deflate: Deflate, from_client: bool, messages: &[Message<'_>], chunks: &[u8]) {
    let Direction { mut sender, mut receiver, bits, anew } = direction(deflate, from_client);
    let mut kitchen = Kitchen::default();
    let mut room = MOST;
    let (mut all, mut all_compressed) = (Vec::new(), Vec::new());
    for Message { recipe, first } in messages {
        let message = kitchen.make(recipe, room);
        room -= message.len();
        let mut compressed = Vec::new();
        let (first, rest) = message.split_at(first.map_or(0, usize::from).min(message.len()));
        if !first.is_empty() {
            sender.compress(first, false, &mut compressed);
        }
        sender.compress(rest, true, &mut compressed);
        assert!(!compressed.is_empty(), "a message is at least one byte (RFC 7692 §7.2.3.6)");
        let (out, error) = decompress(&mut receiver, &compressed, chunks, message.len());
        assert!(error.is_none() && out == message, "{error:?}");
        if anew {
            elsewhere(&message, &[&compressed[..], &TAIL].concat(), bits);
        }
        all.extend(message);
        all_compressed.extend(compressed);
        all_compressed.extend(TAIL);
    }
    if !anew {
        elsewhere(&all, &all_compressed, bits);
    }
}

/// An inflater with this window, and an inflater of others, read the stream.
fn elsewhere(expected: &[u8], compressed: &[u8], bits: u8) {
    let plain = inflate(compressed, expected.len());
    assert_eq!(plain.verdict, Verdict::Valid);
    assert!(plain.bytes == expected);
    // Also with 8 bits, for which zlib compresses with 9.
    assert!(plain.farthest <= 1 << bits, "a match reaches back {} bytes; the window has {bits} bits", plain.farthest);
    // A last, empty block ends the stream as that inflater wants it.
    let ended = [compressed, &[0x01, 0x00, 0x00, 0xff, 0xff]].concat();
    let other = decompress_to_vec_with_limit(&ended, expected.len()).expect("miniz_oxide reads it");
    assert!(other == expected);
}

/// Whether the tail is the end of a block, its only one, and brings nothing: then the message before it was whole.
fn ends_with_the_tail(stream: &[u8], before: usize) -> bool {
    let plain = inflate(stream, usize::MAX);
    let mut in_tail = plain.ends.iter().map(|&(end, _)| end).filter(|end| end + TAIL.len() > stream.len());
    plain.bytes.len() == before && in_tail.next() == Some(stream.len())
}

/// Any bytes become what the plain inflater makes of them, and never more than the limit.
fn any(deflate: Deflate, from_client: bool, limit: usize, messages: &[Foreign<'_>], chunks: &[u8]) {
    let Direction { mut receiver, bits, anew, .. } = direction(deflate, from_client);
    let mut in_chunks = direction(deflate, from_client).receiver;
    let (mut stream, mut done) = (Vec::new(), 0);
    let mut kitchen = Kitchen::default();
    for message in messages {
        let payload = &message.bytes(&mut kitchen)[..];
        if anew {
            (stream, done) = (Vec::new(), 0);
        }
        stream.extend_from_slice(payload);
        let plain = inflate(&stream, done + limit);
        let expected = match plain.verdict {
            Verdict::Valid if payload.is_empty() || plain.ends.last() == Some(&(stream.len(), true)) => None,
            Verdict::Valid => {
                stream.extend_from_slice(&TAIL);
                (!ends_with_the_tail(&stream, plain.bytes.len())).then_some(InflateError::Invalid)
            }
            Verdict::Invalid => Some(InflateError::Invalid),
            Verdict::TooMuch => Some(InflateError::TooBig),
        };
        let ((out, error), peak) = memory::peak(|| decompress(&mut receiver, payload, &[], limit));
        assert!(out.len() <= limit);
        // The window and its tables, a step of output, and a vector that has doubled.
        assert!(peak <= (128 << 10) + 2 * (limit + 1), "{peak} bytes for a limit of {limit}");
        let cut = decompress(&mut in_chunks, payload, chunks, limit);
        assert_eq!(cut, (out.clone(), error), "in chunks of {chunks:?}");
        assert_eq!(error, expected, "window {bits}, farthest {}", plain.farthest);
        if error.is_some() {
            return;
        }
        assert!(out == plain.bytes[done..]);
        done = plain.bytes.len();
    }
}

fuzz_target!(|case: Case<'_>| {
    match case {
        Case::Honest { deflate, client, messages, chunks } => honest(deflate, client, &messages, &chunks),
        Case::Any { deflate, client, limit, messages, chunks } => {
            any(deflate, client, limit.into(), &messages, &chunks)
        }
    }
});
