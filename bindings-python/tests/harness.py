"""What the tests share: event loops with a time limit, raw peers, frames by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import itoden

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
KEY = bytes.fromhex("37fa213d")
REQUEST = (
    "GET /chat?room=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
ROLES = ["client", "server"]


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test on an event loop of its own, in debug mode, for at most 30 seconds."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def limited() -> None:
            async with asyncio.timeout(30):
                await test(*args, **kwargs)

        asyncio.run(limited(), debug=True)

    return run


async def until(condition: Callable[[], bool]) -> None:
    """Waits, turn by turn of the loop, until a condition holds."""
    while not condition():
        await asyncio.sleep(0.001)


def frame(opcode: int, payload: bytes = b"", *, masked: bool, fin: bool = True) -> bytes:
    """The bytes of a frame (RFC 6455 §5.2)."""
    mask = 0x80 if masked else 0
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        head += bytes([mask | len(payload)])
    elif len(payload) < 65536:
        head += bytes([mask | 126]) + len(payload).to_bytes(2)
    else:
        head += bytes([mask | 127]) + len(payload).to_bytes(8)
    if not masked:
        return head + payload
    return head + KEY + bytes(byte ^ KEY[index % 4] for index, byte in enumerate(payload))


def accept_value(key: str) -> str:
    """The value of Sec-WebSocket-Accept (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode(), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode()


class Peer:
    """The other end of a connection, that sends and sees raw bytes."""

    def __init__(self, role: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.masks = role == "client"
        self.reader = reader
        self.writer = writer

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        """Sends a frame, masked if this is a client."""
        self.write(frame(opcode, payload, masked=self.masks, fin=fin))

    def write(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8))
        assert bool(second & 0x80) is not self.masks, "a client masks every frame, a server none (§5.1)"
        key = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
        payload = await self.reader.readexactly(length)
        return first & 0xF, bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))

    async def receive_close(self) -> tuple[int, str]:
        """The next frame, which must be a Close frame: code and reason."""
        opcode, payload = await self.receive()
        assert opcode == CLOSE, f"opcode {opcode:#x} with {payload!r}"
        return int.from_bytes(payload[:2]) if payload else 1005, payload[2:].decode()

    def end(self) -> None:
        """Ends the transport without a word."""
        self.writer.close()

    async def answer_close(self) -> None:
        """Takes part in a closing handshake that the other end began."""
        await self.receive_close()
        self.send(CLOSE, (1000).to_bytes(2))
        self.end()


@contextlib.asynccontextmanager
async def raw_peer(role: str, **options: Any) -> AsyncIterator[tuple[itoden.Connection, Peer]]:
    """An open connection whose end of the given role is itoden's, and its raw peer."""
    make = _client_and_raw_server if role == "client" else _raw_client_and_server
    async with make(options) as (connection, peer):
        yield connection, peer


@contextlib.asynccontextmanager
async def _client_and_raw_server(options: dict[str, Any]) -> AsyncIterator[tuple[itoden.Connection, Peer]]:
    async with raw_server(answer_upgrade) as (port, streams):
        connection = await itoden.connect(f"ws://127.0.0.1:{port}/", **options)
        reader, writer = await streams
        try:
            yield connection, Peer("server", reader, writer)
        finally:
            connection._abort()
            writer.close()
            await connection.wait_closed()


@contextlib.asynccontextmanager
async def _raw_client_and_server(options: dict[str, Any]) -> AsyncIterator[tuple[itoden.Connection, Peer]]:
    opened: asyncio.Future[itoden.ServerConnection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(connection: itoden.ServerConnection) -> None:
        opened.set_result(connection)
        # Not by `wait_closed()`, which tells that no message will be answered.
        await over.wait()

    async with itoden.serve(handler, "127.0.0.1", 0, **options) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write((REQUEST + "\r\n").encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        connection = await opened
        try:
            yield connection, Peer("client", reader, writer)
        finally:
            over.set()
            connection._abort()
            writer.close()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def raw_server(
    answer: Callable[[bytes], bytes],
) -> AsyncIterator[tuple[int, asyncio.Future[Streams]]]:
    """A TCP server that answers the head of a request with bytes: its port, and the streams of its
    connection."""
    streams: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        streams.set_result((reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], streams
    finally:
        server.close()
        if streams.done():
            streams.result()[1].close()


def answer_upgrade(request: bytes) -> bytes:
    """The answer that opens a connection."""
    (key,) = (line[19:] for line in request.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_value(key)}\r\n\r\n"
    ).encode()


def port_of(server: itoden.Server) -> int:
    """The port that a server listens on."""
    port = server.sockets[0].getsockname()[1]
    assert isinstance(port, int)
    return port


@contextlib.asynccontextmanager
async def both_ends(
    client: dict[str, Any] | None = None, server: dict[str, Any] | None = None
) -> AsyncIterator[tuple[itoden.ClientConnection, itoden.ServerConnection]]:
    """An open connection, both of whose ends are itoden's."""
    opened: asyncio.Future[itoden.ServerConnection] = asyncio.get_running_loop().create_future()

    async def handler(connection: itoden.ServerConnection) -> None:
        opened.set_result(connection)
        await connection.wait_closed()

    async with itoden.serve(handler, "127.0.0.1", 0, **(server or {})) as listening:
        async with itoden.connect(f"ws://127.0.0.1:{port_of(listening)}/", **(client or {})) as connection:
            yield connection, await opened
