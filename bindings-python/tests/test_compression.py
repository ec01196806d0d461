"""permessage-deflate (RFC 7692): what is offered, agreed on and sent."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import pytest
from websockets.extensions import permessage_deflate as theirs

import itoden
from harness import REQUEST, Peer, answer_upgrade, asynchronous, both_ends, raw_server
from itoden.extensions import permessage_deflate as ours
from itoden.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from parity import LIBRARIES, nothing, port, same, serving

TEXT = "the same words again and again, " * 100


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


def extensions_of(connection: Any) -> tuple[str | None, str | None]:
    name = "Sec-WebSocket-Extensions"
    return connection.request.headers.get(name), connection.response.headers.get(name)


def factory(library: Any, side: str, **options: Any) -> Any:
    module = ours if library is itoden else theirs
    return getattr(module, f"{side}PerMessageDeflateFactory")(**options)


@pytest.mark.parametrize("client", ["deflate", None])
@pytest.mark.parametrize("server", ["deflate", None])
def test_compression_is_agreed_on_unless_one_end_is_against_it(
    client: str | None, server: str | None
) -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, echo, compression=server) as uri:
            async with library.connect(uri, compression=client) as connection:
                await connection.send(TEXT)
                assert await connection.recv() == TEXT
                return extensions_of(connection)

    agreed = same(scenario)
    assert (agreed[1] is not None) == (client == server == "deflate")


CLIENTS: list[dict[str, Any]] = [
    {},
    {"server_no_context_takeover": True},
    {"client_no_context_takeover": True},
    {"server_max_window_bits": 9},
    {"client_max_window_bits": 10},
    {"server_max_window_bits": 11, "client_max_window_bits": True, "compress_settings": {"level": 9}},
]
SERVERS: list[dict[str, Any]] = [
    {},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
    {"server_max_window_bits": 10},
    {"client_max_window_bits": 9},
    {"server_max_window_bits": 12, "client_max_window_bits": 12, "require_client_max_window_bits": True},
]


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("server", SERVERS, ids=str)
def test_parameters_are_offered_and_agreed_on_as_websockets_does(
    client: dict[str, Any], server: dict[str, Any]
) -> None:
    async def scenario(library: Any) -> object:
        extensions = [factory(library, "Server", **server)]
        async with serving(library, echo, extensions=extensions) as uri:
            extensions = [factory(library, "Client", **client)]
            async with library.connect(uri, extensions=extensions) as connection:
                for _ in range(3):
                    await connection.send(TEXT)
                    assert await connection.recv() == TEXT
                offered, agreed = extensions_of(connection)
                assert offered is not None
                return sorted(offered.split("; ")), agreed and sorted(agreed.split("; "))

    same(scenario)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("compressed", ["short", TEXT, TEXT.encode() * 50])
@asynchronous
async def test_compressed_messages_are_understood_by_and_from_websockets(
    name: str, role: str, compressed: str | bytes
) -> None:
    client, server = (LIBRARIES[name], itoden) if role == "server" else (itoden, LIBRARIES[name])
    async with serving(server, echo) as uri:
        async with client.connect(uri) as connection:
            assert extensions_of(connection)[1] is not None
            for _ in range(3):
                await connection.send(compressed)
                assert await connection.recv() == compressed


@asynchronous
async def test_a_client_that_says_nothing_of_its_window_is_agreed_with_unless_that_is_required() -> None:
    async def answer(**options: Any) -> bytes:
        extensions = [ServerPerMessageDeflateFactory(client_max_window_bits=10, **options)]
        async with itoden.serve(nothing, "127.0.0.1", 0, extensions=extensions) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port(server))
            writer.write((REQUEST + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n").encode())
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            return head

    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" in await answer()
    assert b"Sec-WebSocket-Extensions" not in await answer(require_client_max_window_bits=True)


def agree(request: bytes) -> bytes:
    return answer_upgrade(request)[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


@asynchronous
async def test_fragments_are_compressed_and_none_waits_for_the_next_one() -> None:
    async with raw_server(agree) as (number, streams):
        connection = await itoden.connect(f"ws://127.0.0.1:{number}/")
        reader, writer = await streams
        inflate = zlib.decompressobj(wbits=-15).decompress
        go_on = asyncio.Event()

        async def fragments() -> Any:
            yield "Hello, "
            await go_on.wait()
            yield "world"

        sending = asyncio.ensure_future(connection.send(fragments()))
        for first, tail, expected in [
            (0x41, b"", b"Hello, "),
            (0x00, b"", b"world"),
            (0x80, b"\0\0\xff\xff", b""),
        ]:
            head = await reader.readexactly(6)
            assert head[0] == first
            payload = await reader.readexactly(head[1] & 0x7F)
            unmasked = bytes(byte ^ head[2 + index % 4] for index, byte in enumerate(payload))
            assert inflate(unmasked + tail) == expected
            go_on.set()
        await sending
        writer.close()
        await connection.wait_closed()


@asynchronous
async def test_what_is_agreed_on_is_compressed_on_the_wire() -> None:
    async with raw_server(agree) as (number, streams):
        connection = await itoden.connect(f"ws://127.0.0.1:{number}/")
        reader, writer = await streams
        await connection.send(TEXT)
        first, _ = await reader.readexactly(2)
        assert first == 0xC1, "FIN, RSV1, text"
        writer.close()
        await connection.wait_closed()


@asynchronous
async def test_compressed_bytes_that_are_none_fail_the_connection_with_1007() -> None:
    def answer(request: bytes) -> bytes:
        return answer_upgrade(request)[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

    async with raw_server(answer) as (number, streams):
        connection = await itoden.connect(f"ws://127.0.0.1:{number}/")
        reader, writer = await streams
        writer.write(b"\xc1\x04\xff\xff\xff\xff")
        code, reason = await Peer("server", reader, writer).receive_close()
        writer.close()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
    assert (code, raised.value.sent) == (1007, itoden.Close(1007, reason))
    assert isinstance(raised.value.__cause__, itoden.ProtocolError)
    assert raised.value.__cause__.error_name == "invalid_deflate"


@asynchronous
async def test_a_message_that_grows_beyond_max_size_is_refused_before_it_is_whole() -> None:
    async def send(connection: Any) -> None:
        await connection.send("x" * 2000)
        await connection.wait_closed()

    async with serving(itoden, send) as uri:
        async with itoden.connect(uri, max_size=1999) as connection:
            with pytest.raises(itoden.ConnectionClosedError) as raised:
                await connection.recv()
    assert raised.value.sent is not None
    assert raised.value.sent.code == 1009
    assert isinstance(raised.value.__cause__, itoden.PayloadTooBig)
    assert raised.value.__cause__.max_size == 1999


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"server_max_window_bits": 7}, ValueError, "server_max_window_bits is 7"),
        ({"server_max_window_bits": 16}, ValueError, "server_max_window_bits is 16"),
        ({"server_max_window_bits": True}, TypeError, "server_max_window_bits"),
        ({"client_max_window_bits": 16}, ValueError, "client_max_window_bits is 16"),
        ({"client_max_window_bits": "9"}, TypeError, "client_max_window_bits"),
        ({"server_no_context_takeover": 1}, TypeError, "server_no_context_takeover"),
        ({"client_no_context_takeover": None}, TypeError, "client_no_context_takeover"),
        ({"compress_settings": {"wbits": 9}}, TypeError, "wbits"),
        ({"compress_settings": 5}, TypeError, "compress_settings"),
        ({"compress_settings": {"level": 10}}, ValueError, "level"),
        ({"compress_settings": {"level": "9"}}, TypeError, "level"),
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory])
def test_settings_that_can_not_be_are_named(
    make: Any, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        make(**options)


def test_a_bound_that_is_required_has_to_be_given() -> None:
    with pytest.raises(ValueError, match="client_max_window_bits"):
        ServerPerMessageDeflateFactory(require_client_max_window_bits=True)


def test_an_extension_can_be_given_once() -> None:
    with pytest.raises(ValueError, match="2 times"):
        itoden.connect("ws://localhost/", extensions=[ClientPerMessageDeflateFactory()] * 2)


def test_settings_of_the_package_websockets_are_taken() -> None:
    extensions = [theirs.ClientPerMessageDeflateFactory(server_max_window_bits=9)]
    headers = dict(itoden.connect("ws://localhost/", extensions=extensions)._handshake().headers)
    assert "server_max_window_bits=9" in headers["Sec-WebSocket-Extensions"]


@asynchronous
async def test_streams_that_rested_still_know_what_came_before() -> None:
    message = "a message that is long enough to be worth compressing " * 40
    async with both_ends() as (client, server):
        for _ in range(3):
            for one, other in ((client, server), (server, client)):
                await one.send(message)
                assert await other.recv() == message
            for end in (client, server):
                # As the timers would: once to see that they were used, once to see that they were not.
                end._handle_timeout()
                end._handle_timeout()
