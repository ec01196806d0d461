"""A client of `npm run bench:python`: `bench_clients.py NAME LOOP CERTIFICATE TCP TLS`.

TCP and TLS are the URIs of echo servers. Each line of the input, `TCP 256 200`, names one of them, the
bytes of a message and for how many milliseconds messages go to and fro, one in flight. Each is answered by a
line: round trips, microseconds of CPU, seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import struct
import sys
import time
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from measured import PLAIN, client_tls, cpu, next_line, run

# The clock is asked after so many round trips.
BATCH = 10

Trips = Callable[[int, float], Awaitable[int]]
BlockingTrips = Callable[[int, float], int]


def answer(trips: int, used: float, seconds: float) -> None:
    """Tells the benchmark."""
    print(trips, used, seconds, flush=True)


def awaiting(send: Callable[[bytes], Awaitable[Any]], receive: Callable[[], Awaitable[Any]]) -> Trips:
    """Round trips of a coroutine."""

    async def trips(size: int, seconds: float) -> int:
        message, end, count = bytes(size), time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            for _ in range(BATCH):
                await send(message)
                await receive()
            count += BATCH
        return count

    return trips


class Turns:
    """Round trips of functions: whatever comes is answered by the next message."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self.send = send
        self.count = 0

    def came(self) -> None:
        """A message came."""
        self.count += 1
        if self.count % BATCH or time.perf_counter() < self.end:
            self.send(self.message)
        else:
            self.done.set_result(None)

    async def trips(self, size: int, seconds: float) -> int:
        """How many there were."""
        self.message, self.count = bytes(size), 0
        self.end = time.perf_counter() + seconds
        self.done = asyncio.get_running_loop().create_future()
        self.send(self.message)
        await self.done
        return self.count


@contextlib.asynccontextmanager
async def itoden_callbacks(uri: str, tls: Any) -> AsyncIterator[Trips]:
    library = importlib.import_module("itoden.callbacks")

    class Client(library.Listener):  # type: ignore[misc, name-defined]
        def on_message(self, data: bytes) -> None:
            turns.came()

    async with library.connect(uri, Client(), ssl=tls, proxy=None, **PLAIN) as connection:
        turns = Turns(connection.send)
        yield turns.trips


@contextlib.asynccontextmanager
async def picows(uri: str, tls: Any) -> AsyncIterator[Trips]:
    library = importlib.import_module("picows")
    binary = library.WSMsgType.BINARY

    class Client(library.WSListener):  # type: ignore[misc, name-defined]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            frame.get_payload_as_bytes()
            turns.came()

    transport, _ = await library.ws_connect(Client, uri, ssl_context=tls)
    turns = Turns(lambda message: transport.send(binary, message))
    yield turns.trips
    transport.disconnect()


@contextlib.asynccontextmanager
async def aiohttp(uri: str, tls: Any) -> AsyncIterator[Trips]:
    library = importlib.import_module("aiohttp")
    async with library.ClientSession() as session:
        secure = {} if tls is None else {"ssl": tls}
        async with session.ws_connect(uri, max_msg_size=0, compress=0, **secure) as connection:
            yield awaiting(connection.send_bytes, connection.receive_bytes)


REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Bare(asyncio.BufferedProtocol):
    """Sends the same frame again and again, and counts what comes: what loop, transport and kernel cost."""

    buffer = memoryview(bytearray(256 << 10))
    size = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.turns = Turns(self.send)
        self.open = asyncio.get_running_loop().create_future()
        self.head = b""
        transport.write(REQUEST)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def send(self, message: bytes) -> None:
        """Sends it as a binary message, masked with zeros (RFC 6455 §5.2)."""
        if len(message) != self.size:
            self.size = len(message)
            short = self.size < 1 << 16
            length = bytes([0xFE if short else 0xFF]) + self.size.to_bytes(2 if short else 8)
            self.frame = b"\x82" + length + bytes(4) + message
        # An answer has no masking key.
        self.awaited = len(self.frame) - 4
        self.transport.write(self.frame)

    def buffer_updated(self, nbytes: int) -> None:
        if not self.open.done():
            # The answer to the request, which nothing follows before the first message.
            self.head += self.buffer[:nbytes]
            if self.head.endswith(b"\r\n\r\n"):
                self.open.set_result(None)
            return
        self.awaited -= nbytes
        if not self.awaited:
            self.turns.came()


@contextlib.asynccontextmanager
async def bare(uri: str, tls: Any) -> AsyncIterator[Trips]:
    parts = urllib.parse.urlsplit(uri)
    loop, host, port = asyncio.get_running_loop(), str(parts.hostname), int(parts.port or 0)
    transport, protocol = await loop.create_connection(Bare, host, port, ssl=tls)
    await protocol.open
    yield protocol.turns.trips
    transport.close()


def like_websockets(package: str) -> Callable[[str, Any], Any]:
    """A client with the API of `websockets`."""

    @contextlib.asynccontextmanager
    async def client(uri: str, tls: Any) -> AsyncIterator[Trips]:
        library = importlib.import_module(f"{package}.asyncio.client")
        async with library.connect(uri, ssl=tls, proxy=None, **PLAIN) as connection:
            yield awaiting(connection.send, connection.recv)

    return client


CLIENTS = {
    "itoden callbacks": itoden_callbacks,
    "itoden": like_websockets("itoden"),
    "picows": picows,
    "picows.websockets": like_websockets("picows.websockets"),
    "websockets": like_websockets("websockets"),
    "aiohttp": aiohttp,
    "bare loop": bare,
}


async def serve_benchmark(name: str, uris: dict[str, str], certificate: str) -> None:
    """A client on asyncio."""
    async with contextlib.AsyncExitStack() as stack:
        ways: dict[str, Trips] = {}
        for transport, uri in uris.items():
            tls = client_tls(certificate) if transport == "TLS" else None
            ways[transport] = await stack.enter_async_context(CLIENTS[name](uri, tls))
        print("ready", flush=True)
        while line := await next_line():
            transport, size, milliseconds = line.split()
            began, before = time.perf_counter(), cpu()
            count = await ways[transport](int(size), int(milliseconds) / 1000)
            answer(count, cpu() - before, time.perf_counter() - began)


def blocking_like_websockets(package: str) -> Callable[[str, Any], Any]:
    """A client that blocks, with the API of `websockets.sync`."""

    @contextlib.contextmanager
    def client(uri: str, tls: Any) -> Iterator[BlockingTrips]:
        connect = importlib.import_module(f"{package}.client").connect
        with connect(uri, proxy=None, **PLAIN, **({} if tls is None else {"ssl": tls})) as connection:
            send, receive = connection.send, connection.recv

            def trips(size: int, seconds: float) -> int:
                message, end, count = bytes(size), time.perf_counter() + seconds, 0
                while time.perf_counter() < end:
                    for _ in range(BATCH):
                        send(message)
                        receive()
                    count += BATCH
                return count

            yield trips

    return client


@contextlib.contextmanager
def bare_socket(uri: str, tls: Any) -> Iterator[BlockingTrips]:
    """As many bytes to and fro, without a look at them: one frame is made once for all round trips."""
    address = urllib.parse.urlsplit(uri)
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection((address.hostname, address.port)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        if tls is not None:
            sock = stack.enter_context(tls.wrap_socket(sock, server_hostname=address.hostname))
        head = f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        sock.sendall(f"{head}Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        while not sock.recv(65536).endswith(b"\r\n\r\n"):
            pass

        def trips(size: int, seconds: float) -> int:
            short = struct.pack(">BBH", 0x82, 0xFE, size) if size < 65536 else None
            head = short or struct.pack(">BBQ", 0x82, 0xFF, size)
            frame, end, count = head + bytes(4) + bytes(size), time.perf_counter() + seconds, 0
            expected, buffer = len(frame) - 4, bytearray(256 << 10)
            while time.perf_counter() < end:
                for _ in range(BATCH):
                    sock.sendall(frame)
                    left = expected
                    while left:
                        left -= sock.recv_into(buffer)
                count += BATCH
            return count

        yield trips


BLOCKING_CLIENTS = {
    "itoden.sync": blocking_like_websockets("itoden.sync"),
    "websockets.sync": blocking_like_websockets("websockets.sync"),
    "bare socket": bare_socket,
}


def serve_benchmark_in_threads(name: str, uris: dict[str, str], certificate: str) -> None:
    """A client that blocks."""
    with contextlib.ExitStack() as stack:
        ways: dict[str, BlockingTrips] = {}
        for transport, uri in uris.items():
            tls = client_tls(certificate) if transport == "TLS" else None
            ways[transport] = stack.enter_context(BLOCKING_CLIENTS[name](uri, tls))
        print("ready", flush=True)
        while line := sys.stdin.readline():
            transport, size, milliseconds = line.split()
            began, before = time.perf_counter(), cpu()
            count = ways[transport](int(size), int(milliseconds) / 1000)
            answer(count, cpu() - before, time.perf_counter() - began)


if __name__ == "__main__":
    name, loop, certificate, tcp, tls = sys.argv[1:]
    uris = {"TCP": tcp, "TLS": tls}
    if loop == "threads":
        serve_benchmark_in_threads(name, uris, certificate)
    else:
        run(loop, serve_benchmark(name, uris, certificate))
