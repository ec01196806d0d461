//! The cases of `core/vectors/adversaries.json`.

use std::sync::Arc;

use crate::common::FixedKey;
use crate::common::cases::{Case, Handshake, NONCE, Row, read};
use crate::heap::{Heap, measure};
use itoden_core::handshake::{ClientHandshake, ClientRequest, HeadLimits, Headers, ServerHandshake};
use itoden_core::{Input, Timestamp, Transmit};

pub(crate) fn rows() -> Vec<Row> {
    read("adversaries")
}

/// What a connection may hold for a case that does not say otherwise: the Close frame, its reason and the error.
pub(crate) const CONNECTION_MEMORY: usize = 2048;

/// What a handshake may hold: the head in a buffer that grows by doubling, and its fields as text.
pub(crate) const HANDSHAKE_MEMORY: usize = 6 * (16 << 10);

/// What a connection held at the most, over every way to cut the bytes. The application keeps no event, and what is to be
/// written is written at once.
pub(crate) fn connection_memory(case: &Case) -> usize {
    let joined = case.chunks().concat();
    let cuts = [
        case.chunks(),
        vec![joined.clone()],
        joined.chunks(if joined.len() > 10_000 { 1021 } else { 1 }).map(<[u8]>::to_vec).collect(),
    ];
    let peaks = cuts.into_iter().map(|mut chunks| {
        let mut connection = case.connection();
        let (_, Heap { peak, .. }) = measure(|| {
            for chunk in &mut chunks {
                let mut input = connection.handle_bytes(Timestamp::ZERO, chunk);
                while connection.poll_event(&mut input).is_some() {}
                drain(&mut connection);
            }
            if case.eof {
                connection.handle_eof(Timestamp::ZERO);
                while connection.poll_event(&mut Input::empty()).is_some() {}
            }
        });
        peak
    });
    peaks.max().unwrap()
}

/// Takes what is to be written, without keeping it.
fn drain(connection: &mut itoden_core::Connection) {
    while let Some(transmit) = connection.poll_transmit() {
        if let Transmit::Write(segments) = transmit {
            let count = segments.len();
            connection.transmitted(count);
        }
    }
}

/// What a handshake held at the most, the head coming whole or in reads of 1,021 bytes.
pub(crate) fn handshake_memory(case: &Handshake) -> usize {
    let head = case.head();
    let peaks = [usize::MAX, 1021].map(|size| {
        let (_, Heap { peak, .. }) =
            measure(|| if case.side == "server" { serve(&head, size) } else { ask(case, &head, size) });
        peak
    });
    peaks.into_iter().max().unwrap()
}

fn serve(head: &[u8], size: usize) {
    let mut handshake = ServerHandshake::new(HeadLimits::default());
    for chunk in head.chunks(size) {
        match handshake.handle_bytes(chunk) {
            Ok(None) => {}
            Ok(Some((upgrade, _))) => drop(upgrade.accept(None, &Headers::new(), Arc::default())),
            Err(error) => return drop(itoden_core::handshake::server::error_response(&error)),
        }
    }
}

fn ask(case: &Handshake, head: &[u8], size: usize) {
    let request = ClientRequest {
        host: "example.com".into(),
        target: "/chat".into(),
        subprotocols: case.subprotocols.clone(),
        deflate: None,
        headers: Headers::new(),
    };
    let (mut handshake, _) = ClientHandshake::new(request, NONCE, HeadLimits::default()).unwrap();
    for chunk in head.chunks(size) {
        match handshake.handle_bytes(chunk) {
            Ok(None) => {}
            Ok(Some((response, _))) => return drop(handshake.open(&response, Arc::default(), Box::new(FixedKey))),
            Err(_) => return,
        }
    }
}

/// The most that a case may hold.
pub(crate) fn bound(own: Option<&(usize, String)>, usual: usize) -> usize {
    own.map_or(usual, |&(bytes, _)| bytes)
}

#[test]
fn misdeeds_on_an_open_connection_end_as_the_vectors_say() {
    rows().iter().flat_map(|row| &row.connections).for_each(Case::run);
}

#[test]
fn misdeeds_in_the_opening_handshake_end_as_the_vectors_say() {
    rows().iter().flat_map(|row| &row.handshakes).for_each(Handshake::run);
}

#[test]
fn no_misdeed_makes_a_connection_hold_more_than_its_limits_allow() {
    for case in rows().iter().flat_map(|row| &row.connections) {
        let (held, most) = (connection_memory(case), bound(case.memory.as_ref(), CONNECTION_MEMORY));
        assert!(held <= most, "{} ({}): {held} bytes were held, at most {most} are allowed", case.name, case.role);
    }
}

#[test]
fn no_misdeed_makes_a_handshake_hold_more_than_its_limits_allow() {
    for case in rows().iter().flat_map(|row| &row.handshakes) {
        let (held, most) = (handshake_memory(case), bound(case.memory.as_ref(), HANDSHAKE_MEMORY));
        assert!(held <= most, "{} ({}): {held} bytes were held, at most {most} are allowed", case.name, case.side);
    }
}

#[test]
fn what_a_case_closes_with_is_what_the_table_of_errors_says() {
    let status = |name: &str| itoden_core::error::table().find(|row| row.name == name).unwrap().status;
    for case in rows().iter().flat_map(|row| &row.connections) {
        if let Some(error) = case.error() {
            assert_eq!(case.sent["close"], status(error), "{}", case.name);
        }
    }
}
