"""The attribute `protocol` of a connection tells what it tells in `websockets`."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

import itoden
import itoden.version
import sync_parity
from parity import same, serving, shown

TOLD = [
    "state", "subprotocol", "side", "debug", "close_code", "close_reason", "close_rcvd", "close_sent",
    "close_rcvd_then_sent", "handshake_exc",
]  # fmt: skip


def told(connection: Any) -> dict[str, str]:
    protocol = connection.protocol
    values = {name: str(getattr(protocol, name)) for name in TOLD}
    values["parser_exc"] = type(protocol.parser_exc).__name__
    values["same"] = str((protocol.id == connection.id, protocol.logger is connection.logger))
    try:
        values["close_exc"] = str(protocol.close_exc)
    except AssertionError as error:
        values["close_exc"] = str(shown(error))
    return values


@pytest.mark.parametrize("how", ["client", "server", "abort"])
def test_it_tells_the_same_while_open_and_when_closed(how: str) -> None:
    async def scenario(library: Any) -> object:
        ended = asyncio.get_running_loop().create_future()
        seen: list[Any] = []

        async def handler(connection: Any) -> None:
            seen.append(told(connection))
            if how == "server":
                await connection.close(4000, "bye")
            elif how == "abort":
                connection.transport.abort()
            await connection.wait_closed()
            ended.set_result(told(connection))

        async with serving(library, handler, subprotocols=["chat"]) as uri:
            async with library.connect(uri, subprotocols=["chat"]) as connection:
                seen.append((connection.protocol.side.name, connection.protocol.subprotocol))
                if how != "client":
                    await connection.wait_closed()
            return seen, told(connection), await ended

    seen, client, _ = same(scenario)
    assert seen[0]["state"] == "1"
    assert seen[1] == ("CLIENT", "chat")
    assert client["close_code"] == {"client": "1000", "server": "4000", "abort": "1006"}[how]


def test_in_threads_it_tells_the_same() -> None:
    def scenario(library: Any) -> object:
        with sync_parity.both_ends(library, {"subprotocols": ["chat"]}, {"subprotocols": ["chat"]}) as ends:
            before = [told(end) for end in ends]
            ends[0].close(1001, "gone")
            ends[1].wait_closed()
            return before, [told(end) for end in ends]

    before, after = sync_parity.same(scenario)
    assert [end["close_exc"] for end in before] == ["('AssertionError', \"connection isn't closed yet\")"] * 2
    assert [end["close_code"] for end in after] == ["1001", "1001"]


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ({}, {}),
        ({"compression": None}, {}),
        ({}, {"compression": None}),
        ({"server_no_context_takeover": True}, {"client_no_context_takeover": True}),
        ({"client_max_window_bits": 11}, {"server_max_window_bits": 10, "client_max_window_bits": 9}),
    ],
    ids=str,
)
def test_it_tells_what_was_agreed_about_compression(client: dict[str, Any], server: dict[str, Any]) -> None:
    def options(library: Any, side: str, wanted: dict[str, Any]) -> dict[str, Any]:
        if "compression" in wanted or not wanted:
            return wanted
        name = f"{library.__name__}.extensions.permessage_deflate"
        factory = getattr(importlib.import_module(name), f"{side}PerMessageDeflateFactory")
        return {"extensions": [factory(**wanted)]}

    async def scenario(library: Any) -> object:
        seen: list[str] = []

        async def handler(connection: Any) -> None:
            seen.append(str(connection.protocol.extensions))

        async with serving(library, handler, **options(library, "Server", server)) as uri:
            async with library.connect(uri, **options(library, "Client", client)) as connection:
                names = [extension.name for extension in connection.protocol.extensions]
                await connection.wait_closed()
                return names, str(connection.protocol.extensions), seen

    names, *_ = same(scenario)
    assert names == ([] if {"compression"} & {*client, *server} else ["permessage-deflate"])


def test_it_is_the_same_each_time_it_is_asked_for() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, lambda connection: connection.wait_closed()) as uri:
            async with library.connect(uri) as connection, library.connect(uri) as other:
                assert connection.loop is asyncio.get_running_loop()
                return (
                    connection.protocol == connection.protocol,
                    hash(connection.protocol) == hash(connection.protocol),
                    connection.protocol == other.protocol,
                )

    assert same(scenario) == (True, True, False)


def test_a_server_has_that_of_asyncio() -> None:
    async def scenario(library: Any) -> object:
        async with library.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as server:
            return isinstance(server.server, asyncio.Server), len(server.server.sockets)

    assert same(scenario) == (True, 1)


def test_a_refused_handshake_is_told() -> None:
    async def scenario(library: Any) -> object:
        made: list[Any] = []

        class Mine(library.ClientConnection):  # type: ignore[misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                made.append(self)

        def refuse(connection: Any, request: Any) -> Any:
            return connection.respond(403, "")

        async with serving(
            library, lambda connection: connection.wait_closed(), process_request=refuse
        ) as uri:
            with pytest.raises(library.InvalidStatus):
                await library.connect(uri, create_connection=Mine)
        (connection,) = made
        return str(connection.protocol.handshake_exc)

    assert same(scenario) == "server rejected WebSocket connection: HTTP 403"


def test_the_version_has_a_module() -> None:
    assert itoden.version.version == itoden.version.tag == itoden.version.commit == itoden.__version__
