"""The peer aiohttp, as server and as client."""

import asyncio
from collections.abc import Callable
from typing import Any

import life
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

# It pings and closes only when it is told to; so what comes can be seen.
OPTIONS: dict[str, Any] = {"autoping": False, "autoclose": False, "max_msg_size": 2**22}


async def echo(
    websocket: web.WebSocketResponse | ClientWebSocketResponse, drop: Callable[[], None]
) -> life.Report:
    """Sends back what comes and does what it is told; gives how the connection ended."""
    while True:
        message = await websocket.receive()
        match message.type, message.data:
            case WSMsgType.TEXT, text if (order := life.order_in(text)) is None:
                await websocket.send_str(text)
            case WSMsgType.TEXT, _:
                match order:
                    case "close", [code, *reason]:
                        await websocket.close(code=code, message="".join(reason).encode())
                        return {"code": websocket.close_code}
                    case "ping", _:
                        await websocket.ping(b"from aiohttp")
                    case "drop", _:
                        drop()
            case WSMsgType.BINARY, data:
                await websocket.send_bytes(data)
            case WSMsgType.PING, data:
                await websocket.pong(data)
            case WSMsgType.PONG, _:
                await websocket.send_str("ponged")
            case WSMsgType.CLOSE, code:
                # A Close frame without a code comes as 0, and the answer must have one.
                await websocket.close(code=code or 1000)
                return {"code": code or 1005, "reason": message.extra or ""}
            case _:
                # The connection was lost; the code that it tells here is not always 1006.
                return {"code": 1006, "reason": ""}


async def handle(request: web.Request) -> web.WebSocketResponse:
    asked = request.headers.get("Sec-WebSocket-Protocol", "")
    websocket = web.WebSocketResponse(
        protocols=[name.strip() for name in asked.split(",")][:1] if asked else [], **OPTIONS
    )
    await websocket.prepare(request)
    transport = request.transport
    assert transport is not None
    report = await echo(websocket, transport.abort)
    headers = {name.lower(): value for name, value in request.headers.items()}
    extensions = "permessage-deflate" if websocket.compress else ""
    protocol = websocket.ws_protocol or ""
    life.say(
        {
            "id": life.id_of(request.path_qs),
            "headers": headers,
            "protocol": protocol,
            "extensions": extensions,
            **report,
        }
    )
    return websocket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=life.server_tls).start()
    ports = [address[1] for address in runner.addresses]
    life.say({"ws": f"ws://127.0.0.1:{ports[0]}", "wss": f"wss://127.0.0.1:{ports[1]}"})

    async with ClientSession() as session:

        async def dial(job: life.Report) -> life.Report:
            websocket = await session.ws_connect(
                job["url"],
                protocols=job["protocols"],
                headers=job["headers"],
                ssl=life.client_tls,
                compress=15,
                **OPTIONS,
            )
            transport = websocket.get_extra_info("socket")
            report = await echo(websocket, lambda: transport.shutdown(2))
            extensions = "permessage-deflate" if websocket.compress else ""
            return {"protocol": websocket.protocol or "", "extensions": extensions, **report}

        await life.live(dial)
    await runner.cleanup()


asyncio.run(main())
