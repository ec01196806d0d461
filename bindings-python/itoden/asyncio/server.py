"""Serving on asyncio."""

from __future__ import annotations

import asyncio
import http
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Self

from .. import _native, options
from ..exceptions import InvalidHandshake
from ..frames import CloseCode
from ..headers import build_host
from ..http11 import SERVER, Response, refusal
from ..opening import Origins, Rules, check_origins
from ..state import State
from ..typing import LoggerLike, PathLike, Subprotocol
from .auth import basic_auth
from .broadcasting import broadcast
from .connection import Connection
from .opening import Opening, ProcessRequest, ProcessResponse, SelectSubprotocol
from .securing import listening

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], Awaitable[None]]


class ServerConnection(Connection):
    """The server's end of a connection; see `Connection` for what it does. The handler of `serve()` is given
    one.

    Attributes:
        server: the `Server` that it belongs to.
        username: the user, if `basic_auth` asked for one.
        handler: the handler that `route()` chose.
        handler_kwargs: what `route()` found in the path.
    """

    server: Server
    username: str
    handler: Callable[..., Awaitable[None]]
    handler_kwargs: dict[str, Any]
    _signs = ("<", ">")

    def __new__(cls, settings: _native.Settings, *args: Any, **kwargs: Any) -> Self:
        """Makes a connection that has no transport yet."""
        return super().__new__(cls, settings, True)

    def __init__(self, settings: _native.Settings, server: Server, logger: LoggerLike | None = None) -> None:
        super().__init__(server.logger if logger is None else logger)
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio. The handler's task begins here, so that a server which closes now waits for
        it."""
        super().connection_made(transport)
        self.server._start(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the transport has ended."""
        super().connection_lost(exc)
        self._info("connection closed")

    def respond(self, status: http.HTTPStatus | int, text: str) -> Response:
        """A response in plain text, for `process_request` to refuse the connection with.

        Args:
            status: the HTTP status.
            text: the body.
        """
        return refusal(status, text)


def _name_of(sock: socket.socket) -> str:
    """Where a socket listens."""
    address = sock.getsockname()
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        return build_host(address[0], address[1], False, always_include_port=True)
    return str(address)


class Server:
    """A WebSocket server, as `serve()` makes it.

    `async with serve(...) as server` and `server = await serve(...)` start it; leaving the former closes it.
    It has most methods of `asyncio.Server`.
    """

    def __init__(
        self,
        handler: Handler,
        make_connection: Callable[[Server], ServerConnection],
        open_connection: Callable[[ServerConnection], Awaitable[bool]],
        create_server: Callable[[Callable[[], ServerConnection]], Awaitable[asyncio.Server]],
        open_timeout: float | None,
        logger: LoggerLike,
    ) -> None:
        self._handler = handler
        self._make = make_connection
        self._open_connection = open_connection
        self._create_server = create_server
        self._open_timeout = open_timeout
        self.logger = logger
        self._server: asyncio.Server | None = None
        self._connections: set[ServerConnection] = set()
        self._opening: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._close_task: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    # Starting and ending.

    async def _listen(self) -> Self:
        if self._server is None:
            self._server = await self._create_server(self._make_connection)
            for sock in self.sockets:
                self.logger.info("server listening on %s", _name_of(sock))
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self._listen().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()

    @property
    def _listening(self) -> asyncio.Server:
        if self._server is None:
            raise RuntimeError(
                "the server was not started: use `async with serve(...)` or `await serve(...)`"
            )
        return self._server

    def close(
        self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = ""
    ) -> None:
        """Stops the server: no new connections are accepted, and open ones are closed. Calling it again does
        nothing.

        Handshakes that are not done are refused with 503 (service unavailable). Use `wait_closed()` to wait
        for the end of all connections and handlers.

        Args:
            close_connections: whether to close the open connections, or wait until their handlers return.
            code: the close code; 1001 (going away) by default.
            reason: the close reason.

        Raises:
            SendError: `code` or `reason` can't be sent.
        """
        if self._close_task is None:
            loop = self._listening.get_loop()
            # Tries on a connection of nobody whether a Close frame can say this.
            _native.Connection("server").send_close(code, reason)
            self._close_task = loop.create_task(self._close(close_connections, code, reason))

    async def _close(self, close_connections: bool, code: int, reason: str) -> None:
        self.logger.info("server closing")
        self._listening.close()
        # Those who have asked are answered with 503; those who have not are not waited for.
        for connection in self._opening:
            if connection.request is None:
                connection._abort()
        if close_connections:
            await asyncio.gather(*(connection.close(code, reason) for connection in self.connections))
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._listening.wait_closed()
        self._closed.set()
        self.logger.info("server closed")

    async def wait_closed(self) -> None:
        """Waits until the server is closed: all connections have ended and all handlers have returned.

        A handler is told by `recv()`, which raises `ConnectionClosed`, and by `wait_closed()`, which returns.
        """
        await self._closed.wait()

    async def start_serving(self) -> None:
        """Accepts connections, if `serve()` was told `start_serving=False`."""
        await self._listening.start_serving()

    async def serve_forever(self) -> None:
        """Serves until `close()` is called or this is cancelled, which closes the server."""
        try:
            await self.start_serving()
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise

    # What is.

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open."""
        return {connection for connection in self._connections if connection.state is State.OPEN}

    @property
    def server(self) -> asyncio.Server:
        """The server of asyncio that listens. Raises `RuntimeError` before it does."""
        return self._listening

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets that the server listens on; none once it is closed."""
        return tuple(self._listening.sockets)

    def is_serving(self) -> bool:
        """Whether new connections are accepted."""
        return self._close_task is None and self._listening.is_serving()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the server."""
        return self._listening.get_loop()

    # Connections.

    def _make_connection(self) -> ServerConnection:
        return self._make(self)

    def _start(self, connection: ServerConnection) -> None:
        if self._close_task is not None:
            # It was accepted before the server closed, but is told only now.
            connection._abort()
            return
        self._opening.add(connection)
        task = asyncio.get_running_loop().create_task(self._handle(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, connection: ServerConnection) -> None:
        """The life of a connection. Nobody waits for it, so what goes wrong is logged."""
        try:
            async with asyncio.timeout(self._open_timeout):
                opened = await self._open_connection(connection)
        except InvalidHandshake as error:
            connection._debug("! invalid handshake")
            if error.status is not None and error.error_name != "unexpected_eof":
                phrase = http.HTTPStatus(error.status).phrase
                connection._info("HTTP response sent (%d %s)", error.status, phrase)
            await connection.wait_closed()
            return
        except TimeoutError:
            connection._debug("! opening handshake timed out")
            connection._abort()
            await connection.wait_closed()
            return
        except BaseException:
            connection._abort()
            raise
        finally:
            self._opening.discard(connection)
        if not opened:
            await connection.wait_closed()
            return
        self._connections.add(connection)
        try:
            async with connection:
                await self._handler(connection)
        except Exception:
            connection.logger.error("connection handler failed", exc_info=True)
        finally:
            self._connections.discard(connection)


def serve(
    handler: Handler,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    origins: Origins | None = None,
    extensions: Sequence[Any] | None = None,
    subprotocols: Sequence[Subprotocol] | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    compression: str | None = "deflate",
    process_request: ProcessRequest | None = None,
    process_response: ProcessResponse | None = None,
    server_header: str | None = SERVER,
    open_timeout: float | None = options.TIMEOUT,
    ping_interval: float | None = options.PING,
    ping_timeout: float | None = options.PING,
    close_timeout: float | None = options.TIMEOUT,
    max_size: options.Size = options.MAX_SIZE,
    max_queue: options.Queue = options.MAX_QUEUE,
    write_limit: options.WriteLimit = options.WRITE_LIMIT,
    logger: LoggerLike | None = None,
    create_connection: Callable[..., ServerConnection] | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a WebSocket server.

    ::

        async def echo(websocket):
            async for message in websocket:
                await websocket.send(message)

        async with serve(echo, "localhost", 8765) as server:
            await server.serve_forever()

    `handler` runs once for each connection. When it returns, the connection is closed with the code 1000; if
    it raises an exception, that is logged, and the code is 1011.

    Args:
        handler: a coroutine function that takes a `ServerConnection`.
        host: the interfaces to listen on; see `loop.create_server()`.
        port: the TCP port to listen on; 0 picks a free one.
        origins: the values of Origin that are allowed: strings, compiled patterns that must match the whole
            value, and `None` for clients that send none. Others are refused with 403 (RFC 6455 §10.2). By
            default all are allowed: set it for servers that browsers can reach.
        extensions: at most one `ServerPerMessageDeflateFactory`, to compress otherwise than usual.
        subprotocols: the subprotocols that are served, in order of preference (§1.9). A client that offers
            none of these is refused with 400.
        select_subprotocol: a function of the connection and the offered subprotocols that chooses one or
            `None`; it may raise `NegotiationError`.
        compression: `"deflate"` agrees on permessage-deflate (RFC 7692) with clients that offer it; `None`
            does not, unless `extensions` do.
        process_request: a function or coroutine function of the connection and the request, which may be any
            request of HTTP. A `Response` that it returns is sent; unless its status is 101, the connection is
            not opened. See `ServerConnection.respond()`. Returning `None` goes on as usual, with what it has
            changed in the request.
        process_response: a function or coroutine function of the connection, the request and the response
            that is to be sent. It may change the response, or return another one.
        server_header: the value of Server; `None` sends none.
        open_timeout: how many seconds the opening handshake may take; `None` sets no limit.
        ping_interval: as in `connect()`.
        ping_timeout: as in `connect()`.
        close_timeout: as in `connect()`.
        max_size: as in `connect()`.
        max_queue: as in `connect()`.
        write_limit: as in `connect()`.
        logger: a logger; by default `logging.getLogger("itoden.server")`.
        create_connection: a subclass of `ServerConnection`, or a function that is called in its place.
        **kwargs: passed on to `loop.create_server()`: `ssl`, `sock`, `reuse_port`, `start_serving`, …

    Returns:
        The server, which starts when it is awaited or entered with `async with`.

    Raises:
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """
    if not callable(handler):
        raise TypeError(f"handler must be a coroutine function, not {type(handler).__name__}")
    options.check_str("server_header", server_header)
    settings = options.settings(
        server=True,
        compression=compression,
        extensions=extensions,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        max_size=max_size,
        close_timeout=close_timeout,
        max_queue=max_queue,
        write_limit=write_limit,
    )
    options.check_callback("select_subprotocol", select_subprotocol)
    options.check_callback("process_request", process_request)
    options.check_callback("process_response", process_response)
    rules = Rules(
        check_origins(origins), options.check_subprotocols(subprotocols), select_subprotocol, server_header
    )
    opening = Opening(rules, process_request, process_response)

    options.check_callback("create_connection", create_connection)
    open_timeout = options.check_timeout("open_timeout", open_timeout)
    if kwargs.get("ssl") is not None:
        # asyncio takes neither 0 nor an endless timeout.
        for name, timeout in (
            ("ssl_handshake_timeout", open_timeout),
            ("ssl_shutdown_timeout", options.check_timeout("close_timeout", close_timeout)),
        ):
            if timeout:
                kwargs.setdefault(name, timeout)
    unix = kwargs.pop("unix", False)

    def make_connection(server: Server) -> ServerConnection:
        return (create_connection or ServerConnection)(settings, server)

    async def create_server(factory: Callable[[], ServerConnection]) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        make, options = listening(factory, kwargs)
        if unix:
            return await loop.create_unix_server(make, **options)
        any_port: Any = port  # None is allowed, though not by the types of asyncio
        return await loop.create_server(make, host, any_port, **options)

    return Server(
        handler,
        make_connection,
        opening,
        create_server,
        open_timeout,
        logger if logger is not None else logging.getLogger("itoden.server"),
    )


def unix_serve(handler: Handler, path: PathLike | None = None, **kwargs: Any) -> Server:
    """Makes a WebSocket server that listens on a Unix socket, where there are such.

    Args:
        handler: as for `serve()`.
        path: the path of the socket; with `sock` none is needed.
        **kwargs: as for `serve()`.
    """
    return serve(handler, unix=True, path=None if path is None else os.fspath(path), **kwargs)
