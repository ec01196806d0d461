//! Closing, timeouts, backpressure and limits: two ends of one string, and a clock that only the test moves.

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{FixedKey, Pair, hex, tell, transmit};
use itoden_core::{
    CloseCode, Config, Connection, Failure, Input, Limits, Message, MessageKind, ReadyState, Role, SendError,
    SendOptions, SharedMessage, Timestamp, Transmit,
};

const NORMAL: Option<CloseCode> = Some(CloseCode::NORMAL);

#[test]
fn a_message_goes_from_client_to_server_and_back() {
    let mut pair = Pair::new();
    pair.client.send(Message::text("there")).unwrap();
    pair.server.send(Message::binary(b"back")).unwrap();
    let (client, server) = pair.settle();
    assert_eq!(client, ["message back"]);
    assert_eq!(server, ["message there"]);
}

#[test]
fn a_client_that_closes_is_told_closed_once_the_server_has_ended_the_transport() {
    let mut pair = Pair::new();
    pair.client.close(pair.now, NORMAL, "done").unwrap();
    assert_eq!(pair.client.ready_state(), ReadyState::Closing);
    let (client, server) = pair.settle();
    assert_eq!(client, ["close 1000 done", "closed 1000 done clean=true"]);
    assert_eq!(server, ["close 1000 done", "closed 1000 done clean=true"]);
    assert_eq!((pair.client.ready_state(), pair.server.ready_state()), (ReadyState::Closed, ReadyState::Closed));
}

#[test]
fn a_server_that_closes_ends_the_transport_only_after_the_clients_answer() {
    let mut server = common::connection("server", Config::default());
    server.close(Timestamp::ZERO, NORMAL, "").unwrap();
    assert_eq!(hex(&transmit(&mut server)), "880203e8");
    assert!(server.poll_transmit().is_none());
    let mut answer = common::unhex("888237fa213d3412");
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut answer);
    tell(&mut server, &mut input, &mut Vec::new());
    assert!(matches!(server.poll_transmit(), Some(Transmit::Shutdown)));
    assert!(server.poll_transmit().is_none(), "told once");
}

#[test]
fn a_client_leaves_it_to_the_server_to_end_the_transport() {
    let mut client = common::connection("client", Config::default());
    let mut close = common::unhex("880203e8");
    let mut input = client.handle_bytes(Timestamp::ZERO, &mut close);
    tell(&mut client, &mut input, &mut Vec::new());
    assert!(matches!(client.poll_transmit(), Some(Transmit::Write(_))));
    transmit(&mut client);
    assert!(client.poll_transmit().is_none());
}

#[test]
fn both_ends_may_close_at_once() {
    let mut pair = Pair::new();
    pair.client.close(pair.now, Some(CloseCode::new(4001)), "c").unwrap();
    pair.server.close(pair.now, Some(CloseCode::new(4002)), "s").unwrap();
    let (client, server) = pair.settle();
    assert_eq!(client, ["close 4002 s", "closed 4002 s clean=true"]);
    assert_eq!(server, ["close 4001 c", "closed 4001 c clean=true"]);
}

#[test]
fn a_close_that_is_not_answered_times_out() {
    for role in ["client", "server"] {
        let mut connection = common::connection(role, Config::default());
        let start = Timestamp::from_micros(5);
        assert_eq!(connection.poll_timeout(), None);
        connection.close(start, NORMAL, "").unwrap();
        let deadline = start + Duration::from_secs(10);
        assert_eq!(connection.poll_timeout(), Some(deadline));
        connection.handle_timeout(Timestamp::from_micros(6));
        assert_eq!(connection.ready_state(), ReadyState::Closing, "too early to give up");
        connection.handle_timeout(deadline);
        let mut told = Vec::new();
        tell(&mut connection, &mut Input::empty(), &mut told);
        assert_eq!(told, ["closed 1006  clean=false"]);
        assert_eq!(connection.failure(), Some(&Failure::CloseTimeout));
        assert_eq!(connection.poll_timeout(), None);
    }
}

#[test]
fn how_long_a_close_may_take_can_be_changed_for_one_connection() {
    let config = std::sync::Arc::new(Config::default());
    let (mut changed, mut other) = (Connection::server(config.clone()), Connection::server(config));
    changed.set_close_timeout(Duration::from_millis(20));
    for (connection, timeout) in [(&mut changed, Duration::from_millis(20)), (&mut other, Duration::from_secs(10))] {
        assert_eq!(connection.config().close_timeout, timeout);
        connection.close(Timestamp::ZERO, NORMAL, "").unwrap();
        assert_eq!(connection.poll_timeout(), Some(Timestamp::ZERO + timeout));
        connection.set_close_timeout(Duration::from_secs(1));
        assert_eq!(connection.poll_timeout(), Some(Timestamp::ZERO + timeout), "it has begun");
    }
}

#[test]
fn a_server_that_does_not_end_the_transport_is_not_waited_for_for_ever() {
    let mut client = common::connection("client", Config::default());
    client.close(Timestamp::ZERO, NORMAL, "").unwrap();
    let mut answer = common::unhex("880203e8");
    let mut input = client.handle_bytes(Timestamp::ZERO, &mut answer);
    let mut told = Vec::new();
    tell(&mut client, &mut input, &mut told);
    client.handle_timeout(client.poll_timeout().unwrap());
    tell(&mut client, &mut Input::empty(), &mut told);
    assert_eq!(told, ["close 1000 ", "closed 1000  clean=true"]);
}

#[test]
fn a_failed_connection_sends_its_code_ends_the_transport_and_reads_no_more() {
    let mut pair = Pair::new();
    // A frame with RSV1, which no extension allows.
    let mut told = Vec::new();
    let mut bad = common::unhex("c180000000008180000000");
    let mut input = pair.server.handle_bytes(pair.now, &mut bad);
    tell(&mut pair.server, &mut input, &mut told);
    assert_eq!(told, ["failed reserved_bits"]);
    assert!(input.is_empty());
    let (client, server) = pair.settle();
    assert!(client[0].starts_with("close 1002 the reserved bits of a frame are 100"), "{client:?}");
    // The client's answer is not read; the server is told of the end by the end of the transport, and as unclean.
    assert_eq!(server, ["closed 1006  clean=false"]);
    assert_eq!(client.last().unwrap().split_once(" the").unwrap().0, "closed 1002");
}

#[test]
fn a_failed_connection_whose_peer_keeps_the_transport_open_times_out() {
    let mut server = common::connection("server", Config::default());
    let mut input = [0xc1];
    let mut input = server.handle_bytes(Timestamp::from_micros(7), &mut input);
    let mut told = Vec::new();
    tell(&mut server, &mut input, &mut told);
    let deadline = Timestamp::from_micros(7) + Duration::from_secs(10);
    assert_eq!(server.poll_timeout(), Some(deadline));
    server.handle_timeout(deadline);
    tell(&mut server, &mut Input::empty(), &mut told);
    assert_eq!(told, ["failed reserved_bits", "closed 1006  clean=false"]);
}

#[test]
fn paused_reading_leaves_bytes_in_the_input_and_loses_none() {
    let mut server = common::connection("server", Config::default());
    let mut client = common::connection("client", Config::default());
    for text in ["one", "two", "three"] {
        client.send(Message::text(text)).unwrap();
    }
    let mut bytes = transmit(&mut client);
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut bytes);
    assert!(server.poll_event(&mut input).is_some());
    server.pause_reading();
    assert!(server.poll_event(&mut input).is_none());
    let mut rest = input.remaining().to_vec();
    assert_eq!(rest.len(), 9 + 11, "the frames of \"two\" and \"three\", still masked");
    server.resume_reading();
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut rest);
    let mut told = Vec::new();
    tell(&mut server, &mut input, &mut told);
    assert_eq!(told, ["message two", "message three"]);
}

#[test]
fn buffered_amount_counts_payload_and_falls_as_bytes_are_written() {
    let mut server = common::connection("server", Config::default());
    server.send(Message::binary(&[1; 200])).unwrap();
    server.ping(b"uncounted").unwrap();
    server.send(Message::text("abc")).unwrap();
    assert_eq!(server.buffered_amount(), 203);
    server.transmitted(4); // the first header
    assert_eq!(server.buffered_amount(), 203);
    server.transmitted(150);
    assert_eq!(server.buffered_amount(), 53);
    server.transmitted(50 + 5); // the end of the first frame and half of the ping
    assert_eq!(server.buffered_amount(), 3);
    server.transmitted(6 + 2 + 1);
    assert_eq!(server.buffered_amount(), 2);
    assert_eq!(transmit(&mut server), b"bc");
    assert_eq!(server.buffered_amount(), 0);
}

#[test]
fn large_shared_payloads_of_a_server_are_queued_by_reference() {
    let mut server = common::connection("server", Config::default());
    let payload = Bytes::from(vec![7; 10_000]);
    server.send(Message::text("before")).unwrap();
    server.send_shared(MessageKind::Binary, payload.clone()).unwrap();
    server.send_shared(MessageKind::Text, payload.clone()).unwrap();
    server.send(Message::text("after")).unwrap();
    let Some(Transmit::Write(segments)) = server.poll_transmit() else { panic!("nothing to write") };
    let slices: Vec<_> = segments.iter().collect();
    assert_eq!(slices.iter().map(|slice| slice.len()).collect::<Vec<_>>(), [8 + 4, 10_000, 4, 10_000, 7]);
    assert_eq!(slices[1].as_ptr(), payload.as_ptr());
    let whole = segments.to_vec();
    // Written in odd steps, the bytes are the same.
    let mut stepped = Vec::new();
    for step in (1..).step_by(997) {
        let Some(Transmit::Write(segments)) = server.poll_transmit() else { break };
        let first = segments.first();
        let count = step.min(first.len());
        stepped.extend_from_slice(&first[..count]);
        server.transmitted(count);
    }
    assert_eq!(stepped, whole);
    assert_eq!(server.buffered_amount(), 0);
}

#[test]
fn a_peer_that_does_not_read_bounds_what_can_be_sent() {
    let mut config = Config::default();
    config.limits.max_buffered_amount = 10;
    let mut server = common::connection("server", config);
    server.send(Message::text("12345678")).unwrap();
    server.send(Message::text("crosses")).unwrap();
    assert_eq!(server.send(Message::text("x")), Err(SendError::BufferFull { buffered: 19, limit: 10 }));
    transmit(&mut server);
    assert_eq!(server.send(Message::text("x")), Ok(()));
}

#[test]
fn a_flood_of_pings_is_answered_up_to_the_limit_and_then_with_the_newest() {
    let mut config = Config::default();
    config.limits.max_pending_pongs = 2;
    let mut server = common::connection("server", config);
    let mut client = common::connection("client", Config::default());
    for payload in [b"1", b"2", b"3", b"4", b"5"] {
        client.ping(payload).unwrap();
    }
    let mut bytes = transmit(&mut client);
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut bytes);
    tell(&mut server, &mut input, &mut Vec::new());
    assert_eq!(transmit(&mut server), b"\x8a\x011\x8a\x012\x8a\x015");
}

#[test]
fn pings_are_answered_while_a_busy_queue_never_empties() {
    let mut server = common::connection("server", Config::default());
    let mut client = common::connection("client", Config::default());
    let mut pongs = 0;
    for _ in 0..300 {
        server.send(Message::binary(&[0; 100])).unwrap();
        client.ping(b"").unwrap();
        let mut bytes = transmit(&mut client);
        let mut input = server.handle_bytes(Timestamp::ZERO, &mut bytes);
        tell(&mut server, &mut input, &mut Vec::new());
        // All but the last byte is written each time.
        let Some(Transmit::Write(segments)) = server.poll_transmit() else { panic!("nothing to write") };
        let mut written = segments.to_vec();
        written.pop();
        server.transmitted(written.len());
        let mut input = client.handle_bytes(Timestamp::ZERO, &mut written);
        let mut told = Vec::new();
        tell(&mut client, &mut input, &mut told);
        pongs += told.iter().filter(|event| *event == "pong ").count();
    }
    assert_eq!(pongs, 299, "the last pong lacks its last byte");
}

#[test]
fn empty_messages_count_against_the_bound_of_what_waits() {
    let mut config = Config::default();
    config.limits.max_buffered_amount = 100;
    let mut server = common::connection("server", config);
    let sent = (0..1000).take_while(|_| server.send(Message::text("")).is_ok()).count();
    assert_eq!(sent, 51, "two bytes each");
}

#[test]
fn without_auto_pong_the_application_answers() {
    let mut server = common::connection("server", Config { auto_pong: false, ..Config::default() });
    let mut client = common::connection("client", Config::default());
    client.ping(b"?").unwrap();
    let mut bytes = transmit(&mut client);
    let mut input = server.handle_bytes(Timestamp::ZERO, &mut bytes);
    let mut told = Vec::new();
    tell(&mut server, &mut input, &mut told);
    assert_eq!(told, ["ping ?"]);
    assert!(server.poll_transmit().is_none());
    server.pong(b"?").unwrap();
    assert_eq!(transmit(&mut server), b"\x8a\x01?");
}

#[test]
fn a_transport_that_takes_no_more_bytes_still_brings_what_came_before() {
    let mut client = common::connection("client", Config::default());
    client.send(Message::text("lost")).unwrap();
    client.handle_write_failure(Timestamp::ZERO);
    assert_eq!(client.ready_state(), ReadyState::Closing);
    assert_eq!(client.send(Message::text("x")), Err(SendError::NotOpen));
    let mut bytes = b"\x81\x04last\x88\x02\x03\xe9".to_vec();
    let mut input = client.handle_bytes(Timestamp::ZERO, &mut bytes);
    let mut told = Vec::new();
    tell(&mut client, &mut input, &mut told);
    assert_eq!(told, ["message last", "close 1001 "]);
    assert!(client.poll_transmit().is_none());
    client.handle_eof(Timestamp::ZERO);
    tell(&mut client, &mut Input::empty(), &mut told);
    assert_eq!(told[2], "closed 1001  clean=false", "no Close frame could be sent");
    assert_eq!(client.close_frame_sent(), None);
}

#[test]
fn a_close_frame_that_could_not_be_written_is_not_sent() {
    let mut client = common::connection("client", Config::default());
    client.close(Timestamp::ZERO, NORMAL, "").unwrap();
    assert!(client.close_sent() && client.close_frame_sent().is_some());
    client.handle_write_failure(Timestamp::ZERO);
    assert!(!client.close_sent());
    assert_eq!(client.close_frame_sent(), None);
}

#[test]
fn a_failed_text_fragment_changes_nothing() {
    let mut server = common::connection("server", Config::default());
    server.send_fragment(MessageKind::Text, b"a\xce", false).unwrap();
    assert_eq!(server.send_fragment(MessageKind::Text, b"\xff", false), Err(SendError::TextNotUtf8));
    assert_eq!(server.send_fragment(MessageKind::Text, b"\xba", true), Ok(()));
    assert_eq!(hex(&transmit(&mut server)), "010261ce8001ba");
}

#[test]
fn both_ends_know_both_close_frames_and_which_came_first() {
    let mut pair = Pair::new();
    let long = "é".repeat(61);
    pair.client.close(pair.now, Some(CloseCode::new(4000)), &long).unwrap();
    pair.settle();
    assert!(pair.server.peer_closed_first() && !pair.client.peer_closed_first());
    for connection in [&pair.client, &pair.server] {
        assert_eq!(connection.close_frame_sent().unwrap().reason, long);
        assert_eq!(connection.close_frame_sent(), connection.close_frame_received());
    }
}

#[test]
fn limits_hold_the_same_for_a_message_that_is_lent_and_for_one_that_comes_byte_by_byte() {
    let limits = |max_message_size, max_frame_size, max_fragments| Limits {
        max_message_size,
        max_frame_size,
        max_fragments,
        ..Limits::default()
    };
    let masked = |len: u8| [vec![0x82, 0x80 | len, 0, 0, 0, 0], vec![7; len.into()]].concat();
    for (limits, len, expected) in [
        (limits(5, u64::MAX, 1), 5, "message \u{7}\u{7}\u{7}\u{7}\u{7}"),
        (limits(5, u64::MAX, 1), 6, "failed message_too_big"),
        (limits(u64::MAX, 5, 1), 6, "failed frame_too_big"),
        (limits(0, u64::MAX, 1), 0, "message "),
        (limits(u64::MAX, u64::MAX, 0), 0, "failed too_many_fragments"),
    ] {
        for step in [usize::MAX, 1] {
            let mut server = common::connection("server", Config { limits: limits.clone(), ..Config::default() });
            let mut told = Vec::new();
            for chunk in masked(len).chunks_mut(step) {
                let mut input = server.handle_bytes(Timestamp::ZERO, chunk);
                tell(&mut server, &mut input, &mut told);
            }
            assert_eq!(told, [expected], "{len} bytes in steps of {step}, {limits:?}");
        }
    }
}

#[test]
fn what_a_transport_takes_at_once_is_not_queued_and_the_rest_is() {
    let payload = vec![7; 70_000];
    let mut alike = common::connection("server", Config::default());
    alike.send(Message::binary(&payload)).unwrap();
    let whole = transmit(&mut alike);
    for takes in [0, 1, 9, 10, 11, 35_000, whole.len() - 1, whole.len()] {
        let mut server = common::connection("server", Config::default());
        let mut stream = Vec::new();
        let through = server.send_through(Message::binary(&payload), SendOptions::default(), |slices| {
            let offered: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            stream.extend_from_slice(&offered[..takes]);
            takes
        });
        assert_eq!(through, Ok(()));
        let missing = whole.len() - takes;
        assert_eq!(server.buffered_amount(), missing.min(payload.len()) as u64, "{takes} bytes were taken");
        stream.extend(transmit(&mut server));
        assert!(stream == whole, "{takes} bytes were taken");
        assert_eq!(server.buffered_amount(), 0);
    }
}

#[test]
fn a_transport_is_not_offered_what_is_not_its_turn_or_may_not_be_sent() {
    let never = |_: &[std::io::IoSlice<'_>]| -> usize { panic!("it was offered something") };
    let message = Message::binary(b"behind");
    for role in ["server", "client"] {
        let mut connection = common::connection(role, Config::default());
        let mut alike = common::connection(role, Config::default());
        // A client's payload is masked on its way into the queue.
        if role == "server" {
            connection.ping(b"first").unwrap();
            alike.ping(b"first").unwrap();
        }
        connection.send_through(message.clone(), SendOptions::default(), never).unwrap();
        alike.send(message.clone()).unwrap();
        assert_eq!(transmit(&mut connection), transmit(&mut alike));
        connection.close(Timestamp::ZERO, None, "").unwrap();
        transmit(&mut connection);
        let late = connection.send_through(message.clone(), SendOptions::default(), never);
        assert_eq!(late, Err(SendError::NotOpen));
    }
}

#[test]
fn a_shared_message_goes_to_many_connections_and_its_text_is_checked_once() {
    let text = SharedMessage::text("to all");
    assert_eq!(SharedMessage::new(MessageKind::Text, Bytes::from_static(b"to all")), Ok(text.clone()));
    assert_eq!(SharedMessage::new(MessageKind::Text, Bytes::from_static(b"\xff")), Err(SendError::TextNotUtf8));
    let bytes = SharedMessage::binary(vec![7; 10_000]);
    assert_eq!((bytes.kind(), bytes.payload().len()), (MessageKind::Binary, 10_000));
    for role in ["server", "client"] {
        let mut connection = common::connection(role, Config::default());
        let mut alike = common::connection(role, Config::default());
        for message in [&text, &bytes] {
            connection.send_shared_message(message, SendOptions::default()).unwrap();
            alike.send_shared(message.kind(), message.payload().clone()).unwrap();
        }
        assert_eq!(connection.buffered_amount(), 10_006);
        assert_eq!(transmit(&mut connection), transmit(&mut alike));
    }
}

#[test]
fn getters_tell_what_is() {
    let server = common::connection("server", Config::default());
    let client = Connection::client(Arc::default(), Box::new(FixedKey));
    assert_eq!((server.role(), client.role()), (Role::Server, Role::Client));
    assert_eq!(server.ready_state(), ReadyState::Open);
    assert!(!server.close_sent() && !server.close_received() && server.failure().is_none());
}

#[test]
fn a_connection_at_rest_is_at_most_256_bytes() {
    assert!(size_of::<Connection>() <= 256, "{} bytes", size_of::<Connection>());
}

#[test]
fn an_application_that_fails_the_connection_sends_its_code_once_ends_the_transport_and_reads_no_more() {
    let policy = CloseCode::new(1008);
    for (role, frames) in [("server", "880803f0"), ("client", "888837fa213d")] {
        let mut connection = common::connection(role, Config::default());
        connection.fail(Timestamp::ZERO, policy, "policy").unwrap();
        connection.fail(Timestamp::ZERO, policy, "again").unwrap();
        let Some(Transmit::Write(segments)) = connection.poll_transmit() else { panic!("a Close frame") };
        let (sent, count) = (segments.iter().flatten().copied().collect::<Vec<_>>(), segments.len());
        assert!(common::hex(&sent).starts_with(frames), "{}", common::hex(&sent));
        connection.transmitted(count);
        assert!(matches!(connection.poll_transmit(), Some(Transmit::Shutdown)));
        let mut late = common::unhex(if role == "server" { "818037fa213d" } else { "8100" });
        let mut input = connection.handle_bytes(Timestamp::ZERO, &mut late);
        let mut told = Vec::new();
        tell(&mut connection, &mut input, &mut told);
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(connection.send(Message::text("late")), Err(SendError::NotOpen));
        connection.handle_eof(Timestamp::ZERO);
        tell(&mut connection, &mut Input::empty(), &mut told);
        assert_eq!(told, ["closed 1006  clean=false"]);
        assert!(connection.fail(Timestamp::ZERO, policy, "").is_ok());
    }
}

#[test]
fn a_code_that_is_not_for_the_wire_fails_no_connection() {
    let mut connection = common::connection("server", Config::default());
    let refused = connection.fail(Timestamp::ZERO, CloseCode::ABNORMAL, "");
    assert_eq!(refused, Err(SendError::InvalidSendCode { close_code: 1006 }));
    assert_eq!(connection.ready_state(), ReadyState::Open);
}
