//! Runs the shared vectors of the opening handshake over HTTP/2; those over HTTP/1.1 are in `vectors.rs`.

mod common;

use std::sync::Arc;

use common::cases::read;
use itoden_core::handshake::{ClientRequest, ConnectHandshake, HeadLimits, Headers, HttpVersion, Refusal, Upgrade};
use itoden_core::{Connection, HandshakeError};
use serde::Deserialize;

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
