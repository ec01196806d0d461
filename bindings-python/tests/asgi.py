"""Real servers of uvicorn in the process of the tests, with itoden's WebSocket protocol or one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn
import websockets

import itoden

try:
    import uvloop
except ImportError:  # not for this system
    LOOPS = ["asyncio"]
else:
    LOOPS = ["asyncio", "uvloop"]

ITODEN = "itoden.uvicorn:WebSocketProtocol"
REFERENCES = ["websockets", "websockets-sansio"]
HTTPS = ["h11", "httptools"]
CLIENTS: dict[str, Any] = {"itoden": itoden, "websockets": websockets}

Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[Any]]


class Running:
    """A server that runs."""

    def __init__(self, server: uvicorn.Server, address: Any, secure: bool) -> None:
        self.server = server
        self.address = address
        if not isinstance(address, str):
            self.port: int = address[1]
            self.uri = f"wss://localhost:{self.port}/" if secure else f"ws://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        """Asks the server to end, as a signal does."""
        self.server.should_exit = True

    async def answer(self, request: str) -> tuple[int, str]:
        """What a request of a raw client is answered with: the status, and everything behind."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request.encode())
        answer = (await reader.read()).decode()
        writer.close()
        return int(answer.split()[1]), answer.partition("\r\n")[2]


class Place:
    """Where a scenario is played: a kind of server, its parser of HTTP, and the library of the client."""

    def __init__(self, ws: str, http: str = "h11", client: str = "websockets") -> None:
        self.ws, self.http = ws, http
        self.connect: Any = CLIENTS[client].connect

    @contextlib.asynccontextmanager
    async def serving(self, app: App, **config: Any) -> AsyncIterator[Running]:
        """Serves an application as long as the block runs."""
        if "uds" in config:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(config.pop("uds"))
        else:
            sock = socket.create_server(("127.0.0.1", 0))
        options: dict[str, Any] = {"lifespan": "off", "log_config": None, **config}
        settings = uvicorn.Config(app, ws=self.ws, http=self.http, **options)
        settings.load()
        server = uvicorn.Server(settings)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            while not server.started:
                assert not running.done(), running.exception()
                await asyncio.sleep(0.001)
            yield Running(server, sock.getsockname(), settings.is_ssl)
        finally:
            server.should_exit = True
            await running
            sock.close()


def run(scenario: Callable[[Place], Awaitable[Any]], place: Place, loop: str = "asyncio") -> Any:
    """Plays a scenario on an event loop, for at most 30 seconds."""

    async def limited() -> Any:
        async with asyncio.timeout(30):
            return await scenario(place)

    return uvloop.run(limited()) if loop == "uvloop" else asyncio.run(limited(), debug=True)


@functools.cache
def as_uvicorn(scenario: Callable[[Place], Awaitable[Any]]) -> list[Any]:
    """What is observed with the protocols of uvicorn itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one of them is deprecated, and so is the library below it
        return [run(scenario, Place(ws)) for ws in REFERENCES]


async def closing(connection: Any) -> tuple[int, str]:
    """The close code and reason that a client sees, once everything else came."""
    with contextlib.suppress(itoden.ConnectionClosed, websockets.ConnectionClosed):
        while True:
            await connection.recv()
    return connection.close_code, connection.close_reason


async def refusal(place: Place, running: Running, path: str = "", **options: Any) -> tuple[int, bytes, Any]:
    """How a client is refused: status, body, headers."""
    try:
        async with place.connect(running.uri + path, **options):
            raise AssertionError("the connection was opened")
    except (itoden.InvalidStatus, websockets.InvalidStatus) as error:
        return error.response.status_code, bytes(error.response.body), error.response.headers


class Recorder:
    """An application that keeps what it sees, and what it is raised."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.seen: list[Any] = []
        self.ended = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Runs the application."""

        async def told() -> Any:
            message = await receive()
            self.seen.append(message)
            return message

        try:
            await self.app(scope, told, send)
        except Exception as error:
            self.seen.append((isinstance(error, OSError), str(error)))
        finally:
            self.ended.set()


async def accept(receive: Any, send: Any, **answer: Any) -> None:
    """Accepts a connection."""
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **answer})


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Sends back what comes."""
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
