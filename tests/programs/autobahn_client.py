"""The client under test of the Autobahn suite, in Python: ``autobahn_client.py 127.0.0.1:9001``."""

import asyncio
import sys

from itoden import ConnectionClosed, connect


async def main(address: str) -> None:
    async with connect(f"ws://{address}/getCaseCount") as counter:
        count = int(await counter.recv())
    for number in range(1, count + 1):
        uri = f"ws://{address}/runCase?case={number}&agent=itoden"
        # A case may be over within the handshake's last bytes, and many end by an error.
        async with connect(uri, max_size=None, proxy=None) as websocket:
            try:
                async for message in websocket:
                    await websocket.send(message)
            except ConnectionClosed:
                pass
    async with connect(f"ws://{address}/updateReports?agent=itoden") as reporter:
        await reporter.wait_closed()


asyncio.run(main(sys.argv[1]))
