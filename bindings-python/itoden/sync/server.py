"""Serving in threads."""

from __future__ import annotations

import http
import logging
import os
import selectors
import socket
import ssl as ssl_module
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from .. import _native, options
from ..broadcasting import send_to_each
from ..exceptions import InvalidHandshake
from ..frames import CloseCode
from ..headers import build_host
from ..http11 import SERVER, Response, refusal
from ..opening import Origins, Rules, check_origins
from ..state import State
from ..typing import DataLike, LoggerLike, PathLike, StatusLike, Subprotocol
from .auth import basic_auth
from .connection import Connection
from .opening import Opening, ProcessRequest, ProcessResponse, SelectSubprotocol
from .proxy import Deadline
from .streams import Stream, open_stream
from .tls import secure

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

Handler = Callable[["ServerConnection"], None]


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
    handler: Callable[..., None]
    handler_kwargs: dict[str, Any]
    _signs = ("<", ">")

    def __new__(cls, settings: _native.Settings, *args: Any, **kwargs: Any) -> Self:
        """Makes a connection that has no socket yet."""
        return super().__new__(cls, settings, True)

    def __init__(self, settings: _native.Settings, logger: LoggerLike, server: Server) -> None:
        super().__init__(logger)
        self.server = server

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport when it has ended."""
        super().connection_lost(exc)
        self._info("connection closed")

    def respond(self, status: StatusLike, text: str) -> Response:
        """A response in plain text, for `process_request` to refuse the connection with.

        Args:
            status: the HTTP status.
            text: the body.
        """
        return refusal(status, text)


class Server:
    """A WebSocket server, as `serve()` makes it. It listens already; `serve_forever()` accepts connections.

    It has some methods of `socketserver.BaseServer`. Leaving `with serve(...) as server` shuts it down.

    Args:
        sock: the socket that listens.
        handler: takes an accepted socket and the address of its other end; runs in a thread of its own.
        logger: a logger; by default `logging.getLogger("itoden.server")`.

    Attributes:
        socket: the socket that listens.
        logger: the logger.
    """

    def __init__(
        self,
        sock: socket.socket,
        handler: Callable[[socket.socket, Any], None],
        logger: LoggerLike | None = None,
    ) -> None:
        self.socket = sock
        self.handler = handler
        self.logger = logger if logger is not None else logging.getLogger("itoden.server")
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._connections: set[ServerConnection] = set()
        self._opening: set[ServerConnection] = set()
        self._threads: set[threading.Thread] = set()
        self._bell, self._ringer = socket.socketpair()
        self._serving = False
        self._closing = False

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open."""
        with self._lock:
            return self._open_connections()

    def _open_connections(self) -> set[ServerConnection]:
        return {connection for connection in self._connections if connection.state is State.OPEN}

    def fileno(self) -> int:
        """The file descriptor of the socket that listens."""
        return self.socket.fileno()

    def serve_forever(self) -> None:
        """Accepts connections until another thread calls `shutdown()`."""
        with self._lock:
            if self._closing:
                return
            self._serving = True
            try:
                # Bytes come and connections wait alike; a listener without a time limit could wait for one
                # that has gone again.
                self.socket.settimeout(0)
                listening = _name_of(self.socket)
            except OSError:
                self._serving = False
                return
        self.logger.info("server listening on %s", listening)
        try:
            while not self._closing:
                self._wait()
                while not self._closing:
                    try:
                        sock, address = self.socket.accept()
                    except OSError:
                        break
                    self._start(sock, address)
        finally:
            with self._changed:
                self._serving = False
                self._changed.notify_all()

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self.socket, selectors.EVENT_READ)
            selector.select()

    def _start(self, sock: socket.socket, address: Any) -> None:
        def run() -> None:
            try:
                self.handler(sock, address)
            finally:
                with self._changed:
                    self._threads.discard(thread)
                    self._changed.notify_all()

        # Not a daemon: who ends the program shuts the server down, which waits for the handlers.
        thread = threading.Thread(target=run)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _is_closing(self) -> bool:
        return self._closing

    def shutdown(
        self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = ""
    ) -> None:
        """Stops the server: no new connections are accepted, open ones are closed, and handlers are waited
        for. Calling it again only waits.

        Handshakes that are not done are refused with 503 (service unavailable).

        Args:
            close_connections: whether to close the open connections, or wait until their handlers return.
            code: the close code; 1001 (going away) by default.
            reason: the close reason.

        Raises:
            SendError: `code` or `reason` can't be sent.
            RuntimeError: it is called by a handler, which can't wait for its own end.
        """
        # Tries on a connection of nobody whether a Close frame can say this.
        _native.Connection("server").send_close(code, reason)
        with self._changed:
            first, self._closing = not self._closing, True
            if threading.current_thread() in self._threads:
                own = "a handler can't wait for its own end: call shutdown() in another thread"
            else:
                own = None
        if first:
            self.logger.info("server closing")
            self._ringer.send(b"!")
        with self._changed:
            while self._serving:
                self._changed.wait()
            self.socket.close()
            opening = list(self._opening)
        if own is not None:
            raise RuntimeError(own)
        # Those who have asked are answered with 503; those who have not are not waited for.
        for connection in opening:
            if connection.request is None:
                connection._abort()
        if close_connections:
            self._close_all(code, reason)
        with self._changed:
            while self._threads:
                self._changed.wait()
        if first:
            self._bell.close()
            self._ringer.close()
            self.logger.info("server closed")

    def _close_all(self, code: int, reason: str) -> None:
        while True:
            with self._changed:
                # One whose handshake is done in this moment is open only after it.
                while not (connections := self._open_connections()) and self._opening:
                    self._changed.wait()
            if not connections:
                return
            with ThreadPoolExecutor(len(connections)) as executor:
                list(executor.map(lambda connection: connection.close(code, reason), connections))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()


def _name_of(sock: socket.socket) -> str:
    """Where a socket listens."""
    address = sock.getsockname()
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        return build_host(address[0], address[1], False, always_include_port=True)
    return str(address)


def serve(
    handler: Handler,
    host: str | None = None,
    port: int | None = None,
    *,
    sock: socket.socket | None = None,
    ssl: ssl_module.SSLContext | None = None,
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
    logger: LoggerLike | None = None,
    create_connection: Callable[..., ServerConnection] | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a WebSocket server, with a thread for each connection.

    ::

        def echo(websocket):
            for message in websocket:
                websocket.send(message)

        with serve(echo, "localhost", 8765) as server:
            server.serve_forever()

    `handler` runs once for each connection. When it returns, the connection is closed with the code 1000; if
    it raises an exception, that is logged, and the code is 1011.

    Args:
        handler: a function that takes a `ServerConnection`.
        host: the interface to listen on; see `socket.create_server()`.
        port: the TCP port to listen on; 0 picks a free one.
        sock: a socket to listen on, instead of `host` and `port`.
        ssl: the TLS context.
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
        process_request: a function of the connection and the request, which may be any request of HTTP. A
            `Response` that it returns is sent; unless its status is 101, the connection is not opened. See
            `ServerConnection.respond()`. Returning `None` goes on as usual, with what it has changed in the
            request.
        process_response: a function of the connection, the request and the response that is to be sent. It
            may change the response, or return another one.
        server_header: the value of Server; `None` sends none.
        open_timeout: how many seconds TLS and the opening handshake may take together; `None` sets no limit.
        ping_interval: as in `connect()`.
        ping_timeout: as in `connect()`.
        close_timeout: as in `connect()`.
        max_size: as in `connect()`.
        max_queue: as in `connect()`.
        logger: a logger; by default `logging.getLogger("itoden.server")`.
        create_connection: a subclass of `ServerConnection`, or a function that is called in its place.
        **kwargs: passed on to `socket.create_server()`: `backlog`, `reuse_port`, …

    Returns:
        The server, which listens already.

    Raises:
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """
    if not callable(handler):
        raise TypeError(f"handler must be a function, not {type(handler).__name__}")
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
        write_limit=0,
    )
    for name, function in (
        ("select_subprotocol", select_subprotocol),
        ("process_request", process_request),
        ("process_response", process_response),
        ("create_connection", create_connection),
    ):
        options.check_callback(name, function)
    ssl = options.tls_context(ssl, kwargs)
    if ssl is not None and not isinstance(ssl, ssl_module.SSLContext):
        raise TypeError(f"ssl must be an SSLContext or None, not {type(ssl).__name__}")
    open_timeout = options.check_timeout("open_timeout", open_timeout)
    rules = Rules(
        check_origins(origins), options.check_subprotocols(subprotocols), select_subprotocol, server_header
    )
    opening = Opening(rules, process_request, process_response)
    make = create_connection or ServerConnection

    def handle(accepted: socket.socket, address: object) -> None:
        """The life of a connection. Nobody waits for it, so what goes wrong is logged."""
        deadline = Deadline(open_timeout)
        try:
            stream = _secure(accepted, ssl, deadline)
            connection = make(settings, server.logger, server)
            connection._open(stream)
        except (OSError, ValueError):  # no TLS, or gone
            accepted.close()
            return
        if _opened(server, connection, opening, deadline):
            _handle(server, connection, handler)

    server = Server(_listen(sock, host, port, kwargs), handle, logger)
    return server


def _listen(
    sock: socket.socket | None, host: str | None, port: int | None, kwargs: dict[str, Any]
) -> socket.socket:
    unix, path = kwargs.pop("unix", False), kwargs.pop("path", None)
    if sock is not None:
        for name, value in (("host", host), ("port", port), ("path", path)):
            if value is not None:
                raise ValueError(f"{name} is incompatible with sock")
        return sock
    if not unix:
        return socket.create_server((host, port), **kwargs)
    if path is None:
        raise ValueError("missing path argument")
    kwargs.setdefault("family", socket.AF_UNIX)
    return socket.create_server(path, **kwargs)


def _secure(sock: socket.socket, ssl: ssl_module.SSLContext | None, deadline: Deadline) -> Stream:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ssl is None:
        return open_stream(sock)
    return secure(sock, ssl, None, deadline.left, server_side=True)


def _opened(server: Server, connection: ServerConnection, opening: Opening, deadline: Deadline) -> bool:
    with server._changed:
        server._opening.add(connection)
        late = server._closing
    try:
        if late:
            # It was accepted before the server closed, but is told only now.
            connection._abort()
            return False
        opened = opening(connection, deadline.left())
        if opened:
            with server._changed:
                server._connections.add(connection)
            return True
    except InvalidHandshake as error:
        connection._debug("! invalid handshake")
        if error.status is not None and error.error_name != "unexpected_eof":
            phrase = http.HTTPStatus(error.status).phrase
            connection._info("HTTP response sent (%d %s)", error.status, phrase)
    except TimeoutError:
        connection._debug("! opening handshake timed out")
        connection._abort()
    except BaseException:
        connection._abort()
        raise
    finally:
        with server._changed:
            server._opening.discard(connection)
            server._changed.notify_all()
    connection.wait_closed()
    return False


def _handle(server: Server, connection: ServerConnection, handler: Handler) -> None:
    try:
        with connection:
            handler(connection)
    except Exception:
        connection.logger.error("connection handler failed", exc_info=True)
    finally:
        with server._changed:
            server._connections.discard(connection)
            server._changed.notify_all()


def unix_serve(handler: Handler, path: PathLike | None = None, **kwargs: Any) -> Server:
    """Makes a WebSocket server that listens on a Unix socket, where there are such.

    Args:
        handler: as for `serve()`.
        path: the path of the socket; with `sock` none is needed.
        **kwargs: as for `serve()`.
    """
    return serve(handler, unix=True, path=None if path is None else os.fspath(path), **kwargs)


def broadcast(
    connections: Iterable[Connection],
    message: DataLike,
    *,
    raise_exceptions: bool = False,
    text: bool | None = None,
    **kwargs: Any,
) -> None:
    """Sends a message to several connections, without waiting for any.

    What a slow connection does not take at once stays in memory until it does. Connections that are not open
    are passed over. One that sends a message in fragments, and one that can't take the message, is passed
    over too, with a log record at the level WARNING.

    Args:
        connections: the connections, of servers and clients.
        message: the message: `str` or bytes-like, no fragments.
        raise_exceptions: whether to raise an `ExceptionGroup` at the end instead of writing the log records.
        text: as in `send()`.
        **kwargs: taken for the sake of those who set a number of threads; there are none.

    Raises:
        TypeError: `message` is neither `str` nor bytes-like.
        ValueError: it can't be encoded, as in `send()`.
        ExceptionGroup: with `raise_exceptions`: what went wrong.
    """
    unknown = kwargs.keys() - {"max_workers", "thread_name_prefix", "initializer", "initargs"}
    if unknown:
        raise TypeError(f"broadcast() got unexpected keyword arguments: {', '.join(sorted(unknown))}")

    def send(connection: Connection, payload: Any) -> None:
        with connection._io.lock:
            connection._send(payload, text)

    send_to_each(connections, message, send, raise_exceptions=raise_exceptions)
