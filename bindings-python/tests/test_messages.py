"""Sending and receiving, mirrored for both ends."""

from __future__ import annotations

import array
import asyncio

import pytest

import itoden
from harness import BINARY, PING, PONG, ROLES, TEXT, asynchronous, both_ends, frame, raw_peer, until
from itoden import DataLike

both_roles = pytest.mark.parametrize("role", ROLES)


@both_roles
@asynchronous
async def test_text_is_received_as_str_and_binary_as_bytes(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(TEXT, "grüße 🧵".encode())
        peer.send(BINARY, b"\x00\xff")
        assert await connection.recv() == "grüße 🧵"
        assert await connection.recv() == b"\x00\xff"


@both_roles
@asynchronous
async def test_str_is_sent_as_text_and_bytes_like_as_binary(role: str) -> None:
    strided = memoryview(b"a-b-c-")[::2]
    async with raw_peer(role) as (connection, peer):
        cases: list[tuple[DataLike, int, bytes]] = [
            ("grüße", TEXT, "grüße".encode()),
            ("", TEXT, b""),
            (b"\x01", BINARY, b"\x01"),
            (bytearray(b"\x02"), BINARY, b"\x02"),
            (memoryview(b"\x03"), BINARY, b"\x03"),
            (strided, BINARY, b"abc"),
            (memoryview(array.array("H", [1, 2])), BINARY, array.array("H", [1, 2]).tobytes()),
        ]
        for message, opcode, payload in cases:
            await connection.send(message)
            assert await peer.receive() == (opcode, payload)


@both_roles
@asynchronous
async def test_text_overrides_the_type_of_a_message(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.send(b"as text", text=True)
        assert await peer.receive() == (TEXT, b"as text")
        await connection.send("as binary", text=False)
        assert await peer.receive() == (BINARY, b"as binary")


@both_roles
@asynchronous
async def test_decode_overrides_the_type_of_what_is_received(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for payload in (b"a", b"b"):
            peer.send(TEXT, payload)
            peer.send(BINARY, payload)
        assert await connection.recv(decode=True) == "a"
        assert await connection.recv(decode=True) == "a"
        assert await connection.recv(decode=False) == b"b"
        assert await connection.recv(decode=False) == b"b"


@both_roles
@asynchronous
async def test_binary_that_is_decoded_and_is_not_utf8_closes_with_1007(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(BINARY, b"\xff")
        receiving = asyncio.create_task(connection.recv(decode=True))
        code, reason = await peer.receive_close()
        assert code == 1007
        assert "position 0" in reason
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await receiving
        assert isinstance(raised.value.__cause__, UnicodeDecodeError)


@both_roles
@asynchronous
async def test_what_cannot_be_sent_is_refused_and_the_connection_goes_on(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for wrong in (1, None, {"a": 1}, object()):
            with pytest.raises(TypeError, match="message must be str or bytes-like, not"):
                await connection.send(wrong)  # type: ignore[arg-type]
        with pytest.raises(UnicodeEncodeError):
            await connection.send("\ud800")
        with pytest.raises(ValueError, match="not UTF-8"):
            await connection.send(b"\xff", text=True)
        await connection.send("fine")
        assert await peer.receive() == (TEXT, b"fine")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000, 1 << 20])
@asynchronous
async def test_messages_of_every_size_come_back(size: int) -> None:
    text, data = "x" * size, bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with both_ends() as (client, server):
        await client.send(text)
        assert await server.recv() == text
        await server.send(data)
        assert await client.recv() == data


@both_roles
@asynchronous
async def test_a_fragmented_message_is_received_whole_with_a_ping_between(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(TEXT, b"Hel", fin=False)
        peer.send(PING, b"!")
        peer.send(0, b"lo")
        assert await connection.recv() == "Hello"
        assert await peer.receive() == (PONG, b"!")


@both_roles
@asynchronous
async def test_a_frame_that_comes_byte_by_byte_is_received_whole(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for byte in frame(TEXT, "é".encode() * 70, masked=peer.masks):
            peer.write(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0)
        assert await connection.recv() == "é" * 70


@both_roles
@asynchronous
async def test_a_ping_is_answered_although_nobody_receives(role: str) -> None:
    async with raw_peer(role) as (_, peer):
        peer.send(PING, b"are you there")
        assert await peer.receive() == (PONG, b"are you there")


@both_roles
@asynchronous
async def test_ping_returns_an_awaitable_of_its_latency(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        pong = await connection.ping("data")
        assert await peer.receive() == (PING, b"data")
        peer.send(PONG, b"data")
        assert 0 <= await pong < 30


@both_roles
@asynchronous
async def test_a_ping_without_data_carries_four_bytes_of_its_own(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.ping()
        await connection.ping()
        (_, first), (_, second) = await peer.receive(), await peer.receive()
        assert len(first) == len(second) == 4
        assert first != second


@both_roles
@asynchronous
async def test_a_pong_answers_the_pings_before_its_own_too(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        first, second, third = [await connection.ping(data) for data in (b"1", b"2", b"3")]
        peer.send(PONG, b"unasked")
        peer.send(PONG, b"2")
        await second
        await first
        assert isinstance(third, asyncio.Future)
        assert not third.done()
        with pytest.raises(itoden.ConcurrencyError, match="same data"):
            await connection.ping(b"3")


@both_roles
@asynchronous
async def test_a_ping_that_is_not_answered_raises_when_the_connection_ends(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        pong = await connection.ping()
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError):
            await pong


@both_roles
@asynchronous
async def test_a_pong_can_be_sent_unasked(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.pong("alive")
        assert await peer.receive() == (PONG, b"alive")


@both_roles
@asynchronous
async def test_pings_and_pongs_carry_at_most_125_bytes(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for send in (connection.ping, connection.pong):
            with pytest.raises(itoden.SendError, match="126 bytes long; at most 125"):
                await send(b"x" * 126)
            with pytest.raises(TypeError, match="data must be str or bytes-like, not int"):
                await send(1)  # type: ignore[arg-type]
            await send(b"x" * 125)
            assert (await peer.receive())[1] == b"x" * 125


@both_roles
@asynchronous
async def test_all_that_is_sent_in_one_turn_of_the_loop_is_sent_in_order(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for number in range(500):
            await connection.send(str(number))
        for number in range(500):
            assert await peer.receive() == (TEXT, str(number).encode())


@both_roles
@asynchronous
async def test_the_answers_to_a_burst_leave_in_one_write(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.write(b"".join(frame(TEXT, b"%d" % number, masked=peer.masks) for number in range(10)))
        await until(lambda: connection._queued == 10)
        transport = connection.transport
        assert transport is not None
        writes: list[bytes] = []
        write = transport.write

        def count(data: bytes) -> None:
            writes.append(data)
            write(data)

        # A transport that is closing is never written past.
        transport.is_closing = lambda: True  # type: ignore[method-assign]
        transport.write = count  # type: ignore[method-assign,assignment]
        for number in range(10):
            assert await connection.recv() == str(number)
            await connection.send(str(number))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await connection.recv()
        assert len(writes) == 1
        for number in range(10):
            assert await peer.receive() == (TEXT, str(number).encode())
