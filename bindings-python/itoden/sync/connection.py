"""A WebSocket connection in threads, of either end."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self, overload

from ..base import BaseConnection
from ..exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedOK
from ..frames import CloseCode
from ..state import State
from ..typing import Data, DataLike
from .streams import Stream
from .transport import Transport, Waiter

__all__ = ["Connection"]

_UTF8_DECODER = codecs.getincrementaldecoder("utf-8")


class Connection(BaseConnection):
    """A WebSocket connection (RFC 6455); `connect()` and `serve()` make them.

    `for message in connection` gives the messages as they come, `str` for text and `bytes` for binary. It
    ends when the connection is closed as it should be, and raises `ConnectionClosedError` when it ends
    otherwise.

    `with connection` closes it at the end: with the code 1000, or 1011 if the block raised an exception.

    All methods can be called from any thread. While one waits, others run: the global interpreter lock is not
    held. Pings are answered and the time is kept also while no method runs.

    Attributes:
        id: a `uuid.UUID`, to tell connections apart in logs.
        logger: the logger of this connection.
        request: the request of the opening handshake, or `None` before it.
        response: the response of the opening handshake, or `None` before it.
        socket: the socket, which is not to be read or written. Over TLS it mostly is no `ssl.SSLSocket`, but
            has the methods that tell about TLS.
        subprotocol: the subprotocol that was agreed on, or `None` (§1.9).
        latency: how long the last answered ping took, in seconds; 0 before any was.
        close_code: the close code once the connection is closed (§7.1.5), else `None`: that of the peer's
            Close frame; 1005 if it had none, 1006 if no Close frame came.
        close_reason: the close reason once the connection is closed (§7.1.6), else `None`.
    """

    _io: Transport

    # Whether connect() was told nothing about `legacy`, and a warning is due.
    _warns = False

    def _open(self, stream: Stream) -> None:
        """Begins: the socket is there."""
        self.socket = stream.socket
        self._io = Transport(stream, self)
        with self._io.lock:
            self._attach(self._io, self._io)
            self._io.begin()

    @property
    def local_address(self) -> Any:
        """The address of this end: `(host, port)` for IPv4, longer for IPv6, a path for a Unix socket."""
        return self._io.get_extra_info("sockname")

    @property
    def remote_address(self) -> Any:
        """The address of the other end, in the form of `local_address`; that of a proxy if there is one."""
        return self._io.get_extra_info("peername")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport when it has ended."""
        if exc is not None and self._logger.isEnabledFor(logging.DEBUG):
            self.logger.debug("! error while receiving data", exc_info=exc)
        super().connection_lost(exc)
        self._log_state()

    def _wait_for_handshake(self, timeout: float | None) -> bool:
        """Waits for the peer's part of the opening handshake. Whether it came in time."""
        with self._io.lock:
            waiter = self._wait_opening()
        return waiter is None or self._io.wait(waiter.done, timeout) or self._io.ended

    def _abort(self) -> None:
        """Drops the transport at once."""
        with self._io.lock:
            self._io.abort()

    def _warn(self) -> None:
        """Overridden by clients."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else CloseCode.INTERNAL_ERROR)

    def __iter__(self) -> Iterator[Data]:
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    @overload
    def recv(self, timeout: float | None, decode: Literal[True]) -> str: ...

    @overload
    def recv(self, timeout: float | None, decode: Literal[False]) -> bytes: ...

    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[True]) -> str: ...

    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[False]) -> bytes: ...

    @overload
    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data: ...

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data:
        """The next message: `str` for text, `bytes` for binary (§5.6).

        Messages that came before the end of the connection are given first; only then this raises
        `ConnectionClosed`.

        Args:
            timeout: how many seconds to wait for it; with 0 or less only what has come already is returned.
                `None` waits as long as it takes.
            decode: `False` gives text as `bytes` too, `True` binary as `str` too.

        Raises:
            TimeoutError: no message came in time. None is lost: the next call returns it.
            ConnectionClosedOK: the connection was closed as it should be.
            ConnectionClosedError: the connection ended otherwise.
            ConcurrencyError: another thread waits in `recv()` or in `recv_streaming()`.
        """
        if self._warns:
            self._warn()
        try:
            message = self._io.receive(self, timeout)
        except ConcurrencyError:
            raise self._concurrency_error("recv") from None
        if message is None:
            raise TimeoutError(f"timed out in {timeout:.1f}s")
        if decode is None or isinstance(message, str) is decode:
            return message
        if isinstance(message, str):
            return message.encode()
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise self._fail_decoding(error) from error

    def _receive_fragment(self, method: str) -> tuple[Data, bool | None, bool]:
        """What `_take_fragment()` returns as soon as there is one."""
        if not self._io.begin_receiving():
            raise self._concurrency_error(method)
        try:
            return self._io.take(self._take_fragment)  # type: ignore[no-any-return]
        except ConcurrencyError:
            raise self._concurrency_error(method) from None
        finally:
            self._io.end_receiving()

    @staticmethod
    def _concurrency_error(method: str) -> ConcurrencyError:
        return ConcurrencyError(
            f"cannot call {method} while another thread is already running recv or recv_streaming"
        )

    def _fail_decoding(self, error: UnicodeDecodeError) -> ConnectionClosed:
        with self._io.lock:
            self._fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        self.wait_closed()
        return self._closed_exception()

    @overload
    def recv_streaming(self, decode: Literal[True]) -> Iterator[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> Iterator[bytes]: ...

    @overload
    def recv_streaming(self, decode: bool | None = None) -> Iterator[Data]: ...

    def recv_streaming(self, decode: bool | None = None) -> Iterator[Data]:
        """The next message, fragment by fragment as they come (§5.4): an iterator that must be read to its
        end.

        Once this was called, at most `max_queue` fragments are kept, whatever the size of the message. One
        that had begun to come before the first call begins with a fragment of what had come.

        If it is left before its end, neither `recv()` nor this can be called any more: close the connection
        then.

        Args:
            decode: `False` gives text as `bytes` too, `True` binary as `str` too. A character that is cut
                between two fragments comes with the second.

        Raises:
            ConnectionClosedOK: the connection was closed as it should be.
            ConnectionClosedError: the connection ended otherwise.
            ConcurrencyError: another thread waits in `recv()` or in this, or left this before its end.
        """
        if self._warns:
            self._warn()
        try:
            with self._io.lock:
                self._begin_stream()
        except ConcurrencyError:
            raise self._concurrency_error("recv_streaming") from None
        decoder: codecs.IncrementalDecoder | None = None
        last = False
        first = True
        while not last:
            # Within a message no other thread's call gets in between: the native half sees to that.
            data, is_text, last = self._receive_fragment("recv_streaming" if first else "recv")
            first = False
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
                raise self._fail_decoding(error) from error
            yield text

    def send(self, message: DataLike | Iterable[DataLike], *, text: bool | None = None) -> None:
        """Sends a message: `str` as text, bytes-like as binary (§5.6). It waits until the operating system
        has taken it.

        Of an iterable each item is sent as a fragment (§5.4), as soon as it is there; items must be all `str`
        or all bytes-like. Other messages can't be sent before the last one. If the iterable or one of its
        items fails, the message can't be finished: the connection is closed with the code 1011.

        Args:
            message: the message, or its fragments.
            text: `True` sends bytes as text; they must be UTF-8. `False` sends a string as binary.

        Raises:
            ConnectionClosed: the connection is closed.
            ConcurrencyError: another thread sends a message in fragments.
            TypeError: `message` is of another type, or a mapping, which most likely is a mistake.
            ValueError: it can't be encoded: lone surrogates, or bytes as text that are not UTF-8.
        """
        if self._warns:
            self._warn()
        try:
            waiter = self._io.send(self, message, text)  # type: ignore[arg-type]
        except TypeError:
            if not isinstance(message, Iterable) or isinstance(message, Mapping):
                raise
        else:
            if waiter is not None:
                self._sent(waiter)
            return
        fragments: Any = message
        self._send_fragments(iter(fragments), text)

    def _send_fragments(self, fragments: Iterator[DataLike], text: bool | None) -> None:
        try:
            fragment = next(fragments)
        except StopIteration:
            return
        self._io.begin_sending()
        begun = False
        try:
            is_str = isinstance(fragment, str)
            as_text = is_str if text is None else text
            self._send_next(fragment, as_text, True, False)
            begun = True
            for fragment in fragments:
                if isinstance(fragment, str) is not is_str:
                    came, wanted = type(fragment).__name__, "str" if is_str else "bytes-like"
                    raise TypeError(f"all fragments must be {wanted} as the first one, but one is {came}")
                self._send_next(fragment, as_text, False, False)
            self._send_next(b"", as_text, False, True)
        except ConnectionClosed:
            raise
        except BaseException as error:
            # A message that was begun can't be taken back, and nothing else may be sent before its end.
            if begun and self.state is State.OPEN:
                with self._io.lock:
                    self._fail(CloseCode.INTERNAL_ERROR, "error in fragmented message")
                if isinstance(error, Exception):
                    self.wait_closed()
            raise
        finally:
            self._io.end_sending()

    def _send_next(self, fragment: DataLike, text: bool, first: bool, fin: bool) -> None:
        with self._io.lock:
            waiter = self._send_fragment(fragment, text, first, fin)
        if waiter is not None:
            self._sent(waiter)

    def _is_sending_fragments(self) -> bool:
        return self._io.is_sending()

    def _sent(self, waiter: Any) -> None:
        """Waits until what was sent is written."""
        self._io.wait(waiter.done)
        with self._io.lock:
            self._check_sent()

    def ping(self, data: DataLike | None = None, *, ack_on_close: bool = False) -> Waiter:
        """Sends a ping (§5.5.2).

        Args:
            data: at most 125 bytes; a string is encoded as UTF-8. By default four random bytes.
            ack_on_close: whether the event is set at the end of the connection too, so that nobody waits for
            a
                pong that will never come.

        Returns:
            A `threading.Event` that is set when the pong comes; its `latency` is how long that took, in
            seconds. It need not be waited for.

        Raises:
            ConnectionClosed: the connection is closed.
            ConcurrencyError: a ping with the same data waits for its pong.
            SendError: `data` is too long.
            TypeError: `data` is neither `str` nor bytes-like.
        """
        if self._warns:
            self._warn()
        with self._io.lock:
            pong: Any = self._ping(data)
            if isinstance(pong, Waiter):
                pong.ack_on_close = ack_on_close
                return pong
        self.wait_closed()
        raise self._closed_exception()

    def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody asked for, as a sign of life (§5.5.3). Pings are answered without this.

        Args:
            data: at most 125 bytes; a string is encoded as UTF-8.

        Raises:
            ConnectionClosed: the connection is closed.
            SendError: `data` is too long.
            TypeError: `data` is neither `str` nor bytes-like.
        """
        if self._warns:
            self._warn()
        with self._io.lock:
            waiter = self._pong(data)
        if waiter is not None:
            self._sent(waiter)

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Closes the connection (§7.1.2): sends a Close frame, and waits for the peer's and for the
        transport's end.

        If the peer does not answer within `close_timeout`, the transport is dropped. What the peer sends
        before its own Close frame can still be received; if nobody receives it and more than `max_queue`
        messages wait, the rest is thrown away. If the connection is closing or closed, this only waits. While
        another thread sends a message in fragments, the connection fails with the code 1011.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999 (§7.4).
            reason: at most 123 bytes of UTF-8.

        Raises:
            SendError: `code` or `reason` can't be sent.
        """
        if self._warns:
            self._warn()
        with self._io.lock:
            if self._io.is_sending() and self.state is State.OPEN:
                self._fail(CloseCode.INTERNAL_ERROR, "close during fragmented message")
            else:
                self._close(code, reason)
        self.wait_closed()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Waits until the connection is closed and its transport has ended.

        Args:
            timeout: how many seconds to wait; `None` for as long as it takes.

        Returns:
            Whether it is closed.
        """
        return self._io.wait(lambda: self._io.ended, timeout)
