"""Connecting as a client on asyncio."""

from __future__ import annotations

import asyncio
import os
import ssl as ssl_module
import traceback as traceback_module
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, cast

from .. import _native, limits, options
from ..client import Connecting, backoff, check_ssl, decide, process_exception, take_answer
from ..datastructures import Headers, HeadersLike
from ..exceptions import SecurityError
from ..http11 import USER_AGENT, Request
from ..proxy import Proxy, get_proxy, parse_proxy
from ..typing import LoggerLike, Origin, PathLike, Subprotocol
from .connection import Connection
from .proxy import connect_http_proxy, connect_socks_proxy
from .securing import create_connection, start_tls

__all__ = ["ClientConnection", "backoff", "connect", "process_exception", "unix_connect"]


class ClientConnection(Connection):
    """The client's end of a connection; see `Connection` for what it does and `connect()` for how to get
    one."""

    _signs = (">", "<")

    def __new__(cls, settings: _native.Settings, *args: Any, **kwargs: Any) -> Self:
        """Makes a connection that has no transport yet."""
        return super().__new__(cls, settings, False)

    def __init__(self, settings: _native.Settings, logger: LoggerLike) -> None:
        super().__init__(logger)

    async def handshake(self, handshake: _native.ClientHandshake) -> None:
        """Does the opening handshake. Raises `InvalidHandshake` if it fails."""
        self.request = Request(handshake.target, Headers._of(handshake.headers))
        self._start(handshake)
        self._log_request(self.request)
        waiter = self._wait_opening()
        if waiter is not None:
            await waiter
        take_answer(self)


class connect(Connecting):  # noqa: N801 - a class, so that it can be awaited and entered; used like a function
    """Connects to a WebSocket server.

    ::

        async with connect("ws://localhost:8765") as websocket:
            await websocket.send("hello")
            print(await websocket.recv())

    `async with` closes the connection at the end. `websocket = await connect(uri)` leaves that to the caller.

    `async for` connects again and again: the loop's body is given each connection, which is closed at the end
    of the body. Errors that may pass are waited out, with delays that grow; others are raised.

    ::

        async for websocket in connect("ws://localhost:8765"):
            try:
                ...
            except itoden.ConnectionClosed:
                continue

    Args:
        uri: a `ws://` or `wss://` URI or IRI (RFC 6455 §3). A user and password in it are sent as
            Authorization.
        origin: the value of Origin, for servers that check it (§10.2).
        extensions: at most one `ClientPerMessageDeflateFactory`, to compress otherwise than usual.
        subprotocols: the subprotocols that are wanted, in order of preference (§1.9).
        compression: `"deflate"` offers permessage-deflate (RFC 7692); `None` does not, unless `extensions`
            do.
        additional_headers: further header fields of the request.
        user_agent_header: the value of User-Agent; `None` sends none.
        proxy: `True` asks the environment and the operating system for a proxy, `None` uses none, a string is
            the address of one: `http://`, `https://`, `socks5h://`, `socks5://`, `socks4a://` or `socks4://`.
            SOCKS requires the package python-socks.
        process_exception: whether `async for` tries again after an exception: it returns `None` to do so, or
            an exception to raise. See `itoden.client.process_exception`, the default.
        open_timeout: how many seconds the TCP connection, TLS, redirects and the opening handshake may take
            together; `None` sets no limit.
        ping_interval: a ping is sent every so many seconds; `None` sends none.
        ping_timeout: how many seconds the peer may be silent after such a ping before the connection fails
            with the code 1011; `None` sets no limit. Whatever comes is a sign of life.
        close_timeout: how many seconds the closing handshake may take; `None` sets no limit.
        reconnect_delays: makes a generator of the delays in seconds between the attempts of `async for`. See
            `itoden.client.backoff`, the default.
        max_size: the largest message that is received, in bytes; `None` sets no limit. A pair bounds messages
            and single frames. Beyond it the connection fails with the code 1009.
        max_queue: how many received messages wait before reading from the network pauses; it goes on when a
            quarter of them is left. A pair sets both marks. `None` never pauses, which lets a fast peer use
            up memory.
        write_limit: how many bytes wait to be written before `send()` waits; a pair sets high and low marks.
        logger: a logger; by default `logging.getLogger("itoden.client")`.
        create_connection: a subclass of `ClientConnection`, or a function that is called in its place.
        **kwargs: passed on to `loop.create_connection()`: `ssl`, `sock`, `server_hostname`, `local_addr`,
            `host` and `port` to connect to another place than the URI says, … What begins with `proxy_`, and
            what is not about TLS, is for the connection to an HTTP proxy.

    Raises:
        InvalidURI: `uri` is not a WebSocket URI.
        InvalidProxy: `proxy` is not the address of a proxy.
        InvalidHandshake: the server or the proxy refused, or answered with something else than WebSocket.
        OSError: there is no TCP connection to be had.
        TimeoutError: it took longer than `open_timeout`.
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: Origin | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[Subprotocol] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = options.TIMEOUT,
        ping_interval: float | None = options.PING,
        ping_timeout: float | None = options.PING,
        close_timeout: float | None = options.TIMEOUT,
        reconnect_delays: Callable[[], Generator[float]] = backoff,
        max_size: options.Size = options.MAX_SIZE,
        max_queue: options.Queue = options.MAX_QUEUE,
        write_limit: options.WriteLimit = options.WRITE_LIMIT,
        logger: LoggerLike | None = None,
        create_connection: Callable[..., ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        settings = options.settings(
            server=False,
            compression=compression,
            extensions=extensions,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            max_size=max_size,
            close_timeout=close_timeout,
            max_queue=max_queue,
            write_limit=write_limit,
        )
        super().__init__(
            uri,
            settings,
            origin=origin,
            subprotocols=subprotocols,
            additional_headers=additional_headers,
            user_agent_header=user_agent_header,
            proxy=proxy,
            process_exception=process_exception,
            open_timeout=open_timeout,
            reconnect_delays=reconnect_delays,
            logger=logger,
            create_connection=create_connection,
        )
        check_ssl(self.ws_uri, kwargs.get("ssl"), given="ssl" in kwargs)
        self._close_timeout = options.check_timeout("close_timeout", close_timeout)
        self._create_connection = create_connection or ClientConnection
        self.create_connection_kwargs = kwargs
        self._connection: ClientConnection | None = None

    # The way to the server.

    def _make_connection(self) -> ClientConnection:
        return self._create_connection(self._settings, logger=self.logger)

    async def _open_transport(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        uri = self.ws_uri
        kwargs = self.create_connection_kwargs.copy()
        unix = kwargs.pop("unix", False)
        if uri.secure:
            kwargs.setdefault("ssl", True)
            kwargs.setdefault("server_hostname", uri.host)
            if self._close_timeout is not None and self._close_timeout > 0:
                kwargs.setdefault("ssl_shutdown_timeout", self._close_timeout)
        if unix:
            opened = await create_connection(loop.create_unix_connection, self._make_connection, **kwargs)
            return cast(ClientConnection, opened[1])
        proxy: Any = None if kwargs.get("sock") is not None else self.proxy
        name: str | None = get_proxy(uri) if proxy is True else proxy
        if name is not None:
            return await self._open_through(parse_proxy(name), kwargs)
        if kwargs.get("sock") is None:
            kwargs.setdefault("host", uri.host)
            kwargs.setdefault("port", uri.port)
        opened = await create_connection(loop.create_connection, self._make_connection, **kwargs)
        return cast(ClientConnection, opened[1])

    async def _open_through(self, proxy: Proxy, kwargs: dict[str, Any]) -> ClientConnection:
        loop = asyncio.get_running_loop()
        uri = self.ws_uri
        if proxy.scheme.startswith("socks"):
            sock = await connect_socks_proxy(proxy, uri, local_addr=kwargs.pop("local_addr", None))
            opened = await create_connection(
                loop.create_connection, self._make_connection, sock=sock, **kwargs
            )
            return cast(ClientConnection, opened[1])
        tls = {name: kwargs.pop(name) for name in [*kwargs] if name.startswith(("ssl", "server_hostname"))}
        kwargs = {name.removeprefix("proxy_"): value for name, value in kwargs.items()}
        if proxy.scheme == "https":
            if kwargs.setdefault("ssl", True) is None:
                raise ValueError("proxy_ssl is None, but the address of the proxy begins with https://")
        elif kwargs.get("ssl") is not None:
            raise ValueError("proxy_ssl is given, but the address of the proxy begins with http://")
        agent = self.user_agent_header
        transport = await connect_http_proxy(proxy, uri, self._settings, agent, **kwargs)
        connection = self._make_connection()
        context = tls.pop("ssl", None)
        if context is None:
            transport.set_protocol(connection)
            connection.connection_made(transport)
            transport.resume_reading()
            return connection
        if context is True:
            context = ssl_module.create_default_context()
        await start_tls(transport, connection, context, **tls)
        return connection

    async def connect(self) -> ClientConnection:
        """Connects once, following redirects; what `await` does."""
        try:
            async with asyncio.timeout(self.open_timeout):
                for _ in range(limits.MAX_REDIRECTS + 1):
                    connection = await self._open_transport()
                    try:
                        await connection.handshake(self._handshake())
                    except BaseException as error:
                        connection._abort()
                        if not isinstance(error, Exception) or not self._follow(error):
                            raise
                    else:
                        return connection
                raise SecurityError(f"more than {limits.MAX_REDIRECTS} redirects")
        except TimeoutError as error:
            raise TimeoutError("timed out during opening handshake") from error

    def _network(self) -> dict[str, Any]:
        return self.create_connection_kwargs

    # `await`, `async with` and `async for`.

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self.connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("connect() isn't reentrant")
        self._connection = await self
        return self._connection

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.__aexit__(exc_type, exc, traceback)

    async def __aiter__(self) -> AsyncIterator[ClientConnection]:
        delays: Generator[float] | None = None
        while True:
            try:
                async with self as connection:
                    yield connection
            except Exception as error:
                decide(self.process_exception, error)
                delays = self.reconnect_delays() if delays is None else delays
                delay = next(delays)
                self.logger.info(
                    "connect failed; reconnecting in %.1f seconds: %s",
                    delay,
                    traceback_module.format_exception_only(error)[0].strip(),
                )
                await asyncio.sleep(delay)
            else:
                delays = None


def unix_connect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> connect:
    """Connects to a server that listens on a Unix socket, where there are such. No proxy is used.

    Args:
        path: the path of the socket; with `sock` none is needed.
        uri: the URI for the handshake; `ws://localhost/` by default, `wss://localhost/` if `ssl` is given.
        **kwargs: as for `connect()`.
    """
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    return connect(uri, unix=True, path=None if path is None else os.fspath(path), **kwargs)
