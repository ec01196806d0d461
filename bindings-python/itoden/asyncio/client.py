"""Connecting as a client on asyncio."""

from __future__ import annotations

import asyncio
import logging
import ssl as ssl_module
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Self

from .. import _native
from ..datastructures import Headers, HeadersLike
from ..exceptions import InvalidStatus
from ..http11 import USER_AGENT, Request, Response
from ..typing import LoggerLike, Origin, Subprotocol
from ..uri import parse_uri
from . import options
from .connection import Connection

__all__ = ["ClientConnection", "connect"]


class ClientConnection(Connection):
    """The client's end of a connection; see `Connection` for what it does and `connect()` for how to get
    one."""

    def __new__(cls, settings: _native.Settings, logger: LoggerLike) -> Self:
        """Makes a connection that has no transport yet."""
        return super().__new__(cls, settings, False)

    def __init__(self, settings: _native.Settings, logger: LoggerLike) -> None:
        super().__init__(logger)

    async def handshake(self, handshake: _native.ClientHandshake) -> None:
        """Does the opening handshake. Raises `InvalidHandshake` if it fails."""
        self._start(handshake)
        waiter = self._wait_opening()
        if waiter is not None:
            await waiter
        answer = self._response()
        if answer is not None:
            (status, reason, fields), body = answer
            self.response = Response(status, reason, Headers(fields), body)
        try:
            self._check_opening()
        except InvalidStatus as error:
            if self.response is not None:
                error.response = self.response
            raise


class connect:  # noqa: N801 - a class, so that it can be awaited and entered; used like a function
    """Connects to a WebSocket server.

    ::

        async with connect("ws://localhost:8765") as websocket:
            await websocket.send("hello")
            print(await websocket.recv())

    `async with` closes the connection at the end. `websocket = await connect(uri)` leaves that to the caller.

    Args:
        uri: a `ws://` or `wss://` URI (RFC 6455 §3). A user and password in it are sent as Authorization.
        origin: the value of Origin, for servers that check it (§10.2).
        subprotocols: the subprotocols that are wanted, in order of preference (§1.9).
        additional_headers: further header fields of the request.
        user_agent_header: the value of User-Agent; `None` sends none.
        open_timeout: how many seconds the TCP connection, TLS and the opening handshake may take together;
            `None` sets no limit.
        close_timeout: how many seconds the closing handshake may take; `None` sets no limit.
        max_size: the largest message that is received, in bytes; `None` sets no limit. A pair bounds messages
            and single frames. Beyond it the connection fails with the code 1009.
        max_queue: how many received messages wait before reading from the network pauses; it goes on when a
            quarter of them is left. A pair sets both marks. `None` never pauses, which lets a fast peer use
            up memory.
        write_limit: how many bytes wait to be written before `send()` waits; a pair sets high and low marks.
        logger: a logger; by default `logging.getLogger("itoden.client")`.
        ssl: the TLS context of a `wss://` connection; by default `ssl.create_default_context()`.
        **kwargs: passed on to `loop.create_connection()`: `host` and `port` to connect to another place than
            the URI says, `sock`, `server_hostname`, `local_addr`, …

    Raises:
        InvalidURI: `uri` is not a WebSocket URI.
        InvalidHandshake: the server refused, or answered with something else than WebSocket.
        OSError: there is no TCP connection to be had.
        TimeoutError: it took longer than `open_timeout`.
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: Origin | None = None,
        subprotocols: Sequence[Subprotocol] | None = None,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        open_timeout: float | None = options.TIMEOUT,
        close_timeout: float | None = options.TIMEOUT,
        max_size: options.Size = options.MAX_SIZE,
        max_queue: options.Queue = options.MAX_QUEUE,
        write_limit: options.WriteLimit = options.WRITE_LIMIT,
        logger: LoggerLike | None = None,
        ssl: ssl_module.SSLContext | bool | None = None,
        **kwargs: Any,
    ) -> None:
        self._uri = parse_uri(uri)
        if not self._uri.secure and ssl is not None:
            raise ValueError("ssl is given, but the URI begins with ws://; TLS needs wss://")
        if ssl is False:
            raise ValueError("ssl is False; it must be an SSLContext, True or None")
        self._settings = options.settings(
            max_size=max_size, close_timeout=close_timeout, max_queue=max_queue, write_limit=write_limit
        )
        self._open_timeout = options.check_timeout("open_timeout", open_timeout)
        self._logger = logger if logger is not None else logging.getLogger("itoden.client")
        self._ssl = ssl
        self._kwargs = options.network_arguments(kwargs)
        self._subprotocols = options.check_subprotocols(subprotocols)
        self._headers = Headers()
        if options.check_str("origin", origin) is not None:
            self._headers["Origin"] = str(origin)
        if self._uri.authorization is not None:
            self._headers["Authorization"] = self._uri.authorization
        if additional_headers is not None:
            self._headers.update(additional_headers)
        if (
            options.check_str("user_agent_header", user_agent_header) is not None
            and "User-Agent" not in self._headers
        ):
            self._headers["User-Agent"] = str(user_agent_header)
        # What can't be sent is refused here, before anything is connected.
        self._make_handshake()

    def _make_handshake(self) -> _native.ClientHandshake:
        return _native.ClientHandshake(
            self._uri.host_header,
            self._uri.resource_name,
            subprotocols=self._subprotocols,
            headers=list(self._headers.raw_items()),
        )

    async def _connect(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        kwargs = self._kwargs.copy()
        if self._uri.secure:
            kwargs["ssl"] = True if self._ssl is None else self._ssl
            kwargs.setdefault("server_hostname", self._uri.host)
        if kwargs.get("sock") is None:
            kwargs.setdefault("host", self._uri.host)
            kwargs.setdefault("port", self._uri.port)
        async with asyncio.timeout(self._open_timeout):
            transport, connection = await loop.create_connection(
                lambda: ClientConnection(self._settings, self._logger), **kwargs
            )
            try:
                connection.request = Request(self._uri.resource_name, self._headers.copy())
                await connection.handshake(self._make_handshake())
            except BaseException:
                transport.abort()
                raise
        return connection

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        self._connection = await self
        return self._connection

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connection.__aexit__(exc_type, exc, traceback)
