"""A WebSocket connection on asyncio, of either end."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, overload

from .._native import MessageWaiter
from ..base import BaseConnection
from ..exceptions import ConnectionClosed, ConnectionClosedOK
from ..frames import CloseCode
from ..state import State
from ..typing import Data, DataLike

__all__ = ["Connection", "broadcast"]

_UTF8_DECODER = codecs.getincrementaldecoder("utf-8")


def _are_fragments(message: object) -> bool:
    return isinstance(message, (Iterable, AsyncIterable)) and not isinstance(message, Mapping)


async def _each(
    fragments: Iterable[DataLike] | AsyncIterable[DataLike],
) -> AsyncIterator[DataLike]:
    if isinstance(fragments, AsyncIterable):
        async for fragment in fragments:
            yield fragment
    else:
        for fragment in fragments:
            yield fragment


class Connection(BaseConnection, asyncio.BufferedProtocol):
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
        latency: how long the last answered ping took, in seconds; 0 before any was.
        close_code: the close code once the connection is closed (§7.1.5), else `None`: that of the peer's
            Close frame; 1005 if it had none, 1006 if no Close frame came.
        close_reason: the close reason once the connection is closed (§7.1.6), else `None`.
    """

    # Held while a message is sent in fragments. There is none before the first such message.
    _sending: asyncio.Lock | None = None

    # Whether a message was begun that has not ended.
    _within_message = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it belongs to."""
        loop: asyncio.AbstractEventLoop = self._event_loop
        return loop

    @property
    def local_address(self) -> Any:
        """The address of this end: `(host, port)` for IPv4, longer for IPv6, a path for a Unix socket; or
        `None`."""
        return self._extra_info("sockname")

    @property
    def remote_address(self) -> Any:
        """The address of the other end, in the form of `local_address`; that of a proxy if there is one."""
        return self._extra_info("peername")

    def _extra_info(self, name: str) -> Any:
        try:
            return None if self.transport is None else self.transport.get_extra_info(name)
        except AttributeError:  # a TLS transport that has ended, before CPython 3.12
            return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the transport has ended."""
        super().connection_lost(exc)
        self._log_state()

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

    def __aiter__(self) -> AsyncIterator[Data]:
        # What a subclass does in recv(), it does to these messages too.
        return self if type(self).recv is Connection.recv else self._each_received()

    async def _each_received(self) -> AsyncIterator[Data]:
        try:
            while True:
                yield await self.recv()
        except ConnectionClosedOK:
            return

    async def __anext__(self) -> Data:
        # As recv(), without a coroutine more.
        try:
            message = self._take_or_wait()
            while isinstance(message, MessageWaiter):
                try:
                    await message
                except BaseException:
                    self._stop_waiting()
                    raise
                message = self._take_after_wait()
            return message
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
        message = self._take_or_wait()
        while isinstance(message, MessageWaiter):
            try:
                await message
            except BaseException:
                self._stop_waiting()
                raise
            message = self._take_after_wait()
        if decode is None:
            return message
        if not decode:
            return message.encode() if isinstance(message, str) else message
        if isinstance(message, str):
            return message
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise await self._fail_decoding(error) from error

    async def _fail_decoding(self, error: UnicodeDecodeError) -> ConnectionClosed:
        self._close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        await self.wait_closed()
        return self._closed_exception()

    @overload
    def recv_streaming(self, decode: Literal[True]) -> AsyncIterator[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> AsyncIterator[bytes]: ...

    @overload
    def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]: ...

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]:
        """The next message, fragment by fragment as they come (§5.4): an asynchronous iterator that must be
        read to its end.

        Once this was called, at most `max_queue` fragments are kept, whatever the size of the message. One
        that had begun to come before the first call begins with a fragment of what had come.

        If it is cancelled before the first fragment, nothing is lost. If it is left later, neither `recv()`
        nor this can be called any more: close the connection then.

        Args:
            decode: `False` gives text as `bytes` too, `True` binary as `str` too. A character that is cut
                between two fragments comes with the second.

        Raises:
            ConnectionClosedOK: the connection was closed as it should be.
            ConnectionClosedError: the connection ended otherwise.
            ConcurrencyError: another task waits in `recv()` or in this, or left this before its end.
        """
        self._begin_stream()
        decoder: codecs.IncrementalDecoder | None = None
        last = False
        while not last:
            taken = self._take_fragment()
            while taken is None:
                try:
                    await self._wait_message()
                finally:
                    self._stop_waiting()
                taken = self._take_fragment()
            data, is_text, last = taken
            if isinstance(data, str):  # a message that came whole
                yield data.encode() if decode is False else data
                continue
            if not (is_text if decode is None else decode):
                yield data
                continue
            decoder = _UTF8_DECODER() if decoder is None else decoder
            try:
                text = decoder.decode(data, last)
            except UnicodeDecodeError as error:
                raise await self._fail_decoding(error) from error
            yield text

    async def send(
        self,
        message: DataLike | Iterable[DataLike] | AsyncIterable[DataLike],
        *,
        text: bool | None = None,
    ) -> None:
        """Sends a message: `str` as text, bytes-like as binary (§5.6).

        What several calls send in one turn of the event loop is written together, at the latest when the turn
        ends. This waits only while more than `write_limit` bytes wait to be written, so that a peer which
        reads slowly slows the sender down.

        Of an iterable or asynchronous iterable each item is sent as a fragment (§5.4), as soon as it is
        there; items must be all `str` or all bytes-like. Other messages wait until the last one is sent. If
        the iterable or one of its items fails, the message can't be finished: the connection is closed with
        the code 1011.

        Args:
            message: the message, or its fragments.
            text: `True` sends bytes as text; they must be UTF-8. `False` sends a string as binary.

        Raises:
            ConnectionClosed: the connection is closed.
            TypeError: `message` is of another type, or a mapping, which most likely is a mistake.
            ValueError: it can't be encoded: lone surrogates, or bytes as text that are not UTF-8.
        """
        if self._sending is None:
            try:
                waiter = self._send(message, text)  # type: ignore[arg-type]
            except TypeError:
                if not _are_fragments(message):
                    raise
            else:
                if waiter is not None:
                    await waiter
                    self._check_sent()
                return
            self._sending = asyncio.Lock()
        async with self._sending:
            whole: Any = message
            try:
                waiter = self._send(whole, text)
            except TypeError:
                if not _are_fragments(message):
                    raise
            else:
                await self._sent(waiter)
                return
            await self._send_fragments(_each(whole), text)

    async def _send_fragments(self, fragments: AsyncIterator[DataLike], text: bool | None) -> None:
        as_str: bool | None = None  # not known before the first fragment is sent
        as_text = False
        try:
            async for fragment in fragments:
                is_str = isinstance(fragment, str)
                if as_str is None:
                    as_text = is_str if text is None else text
                elif is_str is not as_str:
                    came, wanted = type(fragment).__name__, "str" if as_str else "bytes-like"
                    raise TypeError(f"all fragments must be {wanted} as the first one, but one is {came}")
                waiter = self._send_fragment(fragment, as_text, as_str is None, False)
                as_str = is_str
                self._within_message = True
                await self._sent(waiter)
            if as_str is not None:
                await self._sent(self._send_fragment(b"", as_text, False, True))
        except ConnectionClosed:
            raise
        except BaseException as error:
            # A message that was begun can't be taken back, and nothing else may be sent before its end.
            if as_str is not None and self.state is State.OPEN:
                self._close(CloseCode.INTERNAL_ERROR, "error in fragmented message")
                if isinstance(error, Exception):
                    await self.wait_closed()
            raise
        finally:
            self._within_message = False

    def _is_sending_fragments(self) -> bool:
        return self._within_message

    async def _sent(self, waiter: asyncio.Future[None] | None) -> None:
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
        await self._sent(self._pong(data))

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Closes the connection (§7.1.2): sends a Close frame, and waits for the peer's and for the
        transport's end.

        If the peer does not answer within `close_timeout`, the transport is dropped. What the peer sends
        before its own Close frame can still be received; if nobody receives it and more than `max_queue`
        messages wait, the rest is thrown away. If the connection is closing or closed, this only waits. While
        another task sends a message in fragments, the connection fails with the code 1011.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999 (§7.4).
            reason: at most 123 bytes of UTF-8.

        Raises:
            SendError: `code` or `reason` can't be sent.
        """
        if self._within_message and self.state is State.OPEN:
            self._fail(CloseCode.INTERNAL_ERROR, "close during fragmented message")
        else:
            self._close(code, reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed and its transport has ended.

        Who waits here is taken to answer no more messages: a Close frame behind some that nobody has taken
        is answered at once, else after a second at most.
        """
        waiter = self._wait_lost()
        if waiter is not None:
            await waiter


# Here too, as in `websockets`; it needs this module.
from .broadcasting import broadcast  # noqa: E402
