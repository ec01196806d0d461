"""Receiving: cancellation, concurrency, order, and flow control in both directions."""

from __future__ import annotations

import asyncio
import socket

import pytest

import itoden
from harness import CLOSE, PING, ROLES, TEXT, asynchronous, both_ends, frame, raw_peer, until

both_roles = pytest.mark.parametrize("role", ROLES)


@both_roles
@asynchronous
async def test_a_message_that_waits_is_returned_without_giving_up_the_turn(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(TEXT, b"1")
        peer.send(TEXT, b"2")
        await until(lambda: connection._queued == 2)
        for receive, message in ((connection.recv(), "1"), (connection.__anext__(), "2")):
            with pytest.raises(StopIteration) as stopped:
                receive.send(None)
            assert stopped.value.value == message


@both_roles
@asynchronous
async def test_a_cancelled_recv_loses_no_message(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for number in range(20):
            receiving = asyncio.create_task(connection.recv())
            await asyncio.sleep(0)
            feed(connection, frame(TEXT, b"%d" % number, masked=peer.masks))
            # The task has been woken, but has not run.
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            assert await connection.recv() == str(number)


def feed(connection: itoden.Connection, data: bytes) -> None:
    """Does what a transport does when it has read these bytes."""
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))


@both_roles
@asynchronous
async def test_recv_can_be_given_up_with_a_timeout_and_tried_again(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await connection.recv()
        peer.send(TEXT, b"late")
        assert await connection.recv() == "late"


@both_roles
@asynchronous
async def test_a_second_recv_at_the_same_time_raises_and_disturbs_nobody(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        first = asyncio.create_task(connection.recv())
        await asyncio.sleep(0)
        with pytest.raises(itoden.ConcurrencyError, match="already running recv"):
            await connection.recv()
        peer.send(TEXT, b"for the first")
        assert await first == "for the first"


@both_roles
@asynchronous
async def test_sends_of_several_tasks_keep_their_order(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await asyncio.gather(*(connection.send(str(number)) for number in range(100)))
        for number in range(100):
            assert await peer.receive() == (TEXT, str(number).encode())


@both_roles
@asynchronous
async def test_messages_are_delivered_before_the_close_that_follows_them(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        everything = b"".join(frame(TEXT, b"%d" % number, masked=peer.masks) for number in range(100))
        peer.write(everything + frame(CLOSE, (1000).to_bytes(2), masked=peer.masks))
        peer.end()
        assert [message async for message in connection] == [str(number) for number in range(100)]
        with pytest.raises(itoden.ConnectionClosedOK):
            await connection.recv()


@both_roles
@asynchronous
async def test_messages_are_delivered_before_an_abrupt_end_that_follows_them(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(TEXT, b"last words")
        peer.end()
        await connection.wait_closed()
        assert await connection.recv() == "last words"
        with pytest.raises(itoden.ConnectionClosedError):
            await connection.recv()


@both_roles
@asynchronous
async def test_iteration_ends_after_a_good_close_and_raises_after_a_bad_one(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(CLOSE, (1001).to_bytes(2))
        peer.end()
        assert [message async for message in connection] == []
    async with raw_peer(role) as (connection, peer):
        peer.send(CLOSE, (4321).to_bytes(2))
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            async for _ in connection:
                pass
        assert raised.value.rcvd == itoden.Close(4321, "")


async def send_until_held_back(peer_socket: socket.socket, message: bytes) -> int:
    """Sends until the receiver's and the sender's kernel take no more for a while; how many bytes that
    were."""
    sent = stalled = 0
    while stalled < 50:
        try:
            # On from where the last one stopped: it may have been taken in part.
            sent += peer_socket.send(message[sent % len(message) :])
            stalled = 0
        except BlockingIOError:
            stalled += 1
        await asyncio.sleep(0.001)
    return sent


@both_roles
@asynchronous
async def test_reading_pauses_while_max_queue_messages_wait(role: str) -> None:
    async with raw_peer(role, max_queue=4) as (connection, peer):
        for number in range(40):
            peer.send(TEXT, b"%d" % number)
        await until(lambda: connection._queued == 5)
        # More came in the same read; what is over the mark stays undecoded.
        for number in range(40):
            assert connection._queued <= 5
            assert await connection.recv() == str(number)
        peer.send(TEXT, b"and on it goes")
        assert await connection.recv() == "and on it goes"


@both_roles
@asynchronous
async def test_a_peer_that_sends_faster_than_is_received_is_held_back(role: str) -> None:
    async with raw_peer(role, max_queue=2) as (connection, peer):
        raw = peer.writer.get_extra_info("socket")
        message = frame(TEXT, b"x" * 60_000, masked=peer.masks)
        plain = socket.socket(fileno=raw.fileno())
        try:
            sent = await send_until_held_back(plain, message)
        finally:
            plain.detach()
        transport = connection.transport
        assert transport is not None
        assert not transport.is_reading()
        assert connection._queued == 3
        # Received again, all that was sent comes through whole, and reading goes on.
        for _ in range(sent // len(message)):
            assert await connection.recv() == "x" * 60_000
        assert transport.is_reading()


@both_roles
@asynchronous
async def test_what_waits_undecoded_when_the_transport_is_lost_is_still_received(role: str) -> None:
    async with raw_peer(role, max_queue=1) as (connection, peer):
        peer.writer.write(b"".join(frame(TEXT, b"%d" % number, masked=peer.masks) for number in range(10)))
        await until(lambda: connection._queued == 2)
        assert connection.transport is not None
        connection.transport.abort()
        assert [await connection.recv() for _ in range(10)] == [str(number) for number in range(10)]
        with pytest.raises(itoden.ConnectionClosedError):
            await connection.recv()


@both_roles
@asynchronous
async def test_max_queue_none_never_pauses(role: str) -> None:
    async with raw_peer(role, max_queue=None) as (connection, peer):
        for number in range(1000):
            peer.send(TEXT, b"%d" % number)
        await until(lambda: connection._queued == 1000)


@both_roles
@asynchronous
async def test_send_waits_while_the_peer_does_not_read_and_goes_on_when_it_does(role: str) -> None:
    async with raw_peer(role, write_limit=1000) as (connection, peer):
        message = b"x" * 60_000
        sent = 0

        async def send_all() -> None:
            nonlocal sent
            for _ in range(400):
                await connection.send(message)
                sent += 1

        # The raw peer's stream reads as much as its own limit by itself, and the kernel takes some more.
        sending = asyncio.create_task(send_all())
        await until(lambda: _bytes_to_write(connection) > 1000)
        assert sent < 400
        assert not sending.done()
        for _ in range(400):
            assert (await peer.receive())[1] == message
        await sending


@both_roles
@asynchronous
async def test_send_that_waits_raises_when_the_connection_ends(role: str) -> None:
    async with raw_peer(role, write_limit=1000) as (connection, peer):

        async def send_forever() -> None:
            while True:
                await connection.send(b"x" * 60_000)

        sending = asyncio.create_task(send_forever())
        await until(lambda: _bytes_to_write(connection) > 1000)
        peer.writer.transport.abort()
        with pytest.raises(itoden.ConnectionClosedError):
            await sending


def _bytes_to_write(connection: itoden.Connection) -> int:
    assert connection.transport is not None
    return connection.transport.get_write_buffer_size()


@both_roles
@asynchronous
async def test_a_peer_that_pings_and_never_reads_fills_no_memory(role: str) -> None:
    async with raw_peer(role, write_limit=1000) as (connection, peer):
        assert connection.transport is not None
        own = connection.transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 12)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        ping = frame(PING, b"x" * 125, masked=peer.masks)
        while _bytes_to_write(connection) == 0:
            peer.write(ping * 100)
            await peer.writer.drain()
            await asyncio.sleep(0)
        # The answers to one read, 128 pongs and the newest, are the most that can be beyond the mark.
        most = 1000 + 129 * len(ping)
        assert _bytes_to_write(connection) <= most
        for _ in range(1000):
            peer.write(ping * 100)
            await peer.writer.drain()
        assert _bytes_to_write(connection) <= most


@asynchronous
async def test_two_connections_of_one_loop_share_their_read_buffer_and_mix_nothing() -> None:
    async with both_ends() as (first, first_end), both_ends() as (second, second_end):
        for number in range(50):
            await asyncio.gather(first.send(f"first {number}" * 3000), second.send(f"second {number}" * 3000))
            one, two = await asyncio.gather(first_end.recv(), second_end.recv())
            assert one == f"first {number}" * 3000
            assert two == f"second {number}" * 3000


@both_roles
@asynchronous
async def test_a_transport_that_keeps_the_shared_buffer_is_noticed(role: str) -> None:
    async with raw_peer(role) as (connection, _), raw_peer(role) as (other, _):
        connection.get_buffer(-1)
        other.get_buffer(-1)
        with pytest.raises(RuntimeError, match="must follow get_buffer"):
            connection.buffer_updated(1)
        with pytest.raises(ValueError, match="nbytes is 10000000"):
            other.buffer_updated(10_000_000)
