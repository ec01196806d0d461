"""Whether memory grows: `npm run soak:python`.

Connections that open, echo and close, and a long echo over one connection, on asyncio, uvloop and in threads.
What a process holds after half of each is compared with what it holds at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import ctypes
import gc
import importlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import itoden
import itoden.sync.client
import itoden.sync.server
from measured import held

# Allocators and the interpreter move by this much, either way, where nothing grows.
ALLOWED = 1_500_000
# Of threads that end the system keeps some stacks, as many as ended at the same time.
ALLOWED_FOR_THREADS = 3_000_000
MESSAGE = "a message that is long enough to be compressed " * 40


class Growth:
    """How memory grows from half of the rounds to the end; `settle` is called before each look."""

    def __init__(
        self, title: str, rounds: int, allowed: int = ALLOWED, settle: Callable[[], None] = lambda: None
    ) -> None:
        self.title, self.rounds, self.done, self.start = title, rounds, 0, 0
        self.allowed, self.settle = allowed, settle
        self.objects: collections.Counter[str] = collections.Counter()

    def step(self) -> None:
        """Another round is done."""
        self.done += 1
        if self.done == self.rounds // 2:
            self.settle()
            self.start = held()
            self.objects = collections.Counter(type(thing).__name__ for thing in gc.get_objects())

    def tell(self) -> bool:
        """Prints a line, and returns whether nothing grew."""
        self.settle()
        end = held()
        more = collections.Counter(type(thing).__name__ for thing in gc.get_objects()) - self.objects
        fine = end - self.start < self.allowed
        print(
            f"{self.title}: {self.rounds:,} rounds, {self.start / 1e6:.1f} MB after half of them, "
            f"{end / 1e6:.1f} MB at the end, "
            f"{(end - self.start) / (self.rounds / 2):.1f} B a round: {'fine' if fine else 'GROWS'}",
            flush=True,
        )
        if not fine:
            print(f"  objects that are more now: {more.most_common(8)}")
        return fine


async def echo(connection: itoden.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def on_a_loop(name: str, cycles: int, messages: int) -> bool:
    """On asyncio or uvloop."""
    async with itoden.serve(echo, "127.0.0.1", 0) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        growth = Growth(f"{name}, connections", cycles)
        for _ in range(cycles):
            async with itoden.connect(uri, proxy=None) as connection:
                await connection.send(MESSAGE)
                await connection.recv()
            growth.step()
        fine = growth.tell()
        growth = Growth(f"{name}, messages of one connection", messages)
        async with itoden.connect(uri, proxy=None) as connection:
            for index in range(messages):
                await connection.send(MESSAGE if index % 2 else MESSAGE.encode())
                await connection.recv()
                growth.step()
            return growth.tell() and fine


def server_has_ended_its_connections() -> None:
    """A server's threads end behind their clients, and each still has its stack and a connection."""
    server_connection = itoden.sync.server.ServerConnection
    while any(isinstance(thing, server_connection) for thing in gc.get_objects()):
        time.sleep(0.01)
        gc.collect()


@contextlib.contextmanager
def server_in_threads() -> Iterator[str]:
    def handler(connection: itoden.sync.server.ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with itoden.sync.server.serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()


def in_threads(cycles: int, messages: int) -> bool:
    """With itoden.sync."""
    # Else glibc has a heap for each thread that meets another, and how many those are is chance (mallopt(3)).
    with contextlib.suppress(OSError, AttributeError):
        m_arena_max = -8
        ctypes.CDLL(None).mallopt(m_arena_max, 1)
    with server_in_threads() as uri:
        growth = Growth("threads, connections", cycles, ALLOWED_FOR_THREADS, server_has_ended_its_connections)
        for _ in range(cycles):
            with itoden.sync.client.connect(uri, proxy=None) as connection:
                connection.send(MESSAGE)
                connection.recv()
            growth.step()
        fine = growth.tell()
        growth = Growth("threads, messages of one connection", messages)
        with itoden.sync.client.connect(uri, proxy=None) as connection:
            for index in range(messages):
                connection.send(MESSAGE if index % 2 else MESSAGE.encode())
                connection.recv()
                growth.step()
            return growth.tell() and fine


def main() -> int:
    """0 if nothing grew."""
    parser = argparse.ArgumentParser(description="Whether memory grows.")
    parser.add_argument("--cycles", type=int, default=10_000, help="connections, each opened and closed")
    parser.add_argument("--messages", type=int, default=100_000, help="round trips over one connection")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    counts = (arguments.cycles, arguments.messages)
    runs: list[Any] = [
        lambda: asyncio.run(on_a_loop("asyncio", *counts)),
        lambda: importlib.import_module("uvloop").run(on_a_loop("uvloop", *counts)),
        lambda: in_threads(*counts),
    ]
    outcomes = [run() for run in runs]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
