"""An echo server of `npm run bench:python`: `bench_servers.py NAME LOOP CERTIFICATE`.

The first line of the output has the ports for TCP and, where the server has that, TLS. Each `mark` of the
input is answered by the microseconds of CPU that it has used and the messages that it has echoed, each
`memory` by the bytes that it holds. With `deflate` as a fourth argument it agrees on permessage-deflate, as
it is by default.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import importlib
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

from measured import PLAIN, cpu, held, next_line, run, server_tls

echoed = 0


def options(deflate: bool) -> dict[str, Any]:
    return {"ping_interval": None} if deflate else PLAIN


def port(server: Any) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


@contextlib.asynccontextmanager
async def itoden_callbacks(tls: Any, deflate: bool) -> AsyncIterator[int]:
    library = importlib.import_module("itoden.callbacks")

    class Echo(library.Listener):  # type: ignore[misc, name-defined]
        def on_open(self, connection: Any) -> None:
            self.connection = connection

        def on_message(self, data: bytes) -> None:
            global echoed
            echoed += 1
            self.connection.send(data)

    async with library.serve(Echo, "127.0.0.1", 0, ssl=tls, **options(deflate)) as server:
        yield port(server)


@contextlib.asynccontextmanager
async def picows(tls: Any, deflate: bool) -> AsyncIterator[int]:
    library = importlib.import_module("picows")
    binary = library.WSMsgType.BINARY

    class Echo(library.WSListener):  # type: ignore[misc, name-defined]
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            global echoed
            if frame.msg_type == binary:
                echoed += 1
                transport.send(binary, frame.get_payload_as_bytes())
            elif frame.msg_type == library.WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()

    server = await library.ws_create_server(lambda request: Echo(), "127.0.0.1", 0, ssl=tls)
    yield port(server)
    server.close()


@contextlib.asynccontextmanager
async def aiohttp(tls: Any, deflate: bool) -> AsyncIterator[int]:
    web = importlib.import_module("aiohttp.web")

    async def handler(request: Any) -> Any:
        global echoed
        connection = web.WebSocketResponse(compress=deflate, max_msg_size=0)
        await connection.prepare(request)
        async for message in connection:
            echoed += 1
            await connection.send_bytes(message.data)
        return connection

    application = web.Application()
    application.router.add_get("/", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    yield int(site._server.sockets[0].getsockname()[1])
    await runner.cleanup()


def like_websockets(package: str) -> Any:
    """A server with the API of `websockets`."""

    @contextlib.asynccontextmanager
    async def server(tls: Any, deflate: bool) -> AsyncIterator[int]:
        library = importlib.import_module(f"{package}.asyncio.server")

        async def echo(connection: Any) -> None:
            global echoed
            async for message in connection:
                echoed += 1
                await connection.send(message)

        async with library.serve(echo, "127.0.0.1", 0, ssl=tls, **options(deflate)) as running:
            yield port(running)

    return server


def of_uvicorn(protocol: str) -> Any:
    """An application of ASGI under uvicorn."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        global echoed
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            echoed += 1
            await send({"type": "websocket.send", "bytes": message["bytes"]})

    @contextlib.asynccontextmanager
    async def server(tls: Any, deflate: bool) -> AsyncIterator[int]:
        uvicorn = importlib.import_module("uvicorn")
        config = uvicorn.Config(
            application,
            port=0,
            ws=protocol,
            log_level="critical",
            lifespan="off",
            ws_per_message_deflate=deflate,
            ws_ping_interval=None,
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve())
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        yield port(server.servers[0])
        server.should_exit = True
        await running

    return server


class Bare(asyncio.BufferedProtocol):
    """Answers frames of one size without looking at them: what loop, transport and kernel cost."""

    SIZE = 64
    FRAME = 2 + 4 + SIZE
    ECHO = bytes([0x82, SIZE]) + bytes(range(SIZE))
    buffer = memoryview(bytearray(256 << 10))
    echoes = ECHO * (len(buffer) // FRAME)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.open = False
        self.came = 0

    def buffer_updated(self, nbytes: int) -> None:
        global echoed
        if not self.open:
            self.open = True
            return self.accept(bytes(self.buffer[:nbytes]))
        count, self.came = divmod(self.came + nbytes, self.FRAME)
        echoed += count
        self.transport.write(self.echoes[: count * len(self.ECHO)])

    def accept(self, request: bytes) -> None:
        key = request.lower().split(b"sec-websocket-key:")[1].split(b"\r\n")[0].strip()
        start = request.lower().index(key)
        key = request[start : start + len(key)] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )


@contextlib.asynccontextmanager
async def bare(tls: Any, deflate: bool) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0, ssl=tls)
    yield port(server)
    server.close()


SERVERS: dict[str, Any] = {
    "itoden callbacks": itoden_callbacks,
    "itoden": like_websockets("itoden"),
    "picows": picows,
    "picows.websockets": like_websockets("picows.websockets"),
    "websockets": like_websockets("websockets"),
    "aiohttp": aiohttp,
    "uvicorn, itoden": of_uvicorn("itoden.uvicorn:WebSocketProtocol"),
    "uvicorn, websockets-sansio": of_uvicorn("websockets-sansio"),
    "bare loop": bare,
}


async def main(name: str, certificate: str, deflate: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for tls in (None,) if name.startswith("uvicorn") else (None, server_tls(certificate)):
            ports.append(await stack.enter_async_context(SERVERS[name](tls, deflate)))
        print(*ports, flush=True)
        while line := await next_line():
            print(held() if line.strip() == "memory" else f"{cpu()} {echoed}", flush=True)


if __name__ == "__main__":
    # The loads end without a Close frame, which every server finds worth a line.
    logging.disable(logging.CRITICAL)
    name, loop, certificate, *agreed = sys.argv[1:]
    run(loop, main(name, certificate, agreed == ["deflate"]))
