"""websockets, or another library with its API, as server and as client: `websockets_like.py LIBRARY ...`."""

import asyncio
import importlib
import sys
from typing import Any

import life

library = importlib.import_module(sys.argv[1])
LARGEST = 2**22


async def echo(websocket: Any) -> life.Report:
    """Sends back what comes and does what it is told; gives how the connection ended."""
    try:
        async for message in websocket:
            match life.order_in(message):
                case None:
                    await websocket.send(message)
                case "close", [code, *reason]:
                    await websocket.close(code, *reason)
                case "ping", _:
                    await (await websocket.ping(b"from a peer"))
                    await websocket.send("ponged")
                case "drop", _:
                    websocket.transport.abort()
    except library.ConnectionClosed:
        pass
    await websocket.wait_closed()
    return {
        "protocol": websocket.subprotocol or "",
        "extensions": (websocket.response.headers.get("Sec-WebSocket-Extensions") or "").split(";")[0],
        "code": websocket.close_code,
        "reason": websocket.close_reason,
        "clean": websocket.close_code != 1006,
    }


async def handle(websocket: Any) -> None:
    headers = {name.lower(): value for name, value in websocket.request.headers.raw_items()}
    life.say({"id": life.id_of(websocket.request.path), "headers": headers, **await echo(websocket)})


async def dial(job: life.Report) -> life.Report:
    tls = life.client_tls if job["url"].startswith("wss:") else None
    async with library.connect(
        job["url"],
        subprotocols=job["protocols"] or None,
        additional_headers=job["headers"],
        max_size=LARGEST,
        ssl=tls,
        proxy=None,
    ) as websocket:
        return await echo(websocket)


async def main() -> None:
    # Like the other servers here it agrees to the first subprotocol that is asked for.
    options: dict[str, Any] = {
        "max_size": LARGEST,
        "select_subprotocol": lambda _, asked: asked[0] if asked else None,
    }
    async with (
        library.serve(handle, "127.0.0.1", 0, **options) as plain,
        library.serve(handle, "127.0.0.1", 0, ssl=life.server_tls, **options) as secure,
    ):
        ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
        life.say({"ws": f"ws://127.0.0.1:{ports[0]}", "wss": f"wss://127.0.0.1:{ports[1]}"})
        await life.live(dial)


asyncio.run(main())
