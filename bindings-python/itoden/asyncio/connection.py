"""A WebSocket connection on asyncio, of either end."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Literal, Self, overload

from .._native import AsyncConnection
from ..exceptions import ConnectionClosedOK
from ..frames import CloseCode
from ..http11 import Request, Response
from ..protocol import State
from ..typing import Data, DataLike, LoggerLike

__all__ = ["Connection"]


class Connection(AsyncConnection, asyncio.BufferedProtocol):
    """A WebSocket connection (RFC 6455); `connect()` and `serve()` make them.

    `async for message in connection` gives the messages as they come, `str` for text and `bytes` for binary.
    It ends when the connection is closed as it should be, and raises `ConnectionClosedError` when it ends
    otherwise.

    `async with connection` closes it at the end: with the code 1000, or 1011 if the block raised an
    exception.

    A connection belongs to its event loop and is not to be used from other threads, but for reading its
    attributes.

    Attributes:
        id: a `uuid.UUID`, to tell connections apart in logs.
        logger: the logger of this connection.
        request: the request of the opening handshake, or `None` before it.
        response: the response of the opening handshake, or `None` before it.
        transport: the asyncio transport.
        subprotocol: the subprotocol that was agreed on, or `None` (§1.9).
        close_code: the close code once the connection is closed (§7.1.5), else `None`: that of the peer's
            Close frame; 1005 if it had none, 1006 if no Close frame came.
        close_reason: the close reason once the connection is closed (§7.1.6), else `None`.
    """

    logger: LoggerLike
    request: Request | None
    response: Response | None

    def __init__(self, logger: LoggerLike) -> None:
        self.logger = logger
        self.request = None
        self.response = None

    @functools.cached_property
    def id(self) -> uuid.UUID:
        """A number of its own for each connection."""
        return uuid.uuid4()

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED."""
        return State(self._ready_state)

    @property
    def local_address(self) -> Any:
        """The address of this end: `(host, port)` for IPv4, longer for IPv6, a path for a Unix socket; or
        `None`."""
        return None if self.transport is None else self.transport.get_extra_info("sockname")

    @property
    def remote_address(self) -> Any:
        """The address of the other end, in the form of `local_address`; that of a proxy if there is one."""
        return None if self.transport is None else self.transport.get_extra_info("peername")

    def _abort(self) -> None:
        """Drops the transport at once."""
        if self.transport is not None:
            self.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else CloseCode.INTERNAL_ERROR)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Data:
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    @overload
    async def recv(self, decode: Literal[True]) -> str: ...

    @overload
    async def recv(self, decode: Literal[False]) -> bytes: ...

    @overload
    async def recv(self, decode: bool | None = None) -> Data: ...

    async def recv(self, decode: bool | None = None) -> Data:
        """The next message: `str` for text, `bytes` for binary (§5.6).

        If one has come already, this returns it without waiting. If it is cancelled, no message is lost: the
        next call returns it. Messages that came before the end of the connection are given first; only then
        this raises.

        Args:
            decode: `False` gives text as `bytes` too, `True` binary as `str` too.

        Raises:
            ConnectionClosedOK: the connection was closed as it should be.
            ConnectionClosedError: the connection ended otherwise.
            ConcurrencyError: another task waits in `recv()`.
        """
        message = self._take()
        while message is None:
            try:
                await self._wait_message()
            finally:
                self._stop_waiting()
            message = self._take()
        if decode is None:
            return message
        if not decode:
            return message.encode() if isinstance(message, str) else message
        if isinstance(message, str):
            return message
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            self._close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            await self.wait_closed()
            raise self._closed_exception() from error

    async def send(self, message: DataLike, *, text: bool | None = None) -> None:
        """Sends a message: `str` as text, bytes-like as binary (§5.6).

        What several calls send in one turn of the event loop is written together, at the latest when the turn
        ends. This waits only while more than `write_limit` bytes wait to be written, so that a peer which
        reads slowly slows the sender down.

        Args:
            message: the message.
            text: `True` sends bytes as text; they must be UTF-8. `False` sends a string as binary.

        Raises:
            ConnectionClosed: the connection is closed.
            TypeError: `message` is neither `str` nor bytes-like.
            ValueError: it can't be encoded: lone surrogates, or bytes as text that are not UTF-8.
        """
        waiter = self._send(message, text)
        if waiter is not None:
            await waiter
            self._check_sent()

    async def ping(self, data: DataLike | None = None) -> Awaitable[float]:
        """Sends a ping (§5.5.2).

        Args:
            data: at most 125 bytes; a string is encoded as UTF-8. By default four random bytes.

        Returns:
            An awaitable of the pong, which need not be awaited. Its result is how long the pong took, in
            seconds; it raises `ConnectionClosed` if none came.

        Raises:
            ConnectionClosed: the connection is closed.
            ConcurrencyError: a ping with the same data waits for its pong.
            SendError: `data` is too long.
            TypeError: `data` is neither `str` nor bytes-like.
        """
        pong = self._ping(data)
        if pong is None:
            await self.wait_closed()
            raise self._closed_exception()
        return pong

    async def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody asked for, as a sign of life (§5.5.3). Pings are answered without this.

        Args:
            data: at most 125 bytes; a string is encoded as UTF-8.

        Raises:
            ConnectionClosed: the connection is closed.
            SendError: `data` is too long.
            TypeError: `data` is neither `str` nor bytes-like.
        """
        waiter = self._pong(data)
        if waiter is not None:
            await waiter
            self._check_sent()

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Closes the connection (§7.1.2): sends a Close frame, and waits for the peer's and for the
        transport's end.

        If the peer does not answer within `close_timeout`, the transport is dropped. What the peer sends
        before its own Close frame can still be received; if nobody receives it and more than `max_queue`
        messages wait, the rest is thrown away. If the connection is closing or closed, this only waits.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999 (§7.4).
            reason: at most 123 bytes of UTF-8.

        Raises:
            SendError: `code` or `reason` can't be sent.
        """
        self._close(code, reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed and its transport has ended."""
        waiter = self._wait_lost()
        if waiter is not None:
            await waiter
