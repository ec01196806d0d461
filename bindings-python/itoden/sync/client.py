"""Connecting as a client in threads."""

from __future__ import annotations

import os
import socket
import ssl as ssl_module
import time
import traceback as traceback_module
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, overload

from .. import _native, limits, options
from ..client import Connecting, backoff, check_ssl, decide, process_exception, take_answer
from ..datastructures import Headers, HeadersLike
from ..exceptions import SecurityError
from ..http11 import USER_AGENT, Request
from ..proxy import get_proxy, parse_proxy
from ..typing import LoggerLike, Origin, PathLike, Subprotocol
from .connection import Connection
from .proxy import Deadline, connect_http_proxy, connect_socks_proxy
from .streams import Stream, open_stream
from .tls import secure

__all__ = ["ClientConnection", "connect", "reconnect", "unix_connect", "unix_reconnect"]


class ClientConnection(Connection):
    """The client's end of a connection; see `Connection` for what it does and `connect()` for how to get
    one."""

    _signs = (">", "<")

    def __new__(cls, settings: _native.Settings, *args: Any, **kwargs: Any) -> Self:
        """Makes a connection that has no socket yet."""
        return super().__new__(cls, settings, False)

    def __init__(self, settings: _native.Settings, logger: LoggerLike) -> None:
        super().__init__(logger)

    def handshake(self, handshake: _native.ClientHandshake, timeout: float | None = None) -> None:
        """Does the opening handshake, in so many seconds at the most.

        Raises:
            InvalidHandshake: it fails.
            TimeoutError: the answer does not come in time.
        """
        self.request = Request(handshake.target, Headers._of(handshake.headers))
        self._log_request(self.request)
        with self._io.lock:
            self._start(handshake)
        if not self._wait_for_handshake(timeout):
            raise TimeoutError("timed out while waiting for handshake response")
        take_answer(self)

    def __enter__(self) -> Self:
        self._warns = False
        return super().__enter__()

    def _warn(self) -> None:
        self._warns = False
        warnings.warn(
            "connect() must be used as a context manager: with connect(...) as websocket: ...; "
            "alternatively, use websocket = connect(..., legacy=True) to connect directly",
            DeprecationWarning,
            stacklevel=3,
        )


class reconnect(Connecting):  # noqa: N801 - a class, so that it can be entered and iterated; used like a function
    """Connects to a WebSocket server, again and again.

    ::

        for websocket in reconnect("ws://localhost:8765"):
            try:
                ...
            except itoden.ConnectionClosed:
                continue

    The loop's body is given each connection, which is closed at the end of the body. Errors that may pass are
    waited out, with delays that grow; others are raised.

    Args:
        uri: as for `connect()`, and so are all that are not told here.
        process_exception: whether the loop tries again after an exception: it returns `None` to do so, or an
            exception to raise. See `itoden.client.process_exception`, the default.
        reconnect_delays: makes a generator of the delays in seconds between the attempts. See
            `itoden.client.backoff`, the default.
    """

    def __init__(
        self,
        uri: str,
        *,
        sock: socket.socket | None = None,
        ssl: ssl_module.SSLContext | None = None,
        server_hostname: str | None = None,
        origin: Origin | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[Subprotocol] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        proxy_ssl: ssl_module.SSLContext | None = None,
        proxy_server_hostname: str | None = None,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = options.TIMEOUT,
        ping_interval: float | None = options.PING,
        ping_timeout: float | None = options.PING,
        close_timeout: float | None = options.TIMEOUT,
        reconnect_delays: Callable[[], Generator[float]] = backoff,
        max_size: options.Size = options.MAX_SIZE,
        max_queue: options.Queue = options.MAX_QUEUE,
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
            write_limit=0,
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
        ssl = options.tls_context(ssl, kwargs)
        check_ssl(self.ws_uri, ssl, given=False)
        self.sock = sock
        self.ssl = ssl
        self.server_hostname = options.check_str("server_hostname", server_hostname)
        self.proxy_ssl = proxy_ssl
        self.proxy_server_hostname = options.check_str("proxy_server_hostname", proxy_server_hostname)
        self._create_connection = create_connection or ClientConnection
        self.open_socket_kwargs = kwargs
        self._connection: ClientConnection | None = None

    # The way to the server.

    def _open_socket(self, deadline: Deadline) -> socket.socket:
        kwargs = self.open_socket_kwargs.copy()
        uri = self.ws_uri
        if kwargs.pop("unix", False):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.settimeout(deadline.left())
                sock.connect(kwargs.pop("path"))
            except BaseException:
                sock.close()
                raise
            return sock
        name: Any = get_proxy(uri) if self.proxy is True else self.proxy
        if name is None:
            kwargs.setdefault("address", (uri.host, uri.port))
            kwargs.setdefault("timeout", deadline.left())
            return socket.create_connection(**kwargs)
        proxy = parse_proxy(name)
        if proxy.scheme.startswith("socks"):
            local = kwargs.pop("source_address", None)
            return connect_socks_proxy(proxy, uri, deadline, local_addr=local)
        if proxy.scheme == "http" and self.proxy_ssl is not None:
            raise ValueError("proxy_ssl is given, but the address of the proxy begins with http://")
        return connect_http_proxy(
            proxy,
            uri,
            deadline,
            self._settings,
            user_agent_header=self.user_agent_header,
            ssl=self.proxy_ssl,
            server_hostname=self.proxy_server_hostname,
            **kwargs,
        )

    def _secure(self, sock: socket.socket, deadline: Deadline) -> Stream:
        ssl: Any = self.ssl
        context = ssl if isinstance(ssl, ssl_module.SSLContext) else ssl_module.create_default_context()
        hostname = self.server_hostname or self.ws_uri.host
        return secure(sock, context, hostname, deadline.left)

    def _attempt(self, deadline: Deadline) -> ClientConnection:
        opened = self.sock or self._open_socket(deadline)
        try:
            if opened.family in (socket.AF_INET, socket.AF_INET6):
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = self._secure(opened, deadline) if self.ws_uri.secure else open_stream(opened)
            connection = self._create_connection(self._settings, self.logger)
            connection._open(stream)
        except BaseException:
            opened.close()
            raise
        try:
            connection.handshake(self._handshake(), deadline.left())
        except BaseException:
            connection._abort()
            raise
        return connection

    def connect(self) -> ClientConnection:
        """Connects once, following redirects."""
        deadline = Deadline(self.open_timeout)
        for _ in range(limits.MAX_REDIRECTS + 1):
            try:
                return self._attempt(deadline)
            except Exception as error:
                if not self._follow(error):
                    raise
        raise SecurityError(f"more than {limits.MAX_REDIRECTS} redirects")

    def _network(self) -> dict[str, Any]:
        return {**self.open_socket_kwargs, "sock": self.sock, "host": self.open_socket_kwargs.get("address")}

    # `with` and `for`.

    def __enter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("connect() isn't reentrant")
        self._connection = self.connect()
        return self._connection.__enter__()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.__exit__(exc_type, exc, traceback)

    def __iter__(self) -> Iterator[ClientConnection]:
        delays: Generator[float] | None = None
        while True:
            try:
                with self as connection:
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
                time.sleep(delay)
            else:
                delays = None


def _connected(connecter: reconnect, legacy: bool | None) -> ClientConnection | reconnect:
    if legacy is False:
        return connecter
    connection = connecter.connect()
    connection._warns = legacy is None
    return connection


@overload
def connect(
    uri: str,
    *,
    sock: socket.socket | None = ...,
    ssl: ssl_module.SSLContext | None = ...,
    server_hostname: str | None = ...,
    origin: Origin | None = ...,
    extensions: Sequence[Any] | None = ...,
    subprotocols: Sequence[Subprotocol] | None = ...,
    compression: str | None = ...,
    additional_headers: HeadersLike | None = ...,
    user_agent_header: str | None = ...,
    proxy: str | Literal[True] | None = ...,
    proxy_ssl: ssl_module.SSLContext | None = ...,
    proxy_server_hostname: str | None = ...,
    open_timeout: float | None = ...,
    ping_interval: float | None = ...,
    ping_timeout: float | None = ...,
    close_timeout: float | None = ...,
    max_size: options.Size = ...,
    max_queue: options.Queue = ...,
    logger: LoggerLike | None = ...,
    create_connection: Callable[..., ClientConnection] | None = ...,
    legacy: Literal[True] | None = ...,
    **kwargs: Any,
) -> ClientConnection: ...


@overload
def connect(uri: str, *, legacy: Literal[False], **kwargs: Any) -> reconnect: ...


def connect(
    uri: str,
    *,
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
    server_hostname: str | None = None,
    origin: Origin | None = None,
    extensions: Sequence[Any] | None = None,
    subprotocols: Sequence[Subprotocol] | None = None,
    compression: str | None = "deflate",
    additional_headers: HeadersLike | None = None,
    user_agent_header: str | None = USER_AGENT,
    proxy: str | Literal[True] | None = True,
    proxy_ssl: ssl_module.SSLContext | None = None,
    proxy_server_hostname: str | None = None,
    open_timeout: float | None = options.TIMEOUT,
    ping_interval: float | None = options.PING,
    ping_timeout: float | None = options.PING,
    close_timeout: float | None = options.TIMEOUT,
    max_size: options.Size = options.MAX_SIZE,
    max_queue: options.Queue = options.MAX_QUEUE,
    logger: LoggerLike | None = None,
    create_connection: Callable[..., ClientConnection] | None = None,
    legacy: bool | None = None,
    **kwargs: Any,
) -> ClientConnection | reconnect:
    """Connects to a WebSocket server.

    ::

        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            print(websocket.recv())

    `with` closes the connection at the end. `connect(uri, legacy=True)` leaves that to the caller. To connect
    again and again, use `reconnect()`.

    Args:
        uri: a `ws://` or `wss://` URI or IRI (RFC 6455 §3). A user and password in it are sent as
            Authorization.
        sock: a connected socket, which is used instead of a new one.
        ssl: the TLS context, for `wss://`.
        server_hostname: the name that the server's certificate must have; by default the URI's.
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
        proxy_ssl: the TLS context for an HTTPS proxy.
        proxy_server_hostname: the name that the proxy's certificate must have; by default that of its
            address.
        open_timeout: how many seconds the TCP connection, TLS, redirects and the opening handshake may take
            together; `None` sets no limit.
        ping_interval: a ping is sent every so many seconds; `None` sends none.
        ping_timeout: how many seconds the peer may be silent after such a ping before the connection fails
            with the code 1011; `None` sets no limit. Whatever comes is a sign of life.
        close_timeout: how many seconds the closing handshake may take; `None` sets no limit.
        max_size: the largest message that is received, in bytes; `None` sets no limit. A pair bounds messages
            and single frames. Beyond it the connection fails with the code 1009.
        max_queue: how many received messages wait before reading from the network pauses; it goes on when a
            quarter of them is left. A pair sets both marks. `None` never pauses, which lets a fast peer use
            up memory.
        logger: a logger; by default `logging.getLogger("itoden.client")`.
        create_connection: a subclass of `ClientConnection`, or a function that is called in its place.
        legacy: `True` says that the connection is not used with `with`, which else warns; `False` returns a
            `reconnect` that is not connected yet.
        **kwargs: passed on to `socket.create_connection()`: `address`, `source_address`, …

    Raises:
        InvalidURI: `uri` is not a WebSocket URI.
        InvalidProxy: `proxy` is not the address of a proxy.
        InvalidHandshake: the server or the proxy refused, or answered with something else than WebSocket.
        OSError: there is no TCP connection to be had.
        TimeoutError: it took longer than `open_timeout`.
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """
    connecter = reconnect(
        uri,
        sock=sock,
        ssl=ssl,
        server_hostname=server_hostname,
        origin=origin,
        extensions=extensions,
        subprotocols=subprotocols,
        compression=compression,
        additional_headers=additional_headers,
        user_agent_header=user_agent_header,
        proxy=proxy,
        proxy_ssl=proxy_ssl,
        proxy_server_hostname=proxy_server_hostname,
        open_timeout=open_timeout,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
        max_size=max_size,
        max_queue=max_queue,
        logger=logger,
        create_connection=create_connection,
        **kwargs,
    )
    return _connected(connecter, legacy)


def unix_reconnect(path: PathLike | None = None, uri: str | None = None, **kwargs: Any) -> reconnect:
    """Connects as `reconnect()` does, to a server that listens on a Unix socket.

    Args:
        path: the path of the socket; with `sock` none is needed.
        uri: the URI for the handshake; `ws://localhost/` by default, `wss://localhost/` if `ssl` is given.
        **kwargs: as for `reconnect()`.
    """
    if path is None and kwargs.get("sock") is None:
        raise ValueError("missing path argument")
    if path is not None and kwargs.get("sock") is not None:
        raise ValueError("path is incompatible with sock")
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    return reconnect(uri, unix=True, path=None if path is None else os.fspath(path), **kwargs)


@overload
def unix_connect(
    path: PathLike | None = ...,
    uri: str | None = ...,
    *,
    legacy: Literal[True] | None = ...,
    **kwargs: Any,
) -> ClientConnection: ...


@overload
def unix_connect(
    path: PathLike | None = ..., uri: str | None = ..., *, legacy: Literal[False], **kwargs: Any
) -> reconnect: ...


def unix_connect(
    path: PathLike | None = None,
    uri: str | None = None,
    *,
    legacy: bool | None = None,
    **kwargs: Any,
) -> ClientConnection | reconnect:
    """Connects to a server that listens on a Unix socket, where there are such. No proxy is used.

    Args:
        path: the path of the socket; with `sock` none is needed.
        uri: the URI for the handshake; `ws://localhost/` by default, `wss://localhost/` if `ssl` is given.
        legacy: as for `connect()`.
        **kwargs: as for `connect()`.
    """
    return _connected(unix_reconnect(path, uri, **kwargs), legacy)
