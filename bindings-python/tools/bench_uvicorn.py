"""CPU and throughput of uvicorn with `itoden.uvicorn` beside its own WebSocket protocols, interleaved.

Run it with the Python of `.venv`. A server process with an application of ASGI that echoes is loaded by raw
sockets in another process. The floor is a protocol of asyncio that answers as many bytes without looking at
them: what loop, transport and kernel cost. The rest is the protocol's share. What counts are the ratios.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import statistics
import sys
import time
from typing import Any

import uvicorn

from bench import cpu, first_line, role_of

KINDS = {"itoden": "itoden.uvicorn:WebSocketProtocol", "websockets-sansio": "websockets-sansio"}
LOOPS = ("uvloop", "asyncio")
IN_FLIGHT = (1, 16)
ROUNDS, CONNECTIONS, SIZE, MESSAGES = 5, 64, 64, 64 * 600
FRAME = bytes([0x82, 0x80 | SIZE, 0, 0, 0, 0]) + bytes(SIZE)
REQUEST = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """The application."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


class Floor(asyncio.BufferedProtocol):
    """Answers as many bytes as an echo would have."""

    buffer = memoryview(bytearray(256 << 10))
    echoes = bytes(256 << 10)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.open = False

    def buffer_updated(self, nbytes: int) -> None:
        if not self.open:
            self.open = True
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        elif nbytes >= len(FRAME):
            self.transport.write(self.echoes[: nbytes // len(FRAME) * (SIZE + 2)])
        else:
            self.transport.close()


async def serve(kind: str) -> None:
    """Prints its port, and for each line of its input the seconds of CPU so far."""
    if kind == "floor":
        listening: Any = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", 0)
    else:
        config = uvicorn.Config(
            echo, port=0, ws=KINDS[kind], log_level="critical", lifespan="off", ws_per_message_deflate=False
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve())
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        listening = server.servers[0]
    print(listening.sockets[0].getsockname()[1], flush=True)
    while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        print(cpu(), flush=True)
    if kind != "floor":
        server.should_exit = True
        await running


class Client(asyncio.Protocol):
    """Keeps messages in flight until all echoes have come."""

    def __init__(self, in_flight: int, left: int) -> None:
        self.in_flight, self.left = in_flight, left
        self.opened, self.closed = (asyncio.get_running_loop().create_future() for _ in range(2))
        self.came = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(REQUEST.encode())

    def start(self) -> None:
        """Sends the first messages."""
        self.transport.write(FRAME * self.in_flight)

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
            return
        self.came += len(data)
        echoes, self.came = divmod(self.came, SIZE + 2)
        self.left -= echoes
        again = min(echoes, max(0, self.left - self.in_flight + echoes))
        if again:
            self.transport.write(FRAME * again)
        if self.left == 0:
            self.transport.write(b"\x88\x80\0\0\0\0")

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set_result(None)


async def load(port: int, in_flight: int) -> None:
    """Says when all connections are open, and prints the seconds that the echoes took."""
    make = functools.partial(Client, in_flight, MESSAGES // CONNECTIONS)
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(make, "127.0.0.1", port) for _ in range(CONNECTIONS)]
    clients = [client for _, client in pairs]
    await asyncio.gather(*(client.opened for client in clients))
    print("open", flush=True)
    sys.stdin.readline()
    before = time.perf_counter()
    for client in clients:
        client.start()
    await asyncio.gather(*(client.closed for client in clients))
    print(time.perf_counter() - before, flush=True)


def measure(kind: str, loop: str, in_flight: int) -> tuple[float, float]:
    """Microseconds of CPU per message, and messages per second."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(role_of(__file__, "serve", loop, kind))
        client = stack.enter_context(role_of(__file__, "load", first_line(server), in_flight))
        first_line(client)
        before = float(ask(server))
        seconds = float(ask(client))
        used = float(ask(server)) - before
        server.communicate()
    return used / MESSAGES * 1e6, MESSAGES / seconds


def ask(process: Any) -> str:
    """Sends a line, and returns the line that answers it."""
    process.stdin.write("\n")
    process.stdin.flush()
    line: str = first_line(process)
    return line


def main() -> None:
    """Measures all and prints a table."""
    results: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for _ in range(ROUNDS):
        for loop in LOOPS:
            for in_flight in IN_FLIGHT:
                rows = results.setdefault(f"{loop}, {in_flight} in flight", {})
                for kind in ("floor", *KINDS):
                    rows.setdefault(kind, []).append(measure(kind, loop, in_flight))
    print(
        f"{CONNECTIONS} × {SIZE} B | protocol | CPU µs | share | messages/s | share / theirs | rate / theirs"
    )
    for name, rows in results.items():
        medians = {
            kind: [statistics.median(column) for column in zip(*runs, strict=True)]
            for kind, runs in rows.items()
        }
        floor, (ours, our_rate) = medians["floor"][0], medians["itoden"]
        for kind, (used, rate) in medians.items():
            share = f"{(ours - floor) / (used - floor):.2f}" if used > floor else ""
            cells = f"{used:.1f} | {used - floor:.1f} | {rate:.0f} | {share} | {our_rate / rate:.2f}"
            print(f"{name} | {kind} | {cells}")
    print(json.dumps(results))


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["serve", loop, kind]:
            run = importlib.import_module("uvloop").run if loop == "uvloop" else asyncio.run
            run(serve(kind))
        case ["load", port, in_flight]:
            with contextlib.suppress(ImportError):
                asyncio.set_event_loop_policy(importlib.import_module("uvloop").EventLoopPolicy())
            asyncio.run(load(int(port), int(in_flight)))
        case unknown:
            raise SystemExit(f"unknown arguments {unknown}; there are none to give")
