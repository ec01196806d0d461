"""`async for` over `connect()`: again and again, with delays that grow."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Generator
from typing import Any

import pytest
import websockets.client

import itoden
import itoden.client
from harness import asynchronous
from itoden.client import backoff, process_exception
from parity import LIBRARIES, nothing, same, serving


def quickly() -> Generator[float]:
    while True:
        yield 0.001


def test_each_turn_has_a_connection_of_its_own_that_is_closed_after_it() -> None:
    async def scenario(library: Any) -> object:
        observed: list[Any] = []
        connections: list[Any] = []
        async with serving(library, nothing) as uri:
            async for connection in library.connect(uri):
                assert all(connection is not other for other in connections)
                observed += [other.state.name for other in connections]
                connections.append(connection)
                if len(connections) == 3:
                    await connection.close()
                    break
        return observed

    assert same(scenario) == ["CLOSED"] * 3


REFUSALS: dict[str, tuple[list[Any], str]] = {
    "503 then open": ([503, 503, None], "open after 3"),
    "500, 502, 504 then open": ([500, 502, 504, None], "open after 4"),
    "403": ([403], "InvalidStatus after 1"),
    "404 after 503": ([503, 404], "InvalidStatus after 2"),
    "the transport ends": (["end", None], "open after 2"),
    "not HTTP": (["garbage"], "InvalidMessage after 1"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_errors_that_may_pass_are_waited_out_and_others_raised(what: str) -> None:
    answers, expected = REFUSALS[what]

    async def scenario(library: Any) -> object:
        asked = 0
        left = list(answers)

        async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Answers badly, or hands on to the server."""
            nonlocal asked
            asked += 1
            head = await reader.readuntil(b"\r\n\r\n")
            match left.pop(0):
                case None:
                    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", backend)
                    back_writer.write(head)
                    await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
                case "end":
                    writer.close()
                case "garbage":
                    writer.write(b"\x16\x03\x01\r\n\r\n")
                    writer.close()
                case status:
                    writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
                    writer.close()

        async with serving(library, nothing) as uri:
            backend = int(uri.split(":")[2].rstrip("/"))
            async with await asyncio.start_server(front, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                try:
                    async for connection in library.connect(
                        f"ws://127.0.0.1:{port}/", reconnect_delays=quickly
                    ):
                        await connection.close()
                        break
                except Exception as error:
                    return f"{type(error).__name__} after {asked}"
        return f"open after {asked}"

    assert same(scenario) == expected


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@pytest.mark.parametrize(
    ("decide", "expected"),
    [
        (lambda error: error, "InvalidStatus"),
        (lambda error: RuntimeError("mine"), "RuntimeError from InvalidStatus"),
        (lambda error: 1 / 0, "ZeroDivisionError from InvalidStatus"),
    ],
    ids=["as it is", "another", "raised"],
)
def test_process_exception_decides_what_is_raised(decide: Callable[[Exception], Any], expected: str) -> None:
    async def scenario(library: Any) -> object:
        def refuse(connection: Any, request: Any) -> Any:
            return connection.respond(503, "no")

        async with serving(library, nothing, process_request=refuse) as uri:
            try:
                async for _ in library.connect(uri, process_exception=decide):
                    pass
            except Exception as error:
                cause = f" from {type(error.__cause__).__name__}" if error.__cause__ else ""
                return type(error).__name__ + cause
        return None

    assert same(scenario) == expected


def test_what_the_body_raises_goes_through_process_exception_as_in_websockets() -> None:
    async def scenario(library: Any) -> object:
        seen: list[str] = []

        def decide(error: Exception) -> Exception | None:
            seen.append(type(error).__name__)
            return None if len(seen) < 3 else error

        async with serving(library, nothing) as uri:
            turns = 0
            connecting = library.connect(uri, process_exception=decide, reconnect_delays=quickly)
            with contextlib.suppress(ValueError):
                async for connection in connecting:
                    turns += 1
                    try:
                        raise ValueError
                    finally:
                        await connection.close()
            return seen, turns

    same(scenario)


@asynchronous
async def test_the_delays_begin_anew_after_a_connection() -> None:
    began = 0
    answers = itertools.cycle([503, 503, None])

    def delays() -> Generator[float]:
        nonlocal began
        began += 1
        yield from quickly()

    def refuse(connection: Any, request: Any) -> Any:
        return None if next(answers) is None else connection.respond(503, "no")

    async with serving(itoden, nothing, process_request=refuse) as uri:
        opened = 0
        async for connection in itoden.connect(uri, reconnect_delays=delays):
            opened += 1
            await connection.close()
            if opened == 2:
                break
    assert began == 2


@pytest.mark.parametrize("name", LIBRARIES)
def test_every_retry_is_logged_with_its_delay_and_reason(name: str, caplog: pytest.LogCaptureFixture) -> None:
    library = LIBRARIES[name]
    answers = iter([503, None])

    def refuse(connection: Any, request: Any) -> Any:
        return None if next(answers) is None else connection.respond(503, "no")

    @asynchronous
    async def run() -> None:
        async with serving(library, nothing, process_request=refuse) as uri:
            async for connection in library.connect(uri, reconnect_delays=lambda: iter([0.04, 1000])):
                await connection.close()
                break

    with caplog.at_level(logging.INFO):
        run()
    messages = [
        (record.levelname, record.getMessage().replace("websockets", "itoden"))
        for record in caplog.records
        if "reconnecting" in record.getMessage()
    ]
    assert messages == [
        (
            "INFO",
            "connect failed; reconnecting in 0.0 seconds: "
            "itoden.exceptions.InvalidStatus: server rejected WebSocket connection: HTTP 503",
        )
    ]


def test_the_usual_delays_grow_to_a_bound_as_in_websockets() -> None:
    for delays in (backoff(), websockets.client.backoff()):
        first, *others = itertools.islice(delays, 12)
        assert 0 <= first <= 5
        assert others[:2] == [3.1, pytest.approx(3.1 * 1.618)]
        assert others[-2:] == [90, 90]
    assert [*itertools.islice(backoff(0, 1, 4, 2), 5)] == [0, 1, 2, 4, 4]


@pytest.mark.parametrize(
    "error", [OSError(), TimeoutError(), ConnectionRefusedError(), EOFError(), ValueError()]
)
def test_errors_of_the_network_are_tried_again_as_in_websockets(error: Exception) -> None:
    ours, theirs = process_exception(error), websockets.client.process_exception(error)
    assert ours is theirs


@asynchronous
async def test_nobody_there_is_tried_again() -> None:
    async with serving(itoden, nothing) as uri:
        pass
    attempts = 0

    def decide(error: Exception) -> Exception | None:
        nonlocal attempts
        attempts += 1
        assert isinstance(error, ConnectionRefusedError)
        assert process_exception(error) is None
        return error if attempts == 3 else None

    with pytest.raises(ConnectionRefusedError):
        async for _ in itoden.connect(uri, process_exception=decide, reconnect_delays=quickly):
            pass
    assert attempts == 3


@asynchronous
async def test_a_context_can_not_be_entered_twice_at_once() -> None:
    async with serving(itoden, nothing) as uri:
        connecting = itoden.connect(uri)
        async with connecting:
            with pytest.raises(RuntimeError, match="reentrant"):
                async with connecting:
                    pass
        async with connecting as connection:
            assert connection.state is itoden.State.OPEN
