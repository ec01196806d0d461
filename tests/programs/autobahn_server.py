"""The server under test of the Autobahn suite, in Python: ``autobahn_server.py 127.0.0.1:9001``."""

import asyncio
import sys

from itoden import ServerConnection, serve
from itoden.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(websocket: ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main(address: str) -> None:
    host, port = address.rsplit(":", 1)
    # Whatever windows the suite asks for.
    deflate = ServerPerMessageDeflateFactory()
    async with serve(echo, host, int(port), max_size=None, compression=None, extensions=[deflate]) as server:
        await server.serve_forever()


asyncio.run(main(sys.argv[1]))
