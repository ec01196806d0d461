"""Closing in threads, mirrored: codes, reasons, timeouts, keepalive, and what is told afterwards."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
import weakref
from typing import Any

import pytest

from harness import CLOSE, PING, PONG, TEXT, answer_upgrade, frame
from sync_parity import LIBRARIES, both_ends, echo, raised, same, serving, threaded, until

# The keepalive of websockets may begin before its connect() has noted that it was called with `legacy`.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager")

CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]


class RawServer:
    """A server of one connection, that sends and sees raw bytes."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self._open, daemon=True).start()
        self.ready = threading.Event()

    def _open(self) -> None:
        self.sock, _ = self.listener.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += self.sock.recv(4096)
        self.sock.sendall(answer_upgrade(request))
        self.file = self.sock.makefile("rb")
        self.ready.set()

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        self.sock.sendall(frame(opcode, payload, masked=False, fin=fin))

    def receive(self) -> tuple[int, bytes]:
        first, second = self.file.read(2)
        length = second & 0x7F
        key, payload = self.file.read(4), self.file.read(length)
        return first & 0xF, bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))

    def end(self) -> None:
        self.file.close()
        self.sock.close()
        self.listener.close()


def raw_peer(library: Any, **options: Any) -> tuple[Any, RawServer]:
    server = RawServer()
    connection = library.connect(server.uri, legacy=True, compression=None, **options)
    assert server.ready.wait(10)
    return connection, server


def ended(connection: Any) -> tuple[Any, ...]:
    """What is told of the end."""
    connection.wait_closed()
    try:
        connection.recv()
    except Exception as error:
        cause = error.__cause__
        return (
            type(error).__name__,
            str(error),
            type(cause).__name__,
            int(connection.state),
            connection.close_code,
            connection.close_reason,
        )
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("closer", ["client", "server"])
def test_code_and_reason_go_from_one_end_to_the_other(closer: str, code: int) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            one, other = (client, server) if closer == "client" else (server, client)
            one.close(code, "grüße")
            return ended(one), ended(other), raised(one.send, "late"), raised(other.ping)

    same(scenario)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_a_code_that_is_not_for_the_wire_is_refused(code: int) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, _):
            with pytest.raises(library.top.ProtocolError):
                client.close(code)
            return int(client.state)

    assert same(scenario) == 1


def test_leaving_the_block_closes_with_1000_or_after_an_exception_with_1011() -> None:
    def scenario(library: Any) -> Any:
        codes = []
        for error in (None, KeyError):
            with both_ends(library) as (client, server):
                try:
                    with client:
                        if error is not None:
                            raise error
                except KeyError:
                    pass
                codes.append(ended(server))
        return codes

    same(scenario)


def test_a_handler_that_fails_closes_with_1011() -> None:
    def scenario(library: Any) -> Any:
        def fails(connection: Any) -> None:
            raise KeyError

        with serving(library, fails) as uri, library.connect(uri) as connection:
            return ended(connection)

    same(scenario)


def test_the_end_of_the_transport_without_a_close_frame_is_1006() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library)
        server.end()
        return ended(connection)

    same(scenario)


def test_a_close_frame_that_is_not_answered_is_waited_for_until_close_timeout() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library, close_timeout=0.2)
        connection.close(4000)
        seen = ended(connection)
        server.end()
        return seen[0], seen[1], seen[2:5]

    same(scenario)


def test_another_thread_that_waits_in_recv_is_told_of_close() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, _):
            told: list[Any] = []
            waiting = threading.Thread(target=lambda: told.append(raised(client.recv)))
            waiting.start()
            until(waiting.is_alive)
            client.close(4001)
            waiting.join()
            return told

    same(scenario)


def test_close_can_be_called_by_several_threads() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            threads = [threading.Thread(target=client.close) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            client.close(1001)
            return ended(client), ended(server)

    same(scenario)


def test_wait_closed_tells_whether_it_is_closed() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, _):
            before = client.wait_closed(0.05)
            client.close()
            return before, client.wait_closed(0), client.wait_closed()

    assert same(scenario) == (False, True, True)


def test_messages_that_came_before_the_close_are_received_after_it() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library)
        for number in range(3):
            server.send(TEXT, str(number).encode())
        server.send(CLOSE, (1000).to_bytes(2))
        server.receive()
        server.end()
        connection.wait_closed()
        return [connection.recv() for _ in range(3)], ended(connection)

    same(scenario)


@pytest.mark.parametrize("data", [None, "abc", b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_a_ping_is_answered_and_its_event_is_set(data: Any) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, _):
            pong = client.ping(data)
            return pong.wait(10), isinstance(pong, threading.Event), client.latency > 0

    assert same(scenario) == (True, True, True)


def test_pings_with_the_same_data_and_of_a_wrong_type_are_refused() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library)
        connection.ping(b"x")
        refused = (
            raised(connection.ping, b"x")[0],
            raised(connection.ping, 5)[0],
            raised(connection.pong, 5)[0],
        )
        server.end()
        connection.wait_closed()
        return refused

    assert same(scenario) == ("ConcurrencyError", "TypeError", "TypeError")


def test_a_pong_of_a_later_ping_answers_earlier_ones_and_only_ack_on_close_is_set_at_the_end() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library)
        first, second = connection.ping(b"1"), connection.ping(b"2")
        server.send(PONG, b"2")
        answered = first.wait(10), second.wait(10)
        quiet, told = connection.ping(b"3"), connection.ping(b"4", ack_on_close=True)
        server.end()
        connection.wait_closed()
        return answered, quiet.is_set(), told.is_set()

    assert same(scenario) == ((True, True), False, True)


def test_a_ping_is_answered_while_the_application_is_away() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library)
        answers = []
        for number in range(3):
            server.send(PING, str(number).encode())
            answers.append(server.receive())
        server.send(CLOSE, (1000).to_bytes(2))
        answers.append(server.receive())
        server.end()
        until(lambda: connection.close_code is not None)
        return answers, connection.close_code

    same(scenario)


def test_a_ping_is_answered_between_calls_too() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library)
        for number in range(20):
            server.send(TEXT, str(number).encode())
            assert connection.recv() == str(number)
        server.send(PING, b"there?")
        answer = server.receive()
        server.end()
        connection.wait_closed()
        return answer

    assert same(scenario) == (PONG, b"there?")


def test_keepalive_pings_and_ends_a_connection_that_is_silent() -> None:
    def scenario(library: Any) -> Any:
        connection, server = raw_peer(library, ping_interval=0.1, ping_timeout=0.2)
        pinged = server.receive()[0]
        closed = server.receive()
        server.end()
        seen = ended(connection)
        return pinged, closed, seen[0], seen[1], seen[3:]

    same(scenario)


@pytest.mark.parametrize("away", [True, False])
def test_keepalive_measures_the_latency(away: bool) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library, {"ping_interval": 0.05}) as (client, _):
            if not away:
                raised(client.recv, 0.3)
            until(lambda: client.latency > 0)
            return int(client.state)

    assert same(scenario) == 1


def test_a_full_queue_that_nobody_empties_does_not_hold_up_a_close() -> None:
    # websockets waits for close_timeout there.
    with both_ends(LIBRARIES["itoden"], server={"max_queue": 2}) as (client, server):
        for _ in range(50):
            client.send("x" * 1000)
        closing = threading.Thread(target=server.close)
        closing.start()
        closing.join(20)
        assert not closing.is_alive()
        assert client.close_code == 1000


@threaded
def test_a_peer_that_sends_more_than_max_queue_is_held_back_and_loses_nothing() -> None:
    connection, server = raw_peer(LIBRARIES["itoden"], max_queue=(4, 1))
    sent = threading.Thread(
        target=server.sock.sendall,
        args=(b"".join(frame(TEXT, b"%d" % number, masked=False) for number in range(2000)),),
    )
    sent.start()
    until(lambda: connection._queued > 4)
    assert [connection.recv() for _ in range(2000)] == [str(number) for number in range(2000)]
    sent.join()
    server.end()
    connection.wait_closed()


@threaded
def test_a_hundred_connections_at_rest_need_no_thread_of_their_own() -> None:
    library = LIBRARIES["itoden"]
    peers = [raw_peer(library) for _ in range(100)]
    before = threading.active_count()
    for _, server in peers:
        server.send(PING, b"?")
        assert server.receive() == (PONG, b"?")
    assert threading.active_count() == before
    assert sum(thread.name == "itoden-watcher" for thread in threading.enumerate()) == 1
    for connection, server in peers:
        server.end()
        connection.wait_closed()


@threaded
def test_a_connection_that_has_ended_is_collected() -> None:
    connection, server = raw_peer(LIBRARIES["itoden"])
    server.end()
    connection.wait_closed()
    seen = weakref.ref(connection)
    del connection

    def gone() -> bool:
        gc.collect()
        return seen() is None

    until(gone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@threaded
def test_a_forked_child_has_a_watcher_of_its_own() -> None:
    library = LIBRARIES["itoden"]
    connection, server = raw_peer(library)
    server.send(PING, b"1")
    assert server.receive() == (PONG, b"1")  # the watcher runs
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _, peer = raw_peer(library)
            peer.send(PING, b"2")
            os.write(writer, b"y" if peer.receive() == (PONG, b"2") else b"n")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"y"
    server.end()
    connection.wait_closed()


@threaded
def test_the_wheel_changes_hands_between_threads_that_wait() -> None:
    with both_ends(LIBRARIES["itoden"]) as (client, server):
        closed = threading.Thread(target=client.wait_closed)
        closed.start()
        echoing = threading.Thread(target=echo, args=(server,))
        echoing.start()
        for number in range(200):
            client.send(str(number))
            assert client.recv(timeout=10) == str(number)
            if number % 50 == 0:
                time.sleep(0.12)  # long enough for the watcher to take over
                assert client.ping().wait(10)
        client.close()
        closed.join()
        echoing.join()
