"""Closing, mirrored for both ends: codes, reasons, order, timeouts, ends without a Close frame."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

import itoden
from harness import CLOSE, PING, ROLES, TEXT, Peer, asynchronous, both_ends, frame, raw_peer, until
from itoden import Close, State

both_roles = pytest.mark.parametrize("role", ROLES)
CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]


@pytest.mark.parametrize("code", CODES)
@both_roles
@asynchronous
async def test_a_close_code_that_is_sent_is_read_by_the_peer(role: str, code: int) -> None:
    async with raw_peer(role) as (connection, peer):
        closing = asyncio.create_task(connection.close(code, "grüße"))
        assert await peer.receive_close() == (code, "grüße")
        peer.send(CLOSE, code.to_bytes(2))
        peer.end()
        await closing
        assert (connection.close_code, connection.close_reason) == (code, "")
        with pytest.raises(itoden.ConnectionClosed) as raised:
            await connection.recv()
        assert isinstance(raised.value, itoden.ConnectionClosedOK) == (code in (1000, 1001))
        assert (raised.value.sent, raised.value.rcvd) == (Close(code, "grüße"), Close(code, ""))
        assert raised.value.rcvd_then_sent is False


@pytest.mark.parametrize("code", CODES)
@both_roles
@asynchronous
async def test_a_close_code_that_is_received_is_answered_and_told(role: str, code: int) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(CLOSE, code.to_bytes(2) + b"bye")
        assert await peer.receive_close() == (code, "bye")
        peer.end()
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (code, "bye")
        with pytest.raises(itoden.ConnectionClosed) as raised:
            await connection.send("too late")
        assert isinstance(raised.value, itoden.ConnectionClosedOK) == (code in (1000, 1001))
        assert raised.value.rcvd == raised.value.sent == Close(code, "bye")
        assert raised.value.rcvd_then_sent is True


def answer_first(peer: Peer) -> bytes:
    """A message, and right behind it, in one read, a Close frame with 3001."""
    masked = peer.masks
    return frame(TEXT, b"one", masked=masked) + frame(CLOSE, (3001).to_bytes(2), masked=masked)


@both_roles
@asynchronous
async def test_what_answers_a_message_goes_out_before_the_answer_to_the_close_frame_behind_it(
    role: str,
) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.write(answer_first(peer))
        await connection.send("answer to " + str(await connection.recv()))
        receiving = asyncio.ensure_future(connection.recv())
        assert await peer.receive() == (TEXT, b"answer to one")
        assert await peer.receive_close() == (3001, "")
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError):
            await receiving


@both_roles
@asynchronous
async def test_a_close_frame_behind_a_bad_frame_waits_for_the_answer_to_a_message_before_it(
    role: str,
) -> None:
    async with raw_peer(role) as (connection, peer):
        bad = frame(3, masked=peer.masks)
        peer.write(frame(TEXT, b"one", masked=peer.masks) + bad)
        await connection.send("answer to " + str(await connection.recv()))
        receiving = asyncio.ensure_future(connection.recv())
        assert await peer.receive() == (TEXT, b"answer to one")
        assert (await peer.receive_close())[0] == 1002
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError):
            await receiving


@both_roles
@asynchronous
async def test_who_waits_for_the_end_takes_no_message_and_holds_up_no_answer_to_a_close_frame(
    role: str,
) -> None:
    async with raw_peer(role) as (connection, peer):
        ending = asyncio.ensure_future(connection.wait_closed())
        await asyncio.sleep(0)
        peer.write(answer_first(peer))
        await until(lambda: connection.state is State.CLOSING)
        # The Close frame has been sent: while it waits, messages can be.
        late = asyncio.ensure_future(connection.send("late"))
        assert await peer.receive_close() == (3001, "")
        peer.end()
        await ending
        with pytest.raises(itoden.ConnectionClosedError):
            await late
        assert await connection.recv() == "one"


@pytest.mark.parametrize("then", ["closes", "waits for the end", "does nothing"])
@both_roles
@asynchronous
async def test_a_close_frame_is_answered_also_where_nobody_takes_the_message_before_it(
    role: str, then: str
) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.write(answer_first(peer))
        await until(lambda: connection.state is State.CLOSING)
        ending = None
        if then == "closes":
            ending = asyncio.ensure_future(connection.close(4000))
        elif then == "waits for the end":
            ending = asyncio.ensure_future(connection.wait_closed())
        assert await peer.receive_close() == (3001, "")
        peer.end()
        if ending is not None:
            await ending
        await connection.wait_closed()
        assert await connection.recv() == "one"


@both_roles
@asynchronous
async def test_a_close_frame_without_a_code_is_1005_and_a_good_end(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(CLOSE)
        assert await peer.receive() == (CLOSE, b"")
        peer.end()
        with pytest.raises(itoden.ConnectionClosedOK) as raised:
            await connection.recv()
        assert (raised.value.rcvd, raised.value.sent) == (Close(1005, ""), Close(1005, ""))
        assert connection.close_code == 1005


@both_roles
@asynchronous
async def test_the_end_of_the_transport_without_a_close_frame_is_1006_and_an_error(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        receiving = asyncio.create_task(connection.recv())
        await asyncio.sleep(0)
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await receiving
        assert (raised.value.rcvd, raised.value.sent) == (None, None)
        assert isinstance(raised.value.__cause__, EOFError)
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (1006, "")
        assert connection.state is State.CLOSED


@both_roles
@asynchronous
async def test_a_reset_of_the_transport_is_the_cause_of_the_error(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        peer.writer.transport.abort()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
        assert isinstance(raised.value.__cause__, ConnectionResetError)
        assert connection.close_code == 1006


@both_roles
@asynchronous
async def test_the_state_goes_from_open_over_closing_to_closed(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        states = [connection.state]
        assert (connection.close_code, connection.close_reason) == (None, None)
        closing = asyncio.create_task(connection.close())
        await peer.receive_close()
        states.append(connection.state)
        assert connection.close_code is None
        peer.send(CLOSE, (1000).to_bytes(2))
        peer.end()
        await closing
        states.append(connection.state)
        assert states == [State.OPEN, State.CLOSING, State.CLOSED]


@both_roles
@asynchronous
async def test_close_can_be_called_again_and_by_several_tasks(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        closing = [asyncio.create_task(connection.close(4000 + number)) for number in range(3)]
        assert (await peer.receive_close())[0] == 4000
        peer.send(CLOSE, (4000).to_bytes(2))
        peer.end()
        await asyncio.gather(*closing)
        await connection.close()
        await connection.wait_closed()


@both_roles
@asynchronous
async def test_a_task_that_gives_up_waiting_for_the_end_disturbs_no_other(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        given_up = asyncio.create_task(connection.wait_closed())
        waiting = asyncio.create_task(connection.wait_closed())
        await asyncio.sleep(0)
        given_up.cancel()
        peer.end()
        await waiting
        with pytest.raises(asyncio.CancelledError):
            await given_up


@both_roles
@asynchronous
async def test_what_the_peer_sends_before_its_close_frame_is_still_received(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        closing = asyncio.create_task(connection.close())
        await peer.receive_close()
        peer.send(TEXT, b"one more thing")
        peer.send(CLOSE, (1000).to_bytes(2))
        peer.end()
        await closing
        assert [message async for message in connection] == ["one more thing"]


@both_roles
@asynchronous
async def test_sending_on_a_closing_connection_waits_for_its_end_and_raises(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        closing = asyncio.create_task(connection.close())
        await peer.receive_close()
        sends = [
            asyncio.ensure_future(send)
            for send in (connection.send("x"), connection.ping(), connection.pong())
        ]
        await asyncio.sleep(0)
        peer.send(CLOSE, (1000).to_bytes(2))
        peer.end()
        for send in sends:
            with pytest.raises(itoden.ConnectionClosedOK):
                await send
        await closing


@both_roles
@asynchronous
async def test_a_peer_that_does_not_answer_the_close_is_dropped_after_close_timeout(role: str) -> None:
    async with raw_peer(role, close_timeout=0.05) as (connection, peer):
        await connection.close()
        assert connection.close_code == 1006
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
        assert (raised.value.rcvd, raised.value.sent) == (None, Close(1000, ""))
        assert isinstance(raised.value.__cause__, TimeoutError)
        assert await peer.receive_close() == (1000, "")


@both_roles
@asynchronous
async def test_a_peer_that_reads_nothing_is_dropped_after_close_timeout(role: str) -> None:
    async with raw_peer(role, close_timeout=0.05, write_limit=1000) as (connection, peer):
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]

        async def send_forever() -> None:
            while True:
                await connection.send(b"x" * 60_000)

        sending = asyncio.create_task(send_forever())
        transport = connection.transport
        assert transport is not None
        await until(lambda: transport.get_write_buffer_size() > 1000)
        await connection.close()
        with pytest.raises(itoden.ConnectionClosedError):
            await sending


@both_roles
@asynchronous
async def test_a_full_queue_that_nobody_empties_does_not_hold_up_a_close(role: str) -> None:
    async with raw_peer(role, max_queue=2) as (connection, peer):
        message = frame(TEXT, b"x" * 60_000, masked=peer.masks)
        for _ in range(100):
            peer.write(message)
        await until(lambda: connection._queued == 3)
        closing = asyncio.create_task(connection.close())
        peer.send(CLOSE, (1000).to_bytes(2))
        await peer.receive_close()
        await until(lambda: _received(connection) is not None)
        peer.end()
        await closing
        assert connection.close_code == 1000
        # What one read brings beyond the mark is kept, what came later is not.
        received = [message async for message in connection]
        assert 3 <= len(received) < 20


@both_roles
@asynchronous
async def test_leaving_the_block_closes_with_1000_or_after_an_exception_with_1011(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        answering = asyncio.create_task(peer.answer_close())
        async with connection:
            pass
        await answering
        assert _sent(connection) == Close(1000, "")
    async with raw_peer(role) as (connection, peer):
        answering = asyncio.create_task(peer.answer_close())
        with pytest.raises(KeyError):
            async with connection:
                raise KeyError
        await answering
        assert _sent(connection) == Close(1011, "")


def _received(connection: itoden.Connection) -> Close | None:
    return connection._closed_exception().rcvd


def _sent(connection: itoden.Connection) -> Close | None:
    return connection._closed_exception().sent


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
@both_roles
@asynchronous
async def test_a_close_code_that_is_not_for_the_wire_is_refused(role: str, code: int) -> None:
    async with raw_peer(role) as (connection, _):
        with pytest.raises(ValueError, match=f"the close code is {code}; 1000-1003") as raised:
            await connection.close(code)
        assert isinstance(raised.value, itoden.SendError)
        assert connection.state is State.OPEN


@both_roles
@asynchronous
async def test_a_reason_of_more_than_123_bytes_is_refused(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        with pytest.raises(itoden.SendError, match="124 bytes"):
            await connection.close(1000, "é" * 62)
        closing = asyncio.create_task(connection.close(1000, "é" * 61 + "x"))
        assert await peer.receive_close() == (1000, "é" * 61 + "x")
        peer.end()
        await closing


@both_roles
@asynchronous
async def test_nothing_is_answered_after_a_close(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        closing = asyncio.create_task(connection.close())
        await peer.receive_close()
        peer.send(PING, b"?")
        peer.send(CLOSE, (1000).to_bytes(2))
        if role == "server":
            assert await peer.reader.read() == b""
        peer.end()
        await closing


@asynchronous
async def test_both_ends_close_at_once() -> None:
    async with both_ends() as (client, server):
        await asyncio.gather(client.close(4001, "client"), server.close(4002, "server"))
        assert (client.close_code, client.close_reason) == (4002, "server")
        assert (server.close_code, server.close_reason) == (4001, "client")


@pytest.mark.parametrize("closer", ROLES)
@asynchronous
async def test_code_and_reason_go_from_one_end_to_the_other(closer: str) -> None:
    async with both_ends() as (client, server):
        one, other = (client, server) if closer == "client" else (server, client)
        await one.close(4242, "done")
        await other.wait_closed()
        assert (other.close_code, other.close_reason) == (4242, "done")
        assert one.close_code == 4242
