"""Log records have the levels and the words that `websockets` has made known."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import websockets
from websockets.frames import Frame, Opcode

import itoden
from harness import REQUEST, asynchronous, raw_peer, until
from itoden.frame_log import describe_frame
from parity import LIBRARIES, nothing, serving

# What differs by nature: names, ports, keys, dates, and how the end of the transport is told.
_CHANGING = [
    (re.compile(r"websockets/[\d.]+|itoden/[\d.]+"), "LIBRARY"),
    (re.compile(r":\d{4,5}"), ":PORT"),
    (re.compile(r"(Sec-WebSocket-(Key|Accept)|Date|Content-Length): .*"), r"\1"),
]
_LEFT_OUT = re.compile(r"[<>] EOF|x .*|! .*|. \[body\].*")


class Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[tuple[str, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if _LEFT_OUT.fullmatch(message):
            return
        for pattern, replacement in _CHANGING:
            message = pattern.sub(replacement, message)
        if record.exc_info and record.exc_info[0]:
            message += f" ({record.exc_info[0].__name__})"
        self.records.append((record.name.split(".")[-1], record.levelname, message))


Scenario = Callable[[Any], Coroutine[Any, Any, Any]]


def logged(library: Any, level: int, scenario: Scenario) -> dict[str, list[tuple[str, str]]]:
    """The records of client and server."""
    logger = logging.getLogger(library.__name__)
    collector = Collector()
    before = logger.level
    logger.addHandler(collector)
    logger.setLevel(level)
    try:
        asyncio.run(scenario(library))
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before)
    return {
        side: [(name, message) for owner, name, message in collector.records if owner == side]
        for side in ("client", "server")
    }


async def echo_once(connection: Any) -> None:
    await connection.send(await connection.recv())


async def raise_error(connection: Any) -> None:
    await connection.recv()
    raise RuntimeError("mine")


async def ask(uri: str, request: bytes, *, cut: bool = False) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2].rstrip("/")))
    writer.write(request)
    if cut:
        writer.write_eof()
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def opened_and_closed(library: Any) -> None:
    async with serving(library, echo_once) as uri:
        async with library.connect(uri) as connection:
            await connection.send("hello")
            await connection.recv()
            await connection.wait_closed()


async def handler_that_fails(library: Any) -> None:
    async with serving(library, raise_error) as uri:
        async with library.connect(uri) as connection:
            await connection.send("hello")
            await connection.wait_closed()


async def refused(library: Any) -> None:
    async with serving(library, nothing, origins=["https://example.com"]) as uri:
        with pytest.raises(library.InvalidStatus):
            await library.connect(uri)


async def answered_by_the_application(library: Any) -> None:
    def process(connection: Any, request: Any) -> Any:
        if request.path == "/fails":
            raise RuntimeError("mine")
        return connection.respond(200, "fine\n")

    async with serving(library, nothing, process_request=process) as uri:
        await ask(uri, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await ask(uri, b"GET /fails HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def failing_process_response(library: Any) -> None:
    def process(connection: Any, request: Any, response: Any) -> Any:
        raise RuntimeError("mine")

    async with serving(library, nothing, process_response=process) as uri:
        await ask(uri, (REQUEST + "\r\n").encode())


async def failing_select_subprotocol(library: Any) -> None:
    def select(connection: Any, offered: Any) -> Any:
        raise RuntimeError("mine")

    async with serving(library, nothing, select_subprotocol=select) as uri:
        await ask(uri, (REQUEST + "Sec-WebSocket-Protocol: a\r\n\r\n").encode())


async def cut_off(library: Any) -> None:
    async with serving(library, nothing) as uri:
        await ask(uri, b"GET / HTTP/1.1\r\n", cut=True)
        await ask(uri, b"", cut=True)


async def plain_http(library: Any) -> None:
    async with serving(library, nothing) as uri:
        await ask(uri, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await ask(uri, b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")


SCENARIOS = [
    opened_and_closed,
    handler_that_fails,
    refused,
    answered_by_the_application,
    failing_process_response,
    failing_select_subprotocol,
    cut_off,
    plain_http,
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_records_from_info_on_are_those_of_websockets(scenario: Scenario) -> None:
    ours, theirs = (logged(library, logging.INFO, scenario) for library in (itoden, websockets))
    # When a connection ends beside another is not the same each time.
    assert {side: sorted(ours[side]) for side in ours} == {side: sorted(theirs[side]) for side in theirs}


@pytest.mark.parametrize("scenario", [opened_and_closed, refused])
def test_records_of_a_client_at_debug_are_those_of_websockets(
    scenario: Scenario,
) -> None:
    ours, theirs = (logged(library, logging.DEBUG, scenario)["client"] for library in (itoden, websockets))
    # In which order an answer and the state it leads to are told is not the same.
    assert sorted(ours) == sorted(theirs)


def test_records_of_a_server_at_debug_are_those_of_websockets() -> None:
    ours, theirs = (
        logged(library, logging.DEBUG, opened_and_closed)["server"] for library in (itoden, websockets)
    )
    assert sorted(ours) == sorted(theirs)


def test_without_debug_no_frame_is_looked_at() -> None:
    calls: list[Any] = []

    class Mine(itoden.ClientConnection):
        def _log_frame(self, *args: Any) -> None:
            calls.append(args)

    async def scenario(library: Any) -> None:
        async with serving(itoden, echo_once) as uri:
            async with itoden.connect(uri, create_connection=Mine) as connection:
                await connection.send("hello")
                await connection.recv()

    logged(itoden, logging.INFO, scenario)
    assert calls == []
    logged(itoden, logging.DEBUG, scenario)
    assert [(came, what, payload) for came, what, payload, *_ in calls][:2] == [
        (False, "TEXT", b"hello"),
        (True, "TEXT", b"hello"),
    ]


def test_keepalive_is_logged_as_in_websockets() -> None:
    async def scenario(library: Any) -> None:
        async with serving(library, nothing, ping_interval=None) as uri:
            async with library.connect(uri, ping_interval=0.01) as connection:
                while not connection.latency:
                    await asyncio.sleep(0.001)

    messages = [message for _, message in logged(itoden, logging.DEBUG, scenario)["client"]]
    assert "% sent keepalive ping" in messages
    assert "% received keepalive pong" in messages


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_peer_that_falls_silent_is_logged_as_in_websockets(role: str) -> None:
    async def scenario(library: Any) -> None:
        async with raw_peer(role, ping_interval=0.01, ping_timeout=0.01) as (connection, _):
            await until(lambda: connection.state is not itoden.State.OPEN)

    records = logged(itoden, logging.DEBUG, scenario)[role]
    expected = [
        ("DEBUG", "- timed out waiting for keepalive pong"),
        ("DEBUG", "> CLOSE 1011 (internal error) keepalive ping timeout [24 bytes]"),
        ("DEBUG", "= connection is CLOSING"),
    ]
    index = records.index(expected[0])
    assert records[index : index + 3] == expected


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_handshake_that_the_peer_breaks_is_no_error(library: str, caplog: pytest.LogCaptureFixture) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(LIBRARIES[library], nothing) as uri:
            await ask(uri, b"\x16\x03\x01\x02\x00\r\n\r\n")

    with caplog.at_level(logging.INFO, library):
        run()
    assert {record.levelname for record in caplog.records} == {"INFO"}


FRAMES: list[tuple[Opcode, bytes, bool]] = [
    (Opcode.TEXT, b"Hello", True),
    (Opcode.TEXT, b"", True),
    (Opcode.TEXT, b"H", False),
    (Opcode.TEXT, "grüße 🧵".encode(), True),
    (Opcode.CONT, b"Hello", True),
    (Opcode.CONT, b"\x00\x01", False),
    (Opcode.BINARY, b"Hello", True),
    (Opcode.BINARY, b"\x00\x01\xff", True),
    (Opcode.PING, b"", True),
    (Opcode.PING, b"abcd", True),
    (Opcode.PONG, b"\xff\xfe\xfd\xfc", True),
    (Opcode.CLOSE, b"", True),
    (Opcode.CLOSE, b"\x03\xe8", True),
    (Opcode.CLOSE, b"\x0f\xa0bye", True),
]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_a_frame_is_described_as_in_websockets(frame: tuple[Opcode, bytes, bool]) -> None:
    opcode, payload, fin = frame
    assert describe_frame(opcode.name, payload, len(payload), fin) == str(Frame(opcode, payload, fin))


@pytest.mark.parametrize(
    "payload", [b"x" * 1000, bytes(1000), "ü".encode() * 500, b"a" + "🧵".encode() * 200]
)
@pytest.mark.parametrize("what", ["TEXT", "BINARY"])
def test_a_long_frame_is_cut(what: str, payload: bytes) -> None:
    shown = describe_frame(what, payload[:256], len(payload), True)
    assert "..." in shown
    assert f"{len(payload)} bytes]" in shown
    assert len(shown) < 120
