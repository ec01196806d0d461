"""One message for many connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

import itoden
from harness import asynchronous
from parity import LIBRARIES, nothing, same, shown


@contextlib.asynccontextmanager
async def connected(library: Any, count: int, **options: Any) -> AsyncIterator[tuple[Any, list[Any]]]:
    """A server and its clients."""
    async with library.serve(nothing, "127.0.0.1", 0, **options) as server:
        uri = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(library.connect(uri)) for _ in range(count)]
            while len(server.connections) < count:
                await asyncio.sleep(0.001)
            yield server, clients


@pytest.mark.parametrize(
    "message", ["text", b"bytes", bytearray(b"array"), memoryview(b"view"), "x" * 100_000]
)
@pytest.mark.parametrize("text", [None, True, False])
def test_every_connection_receives_the_message(message: Any, text: bool | None) -> None:
    async def scenario(library: Any) -> object:
        async with connected(library, 5) as (server, clients):
            assert library.broadcast(server.connections, message, text=text) is None
            return [await client.recv() for client in clients]

    assert len(same(scenario)) == 5


def test_connections_that_are_not_open_are_passed_over() -> None:
    async def scenario(library: Any) -> object:
        async with connected(library, 3) as (server, clients):
            ends = list(server.connections)
            await clients[0].close()
            await clients[1].close()
            library.broadcast(ends, "still here", raise_exceptions=True)
            return await clients[2].recv()

    assert same(scenario) == "still here"


def test_clients_can_broadcast_too() -> None:
    async def scenario(library: Any) -> object:
        async with connected(library, 2) as (server, clients):
            library.broadcast(iter(clients), b"up")
            return [await connection.recv(decode=True) for connection in server.connections]

    assert same(scenario) == ["up", "up"]


@pytest.mark.parametrize("message", [["a", "b"], 5, None, {}], ids=str)
def test_what_is_no_message_raises(message: Any) -> None:
    async def scenario(library: Any) -> object:
        async with connected(library, 1) as (server, _):
            with pytest.raises(TypeError):
                library.broadcast(server.connections, message)
            with pytest.raises(TypeError):
                library.broadcast([], message)
        return True

    assert same(scenario)


@asynchronous
async def test_what_can_not_be_encoded_raises_and_is_sent_to_nobody() -> None:
    async with connected(itoden, 2) as (server, clients):
        with pytest.raises(UnicodeError):
            itoden.broadcast(server.connections, "\ud800")
        with pytest.raises(ValueError, match="UTF-8"):
            itoden.broadcast(server.connections, b"\xff", text=True)
        itoden.broadcast(server.connections, "next")
        assert [await client.recv() for client in clients] == ["next", "next"]


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("raise_exceptions", [False, True])
def test_a_connection_that_sends_fragments_is_passed_over_with_a_warning(
    name: str, raise_exceptions: bool, caplog: pytest.LogCaptureFixture
) -> None:
    library = LIBRARIES[name]
    release = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        yield "a"
        await release.wait()
        yield "b"

    @asynchronous
    async def run() -> None:
        async with connected(library, 2) as (server, clients):
            busy = next(iter(server.connections))
            sending = asyncio.create_task(busy.send(slow()))
            await asyncio.sleep(0.01)
            if raise_exceptions:
                with pytest.raises(ExceptionGroup, match="skipped broadcast") as raised:
                    library.broadcast(server.connections, "all", raise_exceptions=True)
                (error,) = raised.value.exceptions
                assert shown(error) == ("ConcurrencyError", "sending a fragmented message")
            else:
                library.broadcast(server.connections, "all")
            release.set()
            await sending
            assert sorted([await client.recv() for client in clients]) == ["ab", "all"]

    with caplog.at_level(logging.WARNING):
        run()
    records = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if "broadcast" in record.getMessage()
    ]
    expected = [] if raise_exceptions else [("WARNING", "skipped broadcast: sending a fragmented message")]
    assert records == expected


def test_a_connection_that_waits_to_send_a_whole_message_is_not_passed_over() -> None:
    async def scenario(library: Any) -> object:
        async with connected(library, 1, compression=None) as (server, (client,)):
            (end,) = server.connections
            await end.send(["a", "b"])
            client.transport.pause_reading()

            async def send() -> None:
                for _ in range(16):
                    await end.send(bytes(1 << 20))

            sending = asyncio.create_task(send())
            await asyncio.sleep(0.01)
            assert not sending.done()
            library.broadcast(server.connections, "all", raise_exceptions=True)
            client.transport.resume_reading()
            sizes = [len(await client.recv()) for _ in range(18)]
            await sending
            return sorted(sizes)

    assert same(scenario) == [2, 3, *[1 << 20] * 16]


def send_until_it_fails(server: itoden.Server, message: bytes) -> None:
    for _ in range(20):
        itoden.broadcast(server.connections, message, raise_exceptions=True)


@pytest.mark.parametrize("raise_exceptions", [False, True])
def test_a_connection_that_can_take_no_more_is_passed_over(
    raise_exceptions: bool, caplog: pytest.LogCaptureFixture
) -> None:
    @asynchronous
    async def run() -> None:
        async with connected(itoden, 1, compression=None) as (server, clients):
            clients[0].transport.pause_reading()
            large = bytes(8 << 20)
            if raise_exceptions:
                with pytest.raises(ExceptionGroup) as raised:
                    send_until_it_fails(server, large)
                (error,) = raised.value.exceptions
                assert shown(error) == ("RuntimeError", "failed to write message")
                assert isinstance(error.__cause__, itoden.SendError)
            else:
                for _ in range(20):
                    itoden.broadcast(server.connections, large)
            for connection in server.connections:
                connection.transport.abort()
            clients[0].transport.abort()

    with caplog.at_level(logging.WARNING):
        run()
    failed = [record for record in caplog.records if "failed to write message" in record.getMessage()]
    assert bool(failed) is not raise_exceptions
