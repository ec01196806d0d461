"""Messages in fragments (RFC 6455 §5.4), sent and received one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

import itoden
from harness import BINARY, PONG, ROLES, TEXT, Peer, asynchronous, both_ends, raw_peer, until
from parity import nothing, port, same, serving

both_roles = pytest.mark.parametrize("role", ROLES)
CONT = 0


async def each(*fragments: Any) -> AsyncIterator[Any]:
    for fragment in fragments:
        await asyncio.sleep(0)
        yield fragment


async def frames(peer: Peer, count: int) -> list[tuple[int, bool, bytes]]:
    """The next frames: opcode, FIN and payload."""
    received = []
    for _ in range(count):
        first, second = await peer.reader.readexactly(2)
        length = second & 0x7F
        key = await peer.reader.readexactly(4) if second & 0x80 else bytes(4)
        payload = await peer.reader.readexactly(length)
        received.append(
            (first & 15, bool(first & 0x80), bytes(b ^ key[i % 4] for i, b in enumerate(payload)))
        )
    return received


@pytest.mark.parametrize("make", [list, tuple, iter, each], ids=["list", "tuple", "iterator", "asynchronous"])
@both_roles
@asynchronous
async def test_each_item_is_a_fragment_and_an_empty_one_ends_the_message(role: str, make: Any) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.send(make("a", "bc") if make is each else make(["a", "bc"]))
        assert await frames(peer, 3) == [(TEXT, False, b"a"), (CONT, False, b"bc"), (CONT, True, b"")]
        fragments = [bytearray(b"x"), memoryview(b"y")]
        await connection.send(make(*fragments) if make is each else make(fragments))
        assert await frames(peer, 3) == [(BINARY, False, b"x"), (CONT, False, b"y"), (CONT, True, b"")]


@both_roles
@asynchronous
async def test_text_says_what_fragments_are_sent_as(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.send(["ü"], text=False)
        assert (await frames(peer, 2))[0] == (BINARY, False, "ü".encode())
        await connection.send([b"\xc3", b"\xbc"], text=True)
        assert (await frames(peer, 3))[:2] == [(TEXT, False, b"\xc3"), (CONT, False, b"\xbc")]


@both_roles
@asynchronous
async def test_no_fragments_are_no_message(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.send([])
        await connection.send(each())
        await connection.send("next")
        assert await peer.receive() == (TEXT, b"next")


def test_what_is_not_a_message_nor_fragments_raises_as_in_websockets() -> None:
    async def scenario(library: Any) -> object:
        observed = []
        async with serving(library, nothing) as uri:
            async with library.connect(uri) as connection:
                for wrong in (1, None, {"a": 1}, {}, object()):
                    with pytest.raises(TypeError):
                        await connection.send(wrong)
                    observed.append(connection.state.name)
        return observed

    assert same(scenario) == ["OPEN"] * 5


@both_roles
@asynchronous
async def test_a_first_item_that_is_no_fragment_raises_and_the_connection_goes_on(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        wrongs: list[Any] = [[1], [["a"]], each(5), [None, "a"]]
        for wrong in wrongs:
            with pytest.raises(TypeError, match="fragment must be str or bytes-like, not"):
                await connection.send(wrong)
        await connection.send("next")
        assert await peer.receive() == (TEXT, b"next")


@pytest.mark.parametrize("wrong", [["a", b"b"], [b"a", "b"], ["a", 1]], ids=str)
def test_a_message_that_can_not_be_finished_closes_the_connection_with_1011(wrong: list[Any]) -> None:
    async def scenario(library: Any) -> object:
        ends: list[Any] = []

        async def receive(connection: Any) -> None:
            await connection.wait_closed()
            ends.append((connection.close_code, connection.close_reason))

        async with serving(library, receive) as uri:
            async with library.connect(uri) as connection:
                with pytest.raises(TypeError):
                    await connection.send(wrong)
                ends.append(connection.state.name)
        return ends

    closed, end = sorted(same(scenario), key=str, reverse=True)
    assert (closed, end) == ("CLOSED", (1011, "error in fragmented message"))


@pytest.mark.parametrize("how", ["close", "async with", "the server"])
def test_closing_within_a_message_fails_the_connection_with_1011(how: str) -> None:
    async def scenario(library: Any) -> object:
        begun, never = asyncio.Event(), asyncio.Event()
        end = asyncio.get_running_loop().create_future()

        async def stuck() -> AsyncIterator[str]:
            yield "a"
            begun.set()
            await never.wait()

        async def receive(connection: Any) -> None:
            sending = asyncio.create_task(connection.send(stuck()))
            await begun.wait()
            if how != "the server":
                await (connection.close() if how == "close" else connection.__aexit__(None, None, None))
            await connection.wait_closed()
            never.set()
            with pytest.raises(library.ConnectionClosedError):
                await sending
            end.set_result((connection.close_code, connection.close_reason))

        async with library.serve(receive, "127.0.0.1", 0) as server:
            async with library.connect(f"ws://127.0.0.1:{port(server)}/") as connection:
                await begun.wait()
                if how == "the server":
                    server.close()
                await connection.wait_closed()
                return connection.close_code, connection.close_reason, await end

    assert same(scenario) == (1011, "close during fragmented message", (1006, ""))


@both_roles
@asynchronous
async def test_bytes_that_are_not_text_can_not_be_fragments_of_one(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        with pytest.raises(ValueError, match="UTF-8"):
            await connection.send([b"\xff"], text=True)
        await connection.send("next")
        assert await peer.receive() == (TEXT, b"next")


@both_roles
@asynchronous
async def test_an_iterable_that_fails_closes_the_connection_and_raises(role: str) -> None:
    async def failing() -> AsyncIterator[str]:
        yield "a"
        raise RuntimeError("mine")

    async with raw_peer(role, close_timeout=0.05) as (connection, peer):
        with pytest.raises(RuntimeError, match="mine"):
            await connection.send(failing())
        assert await frames(peer, 1) == [(TEXT, False, b"a")]
        assert await peer.receive_close() == (1011, "error in fragmented message")


@both_roles
@asynchronous
async def test_a_sender_that_is_cancelled_within_a_message_closes_the_connection(role: str) -> None:
    never = asyncio.Event()

    async def stuck() -> AsyncIterator[str]:
        yield "a"
        await never.wait()

    async with raw_peer(role) as (connection, peer):
        sending = asyncio.create_task(connection.send(stuck()))
        assert await frames(peer, 1) == [(TEXT, False, b"a")]
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (await peer.receive_close())[0] == 1011


@both_roles
@asynchronous
async def test_other_messages_wait_until_a_fragmented_one_is_whole_and_keep_their_order(role: str) -> None:
    release = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        yield "a"
        await release.wait()
        yield "b"

    async with raw_peer(role) as (connection, peer):
        first = asyncio.create_task(connection.send(slow()))
        assert await frames(peer, 1) == [(TEXT, False, b"a")]
        others = [asyncio.create_task(connection.send(message)) for message in ("1", ["2"], "3")]
        given_up = asyncio.create_task(connection.send("never"))
        await asyncio.sleep(0)
        await connection.ping(b"between")
        assert await peer.receive() == (9, b"between")
        given_up.cancel()
        release.set()
        await asyncio.gather(first, *others)
        rest = [(TEXT, True, b"1"), (TEXT, False, b"2"), (CONT, True, b""), (TEXT, True, b"3")]
        assert await frames(peer, 6) == [(CONT, False, b"b"), (CONT, True, b""), *rest]


@both_roles
@asynchronous
async def test_fragments_wait_while_the_peer_reads_nothing(role: str) -> None:
    taken = 0

    async def many() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield bytes(1 << 16)

    async with raw_peer(role) as (connection, _):
        sending = asyncio.create_task(connection.send(many()))
        before = -1
        while before != taken:
            before = taken
            for _ in range(100):
                await asyncio.sleep(0)
        assert 0 < taken < 1000
        connection._abort()
        with pytest.raises(itoden.ConnectionClosed):
            await sending


def cut(peer: Peer, *fragments: bytes, opcode: int = TEXT) -> None:
    for index, fragment in enumerate(fragments):
        peer.send(opcode if index == 0 else CONT, fragment, fin=index == len(fragments) - 1)


async def collect(stream: AsyncIterator[Any], received: list[Any]) -> None:
    async for fragment in stream:
        received.append(fragment)


SENT: list[Any] = [["a", "", "b"], [b"x", b"y"], "whole", b"bytes", [b"\xf0\x9f", b"\xa7\xb5"], ["end"]]


@pytest.mark.parametrize("decode", [None, True, False])
@pytest.mark.parametrize("compression", ["deflate", None])
def test_fragments_come_as_in_websockets(decode: bool | None, compression: str | None) -> None:
    async def scenario(library: Any) -> object:
        received: list[Any] = []
        ready = asyncio.Event()

        async def receive(connection: Any) -> None:
            for _ in SENT:
                stream = connection.recv_streaming(decode)
                first = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)
                ready.set()
                received.append([await first, *[fragment async for fragment in stream]])

        async with serving(library, receive, compression=compression) as uri:
            async with library.connect(uri, compression=compression) as connection:
                await ready.wait()
                for message in SENT:
                    await connection.send(message)
                await connection.wait_closed()
        return received

    received = same(scenario)
    assert len(received) == len(SENT)


@asynchronous
async def test_compressed_fragments_come_one_by_one() -> None:
    received: list[Any] = []
    ready = asyncio.Event()

    async def receive(connection: Any) -> None:
        for _ in range(2):
            stream = connection.recv_streaming()
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            ready.set()
            received.append([await first, *[fragment async for fragment in stream]])

    async with serving(itoden, receive) as uri:
        async with websockets.connect(uri) as connection:
            await ready.wait()
            assert "permessage-deflate" in connection.response.headers["Sec-WebSocket-Extensions"]  # type: ignore[union-attr]
            large = ["x" * 10_000, "", "y" * 10_000]
            await connection.send(large)
            await connection.send(["ü", "🧵"])
            await connection.wait_closed()
    assert received == [[*large, ""], ["ü", "🧵", ""]]


@both_roles
@asynchronous
async def test_the_first_fragments_are_given_before_the_last_one_is_sent(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        stream = connection.recv_streaming()
        peer.send(TEXT, b"a", fin=False)
        assert await anext(stream) == "a"
        peer.send(CONT, b"b", fin=False)
        assert await anext(stream) == "b"
        peer.send(CONT, b"c")
        assert await anext(stream) == "c"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


@both_roles
@asynchronous
async def test_a_character_that_is_cut_comes_with_the_second_fragment(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        stream = connection.recv_streaming()
        peer.send(TEXT, b"a\xc3", fin=False)
        assert await anext(stream) == "a"
        peer.send(CONT, b"\xbc")
        assert await anext(stream) == "ü"


@both_roles
@asynchronous
async def test_recv_puts_fragments_together_after_a_message_was_streamed(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        stream = connection.recv_streaming()
        cut(peer, b"a")
        assert [fragment async for fragment in stream] == ["a"]
        cut(peer, b"\xc3", b"\xbc", b"")
        assert await connection.recv() == "ü"
        cut(peer, b"x", b"y", opcode=BINARY)
        assert await connection.recv(decode=True) == "xy"
        cut(peer, b"1", b"2")
        assert [fragment async for fragment in connection.recv_streaming()] == ["1", "2"]


@both_roles
@asynchronous
async def test_recv_that_is_cancelled_within_a_message_loses_nothing(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        cut(peer, b"first")
        assert [fragment async for fragment in connection.recv_streaming()] == ["first"]
        for again in (connection.recv, None):
            peer.send(TEXT, b"a", fin=False)
            receiving = asyncio.create_task(connection.recv())
            await peer.writer.drain()
            await connection.ping(b"1")
            assert (await peer.receive())[1] == b"1"
            peer.send(10, b"1")
            await until(lambda: connection.latency > 0)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            peer.send(CONT, b"b")
            if again is not None:
                assert await again() == "ab"
            else:
                assert [fragment async for fragment in connection.recv_streaming()] == ["a", "b"]


@both_roles
@asynchronous
async def test_a_message_of_more_fragments_than_the_queue_holds_is_put_together(role: str) -> None:
    async with raw_peer(role, max_queue=2) as (connection, peer):
        cut(peer, b"first")
        assert [fragment async for fragment in connection.recv_streaming()] == ["first"]
        cut(peer, *[b"x"] * 100)
        cut(peer, b"next")
        assert await connection.recv() == "x" * 100
        assert await connection.recv() == "next"


@both_roles
@asynchronous
async def test_reading_pauses_while_more_fragments_than_max_queue_wait(role: str) -> None:
    async with raw_peer(role, max_queue=(4, 1)) as (connection, peer):
        stream = connection.recv_streaming()
        peer.send(BINARY, b"0", fin=False)
        assert await anext(stream) == b"0"
        for number in range(1, 50):
            peer.send(CONT, str(number).encode(), fin=number == 49)
        await until(lambda: connection._queued > 4)
        for _ in range(20):
            await asyncio.sleep(0)
        assert connection._queued == 5
        assert [fragment async for fragment in stream] == [str(number).encode() for number in range(1, 50)]


@both_roles
@asynchronous
async def test_of_a_message_that_has_begun_what_came_is_given_at_once(role: str) -> None:
    async with raw_peer(role, compression=None) as (connection, peer):
        for opcode, begun, rest in ((TEXT, b"be\xc3", b"\xa9hind"), (BINARY, b"\xff", b"\x00")):
            peer.send(opcode, begun, fin=False)
            # Once the answer to this is there, that has been decoded.
            pong = await connection.ping(b"seen")
            peer.send(PONG, b"seen")
            await pong
            stream = connection.recv_streaming(decode=False)
            assert await anext(stream) == begun
            peer.send(CONT, rest)
            assert [fragment async for fragment in stream] == [rest]
            peer.send(opcode, b"whole")
            assert [fragment async for fragment in connection.recv_streaming(decode=False)] == [b"whole"]


@both_roles
@asynchronous
async def test_a_fragment_that_comes_in_many_reads_is_given_whole(role: str) -> None:
    async with raw_peer(role, max_size=None, compression=None) as (connection, peer):
        stream = connection.recv_streaming()
        large = bytes(range(256)) * 4096
        peer.send(BINARY, large, fin=False)
        assert await anext(stream) == large
        peer.send(CONT, b"")
        assert [fragment async for fragment in stream] == [b""]


def test_the_limit_of_fragments_is_another_than_that_of_messages() -> None:
    async def scenario(library: Any) -> object:
        async def send(connection: Any) -> None:
            await connection.send([b"x" * 60] * 3)
            await connection.send([b"x" * 61])
            await connection.wait_closed()

        async with serving(library, send, compression=None) as uri:
            async with library.connect(uri, max_size=(200, 60), compression=None) as connection:
                whole = await connection.recv()
                with pytest.raises(library.ConnectionClosedError) as raised:
                    await connection.recv()
                return len(whole), raised.value.sent.code, type(raised.value.__cause__).__name__

    assert same(scenario) == (180, 1009, "PayloadTooBig")


def test_the_limit_of_messages_holds_over_all_fragments() -> None:
    async def scenario(library: Any) -> object:
        async def send(connection: Any) -> None:
            await connection.send([b"x" * 60] * 4)
            await connection.wait_closed()

        async with serving(library, send, compression=None) as uri:
            async with library.connect(uri, max_size=(200, None), compression=None) as connection:
                with pytest.raises(library.ConnectionClosedError) as raised:
                    async for _ in connection.recv_streaming():
                        pass
                return raised.value.sent.code

    assert same(scenario) == 1009


def test_a_stream_that_is_left_makes_recv_raise_as_in_websockets() -> None:
    async def scenario(library: Any) -> object:
        async def send(connection: Any) -> None:
            await connection.recv()
            await connection.send(["a", "b"])
            await connection.wait_closed()

        async with serving(library, send) as uri:
            async with library.connect(uri) as connection:
                stream = connection.recv_streaming()
                first = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)
                await connection.send("go")
                observed: list[Any] = [await first]
                await stream.aclose()
                for receive in (connection.recv, connection.recv_streaming().__anext__):
                    with pytest.raises(library.ConcurrencyError) as raised:
                        await receive()
                    observed.append(raised.type.__name__)
                return observed

    assert same(scenario) == ["a", "ConcurrencyError", "ConcurrencyError"]


@both_roles
@asynchronous
async def test_two_that_receive_at_once_are_told(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        stream = connection.recv_streaming()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(itoden.ConcurrencyError, match="recv"):
            await connection.recv()
        with pytest.raises(itoden.ConcurrencyError, match="recv_streaming"):
            await anext(connection.recv_streaming())
        peer.send(TEXT, b"a")
        assert await first == "a"


@both_roles
@asynchronous
async def test_a_stream_that_is_cancelled_before_its_first_fragment_loses_nothing(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        first = asyncio.ensure_future(anext(connection.recv_streaming()))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        cut(peer, b"a", b"b")
        assert [fragment async for fragment in connection.recv_streaming()] == ["a", "b"]


@asynchronous
async def test_a_stream_raises_how_the_connection_ended_after_what_came_before() -> None:
    async with both_ends() as (client, server):
        stream = client.recv_streaming()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await server.send("last")
        await server.close(4000, "over")
        assert await waiting == "last"
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await anext(client.recv_streaming())
        assert raised.value.rcvd == itoden.Close(4000, "over")


def test_binary_that_is_not_text_fails_a_decoding_stream_as_in_websockets() -> None:
    async def scenario(library: Any) -> object:
        async def send(connection: Any) -> None:
            await connection.recv()
            await connection.send([b"ok\xc3", b"\xa9", b"\xff"])
            await connection.wait_closed()

        async with serving(library, send) as uri:
            async with library.connect(uri) as connection:
                stream = connection.recv_streaming(decode=True)
                first = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)
                await connection.send("go")
                received = [await first]
                with pytest.raises(library.ConnectionClosedError) as raised:
                    await collect(stream, received)
                return received, int(raised.value.sent.code)

    assert same(scenario) == (["ok", "é"], 1007)


@asynchronous
async def test_a_message_that_came_before_the_first_stream_is_one_item_of_it() -> None:
    async with both_ends() as (client, server):
        await server.send(["a", "b"])
        await server.send([b"x", b"y"])
        await until(lambda: client._queued == 2)
        assert [fragment async for fragment in client.recv_streaming(decode=False)] == [b"ab"]
        assert [fragment async for fragment in client.recv_streaming(decode=True)] == ["xy"]
