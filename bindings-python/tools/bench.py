"""CPU per message of `itoden` beside `websockets`, interleaved: run it with the Python of `.venv`.

The process that is measured does nothing else: as a client it talks to the echo server in Rust, as a server
it is loaded by raw sockets in another process. Compression is off on both sides. What counts are the ratios.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("itoden", "websockets")
ROUNDS = 5
CLIENT_LOADS = {"256 B": (256, 8000), "8 KiB": (8192, 6000), "100 kB": (100_000, 1500)}
CONNECTIONS, IN_FLIGHT, SIZE, PER_CONNECTION = 64, 16, 64, 1600


OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None}


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def client(library: str, url: str, size: int, count: int) -> None:
    """Prints the microseconds of CPU per round trip."""
    connect = importlib.import_module(f"{library}.asyncio.client").connect
    message = bytes(size)
    async with connect(url, **OPTIONS) as websocket:
        for warm in (True, False):
            before = cpu()
            for _ in range(count // 10 if warm else count):
                await websocket.send(message)
                await websocket.recv()
        print((cpu() - before) / count * 1e6)


async def server(library: str) -> None:
    """Prints its port, and at the end of its input the seconds of CPU since the first connection."""
    serve = importlib.import_module(f"{library}.asyncio.server").serve
    before: list[float] = []

    async def echo(websocket: Any) -> None:
        before.append(cpu())
        async for message in websocket:
            await websocket.send(message)

    async with serve(echo, "127.0.0.1", 0, **OPTIONS) as running:
        print(running.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(cpu() - before[0])


async def load(port: int) -> None:
    """Keeps `IN_FLIGHT` masked messages on each of `CONNECTIONS` sockets until all echoes have come."""
    frame = bytes([0x82, 0x80 | SIZE, 0, 0, 0, 0]) + bytes(SIZE)
    request = (
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(PER_CONNECTION // IN_FLIGHT):
            writer.write(frame * IN_FLIGHT)
            await reader.readexactly((2 + SIZE) * IN_FLIGHT)
        writer.write(b"\x88\x80\0\0\0\0")
        await reader.read()
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


def role_of(file: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process of a benchmark."""
    command = [sys.executable, file, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def role(*arguments: object) -> subprocess.Popen[str]:
    return role_of(__file__, *arguments)


@contextlib.contextmanager
def echo_server() -> Iterator[subprocess.Popen[str]]:
    """The echo server in Rust, which prints its URI first."""
    cargo = "cargo run --quiet --release -p itoden-net --example echo_server -- 127.0.0.1:0"
    peer = subprocess.Popen(cargo.split(), cwd=ROOT, text=True, stdout=subprocess.PIPE)
    try:
        yield peer
    finally:
        peer.kill()
        peer.wait()


def first_line(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        raise RuntimeError("the output of the process is not piped")
    return process.stdout.readline().strip()


def measure_client(library: str, url: str, size: int, count: int) -> float:
    return float(role("client", library, url, size, count).communicate()[0])


def measure_server(library: str) -> float:
    measured = role("server", library)
    role("load", first_line(measured)).communicate()
    return float(measured.communicate()[0]) / (CONNECTIONS * PER_CONNECTION) * 1e6


def main() -> None:
    results: dict[str, dict[str, list[float]]] = {}
    with echo_server() as peer:
        url = first_line(peer)
        for _ in range(ROUNDS):
            for library in LIBRARIES:
                for name, (size, count) in CLIENT_LOADS.items():
                    rows = results.setdefault(f"client, {name} round trip", {})
                    rows.setdefault(library, []).append(measure_client(library, url, size, count))
                rows = results.setdefault(f"server, {CONNECTIONS} × {SIZE} B, {IN_FLIGHT} in flight", {})
                rows.setdefault(library, []).append(measure_server(library))
    print("CPU µs per message | itoden | websockets | ratio")
    for name, rows in results.items():
        ours, theirs = (statistics.median(rows[library]) for library in LIBRARIES)
        print(f"{name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f}")
    print(json.dumps(results))


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["client", library, url, size, count]:
            asyncio.run(client(library, url, int(size), int(count)))
        case ["server", library]:
            asyncio.run(server(library))
        case ["load", port]:
            asyncio.run(load(int(port)))
        case unknown:
            raise SystemExit(f"unknown arguments {unknown}; there are none to give")
