"""The life of a peer's program in Python: what programs/peers/life.mjs is in JavaScript."""

import asyncio
import json
import ssl
import sys
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any

Report = dict[str, Any]

server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
authority, certificate, key = sys.argv[-3:]
server_tls.load_cert_chain(certificate, key)
client_tls = ssl.create_default_context(cafile=authority)


def say(line: Report) -> None:
    print(json.dumps(line), flush=True)


def id_of(target: str) -> int:
    return int(urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)["id"][0])


def order_in(message: str | bytes) -> tuple[str, Any] | None:
    """What a peer is told to do by a message, as programs/peers/echo.mjs has it."""
    if isinstance(message, bytes) or not message.startswith("!"):
        return None
    [order] = json.loads(message[1:]).items()
    name, value = order
    return str(name), value


async def live(connect: Callable[[Report], Awaitable[Report]]) -> None:
    """Makes the connections that are asked for, until the input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )

    async def run(job: Report) -> None:
        try:
            say({"id": job["id"], **await connect(job)})
        except Exception as error:
            say({"id": job["id"], "error": repr(error)})

    async with asyncio.TaskGroup() as jobs:
        async for line in reader:
            jobs.create_task(run(json.loads(line)))
