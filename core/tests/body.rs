//! The body of a refusal ends where HTTP/1.1 says, however it is cut (RFC 9112 §6.3).

use itoden_core::handshake::http1::HeadReader;
use itoden_core::handshake::{BodyReader, HeadLimits};

/// What is read of a body: its bytes, and whether it was whole before the transport ended.
fn read(fields: &str, bytes: &[u8], limit: usize) -> (Vec<u8>, bool) {
    let head = format!("HTTP/1.1 403 Forbidden\r\n{fields}\r\n");
    let mut heads = HeadReader::new(HeadLimits::default());
    assert!(heads.push(head.as_bytes()).unwrap().is_some());
    let response = heads.response().unwrap();
    let outcomes: Vec<_> = [1, 2, 7, usize::MAX]
        .into_iter()
        .map(|size| {
            let mut reader = BodyReader::of(&response, limit);
            for chunk in bytes.chunks(size) {
                reader.push(chunk);
            }
            let whole = reader.is_whole();
            reader.end();
            (reader.into_body(), whole)
        })
        .collect();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "it depends on how it is cut: {outcomes:?}");
    outcomes[0].clone()
}

#[test]
fn a_length_is_counted() {
    assert_eq!(read("Content-Length: 3\r\n", b"No.HTTP/1.1", 100), (b"No.".to_vec(), true));
    assert_eq!(read("Content-Length: 0\r\n", b"", 100), (vec![], true));
    assert_eq!(read("Content-Length: 9\r\n", b"No.", 100), (b"No.".to_vec(), false));
    assert_eq!(read("Content-Length: many\r\n", b"No.", 100), (vec![], true));
}

#[test]
fn chunks_are_put_together_and_extensions_and_trailers_mean_nothing() {
    let fields = "Transfer-Encoding: chunked\r\n";
    let chunks = b"3\r\nNo.\r\n00a;name=\"value\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(read(fields, chunks, 100), (b"No.0123456789".to_vec(), true));
    assert_eq!(read("Content-Length: 1\r\nTransfer-Encoding: gzip, Chunked\r\n", chunks, 100).0, b"No.0123456789");
    assert_eq!(read(fields, b"3\r\nNo", 100), (b"No".to_vec(), false));
}

#[test]
fn what_is_no_chunk_ends_the_body() {
    let fields = "Transfer-Encoding: chunked\r\n";
    for wrong in ["\r\n", "-1\r\n", "+1\r\n", "1\n", "g\r\n", "fffffffffffffffff\r\n", &"1".repeat(2000)] {
        let bytes = format!("1\r\nA\r\n{wrong}B");
        assert_eq!(read(fields, bytes.as_bytes(), 100), (b"A".to_vec(), true), "{wrong:?}");
    }
}

#[test]
fn without_either_the_end_of_the_transport_ends_it() {
    assert_eq!(read("", b"No.", 100), (b"No.".to_vec(), false));
    assert_eq!(read("Transfer-Encoding: gzip\r\n", b"No.", 100), (b"No.".to_vec(), false));
}

#[test]
fn no_more_is_kept_than_the_limit() {
    let endless = b"8\r\n01234567\r\n".repeat(100);
    assert_eq!(read("Transfer-Encoding: chunked\r\n", &endless, 20), (b"01234567012345670123".to_vec(), true));
    assert_eq!(read("Content-Length: 18446744073709551615\r\n", &[b'x'; 50], 20), (vec![b'x'; 20], true));
    assert_eq!(read("", &[b'x'; 50], 20), (vec![b'x'; 20], true));
    assert_eq!(read("", b"No.", 0), (vec![], true));
}
