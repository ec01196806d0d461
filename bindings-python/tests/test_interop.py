"""Live with `websockets`, in both roles."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions

import itoden
from harness import asynchronous, until

# itoden's end, connect(), serve()
PAIRS: dict[str, tuple[Any, Any]] = {
    "client": (itoden.connect, websockets.asyncio.server.serve),
    "server": (websockets.asyncio.client.connect, itoden.serve),
}
both_roles = pytest.mark.parametrize("role", list(PAIRS))


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


def port(server: Any) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


@both_roles
@asynchronous
async def test_messages_of_all_kinds_and_sizes_come_back(role: str) -> None:
    connect, serve = PAIRS[role]
    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port(server)}/") as client:
            for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
                for message in ("x" * size, b"\x00\xff" * (size // 2)):
                    await client.send(message)
                    assert await client.recv() == message
            await client.send("ümlaut 🧵")
            assert await client.recv() == "ümlaut 🧵"


@both_roles
@asynchronous
async def test_many_messages_in_flight_keep_their_order(role: str) -> None:
    connect, serve = PAIRS[role]
    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port(server)}/") as client:

            async def send_all() -> None:
                for number in range(2000):
                    await client.send(str(number))

            sending = asyncio.create_task(send_all())
            for number in range(2000):
                assert await client.recv() == str(number)
            await sending


@both_roles
@asynchronous
async def test_pings_are_answered_in_both_directions(role: str) -> None:
    connect, serve = PAIRS[role]
    latencies: list[float] = []

    async def ping(connection: Any) -> None:
        latencies.append(await (await connection.ping()))
        await connection.wait_closed()

    async with serve(ping, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port(server)}/") as client:
            latencies.append(await (await client.ping()))
            await until(lambda: len(latencies) == 2)
    assert all(0 <= latency < 30 for latency in latencies)


@both_roles
@asynchronous
async def test_a_fragmented_message_is_received_whole(role: str) -> None:
    connect, serve = PAIRS[role]
    received: list[Any] = []

    async def fragments(connection: Any) -> None:
        if role == "client":
            await connection.send(["a", "b", "c"])
        else:
            received.append(await connection.recv())

    async with serve(fragments, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port(server)}/") as client:
            if role == "client":
                received.append(await client.recv())
            else:
                await client.send(["a", "b", "c"])
                await client.wait_closed()
    assert received == ["abc"]


@pytest.mark.parametrize("closer", ["client", "server"])
@both_roles
@asynchronous
async def test_close_codes_and_reasons_are_understood(role: str, closer: str) -> None:
    connect, serve = PAIRS[role]
    ends: list[Any] = []

    async def handler(connection: Any) -> None:
        if closer == "server":
            await connection.close(4001, "over")
        await connection.wait_closed()
        ends.append((connection.close_code, connection.close_reason))

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port(server)}/") as client:
            if closer == "client":
                await client.close(4001, "over")
            await client.wait_closed()
            ends.append((client.close_code, client.close_reason))
    # The one that began reads the answer, whose reason is its author's choice.
    assert [code for code, _ in ends] == [4001, 4001]
    assert any(reason == "over" for _, reason in ends)


@both_roles
@asynchronous
async def test_a_subprotocol_is_agreed_on(role: str) -> None:
    connect, serve = PAIRS[role]
    async with serve(echo, "127.0.0.1", 0, subprotocols=["b", "a"]) as server:
        uri = f"ws://127.0.0.1:{port(server)}/"
        async with connect(uri, subprotocols=["a", "b"]) as client:
            assert client.subprotocol == "b"


@both_roles
@asynchronous
async def test_a_message_over_max_size_is_1009(role: str) -> None:
    connect, serve = PAIRS[role]
    closed: Any = (itoden.ConnectionClosedError, websockets.exceptions.ConnectionClosedError)
    async with serve(echo, "127.0.0.1", 0, max_size=1000) as server:
        async with connect(f"ws://127.0.0.1:{port(server)}/") as client:
            await client.send("x" * 1001)
            with pytest.raises(closed):
                await client.recv()
            assert client.close_code == 1009


@both_roles
@asynchronous
async def test_a_wrong_origin_is_403(role: str) -> None:
    connect, serve = PAIRS[role]
    refused: Any = (itoden.InvalidStatus, websockets.exceptions.InvalidStatus)
    async with serve(echo, "127.0.0.1", 0, origins=["https://good.example"]) as server:
        uri = f"ws://127.0.0.1:{port(server)}/"
        with pytest.raises(refused, match=r"HTTP 403|status 403"):
            await connect(uri, origin="https://evil.example")
        async with connect(uri, origin="https://good.example"):
            pass
