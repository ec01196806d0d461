"""CPU per round trip of a client in threads: itoden.sync beside websockets.sync, interleaved, medians.

.venv/bin/python bindings-python/tools/bench_sync.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 5
SIZES = {256: 6000, 8192: 6000, 100_000: 1500}

SERVER = """
import asyncio, itoden

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with itoden.serve(echo, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

asyncio.run(main())
"""

CLIENT = """
import importlib, sys, time

library, port, size, count = sys.argv[1], *map(int, sys.argv[2:])
connect = importlib.import_module(f"{library}.sync.client").connect
message = b"x" * size
with connect(f"ws://127.0.0.1:{port}/", compression=None) as connection:
    for measured in (300, count):
        began = time.process_time()
        for _ in range(measured):
            connection.send(message)
            connection.recv()
    print((time.process_time() - began) / count * 1e6)
"""


def main() -> None:
    """Prints a line for each size: microseconds of CPU per round trip, and the ratio."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # noqa: S101 - it is a pipe
        port = server.stdout.readline().strip()
        for size, count in SIZES.items():
            spent: dict[str, list[float]] = {"itoden": [], "websockets": []}
            for _ in range(ROUNDS):
                for library, times in spent.items():
                    command = [sys.executable, "-c", CLIENT, library, port, str(size), str(count)]
                    times.append(float(subprocess.run(command, check=True, capture_output=True).stdout))
            ours, theirs = (statistics.median(times) for times in spent.values())
            print(f"{size:>7} B: itoden {ours:.1f} µs, websockets {theirs:.1f} µs, ratio {ours / theirs:.2f}")
        server.terminate()


if __name__ == "__main__":
    main()
