//! What our client asks, our server accepts, and both agree on the same: whatever is offered and chosen, over HTTP/1.1 in any
//! chunks and over HTTP/2.

mod common;

use std::sync::Arc;

use itoden_core::deflate::{DeflateConfig, params};
use itoden_core::handshake::headers::{Extension, extensions};
use itoden_core::handshake::{
    ClientHandshake, ClientRequest, ConnectHandshake, HeadLimits, Headers, HttpVersion, ServerHandshake, Upgrade,
    WebSocketUri,
};
use itoden_core::{Config, Connection, Event, Message, Timestamp};
use proptest::prelude::*;

const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}";

fn deflate() -> impl Strategy<Value = Option<DeflateConfig>> {
    let config = (any::<[bool; 2]>(), 8u8..16, 8u8..16).prop_map(|(takeover, server, client)| DeflateConfig {
        server_no_context_takeover: takeover[0],
        client_no_context_takeover: takeover[1],
        server_max_window_bits: server,
        client_max_window_bits: client,
        threshold: 0,
        ..DeflateConfig::default()
    });
    prop::option::weighted(0.7, config)
}

/// What a client asks for.
fn requests() -> impl Strategy<Value = ClientRequest> {
    let hosts = prop_oneof!["[a-z0-9_.-]{1,20}(:[0-9]{1,4})?", Just("[::1]:8080".to_owned())];
    let fields =
        prop::collection::vec(("x-[a-z0-9]{0,8}", "([!-~\u{80}-\u{ff}]([ -~\t\u{80}-\u{ff}]{0,20}[!-~])?)?"), 0..6);
    let subprotocols = prop::collection::btree_set(TOKEN, 0..5);
    (hosts, "/[!\"$-~]{0,30}", subprotocols, deflate(), fields).prop_map(
        |(host, target, subprotocols, deflate, fields)| {
            let subprotocols = subprotocols.into_iter().collect();
            ClientRequest { host, target, subprotocols, deflate, headers: fields.into_iter().collect() }
        },
    )
}

/// What a server says to it.
#[derive(Clone, Debug)]
struct Choice {
    subprotocol: Option<prop::sample::Index>,
    deflate: Option<DeflateConfig>,
    fields: Vec<(String, String)>,
}

fn choices() -> impl Strategy<Value = Choice> {
    let fields = prop::collection::vec(("x-[a-z0-9]{0,8}", "[!-~]{0,20}"), 0..6);
    (any::<Option<prop::sample::Index>>(), deflate(), fields).prop_map(|(subprotocol, deflate, fields)| Choice {
        subprotocol,
        deflate,
        fields,
    })
}

fn config(deflate: &Option<DeflateConfig>) -> Arc<Config> {
    Arc::new(Config { deflate: deflate.clone(), ..Config::default() })
}

impl Choice {
    fn accept(&self, upgrade: Upgrade) -> itoden_core::handshake::Accepted {
        let offered = upgrade.subprotocols().to_vec();
        let index = self.subprotocol.filter(|_| !offered.is_empty());
        let subprotocol = index.map(|index| index.get(&offered).as_str());
        let headers = self.fields.iter().cloned().collect();
        upgrade.accept(subprotocol, &headers, config(&self.deflate)).unwrap()
    }
}

fn check_request(asked: &ClientRequest, upgrade: &Upgrade, version: HttpVersion) {
    let head = upgrade.request();
    assert_eq!((&head.target, head.version), (&asked.target, version));
    assert_eq!(head.authority(), Some(asked.host.as_str()));
    assert_eq!(upgrade.subprotocols(), asked.subprotocols);
    assert_eq!(upgrade.extensions().len(), usize::from(asked.deflate.as_ref().and_then(params::offer).is_some()));
    for (name, value) in asked.headers.iter() {
        assert!(head.headers.get_all(name).any(|other| other == value), "{name}: {value}");
    }
}

/// Both ends have agreed on the same and understand each other.
fn check_pair(mut client: Connection, mut server: Connection) {
    assert_eq!(client.subprotocol(), server.subprotocol());
    assert_eq!(client.deflate(), server.deflate());
    let text = "the same words, the same words, the same words";
    client.send(Message::text(text)).unwrap();
    let mut bytes = common::transmit(&mut client);
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut bytes);
    assert_eq!(server.poll_event(&mut input), Some(Event::Message(Message::text(text))));
}

proptest! {
    #[test]
    fn over_http1(asked in requests(), choice in choices(), nonce: [u8; 16], size in 1usize..200) {
        let (mut client, head) = ClientHandshake::new(asked.clone(), nonce, HeadLimits::default()).unwrap();
        let mut server = ServerHandshake::new(HeadLimits::default());
        let bytes = head.to_bytes();
        let upgrade = bytes.chunks(size).find_map(|chunk| server.handle_bytes(chunk).unwrap()).unwrap().0;
        prop_assert_eq!(&upgrade.request().headers, &head.headers);
        check_request(&asked, &upgrade, HttpVersion::Http11);
        let accepted = choice.accept(upgrade);
        let bytes = accepted.response.to_bytes();
        let response = bytes.chunks(size).find_map(|chunk| client.handle_bytes(chunk).unwrap()).unwrap().0;
        prop_assert_eq!(&response, &accepted.response);
        let client = client.open(&response, config(&asked.deflate), Box::new(common::FixedKey)).unwrap();
        check_pair(client, accepted.connection);
    }

    #[test]
    fn over_http2(asked in requests(), choice in choices(), secure: bool) {
        let (mut client, list) = ConnectHandshake::new(asked.clone(), secure, HeadLimits::default()).unwrap();
        let upgrade = Upgrade::from_header_list(&list, &HeadLimits::default()).unwrap();
        check_request(&asked, &upgrade, HttpVersion::Http2);
        let accepted = choice.accept(upgrade);
        let response = client.handle_header_list(&accepted.response.to_header_list()).unwrap().unwrap();
        let client = client.open(&response, config(&asked.deflate), Box::new(common::FixedKey)).unwrap();
        check_pair(client, accepted.connection);
    }

    #[test]
    fn what_is_read_as_extensions_is_written_and_read_back(value in "[a-c;,= \t\"\\\\]{0,30}") {
        let read = |value: &str| extensions(&Headers::from_iter([("Sec-WebSocket-Extensions", value)]));
        if let Ok(read_once) = read(&value) {
            let written: Vec<_> = read_once.iter().map(Extension::to_string).collect();
            prop_assert_eq!(read(&written.join(", ")), Ok(read_once));
        }
    }

    #[test]
    fn any_bytes_are_a_request_an_error_or_too_few(bytes: Vec<u8>, size in 1usize..64) {
        let mut server = ServerHandshake::new(HeadLimits::default());
        for chunk in bytes.chunks(size) {
            if !matches!(server.handle_bytes(chunk), Ok(None)) {
                break;
            }
        }
    }

    #[test]
    fn a_uri_that_is_read_asks_for_what_a_server_takes(uri in "(ws|wss)://(a@)?[a-z\\[\\]:0-9._]{0,12}[/?]?[!-~]{0,12}") {
        if let Ok(uri) = WebSocketUri::parse(&uri) {
            let request = ClientRequest::from(&uri);
            let (_, head) = ClientHandshake::new(request.clone(), [0; 16], HeadLimits::default()).unwrap();
            let (upgrade, _) = ServerHandshake::new(HeadLimits::default()).handle_bytes(&head.to_bytes()).unwrap().unwrap();
            check_request(&request, &upgrade, HttpVersion::Http11);
            let again = WebSocketUri::parse(&format!("{}://{}{}", if uri.secure { "wss" } else { "ws" }, request.host, request.target));
            prop_assert_eq!(again.unwrap(), WebSocketUri { userinfo: None, ..uri });
        }
    }
}
