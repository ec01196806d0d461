"""Live with the WebSocket libraries of Python: their clients at itoden's servers, itoden's clients at theirs.

`websockets`, which has the most in common, is in test_interop.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
import httpx_ws
import picows
import picows.websockets
import pytest
import websocket
from aiohttp import web

import itoden
from harness import asynchronous, port_of, until

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 1 << 20)


class AiohttpClient:
    """A client of aiohttp, or the end of its server that a test drives."""

    compresses = True

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    @contextlib.asynccontextmanager
    async def dial(cls, uri: str) -> AsyncIterator[AiohttpClient]:
        async with aiohttp.ClientSession() as session:
            options: dict[str, Any] = {"protocols": ["chat"], "compress": 15, "max_msg_size": 0}
            async with session.ws_connect(uri, **options) as connection:
                yield cls(connection)

    @property
    def subprotocol(self) -> Any:
        return self.connection.protocol

    async def send(self, message: str | bytes) -> None:
        await (self.connection.send_str if isinstance(message, str) else self.connection.send_bytes)(message)

    async def recv(self) -> Any:
        return (await self.connection.receive()).data

    async def close(self, code: int, reason: str) -> None:
        await self.connection.close(code=code, message=reason.encode())

    async def wait_closed(self) -> int:
        await self.connection.receive()
        return int(self.connection.close_code)


class PicowsClient(picows.WSListener):
    """A client of picows."""

    compresses = False
    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.came: asyncio.Queue[Any] = asyncio.Queue()
        self.parts: list[bytes] = []
        self.text = False

    @classmethod
    @contextlib.asynccontextmanager
    async def dial(cls, uri: str) -> AsyncIterator[PicowsClient]:
        fields = {"Sec-WebSocket-Protocol": "chat"}
        transport, listener = await picows.ws_connect(cls, uri, extra_headers=fields, max_frame_size=1 << 22)
        assert isinstance(listener, cls)
        listener.transport = transport
        yield listener
        transport.disconnect()
        await transport.wait_disconnected()

    @property
    def subprotocol(self) -> Any:
        return self.transport.response.headers.get("Sec-WebSocket-Protocol")

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            self.came.put_nowait(int(frame.get_close_code()))
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY):
            text = frame.msg_type == picows.WSMsgType.TEXT
            self.came.put_nowait(frame.get_payload_as_utf8_text() if text else frame.get_payload_as_bytes())

    async def send(self, message: str | bytes) -> None:
        text = isinstance(message, str)
        kind = picows.WSMsgType.TEXT if text else picows.WSMsgType.BINARY
        self.transport.send(kind, message.encode() if isinstance(message, str) else message)

    async def recv(self) -> Any:
        return await self.came.get()

    async def close(self, code: int, reason: str) -> None:
        self.transport.send_close(code, reason.encode())

    async def wait_closed(self) -> int:
        return int(await self.came.get())


class PicowsWebsocketsClient:
    """A client of picows.websockets."""

    compresses = True

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.send, self.recv, self.close = connection.send, connection.recv, connection.close

    @classmethod
    @contextlib.asynccontextmanager
    async def dial(cls, uri: str) -> AsyncIterator[PicowsWebsocketsClient]:
        chat: Any = ["chat"]
        async with picows.websockets.connect(uri, subprotocols=chat, max_size=None) as connection:
            yield cls(connection)

    @property
    def subprotocol(self) -> Any:
        return self.connection.subprotocol

    async def wait_closed(self) -> int:
        await self.connection.wait_closed()
        return int(self.connection.close_code)


class WebsocketClientClient:
    """A client of websocket-client, which blocks: in threads."""

    compresses = False

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    @contextlib.asynccontextmanager
    async def dial(cls, uri: str) -> AsyncIterator[WebsocketClientClient]:
        connection = await asyncio.to_thread(websocket.create_connection, uri, subprotocols=["chat"])
        yield cls(connection)
        await asyncio.to_thread(connection.shutdown)

    @property
    def subprotocol(self) -> Any:
        return self.connection.getsubprotocol()

    async def send(self, message: str | bytes) -> None:
        text = isinstance(message, str)
        await asyncio.to_thread(self.connection.send if text else self.connection.send_binary, message)

    async def recv(self) -> Any:
        return await asyncio.to_thread(self.connection.recv)

    async def close(self, code: int, reason: str) -> None:
        await asyncio.to_thread(self.connection.close, code, reason.encode())

    async def hang_up(self) -> None:
        """It answers a Close frame by itself, but leaves the transport to its user."""
        await asyncio.to_thread(self.connection.shutdown)

    async def wait_closed(self) -> int:
        opcode, payload = await asyncio.to_thread(self.connection.recv_data)
        assert opcode == websocket.ABNF.OPCODE_CLOSE
        return int.from_bytes(payload[:2])


class HttpxClient:
    """A client of httpx-ws."""

    compresses = False

    def __init__(self, connection: httpx_ws.AsyncWebSocketSession) -> None:
        self.connection = connection

    @classmethod
    @contextlib.asynccontextmanager
    async def dial(cls, uri: str) -> AsyncIterator[HttpxClient]:
        async with httpx.AsyncClient(trust_env=False) as client:
            options: dict[str, Any] = {"subprotocols": ["chat"], "max_message_size_bytes": 1 << 22}
            async with httpx_ws.aconnect_ws(uri, client, queue_size=4096, **options) as connection:
                with contextlib.suppress(httpx_ws.WebSocketDisconnect):
                    yield cls(connection)

    @property
    def subprotocol(self) -> Any:
        return self.connection.subprotocol

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self.connection.send_text(message)
        else:
            await self.connection.send_bytes(message)

    async def recv(self) -> Any:
        return getattr(await self.connection.receive(), "data")  # noqa: B009 - other events have none

    async def close(self, code: int, reason: str) -> None:
        await self.connection.close(code, reason)

    async def hang_up(self) -> None:
        """It answers a Close frame by itself, but keeps the transport until its block ends."""
        await self.connection.stream.aclose()

    async def wait_closed(self) -> int:
        with pytest.raises(httpx_ws.WebSocketDisconnect) as raised:
            await self.connection.receive()
        return raised.value.code


CLIENTS: list[Any] = [
    AiohttpClient,
    PicowsClient,
    PicowsWebsocketsClient,
    WebsocketClientClient,
    HttpxClient,
]
clients = pytest.mark.parametrize("peer", CLIENTS, ids=lambda peer: peer.__name__)


@contextlib.asynccontextmanager
async def pair(peer: Any) -> AsyncIterator[tuple[Any, itoden.ServerConnection]]:
    """A peer's client, and itoden's end of its connection."""
    opened: asyncio.Future[itoden.ServerConnection] = asyncio.get_running_loop().create_future()

    async def handler(connection: itoden.ServerConnection) -> None:
        opened.set_result(connection)
        await connection.wait_closed()

    chat = [itoden.Subprotocol("chat")]
    async with itoden.serve(handler, "127.0.0.1", 0, subprotocols=chat, max_queue=None) as server:
        async with peer.dial(f"ws://127.0.0.1:{port_of(server)}/") as client:
            yield client, await opened


@clients
@asynchronous
async def test_messages_of_all_kinds_and_sizes_come_from_a_client_and_go_to_it(peer: Any) -> None:
    async with pair(peer) as (client, connection):
        for size in SIZES:
            for message in ("x" * size, bytes(range(256)) * (size // 256)):
                if size == 0 and peer is WebsocketClientClient:
                    continue  # it takes an empty message for none
                await client.send(message)
                assert await connection.recv() == message
                await connection.send(message)
                assert await client.recv() == message
        await client.send("ümlaut 🧵")
        assert await connection.recv() == "ümlaut 🧵"


@clients
@asynchronous
async def test_a_burst_to_a_client_and_from_it_keeps_its_order(peer: Any) -> None:
    async with pair(peer) as (client, connection):
        for number in range(500):
            await connection.send(str(number))
            await client.send(str(number))
        for number in range(500):
            assert await client.recv() == str(number)
            assert await connection.recv() == str(number)


@clients
@asynchronous
async def test_what_a_client_asks_for_is_agreed_on(peer: Any) -> None:
    async with pair(peer) as (client, connection):
        assert client.subprotocol == connection.subprotocol == "chat"
        assert connection.response is not None
        agreed = connection.response.headers.get("Sec-WebSocket-Extensions", "")
        assert agreed.startswith("permessage-deflate") is peer.compresses


@clients
@asynchronous
async def test_a_client_answers_pings(peer: Any) -> None:
    async with pair(peer) as (client, connection):
        pong = await connection.ping()
        await connection.send("behind the ping")
        # websocket-client answers while it is asked for a message.
        assert await client.recv() == "behind the ping"
        assert await pong >= 0


@clients
@asynchronous
async def test_a_client_that_closes_is_understood(peer: Any) -> None:
    async with pair(peer) as (client, connection):
        await client.close(4001, "over")
        await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (4001, "over")


@clients
@asynchronous
async def test_a_client_understands_a_close_frame(peer: Any) -> None:
    async with pair(peer) as (client, connection):
        closing = asyncio.create_task(connection.close(4002, "done"))
        assert await client.wait_closed() == 4002
        if hasattr(client, "hang_up"):
            await client.hang_up()
        await closing


@contextlib.asynccontextmanager
async def aiohttp_server(seen: list[Any]) -> AsyncIterator[str]:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(protocols=["chat"], max_msg_size=0, autoclose=False)
        await connection.prepare(request)
        async for message in connection:
            if message.data == "!close":
                await connection.close(code=4003, message=b"told to")
            elif message.data == "!drop":
                assert request.transport is not None
                request.transport.abort()
            elif message.type == aiohttp.WSMsgType.TEXT:
                await connection.send_str(message.data)
            else:
                await connection.send_bytes(message.data)
        await connection.close(code=connection.close_code or 1000)
        seen.append(connection.close_code)
        return connection

    application = web.Application()
    application.router.add_get("/", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def picows_server(seen: list[Any]) -> AsyncIterator[str]:
    class Echo(picows.WSListener):
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            kind = frame.msg_type
            if kind == picows.WSMsgType.CLOSE:
                seen.append(int(frame.get_close_code()))
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY):
                data = frame.get_payload_as_bytes()
                if data == b"!close":
                    transport.send_close(4003, b"told to")
                elif data == b"!drop":
                    transport.disconnect(graceful=False)
                else:
                    transport.send(kind, data)

    def accept(request: Any) -> Any:
        fields = [("Sec-WebSocket-Protocol", "chat")]
        response = picows.WSUpgradeResponse.create_101_response(extra_headers=fields)
        return picows.WSUpgradeResponseWithListener(response, Echo())

    server = await picows.ws_create_server(accept, "127.0.0.1", 0, max_frame_size=1 << 22)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@contextlib.asynccontextmanager
async def picows_websockets_server(seen: list[Any]) -> AsyncIterator[str]:
    async def handler(connection: Any) -> None:
        with contextlib.suppress(picows.websockets.ConnectionClosed):
            async for message in connection:
                if message == "!close":
                    await connection.close(4003, "told to")
                else:
                    await connection.send(message)
        await connection.wait_closed()
        seen.append(connection.close_code)

    chat: Any = ["chat"]
    options: dict[str, Any] = {"subprotocols": chat, "max_size": None}
    async with picows.websockets.serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


SERVERS: list[Callable[[list[Any]], Any]] = [aiohttp_server, picows_server, picows_websockets_server]
servers = pytest.mark.parametrize("peer", SERVERS, ids=lambda peer: peer.__name__)


@contextlib.asynccontextmanager
async def dialled(peer: Any) -> AsyncIterator[tuple[itoden.ClientConnection, list[Any]]]:
    """itoden's client at a peer's server, and the close codes that the server has seen."""
    seen: list[Any] = []
    async with peer(seen) as uri:
        async with itoden.connect(
            uri.replace("http", "ws") + "/",
            subprotocols=[itoden.Subprotocol("chat")],
            max_queue=None,
            proxy=None,
        ) as client:
            yield client, seen


@servers
@asynchronous
async def test_messages_of_all_kinds_and_sizes_come_back_from_a_server(peer: Any) -> None:
    async with dialled(peer) as (client, _):
        assert client.subprotocol == "chat"
        for size in SIZES:
            for message in ("x" * size, bytes(range(256)) * (size // 256)):
                await client.send(message)
                assert await client.recv() == message
        for number in range(500):
            await client.send(str(number))
        for number in range(500):
            assert await client.recv() == str(number)
        assert await (await client.ping()) >= 0


@servers
@asynchronous
async def test_a_server_understands_a_close_frame(peer: Any) -> None:
    async with dialled(peer) as (client, seen):
        await client.close(4001, "over")
        assert client.close_code == 4001
        await until(lambda: seen == [4001])


@servers
@asynchronous
async def test_a_server_that_closes_is_understood(peer: Any) -> None:
    async with dialled(peer) as (client, _):
        await client.send("!close")
        with pytest.raises(itoden.ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4003, "told to")


@pytest.mark.parametrize("peer", SERVERS[:2], ids=lambda peer: peer.__name__)  # picows.websockets can't
@asynchronous
async def test_a_server_that_drops_the_connection_is_1006(peer: Any) -> None:
    async with dialled(peer) as (client, _):
        await client.send("!drop")
        with pytest.raises(itoden.ConnectionClosedError):
            await client.recv()
        assert client.close_code == 1006
