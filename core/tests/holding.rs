//! Endings that are held: what an application answers late still goes out before the Close frame.

mod common;

use std::time::Duration;

use common::{connection, hex, tell, transmit, unhex};
use itoden_core::{CloseCode, Config, Connection, Input, Message, ReadyState, SendError, Timestamp, Transmit};

/// "Hello" in one masked frame (RFC 6455 §5.7).
const HELLO: &str = "818537fa213d7f9f4d5158";
/// A masked Close frame with code 1000.
const CLOSE: &str = "888237fa213d3412";
/// A masked frame with the reserved opcode 3.
const RESERVED: &str = "838037fa213d";

const LONGEST: Duration = Duration::from_millis(1500);

fn holding(config: Config) -> Connection {
    let mut server = connection("server", config);
    server.hold_endings(LONGEST);
    server
}

fn feed(server: &mut Connection, bytes: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut bytes = unhex(bytes);
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut bytes);
    tell(server, &mut input, &mut told);
    told
}

fn shuts_down(server: &mut Connection) -> bool {
    matches!(server.poll_transmit(), Some(Transmit::Shutdown))
}

#[test]
fn what_answers_a_message_goes_out_before_the_answer_to_the_close_frame_behind_it() {
    let mut server = holding(Config::default());
    assert_eq!(feed(&mut server, &format!("{HELLO}{CLOSE}")), ["message Hello", "close 1000 "]);
    assert!(server.is_ending_held() && server.close_received() && !server.close_sent());
    assert_eq!(server.ready_state(), ReadyState::Closing);
    assert!(server.poll_transmit().is_none(), "nothing until it is released");
    server.send(Message::text("Hi")).unwrap();
    server.release_ending();
    assert!(!server.is_ending_held());
    assert_eq!(hex(&transmit(&mut server)), "81024869880203e8");
    assert_eq!(server.send(Message::text("late")), Err(SendError::NotOpen));
    server.handle_eof(Timestamp::ZERO);
    assert_eq!(feed(&mut server, ""), ["closed 1000  clean=true"]);
}

#[test]
fn what_answers_a_message_goes_out_before_the_close_frame_of_a_failure_behind_it() {
    let mut server = holding(Config::default());
    assert_eq!(feed(&mut server, &format!("{HELLO}{RESERVED}")), ["message Hello", "failed reserved_opcode"]);
    assert!(server.is_ending_held() && !server.close_received());
    server.send(Message::text("Hi")).unwrap();
    server.release_ending();
    let sent = hex(&transmit(&mut server));
    assert!(sent.starts_with("8102486988") && sent[10..].contains("03ea"), "{sent}");
    assert!(!shuts_down(&mut server), "told once, by transmit");
}

#[test]
fn nothing_is_read_while_an_ending_is_held() {
    let mut server = holding(Config::default());
    feed(&mut server, RESERVED);
    assert!(feed(&mut server, HELLO).is_empty());
    server.release_ending();
    assert!(feed(&mut server, HELLO).is_empty());
}

#[test]
fn an_ending_is_not_held_where_a_close_frame_was_sent_before() {
    for ending in [CLOSE, RESERVED] {
        let mut server = holding(Config::default());
        server.close(Timestamp::ZERO, Some(CloseCode::NORMAL), "").unwrap();
        transmit(&mut server);
        feed(&mut server, ending);
        assert!(!server.is_ending_held());
        assert!(shuts_down(&mut server));
    }
}

#[test]
fn an_application_that_closes_while_an_ending_is_held_ends_it_with_its_own_code() {
    for ending in [CLOSE, RESERVED] {
        let mut server = holding(Config::default());
        feed(&mut server, ending);
        server.close(Timestamp::ZERO, Some(CloseCode::new(3000)), "").unwrap();
        assert!(!server.is_ending_held());
        server.release_ending();
        assert_eq!(hex(&transmit(&mut server)), "88020bb8", "one Close frame");
    }
}

#[test]
fn the_end_of_the_transport_ends_the_waiting() {
    let mut server = holding(Config::default());
    feed(&mut server, CLOSE);
    server.handle_eof(Timestamp::ZERO);
    assert!(!server.is_ending_held());
    assert_eq!(feed(&mut server, ""), ["closed 1000  clean=true"]);
    let mut server = holding(Config::default());
    feed(&mut server, RESERVED);
    server.handle_eof(Timestamp::ZERO);
    assert_eq!(feed(&mut server, ""), ["closed 1006  clean=false"]);
}

#[test]
fn a_transport_that_takes_nothing_while_an_ending_is_held_closes_by_its_timeout() {
    let mut server = holding(Config::default());
    feed(&mut server, CLOSE);
    server.handle_write_failure(Timestamp::ZERO);
    server.release_ending();
    assert!(server.poll_transmit().is_none());
    server.handle_timeout(server.poll_timeout().unwrap());
    let mut told = Vec::new();
    tell(&mut server, &mut Input::empty(), &mut told);
    assert_eq!(told, ["closed 1000  clean=false"]);
}

#[test]
fn no_keepalive_ping_is_due_while_an_ending_is_held() {
    let mut server = holding(Config { ping_interval: Some(Duration::from_secs(1)), ..Config::default() });
    let due = server.poll_timeout().unwrap();
    feed(&mut server, CLOSE);
    assert!(server.poll_timeout().unwrap() > due);
    server.handle_timeout(due);
    assert!(server.poll_transmit().is_none());
}

#[test]
fn an_ending_is_held_no_longer_than_was_said() {
    for (ending, answer) in [(CLOSE, "03e8"), (RESERVED, "03ea")] {
        let mut server = holding(Config::default());
        feed(&mut server, ending);
        let due = server.poll_timeout().unwrap();
        assert_eq!(due, Timestamp::ZERO + LONGEST);
        server.handle_timeout(due);
        assert!(!server.is_ending_held());
        let sent = hex(&transmit(&mut server));
        assert!(sent.starts_with("88") && sent[4..].starts_with(answer), "{sent}");
        assert_eq!(
            server.poll_timeout(),
            Some(due + server.config().close_timeout),
            "the transport's end is waited for"
        );
    }
}

#[test]
fn an_application_that_fails_the_connection_while_an_ending_is_held_does_so_at_once() {
    for ending in [CLOSE, RESERVED] {
        let mut server = holding(Config::default());
        feed(&mut server, ending);
        server.fail(Timestamp::ZERO, CloseCode::new(1008), "").unwrap();
        server.release_ending();
        assert_eq!(hex(&transmit(&mut server)), "880203f0", "one Close frame");
    }
}
