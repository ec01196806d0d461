"""Connections that tell a listener what comes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import itoden
from asgi import LOOPS
from harness import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    Peer,
    answer_upgrade,
    asynchronous,
    frame,
    port_of,
    raw_server,
    until,
)
from itoden import callbacks
from itoden.typing import Data

if "uvloop" in LOOPS:
    import uvloop


class Recorder(callbacks.Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.closed = asyncio.Event()

    def on_open(self, connection: callbacks.Connection) -> None:
        self.connection = connection
        self.told.append("open")

    def on_message(self, data: Data) -> None:
        self.told.append(data)

    def on_ping(self, data: bytes) -> None:
        self.told.append(("ping", data))

    def on_pong(self, data: bytes) -> None:
        self.told.append(("pong", data))

    def on_pause(self) -> None:
        self.told.append("pause")

    def on_resume(self) -> None:
        self.told.append("resume")

    def on_close(self, code: int, reason: str) -> None:
        self.told.append(("close", code, reason))
        self.closed.set()


class Echo(callbacks.Listener):
    """Sends back what comes."""

    def on_open(self, connection: callbacks.Connection) -> None:
        self.connection = connection

    def on_message(self, data: Data) -> None:
        self.connection.send(data)


def uri_of(server: itoden.Server) -> str:
    return f"ws://127.0.0.1:{port_of(server)}/"


@contextlib.asynccontextmanager
async def with_raw_server(
    listener: Any, early: bytes = b"", **options: Any
) -> AsyncIterator[tuple[callbacks.Connection, Peer]]:
    """A client with a listener, and its raw peer, which sends `early` together with its answer."""
    async with raw_server(lambda request: answer_upgrade(request) + early) as (port, streams):
        connection = await callbacks.connect(f"ws://127.0.0.1:{port}/", listener, **options)
        peer = Peer("server", *await streams)
        try:
            yield connection, peer
        finally:
            connection.abort()
            peer.end()
            await connection.wait_closed()


def server_frames(*messages: str) -> bytes:
    return b"".join(frame(TEXT, message.encode(), masked=False) for message in messages)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_listener_is_told_everything_in_order(loop: str) -> None:
    async def scenario() -> None:
        at_server: list[Recorder] = []

        class Server(Recorder):
            def __init__(self) -> None:
                super().__init__()
                at_server.append(self)

            def on_message(self, data: Data) -> None:
                super().on_message(data)
                self.connection.send(data)
                if data == "last":
                    self.connection.ping(b"from the server")

        client = Recorder()
        async with callbacks.serve(Server, "127.0.0.1", 0) as server:
            async with callbacks.connect(uri_of(server), client) as connection:
                assert connection is client.connection
                assert connection.state is itoden.State.OPEN
                latency = connection.ping(b"first")
                assert latency is not None
                for message in ("text", b"binary", "", b"x" * 200_000, "last"):
                    connection.send(message)
                assert await latency >= 0
                assert connection.latency >= 0
                await until(lambda: ("ping", b"from the server") in client.told)
                await until(lambda: ("pong", b"from the server") in at_server[0].told)
                connection.close(4000, "bye")
                await client.closed.wait()
        messages = ["text", b"binary", "", b"x" * 200_000, "last"]
        close = ("close", 4000, "bye")
        assert client.told == ["open", ("pong", b"first"), *messages, ("ping", b"from the server"), close]
        (told,) = [listener.told for listener in at_server]
        told = [what for what in told if what not in ("pause", "resume")]
        assert told == ["open", ("ping", b"first"), *messages, ("pong", b"from the server"), close]

    async def limited() -> None:
        async with asyncio.timeout(30):
            await scenario()

    uvloop.run(limited()) if loop == "uvloop" else asyncio.run(limited(), debug=True)


@asynchronous
async def test_what_came_with_the_answer_is_told_after_on_open() -> None:
    client = Recorder()
    async with with_raw_server(client, server_frames("a", "b")):
        assert client.told == ["open", "a", "b"]


@asynchronous
async def test_a_close_that_came_with_the_answer_is_told_too() -> None:
    client = Recorder()
    async with with_raw_server(client, server_frames("a") + frame(CLOSE, b"\x03\xe8ok", masked=False)) as (
        _,
        peer,
    ):
        peer.end()
        await client.closed.wait()
        assert client.told == ["open", "a", ("close", 1000, "ok")]


@asynchronous
async def test_pings_and_pongs_that_came_with_the_answer_are_told_too() -> None:
    client = Recorder()
    early = frame(PING, b"1", masked=False) + server_frames("a") + frame(PONG, b"2", masked=False)
    async with with_raw_server(client, early) as (_, peer):
        assert client.told == ["open", ("ping", b"1"), "a", ("pong", b"2")]
        assert await peer.receive() == (PONG, b"1")


@asynchronous
async def test_answers_leave_before_the_answer_to_a_close_frame_behind_the_messages() -> None:
    async with with_raw_server(Echo()) as (_, peer):
        peer.write(server_frames("a", "b") + frame(CLOSE, b"\x03\xe8", masked=False))
        assert [await peer.receive() for _ in range(3)] == [(TEXT, b"a"), (TEXT, b"b"), (CLOSE, b"\x03\xe8")]


@asynchronous
async def test_a_listener_need_not_be_a_subclass_nor_have_all_functions() -> None:
    class Bare:
        def on_message(self, data: Data) -> None:
            told.append(data)

    told: list[Data] = []
    async with with_raw_server(Bare()) as (_, peer):
        peer.send(PING, b"unheard")
        peer.send(TEXT, b"heard")
        await until(lambda: told == ["heard"])
        assert await peer.receive() == (PONG, b"unheard")


@asynchronous
async def test_what_a_burst_is_answered_with_leaves_in_one_write() -> None:
    async with with_raw_server(Echo()) as (connection, peer):
        transport = connection._websocket.transport
        assert transport is not None
        writes: list[bytes] = []
        write = transport.write

        def count(data: bytes) -> None:
            writes.append(data)
            write(data)

        # A transport that is closing is never written past.
        transport.is_closing = lambda: True  # type: ignore[method-assign]
        transport.write = count  # type: ignore[method-assign,assignment]
        numbers = [str(number) for number in range(10)]
        peer.write(server_frames(*numbers))
        for number in numbers:
            assert await peer.receive() == (TEXT, number.encode())
        assert len(writes) == 1


@asynchronous
async def test_a_close_within_a_function_lets_the_rest_be_told() -> None:
    class Closes(Recorder):
        def on_message(self, data: Data) -> None:
            super().on_message(data)
            self.connection.close(4000, str(data))

    client = Closes()
    async with with_raw_server(client) as (connection, peer):
        peer.write(server_frames("a", "b"))
        assert await peer.receive_close() == (4000, "a")
        assert connection.state is itoden.State.CLOSING
        with pytest.raises(itoden.ConnectionClosed):
            connection.send("too late")
        peer.send(TEXT, b"c")
        peer.send(CLOSE, (4000).to_bytes(2))
        peer.end()
        await client.closed.wait()
        assert client.told == ["open", "a", "b", "c", ("close", 4000, "")]
        with pytest.raises(itoden.ConnectionClosed):
            connection.send("too late")
        assert (connection.close_code, connection.close_reason) == (4000, "")


@asynchronous
async def test_an_end_without_a_word_is_1006() -> None:
    client = Recorder()
    async with with_raw_server(client) as (_, peer):
        peer.send(TEXT, b"a")
        peer.end()
        await client.closed.wait()
        assert client.told == ["open", "a", ("close", 1006, "")]


@asynchronous
async def test_a_function_that_fails_closes_the_connection_and_the_loop_is_told() -> None:
    class Fails(Recorder):
        def on_message(self, data: Data) -> None:
            super().on_message(data)
            raise RuntimeError("on purpose")

    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    client = Fails()
    async with with_raw_server(client) as (_, peer):
        peer.write(server_frames("a", "b"))
        assert await peer.receive_close() == (1011, "")
        peer.send(TEXT, b"c")
        peer.send(CLOSE, (1011).to_bytes(2))
        peer.end()
        await client.closed.wait()
        assert client.told == ["open", "a", ("close", 1011, "")]
    assert [str(context["exception"]) for context in contexts] == ["on purpose"]


def test_ctrl_c_in_a_function_ends_the_loop() -> None:
    class Interrupted(callbacks.Listener):
        def on_message(self, data: Data) -> None:
            raise KeyboardInterrupt

    async def scenario() -> None:
        async with asyncio.timeout(30), with_raw_server(Interrupted()) as (_, peer):
            peer.send(TEXT, b"a")
            await asyncio.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(scenario())


@asynchronous
async def test_an_on_open_that_fails_fails_connect() -> None:
    class Fails(callbacks.Listener):
        def on_open(self, connection: callbacks.Connection) -> None:
            raise RuntimeError("on purpose")

    async with callbacks.serve(Echo, "127.0.0.1", 0) as server:
        with pytest.raises(RuntimeError, match="on purpose"):
            await callbacks.connect(uri_of(server), Fails())


@asynchronous
async def test_a_factory_that_fails_closes_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def factory() -> None:
        raise RuntimeError("on purpose")

    async with callbacks.serve(factory, "127.0.0.1", 0) as server:
        async with itoden.connect(uri_of(server)) as connection:
            with pytest.raises(itoden.ConnectionClosedError):
                await connection.recv()
            assert connection.close_code == 1011
    assert "connection handler failed" in caplog.text


@asynchronous
async def test_nothing_is_told_while_it_is_paused() -> None:
    class Pauses(Recorder):
        def on_message(self, data: Data) -> None:
            super().on_message(data)
            if data == "b":
                self.connection.pause()

    client = Pauses()
    async with with_raw_server(client) as (connection, peer):
        peer.write(server_frames("a", "b", "c"))
        await until(lambda: client.told == ["open", "a", "b"])
        peer.write(server_frames("d"))
        await asyncio.sleep(0.01)
        assert client.told == ["open", "a", "b"]
        connection.resume()
        assert client.told[:4] == ["open", "a", "b", "c"]
        await until(lambda: client.told == ["open", "a", "b", "c", "d"])


@asynchronous
async def test_a_peer_that_sends_too_fast_is_held_back_while_it_is_paused() -> None:
    at_server: list[Recorder] = []

    def factory() -> Recorder:
        at_server.append(Recorder())
        return at_server[-1]

    class Flag(callbacks.Listener):
        paused = False

        def on_pause(self) -> None:
            self.paused = True

        def on_resume(self) -> None:
            self.paused = False

    flag = Flag()
    options: dict[str, Any] = {"compression": None, "ping_interval": None}
    async with callbacks.serve(factory, "127.0.0.1", 0, **options) as server:
        async with callbacks.connect(uri_of(server), flag, **options) as connection:
            await until(lambda: bool(at_server))
            at_server[0].connection.pause()
            sent = 0
            while not flag.paused:
                connection.send(b"x" * 50_000)
                sent += 1
                await asyncio.sleep(0)
            assert connection.buffered_amount > 0
            assert at_server[0].told == ["open"]
            at_server[0].connection.resume()
            await until(lambda: not flag.paused)
            await until(lambda: len(at_server[0].told) == 1 + sent)
            assert connection.buffered_amount == 0


@asynchronous
async def test_the_end_is_told_after_what_was_paused() -> None:
    client = Recorder()
    async with with_raw_server(client) as (connection, peer):
        connection.pause()
        peer.write(server_frames("a"))
        connection.close()
        peer.send(CLOSE, (1000).to_bytes(2))
        peer.end()
        await connection.wait_closed()
        assert client.told == ["open"]
        connection.resume()
        assert client.told == ["open", "a", ("close", 1000, "")]


@asynchronous
async def test_a_read_full_of_compressed_messages_is_told_in_parts() -> None:
    """Forty messages of 500 kB, some kilobytes on the wire, are never all in memory."""

    class Measures(callbacks.Listener):
        def on_message(self, data: Data) -> None:
            lengths.append(len(data))
            held.append(tracemalloc.get_traced_memory()[0])

    lengths: list[int] = []
    held: list[int] = []
    tracemalloc.start()
    try:
        async with callbacks.serve(Measures, "127.0.0.1", 0) as server:
            async with callbacks.connect(uri_of(server), callbacks.Listener()) as connection:
                message = b"a" * 500_000
                before = tracemalloc.get_traced_memory()[0]
                for _ in range(40):
                    connection.send(message)
                await until(lambda: len(lengths) == 40)
    finally:
        tracemalloc.stop()
    assert set(lengths) == {500_000}
    assert max(held) - before < 4_000_000


@asynchronous
async def test_a_message_that_is_too_big_is_not_told() -> None:
    client = Recorder()
    async with with_raw_server(client, max_size=10) as (_, peer):
        peer.write(server_frames("small", "much too large"))
        assert (await peer.receive_close())[0] == 1009
        peer.end()
        await client.closed.wait()
        assert client.told == ["open", "small", ("close", 1006, "")]


@asynchronous
async def test_a_server_refuses_and_closes_as_serve_does() -> None:
    client = Recorder()
    server = await callbacks.serve(Echo, "127.0.0.1", 0, subprotocols=["a"])
    with pytest.raises(itoden.InvalidStatus):
        await callbacks.connect(uri_of(server), client)
    connection = await callbacks.connect(uri_of(server), client, subprotocols=["b", "a"])
    assert connection.subprotocol == "a"
    assert connection.request is not None
    assert connection.response is not None
    assert connection.response.status_code == 101
    assert connection.remote_address[1] == port_of(server)
    assert connection.local_address[0] == "127.0.0.1"
    assert connection.id == connection.id
    assert connection.logger.name == "itoden.client"
    server.close()
    await server.wait_closed()
    await client.closed.wait()
    assert client.told == ["open", ("close", 1001, "")]


@asynchronous
async def test_on_a_unix_socket(tmp_path: Path) -> None:
    client = Recorder()
    async with callbacks.unix_serve(Echo, tmp_path / "socket"):
        async with callbacks.unix_connect(tmp_path / "socket", client) as connection:
            connection.send("hello")
            await until(lambda: client.told == ["open", "hello"])


@asynchronous
async def test_with_sends_text_as_binary_and_bytes_as_text() -> None:
    async with with_raw_server(callbacks.Listener()) as (connection, peer):
        connection.send(b"text", text=True)
        connection.send("binary", text=False)
        connection.pong(b"alive")
        assert [await peer.receive() for _ in range(3)] == [(1, b"text"), (2, b"binary"), (10, b"alive")]


@asynchronous
async def test_an_exception_in_the_block_closes_with_1011() -> None:
    async with raw_server(answer_upgrade) as (port, streams):
        closed: list[tuple[int, str]] = []

        async def answer() -> None:
            peer = Peer("server", *await streams)
            closed.append(await peer.receive_close())
            peer.send(CLOSE, (1011).to_bytes(2))
            peer.end()

        answering = asyncio.create_task(answer())
        with pytest.raises(RuntimeError, match="on purpose"):
            async with callbacks.connect(f"ws://127.0.0.1:{port}/", callbacks.Listener()):
                raise RuntimeError("on purpose")
        await answering
        assert closed == [(1011, "")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.serve(no_function), "listener_factory must be a function, not str"),
        (
            lambda: callbacks.connect("ws://localhost/", Wrong()),
            "on_message of a listener must be a function, not int",
        ),
    ],
)
def test_bad_arguments_are_named(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


class Wrong:
    on_message = 5


no_function: Any = "Echo"


@asynchronous
async def test_a_connection_and_its_listener_are_collected() -> None:
    client = Recorder()
    async with callbacks.serve(Echo, "127.0.0.1", 0) as server:
        async with callbacks.connect(uri_of(server), client):
            pass
    gone = weakref.ref(client)
    del client
    await until(lambda: gc.collect() >= 0 and gone() is None)


@asynchronous
async def test_a_large_message_goes_out_in_as_many_writes_as_it_takes() -> None:
    async with with_raw_server(callbacks.Listener(), max_size=None) as (connection, peer):
        data = bytes(range(256)) * 40_000
        connection.send(data)
        connection.send("behind")
        assert await peer.receive() == (2, data)
        assert await peer.receive() == (TEXT, b"behind")
