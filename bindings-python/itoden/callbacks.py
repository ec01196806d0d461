"""WebSocket without a coroutine per message: functions of a listener are called as events come.

::

    from itoden import callbacks

    class Echo(callbacks.Listener):
        def on_open(self, connection):
            self.connection = connection

        def on_message(self, data):
            self.connection.send(data)

    async with callbacks.serve(Echo, "localhost", 8765) as server:
        await server.serve_forever()

This is the shortest way from the network to Python, for those who count microseconds. There is no queue
between: what a function does not keep is gone, and while one runs nothing else of the event loop does.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any

from . import options
from .asyncio import client, server
from .asyncio.connection import Connection as _AsyncConnection
from .frames import CloseCode
from .http11 import Request, Response
from .protocol import State
from .typing import Data, DataLike, LoggerLike, PathLike

__all__ = ["Connection", "Listener", "Server", "connect", "serve", "unix_connect", "unix_serve"]


class Listener:
    """What a connection tells. A subclass has the functions that it wants; these do nothing. A listener need
    not be a subclass: what it does not have is not called.

    They are called on the event loop of the connection. If one raises an exception, the loop's exception
    handler is told of it, the connection is closed with the code 1011, and nothing but `on_close` is called
    any more.
    """

    def on_open(self, connection: Connection) -> None:
        """The opening handshake is done. First of all, once."""

    def on_message(self, data: Data) -> None:
        """A message came: `str` for text, `bytes` for binary (RFC 6455 §5.6)."""

    def on_ping(self, data: bytes) -> None:
        """A ping came (§5.5.2). It has been answered."""

    def on_pong(self, data: bytes) -> None:
        """A pong came (§5.5.3), asked for or not."""

    def on_pause(self) -> None:
        """More than `write_limit` waits to be written: send no more until `on_resume()`. Called by `send()`
        itself, so that a sender may look at a flag that this sets."""

    def on_resume(self) -> None:
        """There is room again."""

    def on_close(self, code: int, reason: str) -> None:
        """The connection is closed and its transport has ended. Last of all, once.

        Args:
            code: that of the peer's Close frame; 1005 if it had none, 1006 if no Close frame came (§7.1.5).
            reason: that of the peer's Close frame (§7.1.6).
        """


_TOLD = ("on_message", "on_ping", "on_pong", "on_close", "on_pause", "on_resume")


class _Callbacks:
    """The functions of a listener that do something."""

    on_message: Callable[[Data], object] | None
    on_ping: Callable[[bytes], object] | None
    on_pong: Callable[[bytes], object] | None
    on_close: Callable[[int, str], object] | None
    on_pause: Callable[[], object] | None
    on_resume: Callable[[], object] | None

    def __init__(self, listener: object) -> None:
        for name in _TOLD:
            callback = getattr(listener, name, None)
            if callback is not None and not callable(callback):
                raise TypeError(f"{name} of a listener must be a function, not {type(callback).__name__}")
            if getattr(callback, "__func__", None) is getattr(Listener, name):
                callback = None
            setattr(self, name, callback)


class Connection:
    """A connection that tells a listener what comes. No method waits.

    It belongs to its event loop and is not to be used from other threads.
    """

    __slots__ = ("__weakref__", "_post", "_websocket")

    def __init__(self, websocket: _AsyncConnection) -> None:
        self._websocket = websocket
        self._post = websocket._post

    def send(self, message: DataLike, *, text: bool | None = None) -> None:
        """Sends a message: `str` as text, bytes-like as binary (§5.6).

        What a listener sends while it is told of what one read brought goes out in one write afterwards.

        Args:
            message: the message.
            text: `True` sends bytes as text; they must be UTF-8. `False` sends a string as binary.

        Raises:
            ConnectionClosed: the connection is closing or closed.
            TypeError: `message` is neither `str` nor bytes-like.
            ValueError: it can't be encoded: lone surrogates, or bytes as text that are not UTF-8.
        """
        self._post(message, text)

    def ping(self, data: DataLike | None = None) -> Awaitable[float] | None:
        """Sends a ping (§5.5.2).

        Args:
            data: at most 125 bytes; a string is encoded as UTF-8. By default four random bytes.

        Returns:
            An awaitable of how long the pong took, in seconds, which need not be awaited; `None` if the
            connection is closing.

        Raises:
            ConnectionClosed: the connection is closed.
            ConcurrencyError: a ping with the same data waits for its pong.
            SendError: `data` is too long.
            TypeError: `data` is neither `str` nor bytes-like.
        """
        return self._websocket._ping(data)

    def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody asked for (§5.5.3). Pings are answered without this.

        Args:
            data: at most 125 bytes; a string is encoded as UTF-8.

        Raises:
            ConnectionClosed: the connection is closed.
            SendError: `data` is too long.
            TypeError: `data` is neither `str` nor bytes-like.
        """
        self._websocket._pong(data)

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begins the closing handshake (§7.1.2); `on_close()` tells of its end. Messages that the peer sends
        before its own Close frame are still told. If the connection is closing or closed, this does nothing.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999 (§7.4).
            reason: at most 123 bytes of UTF-8.

        Raises:
            SendError: `code` or `reason` can't be sent.
        """
        self._websocket._close(code, reason)

    def abort(self) -> None:
        """Drops the transport at once."""
        self._websocket._abort()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed and its transport has ended."""
        await self._websocket.wait_closed()

    def pause(self) -> None:
        """Tells the listener of no message and reads nothing from the network until `resume()`, so that a
        peer which sends too fast is slowed down. The end of the connection is then told after `resume()`
        too."""
        self._websocket._pause_listening(True)

    def resume(self) -> None:
        """Goes on after `pause()`; what waits is told before this returns, unless it is called by the
        listener."""
        self._websocket._pause_listening(False)

    @property
    def buffered_amount(self) -> int:
        """How many bytes wait to be written."""
        transport = self._websocket.transport
        in_transport = 0 if transport is None else transport.get_write_buffer_size()
        return self._websocket._buffered_amount + in_transport

    @property
    def state(self) -> State:
        """OPEN, CLOSING or CLOSED."""
        return self._websocket.state

    @property
    def id(self) -> uuid.UUID:
        """A number of its own for each connection."""
        return self._websocket.id

    @property
    def logger(self) -> LoggerLike:
        """The logger of this connection."""
        return self._websocket.logger

    @property
    def request(self) -> Request | None:
        """The request of the opening handshake."""
        return self._websocket.request

    @property
    def response(self) -> Response | None:
        """The response of the opening handshake."""
        return self._websocket.response

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on, or `None` (§1.9)."""
        return self._websocket.subprotocol

    @property
    def latency(self) -> float:
        """How long the last answered ping took, in seconds; 0 before any was."""
        return self._websocket.latency

    @property
    def local_address(self) -> Any:
        """The address of this end; see `itoden.Connection.local_address`."""
        return self._websocket.local_address

    @property
    def remote_address(self) -> Any:
        """The address of the other end, or of a proxy."""
        return self._websocket.remote_address

    @property
    def close_code(self) -> int | None:
        """The close code once the connection is closed (§7.1.5), else `None`."""
        return self._websocket.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason once the connection is closed (§7.1.6), else `None`."""
        return self._websocket.close_reason


def _listen(websocket: _AsyncConnection, listener: Any) -> Connection:
    callbacks = _Callbacks(listener)
    connection = Connection(websocket)
    on_open = getattr(listener, "on_open", None)
    if on_open is not None:
        on_open(connection)
    websocket._listen(callbacks)
    return connection


def _awaiting(kwargs: dict[str, Any], connection_class: Callable[..., _AsyncConnection]) -> dict[str, Any]:
    """The arguments, changed so that connections read nothing before they have a listener."""
    make = kwargs.get("create_connection") or connection_class
    options.check_callback("create_connection", make)

    def make_connection(*args: Any, **kwargs: Any) -> _AsyncConnection:
        connection = make(*args, **kwargs)
        connection._await_listener()
        return connection

    return {**kwargs, "create_connection": make_connection}


class connect:  # noqa: N801 - a class, so that it can be awaited and entered; used like a function
    """Connects to a WebSocket server and tells a listener what comes.

    `connection = await connect(uri, listener)`, or `async with`, which closes the connection at the end and
    waits for that.

    Args:
        uri: as for `itoden.connect()`.
        listener: an object with functions of `Listener`.
        **kwargs: as for `itoden.connect()`. There is no queue for `max_queue`.

    Raises:
        InvalidURI, InvalidProxy, InvalidHandshake, OSError, TimeoutError, TypeError, ValueError: as
            `itoden.connect()`; and what `on_open()` raises, which drops the connection.
    """

    def __init__(self, uri: str, listener: Any, **kwargs: Any) -> None:
        _Callbacks(listener)
        self._connecting = client.connect(uri, **_awaiting(kwargs, client.ClientConnection))
        self._listener = listener
        self._connection: Connection | None = None

    async def _connect(self) -> Connection:
        websocket = await self._connecting
        try:
            return _listen(websocket, self._listener)
        except BaseException:
            websocket._abort()
            raise

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._connect().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = await self
        return self._connection

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(CloseCode.NORMAL_CLOSURE if exc_type is None else CloseCode.INTERNAL_ERROR)
            await connection.wait_closed()


def unix_connect(
    path: PathLike | None, listener: Any, uri: str = "ws://localhost/", **kwargs: Any
) -> connect:
    """Connects to a server that listens on a Unix socket, where there are such. No proxy is used.

    Args:
        path: the path of the socket; `None` with `sock`.
        listener: as for `connect()`.
        uri: the URI for the handshake.
        **kwargs: as for `connect()`.
    """
    return connect(uri, listener, unix=True, path=None if path is None else os.fspath(path), **kwargs)


Server = server.Server


def _handler(make_listener: Callable[[], Any]) -> Callable[[server.ServerConnection], Awaitable[None]]:
    if not callable(make_listener):
        raise TypeError(f"listener_factory must be a function, not {type(make_listener).__name__}")

    async def handle(websocket: server.ServerConnection) -> None:
        _listen(websocket, make_listener())
        await websocket.wait_closed()

    return handle


def serve(
    listener_factory: Callable[[], Any], host: str | None = None, port: int | None = None, **kwargs: Any
) -> Server:
    """Makes a WebSocket server that tells a listener of each connection what comes.

    If the factory or `on_open()` raises an exception, that is logged and the connection is closed with the
    code 1011.

    Args:
        listener_factory: a function that makes a listener for each connection, such as a class with
            functions of `Listener`.
        host: as for `itoden.serve()`.
        port: as for `itoden.serve()`.
        **kwargs: as for `itoden.serve()`: `process_request`, `origins`, `ssl`, `max_size`, `write_limit`, …

    Returns:
        The server, which starts when it is awaited or entered with `async with`.

    Raises:
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """
    kwargs = _awaiting(kwargs, server.ServerConnection)
    return server.serve(_handler(listener_factory), host, port, **kwargs)


def unix_serve(listener_factory: Callable[[], Any], path: PathLike | None = None, **kwargs: Any) -> Server:
    """Makes a server as `serve()` does that listens on a Unix socket, where there are such.

    Args:
        listener_factory: as for `serve()`.
        path: the path of the socket; with `sock` none is needed.
        **kwargs: as for `serve()`.
    """
    return server.unix_serve(_handler(listener_factory), path, **_awaiting(kwargs, server.ServerConnection))
