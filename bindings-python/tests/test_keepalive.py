"""Pings at an interval, silence, and latency."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import itoden
from harness import PING, PONG, ROLES, Peer, asynchronous, raw_peer, until
from parity import nothing, same, serving

both_roles = pytest.mark.parametrize("role", ROLES)


@both_roles
@asynchronous
async def test_pings_are_sent_and_their_pongs_tell_the_latency(role: str) -> None:
    async with raw_peer(role, ping_interval=0.01, ping_timeout=None) as (connection, peer):
        assert connection.latency == 0
        payloads = set()
        for _ in range(3):
            opcode, payload = await peer.receive()
            assert opcode == PING
            payloads.add(payload)
            peer.send(PONG, payload)
        assert len(payloads) == 3
        await until(lambda: connection.latency > 0)
        assert connection.latency < 30
        assert connection.state is itoden.State.OPEN


@both_roles
@asynchronous
async def test_a_peer_that_falls_silent_fails_the_connection_with_1011(role: str) -> None:
    async with raw_peer(role, ping_interval=0.01, ping_timeout=0.02) as (connection, peer):
        assert (await peer.receive())[0] == PING
        closed = asyncio.create_task(receive_until_close(peer))
        await until(lambda: connection.state is not itoden.State.OPEN)
        assert await closed == (1011, "keepalive ping timeout")
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError, match="sent 1011") as raised:
            await connection.recv()
    assert isinstance(raised.value.__cause__, TimeoutError)
    assert "silent" in str(raised.value.__cause__)


async def receive_until_close(peer: Peer) -> tuple[int, str]:
    while True:
        opcode, payload = await peer.receive()
        if opcode == 8:
            return int.from_bytes(payload[:2]), payload[2:].decode()


@both_roles
@asynchronous
async def test_whatever_comes_is_a_sign_of_life(role: str) -> None:
    async with raw_peer(role, ping_interval=0.01, ping_timeout=0.2) as (connection, peer):
        for _ in range(30):
            await asyncio.sleep(0.01)
            peer.send(PONG, b"not asked for")
        assert connection.state is itoden.State.OPEN


@both_roles
@asynchronous
async def test_a_loop_that_is_blocked_is_not_held_against_the_peer(role: str) -> None:
    async with raw_peer(role, ping_interval=0.01, ping_timeout=0.05) as (connection, peer):
        opcode, payload = await peer.receive()
        assert opcode == PING
        peer.send(PONG, payload)
        await peer.writer.drain()
        time.sleep(0.2)  # noqa: ASYNC251 - it is blocked on purpose
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert connection.state is itoden.State.OPEN


@both_roles
@asynchronous
async def test_a_failure_says_how_long_the_loop_itself_was_blocked(role: str) -> None:
    async with raw_peer(role, ping_interval=0.01, ping_timeout=0.02) as (connection, peer):
        assert (await peer.receive())[0] == PING
        time.sleep(0.3)  # noqa: ASYNC251 - it is blocked on purpose
        await receive_until_close(peer)
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
    assert "the event loop itself was blocked for 0." in str(raised.value.__cause__)


@both_roles
@asynchronous
async def test_without_an_interval_nothing_is_sent(role: str) -> None:
    async with raw_peer(role, ping_interval=None, ping_timeout=0.01) as (connection, peer):
        await connection.send("first")
        assert (await peer.receive())[1] == b"first"
        await asyncio.sleep(0.05)
        await connection.send("second")
        assert (await peer.receive())[1] == b"second"


@both_roles
@asynchronous
async def test_pings_of_the_application_tell_the_latency_too(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        pong = await connection.ping(b"mine")
        assert await peer.receive() == (PING, b"mine")
        peer.send(PONG, b"mine")
        assert await pong == connection.latency > 0


def test_a_ping_with_data_that_waits_for_its_pong_is_refused_as_in_websockets() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing) as uri:
            async with library.connect(uri) as connection:
                first = await connection.ping("same")
                with pytest.raises(library.ConcurrencyError):
                    await connection.ping(b"same")
                later = await connection.ping("other")
                return [isinstance(await pong, float) for pong in (first, later)]

    assert same(scenario) == [True, True]


def test_pings_that_are_never_answered_raise_the_end() -> None:
    async def scenario(library: Any) -> object:
        async def mute(connection: Any) -> None:
            connection.transport.pause_reading()
            deaf.set()
            await asked.wait()
            connection.transport.abort()

        deaf, asked = asyncio.Event(), asyncio.Event()
        async with serving(library, mute) as uri:
            async with library.connect(uri) as connection:
                await deaf.wait()
                pong = await connection.ping()
                asked.set()
                try:
                    return await pong
                except library.ConnectionClosedError as error:
                    return type(error).__name__

    assert same(scenario) == "ConnectionClosedError"


def test_silence_is_told_as_in_websockets() -> None:
    async def scenario(library: Any) -> object:
        async def mute(connection: Any) -> None:
            connection.transport.pause_reading()
            await released.wait()
            connection.transport.abort()

        released = asyncio.Event()
        async with serving(library, mute, ping_interval=None) as uri:
            connection = await library.connect(uri, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.05)
            with pytest.raises(library.ConnectionClosedError) as raised:
                await connection.recv()
            released.set()
            return str(raised.value), connection.close_code, connection.close_reason

    assert same(scenario) == (
        "sent 1011 (internal error) keepalive ping timeout; no close frame received",
        1006,
        "",
    )
