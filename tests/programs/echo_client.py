"""A client in Python: sends the messages that standard input lists, compares each echo, closes, and says how.

A message is `text:...`, or `binary:LENGTH` for LENGTH bytes 0, 1, 2, ...
"""

import asyncio
import sys

from itoden import connect


async def main(uri: str) -> None:
    lines = [line for line in sys.stdin.read().split("\n") if line]
    async with connect(uri, max_size=2**21) as websocket:
        for line in lines:
            kind, _, value = line.partition(":")
            message = value if kind == "text" else bytes(at % 256 for at in range(int(value)))
            await websocket.send(message)
            echo = await websocket.recv()
            assert echo == message, line
        await websocket.close(3000, "done")
    print(f"{len(lines)} echoed, closed with {websocket.close_code} {websocket.close_reason}".rstrip())


asyncio.run(main(sys.argv[1]))
