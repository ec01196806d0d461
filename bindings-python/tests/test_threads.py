"""Many threads at once: with the interpreter's lock they take turns, without it (3.14t) they don't."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import itoden
from harness import asynchronous, port_of
from itoden.sync.client import ClientConnection, connect
from itoden.sync.server import ServerConnection, serve

THREADS, MESSAGES = 8, 200


@pytest.fixture(autouse=True)
def often() -> Iterator[None]:
    """Threads change a thousand times as often as usual, where they take turns at all."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(*functions: Callable[[], None]) -> None:
    """Runs all at once, and raises what one of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(functions))

    def guarded(function: Callable[[], None]) -> None:
        try:
            start.wait(30)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "threads wait for each other"
    if errors:
        raise errors[0]


@pytest.fixture
def echo() -> Iterator[str]:
    def handler(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(handler, "127.0.0.1", 0) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        serving.join(30)


def test_many_threads_send_over_one_connection_and_one_receives(echo: str) -> None:
    with connect(echo, proxy=None, max_queue=None) as connection:
        came: list[Any] = []

        def send(number: int) -> Callable[[], None]:
            def run() -> None:
                for index in range(MESSAGES):
                    connection.send(f"{number} {index} " + "x" * (index * 7 % 2000))

            return run

        def receive() -> None:
            for _ in range(THREADS * MESSAGES):
                came.append(connection.recv(timeout=30))

        in_threads(receive, *(send(number) for number in range(THREADS)))
    for number in range(THREADS):
        own = [message.split(" ") for message in came if message.startswith(f"{number} ")]
        assert [(int(index), len(text)) for _, index, text in own] == [
            (index, index * 7 % 2000) for index in range(MESSAGES)
        ]


def test_pings_getters_and_messages_of_many_threads_do_not_meet(echo: str) -> None:
    with connect(echo, proxy=None) as connection:
        over = threading.Event()

        def exchange() -> None:
            for index in range(2 * MESSAGES):
                connection.send(str(index))
                assert connection.recv(timeout=30) == str(index)
            over.set()

        def ping() -> None:
            while not over.is_set():
                assert connection.ping().wait(30)

        def look() -> None:
            while not over.is_set():
                assert connection.state is itoden.State.OPEN
                assert (connection.close_code, connection.subprotocol) == (None, None)
                assert connection.latency >= 0

        in_threads(exchange, ping, ping, look, look)


def test_many_threads_close_one_connection_once(echo: str) -> None:
    for _ in range(20):
        connection = connect(echo, proxy=None, legacy=True)

        def send(connection: ClientConnection = connection) -> None:
            try:
                for _ in range(MESSAGES):
                    connection.send("message")
            except itoden.ConnectionClosed:
                pass

        def receive(connection: ClientConnection = connection) -> None:
            try:
                while True:
                    connection.recv(timeout=30)
            except itoden.ConnectionClosed:
                pass

        in_threads(send, send, receive, *[functools.partial(connection.close, 4000)] * 3)
        assert (connection.state, connection.close_code) == (itoden.State.CLOSED, 4000)


def test_each_thread_has_connections_of_its_own(echo: str) -> None:
    def use() -> None:
        for _ in range(10):
            with connect(echo, proxy=None) as connection:
                for size in (0, 125, 5000, 70000):
                    connection.send(bytes(size))
                    assert connection.recv(timeout=30) == bytes(size)

    in_threads(*[use] * THREADS)


def test_each_thread_has_an_event_loop_of_its_own() -> None:
    @asynchronous
    async def use() -> None:
        async def handler(connection: itoden.ServerConnection) -> None:
            async for message in connection:
                await connection.send(message)

        async with itoden.serve(handler, "127.0.0.1", 0) as server:
            uri = f"ws://127.0.0.1:{port_of(server)}/"

            async def exchange() -> None:
                async with itoden.connect(uri, proxy=None) as client:
                    for size in (0, 125, 5000, 70000):
                        await client.send(bytes(size))
                        assert await client.recv() == bytes(size)

            await asyncio.gather(*(exchange() for _ in range(10)))

    in_threads(*[use] * 4)


@asynchronous
async def test_other_threads_look_at_a_connection_of_a_loop() -> None:
    over = threading.Event()
    seen: list[Any] = []

    async def handler(connection: itoden.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with itoden.serve(handler, "127.0.0.1", 0) as server:
        async with itoden.connect(f"ws://127.0.0.1:{port_of(server)}/", proxy=None) as client:

            def look() -> None:
                while not over.is_set():
                    seen.append((client.state, client.close_code, client.subprotocol, client.latency >= 0))

            looking = [asyncio.create_task(asyncio.to_thread(look)) for _ in range(4)]
            for index in range(500):
                await client.send(str(index))
                assert await client.recv() == str(index)
            over.set()
            await asyncio.gather(*looking)
    assert set(seen) == {(itoden.State.OPEN, None, None, True)}


if sys.version_info >= (3, 12):  # before, cached properties have a lock of their own

    def test_threads_that_ask_for_the_number_of_a_connection_at_once_are_told_the_same(
        echo: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_make_one, make, told = threading.Barrier(2), uuid.uuid4, set[uuid.UUID]()

        def made_at_once() -> uuid.UUID:
            both_make_one.wait(30)
            return make()

        with connect(echo, proxy=None) as connection:
            monkeypatch.setattr(uuid, "uuid4", made_at_once)
            in_threads(*[lambda: told.add(connection.id)] * 2)
            assert told == {connection.id}
