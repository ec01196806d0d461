//! Runs the shared vectors of the opening handshake, over HTTP/1.1 in chunks of several sizes and over HTTP/2.

mod common;

use std::sync::Arc;

use itoden_core::handshake::{
    ClientHandshake, ClientRequest, ConnectHandshake, HeadLimits, Headers, HttpVersion, Refusal, ServerHandshake,
    Upgrade, server,
};
use itoden_core::{Connection, HandshakeError};
use serde::Deserialize;

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> Vec<T> {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<T> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    cases
}

fn request(subprotocols: &[String]) -> ClientRequest {
    ClientRequest {
        host: "example.com".into(),
        target: "/chat".into(),
        subprotocols: subprotocols.to_vec(),
        deflate: None,
        headers: Headers::new(),
    }
}

/// The subprotocol that was agreed on, or the name of the error.
fn outcome(opened: Result<Connection, HandshakeError>) -> Result<Option<String>, String> {
    opened.map(|connection| connection.subprotocol().map(str::to_owned)).map_err(|error| error.name().to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Http1 {
    name: String,
    #[allow(dead_code, reason = "for readers")]
    section: String,
    side: String,
    request: Option<String>,
    response: Option<String>,
    #[serde(default)]
    subprotocols: Vec<String>,
    subprotocol: Option<String>,
    error: Option<String>,
}

/// A head with each character as one byte, cut into chunks of `size`.
fn chunks(head: &str, size: usize) -> Vec<Vec<u8>> {
    let bytes: Vec<u8> = head.chars().map(|c| c as u8).collect();
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}

fn run_server(case: &Http1, size: usize) -> Result<String, String> {
    let mut handshake = ServerHandshake::new(HeadLimits::default());
    for chunk in chunks(case.request.as_ref().unwrap(), size) {
        match handshake.handle_bytes(&chunk) {
            Ok(None) => {}
            Ok(Some((upgrade, used))) => {
                assert_eq!(used, chunk.len(), "{}", case.name);
                let accepted = upgrade.accept(None, &Headers::new(), Arc::default()).unwrap();
                return Ok(String::from_utf8(accepted.response.to_bytes()).unwrap());
            }
            Err(error) => {
                let status = error.status().unwrap();
                let answer = server::error_response(&error);
                assert!(answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()), "{}", case.name);
                return Err(error.name().to_owned());
            }
        }
    }
    panic!("{}: the request is incomplete", case.name)
}

fn run_client(case: &Http1, size: usize) -> Result<Option<String>, String> {
    let request = request(&case.subprotocols);
    let (mut handshake, _) = ClientHandshake::new(request, *b"the sample nonce", HeadLimits::default()).unwrap();
    for chunk in chunks(case.response.as_ref().unwrap(), size) {
        if let Some((response, used)) = handshake.handle_bytes(&chunk).unwrap() {
            assert_eq!(used, chunk.len(), "{}", case.name);
            return outcome(handshake.open(&response, Arc::default(), Box::new(common::FixedKey)));
        }
    }
    panic!("{}: the response is incomplete", case.name)
}

#[test]
fn hands_are_shaken_over_http1_as_the_vectors_say() {
    for case in read::<Http1>("handshake") {
        for size in [1, 7, usize::MAX] {
            if case.side == "server" {
                let expected = case.response.clone().ok_or_else(|| case.error.clone().unwrap());
                assert_eq!(run_server(&case, size), expected, "{}", case.name);
            } else {
                let expected = case.error.clone().map_or(Ok(case.subprotocol.clone()), Err);
                assert_eq!(run_client(&case, size), expected, "{}", case.name);
            }
        }
    }
}

type List = Vec<(String, String)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Http2 {
    name: String,
    #[allow(dead_code, reason = "for readers")]
    section: String,
    side: String,
    request: Option<List>,
    response: Option<List>,
    #[serde(default)]
    subprotocols: Vec<String>,
    subprotocol: Option<String>,
    error: Option<String>,
    /// A server's: the status that answers the error.
    status: Option<u16>,
}

fn pairs(list: &Headers) -> List {
    list.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A server accepts the first subprotocol that is offered.
fn run_http2_server(case: &Http2) {
    let list = case.request.clone().unwrap().into_iter().collect();
    match Upgrade::from_header_list(&list, &HeadLimits::default()) {
        Ok(upgrade) => {
            let subprotocol = upgrade.subprotocols().first().cloned();
            let accepted = upgrade.accept(subprotocol.as_deref(), &Headers::new(), Arc::default()).unwrap();
            assert_eq!(Some(pairs(&accepted.response.to_header_list())), case.response, "{}", case.name);
            assert_eq!((&subprotocol, &None), (&case.subprotocol, &case.error), "{}", case.name);
        }
        Err(error) => {
            assert_eq!(Some(error.name()), case.error.as_deref(), "{}: {error}", case.name);
            let refusal = Refusal::of(&error, HttpVersion::Http2);
            let (list, _) = refusal.to_header_list();
            assert_eq!(list.get(":status").map(|status| status.parse().unwrap()), case.status, "{}", case.name);
            assert_eq!(list.get("upgrade"), None, "{}", case.name);
        }
    }
}

fn run_http2_client(case: &Http2) {
    let (mut handshake, asked) =
        ConnectHandshake::new(request(&case.subprotocols), true, HeadLimits::default()).unwrap();
    if let Some(expected) = &case.request {
        assert_eq!(&pairs(&asked), expected, "{}", case.name);
    }
    let answer = case.response.clone().unwrap().into_iter().collect();
    let opened = handshake
        .handle_header_list(&answer)
        .map(|response| response.expect("a final response"))
        .and_then(|response| handshake.open(&response, Arc::default(), Box::new(common::FixedKey)));
    let expected = case.error.clone().map_or(Ok(case.subprotocol.clone()), Err);
    assert_eq!(outcome(opened), expected, "{}", case.name);
}

#[test]
fn hands_are_shaken_over_http2_as_the_vectors_say() {
    for case in read::<Http2>("handshake_http2") {
        match case.side.as_str() {
            "server" => run_http2_server(&case),
            "client" => run_http2_client(&case),
            other => panic!("{}: unknown side {other}", case.name),
        }
    }
}
