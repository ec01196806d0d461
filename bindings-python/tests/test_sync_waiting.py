"""Who waits in threads reads the socket itself: signals, timeouts, timers and large messages there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from typing import Any

import pytest

from harness import BINARY, PING, PONG, TEXT
from itoden.sync.streams import Stream
from sync_parity import LIBRARIES, both_ends, echo, limited, port, raised, running, serving, threaded, until
from test_sync_closing import raw_peer
from test_sync_opening import client_context, server_context

LIBRARY = LIBRARIES["itoden"]


class Interrupted(Exception):
    """What the signal handler raises."""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals reach threads on POSIX only")
@pytest.mark.parametrize("timeout", [None, 30, 0.09])
def test_a_signal_handler_runs_while_recv_waits_and_loses_no_message(timeout: float | None) -> None:
    def interrupt(number: int, frame: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    waits = threading.Event()
    connection, server = raw_peer(LIBRARY, ping_interval=None)

    def take() -> None:
        waits.set()
        while True:
            with contextlib.suppress(TimeoutError):
                connection.recv(timeout)

    def wake() -> None:
        waits.wait(30)
        while not done.is_set():
            signal.pthread_kill(main, signal.SIGUSR1)
            if done.wait(0.01):
                return

    main, done = threading.get_ident(), threading.Event()
    waker = threading.Thread(target=wake, daemon=True)
    waker.start()
    try:
        with pytest.raises(Interrupted):
            take()
    finally:
        try:
            done.set()
            waker.join(30)
        except Interrupted:
            waker.join(30)
        signal.signal(signal.SIGUSR1, before)
    server.send(TEXT, b"after")
    assert connection.recv(timeout=30) == "after"
    server.end()
    connection.wait_closed()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals reach threads on POSIX only")
def test_a_signal_handler_that_raises_nothing_ends_no_recv() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: came.append(number))
    connection, server = raw_peer(LIBRARY, ping_interval=None)
    main = threading.get_ident()

    def wake() -> None:
        signal.pthread_kill(main, signal.SIGUSR1)
        until(lambda: bool(came))
        server.send(TEXT, b"after")

    waker = threading.Thread(target=wake, daemon=True)
    waker.start()
    try:
        assert connection.recv(timeout=30) == "after"
    finally:
        waker.join(30)
        signal.signal(signal.SIGUSR1, before)
    server.end()
    connection.wait_closed()


@threaded
def test_recv_of_a_socket_that_somebody_set_not_to_wait_does_not_spin() -> None:
    connection, server = raw_peer(LIBRARY, ping_interval=None)
    connection.socket.setblocking(False)
    before = connection._io.turns
    with pytest.raises(TimeoutError):
        connection.recv(timeout=0.5)
    assert connection._io.turns - before < 100
    server.send(TEXT, b"Hello")
    assert connection.recv() == "Hello"
    server.end()
    connection.wait_closed()


@threaded
@pytest.mark.parametrize("timeout", [0, 0.001, 0.05, 0.12, 0.3])
def test_timeouts_of_all_lengths_end_and_lose_nothing(timeout: float) -> None:
    connection, server = raw_peer(LIBRARY)
    for number in range(3):
        with pytest.raises(TimeoutError):
            connection.recv(timeout)
        server.send(TEXT, str(number).encode())
        assert connection.recv(timeout=30) == str(number)
        assert connection.ping  # still open
    server.end()
    connection.wait_closed()


@threaded
def test_keepalive_pings_although_messages_never_stop_coming() -> None:
    connection, server = raw_peer(LIBRARY, ping_interval=0.05, ping_timeout=None, max_queue=None)
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            server.send(BINARY, bytes(1000))
        server.send(TEXT, b"last")

    def take() -> None:
        while connection.recv() != "last":
            pass

    threads = [threading.Thread(target=target, daemon=True) for target in (flood, take)]
    for thread in threads:
        thread.start()
    try:
        assert [server.receive()[0] for _ in range(3)] == [PING] * 3
    finally:
        over.set()
    for thread in threads:
        thread.join(30)
    server.end()
    connection.wait_closed()


@threaded
def test_a_ping_is_answered_while_recv_waits() -> None:
    connection, server = raw_peer(LIBRARY, ping_interval=None)
    taken: list[Any] = []
    taking = threading.Thread(target=lambda: taken.append(connection.recv()))
    taking.start()
    for number in range(20):
        server.send(PING, str(number).encode())
        assert server.receive() == (PONG, str(number).encode())
    server.send(TEXT, b"Hello")
    taking.join(30)
    assert taken == ["Hello"]
    server.end()
    connection.wait_closed()


@threaded
@pytest.mark.parametrize("size", [16_384 - 4, 16_384 - 3, 16_380, 65_535, 65_536, 262_144, 1_000_000])
def test_messages_around_the_sizes_of_buffers_come_whole(size: int) -> None:
    # One after the other, so that what is read at once varies too.
    message = os.urandom(size)
    with serving(LIBRARY, echo, max_size=None) as uri, LIBRARY.connect(uri, max_size=None) as connection:
        for small in (b"", b"small"):
            connection.send(small)
            connection.send(message)
            assert connection.recv() == small
            assert connection.recv() == message


@threaded
def test_more_threads_than_buffers_wait_for_large_messages() -> None:
    connections = [both_ends(LIBRARY) for _ in range(24)]
    ends = [connection.__enter__() for connection in connections]
    rounds = threading.Barrier(len(ends) + 1)
    failed: list[BaseException] = []

    def take(client: Any, number: int) -> None:
        try:
            for size in (100_000, 200_000, 10):
                rounds.wait(30)
                assert client.recv() == bytes([number]) * size
        except BaseException as error:
            failed.append(error)
            rounds.abort()

    threads = [
        threading.Thread(target=take, args=(client, number)) for number, (client, _) in enumerate(ends)
    ]
    for thread in threads:
        thread.start()
    for size in (100_000, 200_000, 10):
        rounds.wait(30)
        for number, (_, server) in enumerate(ends):
            server.send(bytes([number]) * size)
    for thread in threads:
        thread.join(30)
    assert failed == []
    for connection in connections:
        connection.__exit__(None, None, None)


@threaded
def test_the_sockets_end_in_another_thread_ends_recv() -> None:
    connection, server = raw_peer(LIBRARY, ping_interval=None, close_timeout=0.1)
    raised: list[BaseException] = []

    def take() -> None:
        try:
            connection.recv()
        except BaseException as error:
            raised.append(error)

    taking = threading.Thread(target=take)
    taking.start()
    until(lambda: connection._io._driven)
    connection.close()  # the peer does not answer: the other thread loses the transport
    taking.join(30)
    assert [type(error).__name__ for error in raised] == ["ConnectionClosedError"]
    assert isinstance(connection.socket, socket.socket)
    until(lambda: connection.socket.fileno() == -1)
    server.end()


@threaded
@pytest.mark.parametrize("secure", [False, True])
def test_systems_where_calls_can_not_be_told_not_to_wait(
    secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On Windows sockets are set not to wait, and Python reads and writes them.
    monkeypatch.setattr(Stream, "waits", False)
    server_options = {"ssl": server_context()} if secure else {}
    client_options = {"ssl": client_context()} if secure else {}
    with running(LIBRARY.serve(echo, "127.0.0.1", 0, max_size=None, **server_options)) as server:
        uri = f"{'wss' if secure else 'ws'}://localhost:{port(server)}/"
        with LIBRARY.connect(uri, max_size=None, **client_options) as connection:
            for size in (0, 100, 20_000, 1_000_000):
                connection.send(bytes(size))
                assert connection.recv(timeout=30) == bytes(size)
            with pytest.raises(TimeoutError):
                connection.recv(timeout=0.01)
            assert connection.ping().wait(30)
        assert connection.close_code == 1000


@threaded
def test_a_sender_goes_on_when_another_thread_has_written_what_it_waits_for() -> None:
    connection, server = raw_peer(LIBRARY, ping_interval=None)
    transport = connection._io
    begin = transport._begin

    def begin_and_be_overtaken(*arguments: Any) -> Any:
        """After the sender has looked, and before it waits, the watcher writes."""
        role = begin(*arguments)
        while transport._unsent:
            server.sock.recv(1 << 20)
            limited(transport.flush_and_tell)
        return role

    transport._begin = begin_and_be_overtaken
    connection.send(bytes(20_000_000))
    connection._abort()
    server.end()


@threaded
def test_a_follower_goes_on_when_what_it_waits_for_comes_from_no_turn_of_the_driver() -> None:
    connection, server = raw_peer(LIBRARY, ping_interval=None)
    receiving = threading.Thread(target=lambda: raised(connection.recv), daemon=True)
    receiving.start()
    until(lambda: connection._io._driven)
    pong = connection.ping()
    waiting = threading.Thread(target=pong.wait, daemon=True)
    waiting.start()
    until(lambda: connection._io._happen())  # it follows
    with connection._io.lock:
        pong.set_result(0.1)
    waiting.join(10)
    assert not waiting.is_alive()
    connection._abort()
    receiving.join(10)
    server.end()
