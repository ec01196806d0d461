# pyright: strict
"""A program that uses the whole API with types; `test_typed_use.py` has it checked, and nobody runs it."""

from __future__ import annotations

import asyncio
import functools
import http
import logging
import re
import ssl
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any

import itoden
from itoden import (
    ClientConnection,
    ClientProtocol,
    Close,
    CloseCode,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    Data,
    Frame,
    Headers,
    HeadersLike,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    LoggerLike,
    Opcode,
    Origin,
    Request,
    Response,
    Server,
    ServerConnection,
    ServerProtocol,
    Side,
    State,
    Subprotocol,
    basic_auth,
    broadcast,
    connect,
    serve,
    unix_connect,
    unix_serve,
)
from itoden.asyncio.connection import Connection
from itoden.client import process_exception
from itoden.extensions import ClientExtensionFactory
from itoden.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from itoden.protocol import SEND_EOF, Event, Protocol
from itoden.sync.client import ClientConnection as SyncClient
from itoden.sync.client import connect as sconnect
from itoden.sync.client import reconnect
from itoden.sync.server import Server as SyncServer
from itoden.sync.server import ServerConnection as SyncServerConnection
from itoden.sync.server import serve as sserve
from itoden.uri import parse_uri
from itoden.version import version

log: LoggerLike = logging.getLogger("x")
adapter = logging.LoggerAdapter(logging.getLogger("x"), {})
log2: LoggerLike = adapter
clients: set[ServerConnection] = set()
by_user: dict[str, ServerConnection] = {}
headers: HeadersLike = {"a": "b"}
headers2: HeadersLike = [("a", "b")]
clients_extensions: list[ClientExtensionFactory] = [ClientPerMessageDeflateFactory(client_max_window_bits=11)]
headers3: HeadersLike = Headers(a="b")


class MyServer(ServerConnection):
    def __init__(self, *args: Any, extra: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra = extra

    async def send(self, message: Any, *, text: bool | None = None) -> None:
        await super().send(message, text=text)


class MyClient(ClientConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class Stays(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def handler(websocket: ServerConnection) -> None:
    clients.add(websocket)
    request = websocket.request
    assert request is not None
    path: str = request.path
    token: str | None = request.headers.get("Authorization")
    cookies: list[str] = request.headers.get_all("Cookie")
    ip: str = websocket.remote_address[0]
    user: str = websocket.username
    sub: Subprotocol | None = websocket.subprotocol
    websocket.logger.info("%s %s %s %s %s", path, token, cookies, ip, sub)
    try:
        async for message in websocket:
            if isinstance(message, str):
                await websocket.send(message.upper())
            else:
                await websocket.send(message[::-1], text=False)
        text: str = await websocket.recv(decode=True)
        data: bytes = await websocket.recv(decode=False)
        either: Data = await websocket.recv()
        t2: str = await websocket.recv(True)
        async for part in websocket.recv_streaming():
            print(part)
        async for spart in websocket.recv_streaming(decode=True):
            spart.upper()
        waiter = await websocket.ping()
        latency: float = await waiter
        await asyncio.wait_for(waiter, 1)
        await websocket.pong(b"x")
        print(text, data, either, t2, latency, user, websocket.latency, websocket.id.hex)
    except ConnectionClosedOK as exc:
        print(exc.rcvd.code if exc.rcvd else None)
    except ConnectionClosedError as exc:
        print(exc.rcvd and exc.rcvd.reason, exc.sent, exc.rcvd_then_sent)
    except ConnectionClosed:
        pass
    finally:
        clients.discard(websocket)
        await websocket.close(CloseCode.GOING_AWAY, "bye")
        await websocket.close(code=4000)
        await websocket.wait_closed()
        code: int | None = websocket.close_code
        reason: str | None = websocket.close_reason
        print(
            code,
            reason,
            websocket.state is State.OPEN,
            websocket.protocol.state,
            websocket.server.connections,
        )


async def fragments() -> AsyncIterator[str]:
    yield "a"


def check(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == "/healthz":
        return connection.respond(http.HTTPStatus.OK, "OK\n")
    if request.headers["X"] == "y":
        return Response(403, "Forbidden", Headers([("a", "b")]), b"no")
    return connection.respond(403, "no") if "Upgrade" not in request.headers else None


async def acheck(connection: ServerConnection, request: Request) -> Response | None:
    return check(connection, request)


def presp(connection: ServerConnection, request: Request, response: Response) -> Response | None:
    response.headers["X"] = "y"
    response.headers.update({"a": "b"})
    return None


def select(connection: ServerConnection, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
    return subprotocols[0] if subprotocols else None


def delays() -> Generator[float]:
    yield 1.0


async def main() -> None:
    ctx = ssl.create_default_context()
    async with serve(
        handler,
        "localhost",
        8765,
        origins=[Origin("https://a"), re.compile("x"), None],
        subprotocols=[Subprotocol("chat")],
        select_subprotocol=select,
        process_request=check,
        process_response=presp,
        compression=None,
        max_size=(1, 2),
        max_queue=(1, None),
        write_limit=(1, 2),
        logger=log,
        server_header=None,
        ssl=ctx,
        create_connection=MyServer,
        extensions=[
            ServerPerMessageDeflateFactory(
                server_max_window_bits=11, client_max_window_bits=11, compress_settings={"memLevel": 4}
            )
        ],
    ) as server:
        broadcast(server.connections, "x", raise_exceptions=True)
        broadcast(clients, b"x", text=True)
        for sock in server.sockets:
            print(sock.getsockname())
        server.close(close_connections=False, code=1012, reason="x")
        await server.wait_closed()
        await server.serve_forever()
    server2: Server = await serve(functools.partial(handler), None, 0, process_request=acheck)
    async with serve(handler, process_request=basic_auth(realm="x", credentials=[("a", "b")])):
        pass
    async with connect(
        "ws://a",
        origin=Origin("x"),
        subprotocols=[Subprotocol("chat")],
        additional_headers=headers,
        user_agent_header="x",
        proxy=None,
        process_exception=process_exception,
        open_timeout=None,
        ping_interval=None,
        max_size=None,
        max_queue=None,
        logger=adapter,
        create_connection=MyClient,
        ssl=ctx,
        server_hostname="x",
        reconnect_delays=delays,
        extensions=clients_extensions,
    ) as ws:
        c: ClientConnection = ws
        await ws.send(["a", "b"])
        await ws.send(fragments())
        await ws.send(bytearray(b"x"))
        assert ws.response is not None
        print(ws.response.headers["x"], ws.response.status_code, c)
    async for ws in connect("ws://a", additional_headers=headers2):
        try:
            await ws.send("x")
        except itoden.ConnectionClosed:
            continue
        except itoden.exceptions.WebSocketException as exc:
            print(exc)
    ws = await connect("ws://a")
    try:
        await Stays("ws://a")
    except InvalidStatus as exc:
        print(exc.response.status_code, exc.response.body, exc.response.headers)
    except (InvalidURI, InvalidHandshake) as exc:
        print(exc)
    async with unix_connect("/x"), unix_serve(handler, "/x"):
        pass
    conn: Connection = ws
    await conn.close()
    loop: asyncio.AbstractEventLoop = server2.get_loop()
    print(loop, conn.loop.time())
    transport = conn.transport.get_extra_info("ssl_object")
    print(transport)


def sync() -> None:
    with sconnect("ws://a", open_timeout=1, ssl=None, close_timeout=None) as ws:
        a: Data = ws.recv(timeout=1)
        b: str = ws.recv(timeout=1, decode=True)
        c: bytes = ws.recv(None, False)
        d: str = ws.recv(decode=True)
        ws.send("x")
        ev = ws.ping()
        ev.wait(1)
        for m in ws:
            print(m)
        for s in ws.recv_streaming(decode=True):
            s.upper()
        cl: SyncClient = ws
        print(a, b, c, d, ws.socket.getpeername(), cl, ws.wait_closed(1))
    for ws in reconnect("ws://a"):
        ws.close()

    def shandler(ws: SyncServerConnection) -> None:
        ws.send("x")

    with sserve(shandler, "localhost", 0) as server:
        s2: SyncServer = server
        server.serve_forever()
        server.shutdown()
        print(s2.fileno())


def sansio() -> None:
    p = ClientProtocol(parse_uri("ws://a"), subprotocols=[Subprotocol("x")], max_size=None)
    req = p.connect()
    req.headers["x"] = "y"
    p.send_request(req)
    p.receive_data(b"x")
    evs: list[Event] = p.events_received()
    for ev in evs:
        if isinstance(ev, Frame):
            print(ev.opcode is Opcode.TEXT, ev.data, ev.fin)
    for data in p.data_to_send():
        print(data == SEND_EOF)
    s = ServerProtocol(origins=None)
    s.send_response(s.accept(req))
    s.send_response(s.reject(404, "x"))
    s.send_text(b"x")
    s.send_close(1000, "x")
    exc: ConnectionClosed = s.close_exc
    print(exc, s.state, s.side is Side.SERVER, Close(1000, "x"), version, p.close_code, s.handshake_exc)
    base: Protocol = s
    base.send_ping(b"x")
