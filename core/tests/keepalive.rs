//! Pings at an interval, and a peer that falls silent: a clock that only the test moves.

mod common;

use std::time::Duration;

use common::{hex, tell, transmit, unhex};
use itoden_core::{Config, Connection, Failure, Input, Timestamp, Transmit};

const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(5);
const START: Timestamp = Timestamp::from_micros(1_000_000);

/// A server that has been told the time once.
fn server(ping_timeout: Option<Duration>) -> Connection {
    let config = Config { ping_interval: Some(INTERVAL), ping_timeout, ..Config::default() };
    let mut server = common::connection("server", config);
    assert_eq!(server.poll_timeout(), Some(Timestamp::ZERO), "asks for the time");
    server.handle_timeout(START);
    assert_eq!(transmit(&mut server), b"", "the first ping comes after an interval");
    assert_eq!(server.poll_timeout(), Some(START + INTERVAL));
    server
}

fn receive(server: &mut Connection, now: Timestamp, bytes: &str) {
    let mut bytes = unhex(bytes);
    let mut input = server.handle_bytes(now, &mut bytes);
    tell(server, &mut input, &mut Vec::new());
}

#[test]
fn a_ping_is_sent_each_interval_and_its_pong_tells_the_latency() {
    let mut server = server(Some(TIMEOUT));
    let mut now = START;
    for number in 1..4 {
        now = now + INTERVAL;
        server.handle_timeout(now);
        assert_eq!(hex(&transmit(&mut server)), format!("89040000000{number}"));
        assert_eq!(server.poll_timeout(), Some(now + TIMEOUT));
        let latency = Duration::from_millis(30 * number);
        receive(&mut server, now + latency, &format!("8a8400000000{number:08x}"));
        assert_eq!(server.latency(), Some(latency));
        assert_eq!(server.poll_timeout(), Some(now + INTERVAL));
    }
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let mut server = server(Some(TIMEOUT));
    server.handle_timeout(START + INTERVAL);
    receive(&mut server, START + INTERVAL + Duration::from_secs(1), "81");
    server.handle_timeout(START + INTERVAL + TIMEOUT);
    assert_eq!(server.failure(), None);
    assert_eq!(server.latency(), None, "no pong came");
}

#[test]
fn a_silent_peer_fails_the_connection_with_1011() {
    let mut server = server(Some(TIMEOUT));
    server.handle_timeout(START + INTERVAL);
    transmit(&mut server);
    server.handle_timeout(START + INTERVAL + TIMEOUT);
    assert_eq!(server.failure(), Some(&Failure::PingTimeout));
    let Some(Transmit::Write(segments)) = server.poll_transmit() else { panic!("no Close frame") };
    assert_eq!(segments.to_vec(), b"\x88\x18\x03\xf3keepalive ping timeout");
    let deadline = server.poll_timeout().unwrap();
    assert_eq!(deadline, START + INTERVAL + TIMEOUT + Duration::from_secs(10));
    server.handle_timeout(deadline);
    let mut told = Vec::new();
    tell(&mut server, &mut Input::empty(), &mut told);
    assert_eq!(told, ["closed 1006  clean=false"]);
}

#[test]
fn without_a_timeout_a_silent_peer_is_pinged_for_ever() {
    let mut server = server(None);
    for interval in 1..100 {
        server.handle_timeout(START + INTERVAL * interval);
        assert_eq!(transmit(&mut server).len(), 6);
    }
}

#[test]
fn a_timeout_longer_than_the_interval_runs_from_the_first_unanswered_ping() {
    let mut server = server(Some(INTERVAL * 2));
    server.handle_timeout(START + INTERVAL);
    assert_eq!(transmit(&mut server).len(), 6);
    server.handle_timeout(START + INTERVAL * 2);
    assert_eq!(transmit(&mut server), b"");
    server.handle_timeout(START + INTERVAL * 3);
    assert_eq!(server.failure(), Some(&Failure::PingTimeout));
}

#[test]
fn a_peer_is_not_silent_while_this_end_does_not_read() {
    let mut server = server(Some(TIMEOUT));
    server.handle_timeout(START + INTERVAL);
    server.pause_reading();
    server.handle_timeout(START + INTERVAL + TIMEOUT);
    server.handle_timeout(START + INTERVAL * 2);
    server.handle_timeout(START + INTERVAL * 2 + TIMEOUT);
    server.resume_reading();
    server.handle_timeout(START + INTERVAL * 2 + TIMEOUT);
    assert_eq!(server.failure(), None);
    // From here on it is to answer again.
    server.handle_timeout(START + INTERVAL * 4);
    server.handle_timeout(START + INTERVAL * 4 + TIMEOUT);
    assert_eq!(server.failure(), Some(&Failure::PingTimeout));
}

#[test]
fn a_closing_connection_is_pinged_no_more() {
    let mut server = server(Some(TIMEOUT));
    server.close(START, None, "").unwrap();
    transmit(&mut server);
    assert_eq!(server.poll_timeout(), Some(START + Duration::from_secs(10)));
    server.handle_timeout(START + Duration::from_secs(1));
    assert_eq!(transmit(&mut server), b"");
}
