"""CPU per round trip of a client with functions: `itoden.callbacks` beside the core of `picows`, interleaved.

Run it with the Python of `.venv`, after `.venv/bin/pip install picows`. The process that is measured does
nothing else; it talks to the echo server in Rust, with one message in flight. Both make `bytes` of what
comes. What counts are the ratios.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import statistics
import sys
from typing import Any

from bench import cpu, echo_server, first_line, role_of

LIBRARIES = ("itoden", "picows")
LOOPS = ("uvloop", "asyncio")
LOADS = {256: 12000, 8192: 10000}
ROUNDS = 5


class Count:
    """Sends a message whenever one comes, until all have come. Prints the microseconds of CPU per round
    trip."""

    def __init__(self, size: int, count: int) -> None:
        self.message = bytes(size)
        self.count, self.left = count, count + count // 10
        self.done = asyncio.get_running_loop().create_future()
        self.before = 0.0

    def goes_on(self) -> bool:
        self.left -= 1
        if self.left == self.count:
            self.before = cpu()
        if self.left == 0:
            print((cpu() - self.before) / self.count * 1e6)
            self.done.set_result(None)
        return self.left > 0


async def itoden(url: str, size: int, count: int) -> None:
    callbacks = importlib.import_module("itoden.callbacks")
    counter = Count(size, count)

    class Client(callbacks.Listener):  # type: ignore[misc, name-defined]
        def on_open(self, connection: Any) -> None:
            self.connection = connection
            connection.send(counter.message)

        def on_message(self, data: bytes) -> None:
            if counter.goes_on():
                self.connection.send(counter.message)

    async with callbacks.connect(url, Client(), compression=None, ping_interval=None, proxy=None):
        await counter.done


async def picows(url: str, size: int, count: int) -> None:
    library = importlib.import_module("picows")
    binary = library.WSMsgType.BINARY
    counter = Count(size, count)

    class Client(library.WSListener):  # type: ignore[misc, name-defined]
        def on_ws_connected(self, transport: Any) -> None:
            transport.send(binary, counter.message)

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            frame.get_payload_as_bytes()
            if counter.goes_on():
                transport.send(binary, counter.message)

    transport, _ = await library.ws_connect(Client, url)
    await counter.done
    transport.disconnect()


def measure(library: str, loop: str, url: str, size: int) -> float:
    return float(role_of(__file__, library, loop, url, size, LOADS[size]).communicate()[0])


def main() -> None:
    results: dict[str, dict[str, list[float]]] = {}
    with echo_server() as peer:
        url = first_line(peer)
        for _ in range(ROUNDS):
            for loop in LOOPS:
                for size in LOADS:
                    rows = results.setdefault(f"{loop}, {size} B", {})
                    for library in LIBRARIES:
                        rows.setdefault(library, []).append(measure(library, loop, url, size))
    print("CPU µs per round trip | itoden | picows | ratio")
    for name, rows in results.items():
        ours, theirs = (statistics.median(rows[library]) for library in LIBRARIES)
        print(f"{name} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f}")
    print(json.dumps(results))


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case [library, loop, url, size, count]:
            run = importlib.import_module("uvloop").run if loop == "uvloop" else asyncio.run
            run({"itoden": itoden, "picows": picows}[library](url, int(size), int(count)))
        case unknown:
            raise SystemExit(f"unknown arguments {unknown}; there are none to give")
