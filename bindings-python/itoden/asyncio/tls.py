"""TLS between a transport of asyncio and a connection, in place of the one that asyncio brings.

That copies each piece of data once more than is needed, does in several callbacks what one can
do, and keeps a buffer of 256 KiB for each connection at rest. Here ciphertext goes from a buffer that the
connections of a thread share into OpenSSL, and plaintext from there to where the connection wants it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections import deque
from typing import Any

__all__ = ["HANDSHAKE_TIMEOUT", "SHUTDOWN_TIMEOUT", "TLSTransport"]

_READ = 256 << 10
"""How many bytes are read at once, and passed on at once to a protocol that brings no buffer."""

_PIECE = 256 << 10
"""How many bytes are encrypted before they are written."""

HANDSHAKE_TIMEOUT = 60.0
"""How many seconds a handshake may take; as asyncio has it."""

SHUTDOWN_TIMEOUT = 30.0
"""How many seconds the peer has to answer a close_notify; as asyncio has it."""


class _Shared(threading.local):
    """The buffer that a thread's connections read into. What is read is copied at once, so one serves all."""

    def __init__(self) -> None:
        super().__init__()
        self.view = memoryview(bytearray(_READ))


_shared = _Shared()


class TLSTransport(asyncio.Transport, asyncio.BufferedProtocol):
    """The protocol of a transport below, and the transport of a protocol above, which sees plaintext.

    The protocol above is told of the connection when the handshake is done, and not at all if it fails. As
    with asyncio, an end of the transport below counts as the end of the connection even without a
    close_notify: WebSocket has an ending of its own.

    Args:
        protocol: the protocol above.
        context: the settings of TLS.
        server_side: whether this is the server.
        server_hostname: whom the server's certificate has to be of; `None` or empty for nobody in particular.
        handshake_timeout: how many seconds the handshake may take.
        shutdown_timeout: how many seconds the peer may take to answer a close_notify.

    Raises:
        ValueError: `context` and `server_hostname` do not fit together.
    """

    _start_tls_compatible = True

    def __init__(
        self,
        protocol: Any,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        shutdown_timeout: float = SHUTDOWN_TIMEOUT,
    ) -> None:
        super().__init__()
        self._context = context
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # `SSLObject.read()` returns a number if it is given a buffer, which its types do not know.
        self._tls: Any = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname or None
        )
        self._loop = asyncio.get_running_loop()
        self._view = _shared.view
        self._shutdown_timeout = shutdown_timeout
        self._handshake_timeout = handshake_timeout
        self._timer: asyncio.TimerHandle | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._raw: Any = None
        self._descriptor = -1
        self._open = False
        self._paused = False
        self._ended = False  # the protocol above knows of the peer's end
        self._eof = False  # nothing comes from below any more
        self._closing = False
        self._lost = False
        self._error: Exception | None = None
        # Plaintext that waits for what the peer has to say first.
        self._backlog: deque[bytes] = deque()
        self.set_protocol(protocol)

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open" if self._open else "handshaking"
        return f"<{type(self).__name__} {state} over {self._raw!r}>"

    # What the transport below calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport below is there: the handshake begins."""
        self._raw = transport
        # Of this one the socket can be written to, while it has nothing to write itself: that costs less.
        kind = type(transport)
        plain = kind.__module__ == "asyncio.selector_events" and kind.__name__ == "_SelectorSocketTransport"
        if os.name == "posix" and plain:
            self._descriptor = transport.get_extra_info("socket").fileno()
        self._timer = self._loop.call_later(self._handshake_timeout, self._handshake_took_too_long)
        self._handshake()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport below reads into."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Ciphertext has come."""
        self._incoming.write(self._view[:nbytes])
        if self._open and not self._closing:
            self._read()
        else:
            self._advance()

    def eof_received(self) -> bool:
        """The transport below has ended; it closes itself after this, unless there is more to pass on."""
        self._eof = True
        self._advance()
        if not self._open:
            self._fail_handshake(
                ConnectionResetError("the peer ended the connection during the TLS handshake")
            )
        elif not self._closing:
            if self._paused:
                return True
            self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport below is gone."""
        self._lost = self._closing = True
        self._stop_timer()
        self._backlog.clear()
        if self._open:
            self._protocol.connection_lost(self._error or exc)
        else:
            self._decide(exc or ConnectionResetError("the connection was lost during the TLS handshake"))

    def pause_writing(self) -> None:
        """The transport below has much to write."""
        if self._open:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The transport below has room again."""
        if self._open:
            self._protocol.resume_writing()

    # The handshake.

    async def ready(self) -> None:
        """Waits for the end of the handshake.

        Raises:
            ssl.SSLError: it failed.
            ConnectionError: the peer went away, or it took too long.
        """
        try:
            await self._ready
        except BaseException:
            if self._raw is not None:
                self._raw.abort()
            raise

    def _handshake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()  # the alert that tells the peer why
            self._fail_handshake(error)
        else:
            self._flush()
            self._stop_timer()
            self._open = True
            self._protocol.connection_made(self)
            self._decide(None)
            # The peer's first data may have come with its last flight.
            self._read()

    def _handshake_took_too_long(self) -> None:
        timeout = f"{self._handshake_timeout:g} seconds"
        self._fail_handshake(
            ConnectionAbortedError(f"SSL handshake is taking longer than {timeout}: aborting the connection")
        )

    def _fail_handshake(self, error: Exception) -> None:
        self._stop_timer()
        self._decide(error)
        self._closing = True
        self._raw.abort()

    def _decide(self, error: Exception | None) -> None:
        """Tells whoever waits for the handshake how it ended."""
        if self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)
            self._ready.exception()  # a server does not wait: that is not worth a log record

    # Reading.

    def _advance(self) -> None:
        if self._closing:
            if self._open and not self._lost:
                self._shut()
        elif self._open:
            self._read()
        else:
            self._handshake()

    def _read(self) -> None:
        """Passes on what has come, until the protocol above pauses."""
        if self._backlog:
            self._write_backlog()
        tls, incoming = self._tls, self._incoming
        data = b""
        over = False
        failed: ssl.SSLError | None = None
        while not self._paused and not self._closing:
            try:
                if self._get_buffer is None:
                    data = tls.read(_READ)
                    count = len(data)
                else:
                    # Record by record (RFC 8446 §5.1: 2^14 bytes at most) until it is full, or no more came.
                    buffer = self._get_buffer(-1)
                    count = tls.read(len(buffer), buffer)
                    while count < len(buffer) and (incoming.pending or tls.pending()):
                        try:
                            more = tls.read(len(buffer) - count, buffer[count:])
                        except ssl.SSLWantReadError:
                            break
                        except ssl.SSLError as error:
                            failed = error  # behind what is good
                            break
                        if not more:
                            over = True
                            break
                        count += more
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._fail(error)
                return
            if not count:
                self._end()
                return
            if self._get_buffer is None:
                self._protocol.data_received(data)
            else:
                self._buffer_updated(count)
            if failed is not None:
                self._fail(failed)
                return
            if over:
                self._end()
                return
            if not incoming.pending and not tls.pending():
                break
        if self._outgoing.pending and not self._raw.is_closing():
            self._flush()  # answers of TLS itself, like those to key updates (RFC 8446 §4.6.3)

    def _read_on(self) -> None:
        if self._paused or self._closing:
            return
        if self._incoming.pending or self._tls.pending():
            self._read()
        if self._eof and not self._paused and not self._closing:
            self._end()

    def _end(self) -> None:
        """The peer has ended its side, and with it the whole: there is no half of a TLS connection here."""
        if not self._ended:
            self._ended = True
            self._protocol.eof_received()
        self.close()

    # Writing.

    def write(self, data: Any) -> None:
        """Encrypts bytes and writes them; what was written after `close()` is dropped, as by asyncio."""
        if self._closing:
            return
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be a bytes-like object, not {type(data).__name__}")
        if self._backlog:
            self._backlog.append(bytes(data))
        elif data:
            self._encrypt(data)
            self._flush()

    def _encrypt(self, data: Any) -> None:
        count = 0
        try:
            # One record at a time: the module ssl lets OpenSSL write less than all.
            count = self._tls.write(data)
            size = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
            if count == size:
                return
            view = memoryview(data).cast("B")
            while count < size:
                if self._outgoing.pending >= _PIECE:
                    self._flush()
                count += self._tls.write(view[count:])
        except ssl.SSLWantReadError:
            # In the middle of a new handshake, as TLS 1.2 has them.
            self._backlog.appendleft(bytes(memoryview(data).cast("B")[count:]))
        except ssl.SSLError as error:
            self._fail(error)

    def _write_backlog(self) -> None:
        waiting, self._backlog = self._backlog, deque()
        while waiting and not self._backlog:
            self._encrypt(waiting.popleft())
        self._backlog.extend(waiting)

    def _flush(self) -> None:
        """Writes the ciphertext."""
        data: Any = self._outgoing.read()
        raw = self._raw
        if not data:
            return
        if self._descriptor >= 0 and not raw.is_closing() and not raw.get_write_buffer_size():
            try:
                sent = os.write(self._descriptor, data)
            except OSError:
                sent = 0  # there is no room, or an error that the transport will meet as well
            if sent == len(data):
                return
            if sent:
                data = data[sent:]
        raw.write(data)

    # Ending.

    def _fail(self, error: Exception) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._flush()
        self._closing = True
        self._error = self._error or error
        self._raw.abort()

    def _shut(self) -> None:
        """Sends a close_notify and waits for the peer's (RFC 8446 §6.1); what comes before is dropped."""
        if self._backlog:
            self._write_backlog()
        if self._backlog:
            return
        done = self._eof
        try:
            self._tls.unwrap()
            done = True
        except ssl.SSLWantReadError:
            pass  # it is sent, and the peer's has not come
        except ssl.SSLError:
            done = done or self._discard()
        if self._outgoing.pending and not self._raw.is_closing():
            self._flush()
        if done:
            self._raw.close()

    def _discard(self) -> bool:
        """Reads what the peer sent before its close_notify. Whether nothing more comes."""
        try:
            while self._tls.read(_READ):
                pass
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            pass
        return True

    def _shutdown_took_too_long(self) -> None:
        self._fail(TimeoutError("SSL shutdown timed out"))

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # The rest of asyncio.Transport.

    def close(self) -> None:
        """Ends the connection with a close_notify, behind what was written."""
        if self._closing:
            return
        self._closing = True
        if not self._open:
            self._decide(ConnectionAbortedError("the transport was closed"))
            self._raw.abort()
            return
        self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_took_too_long)
        # A protocol that had paused is not told of more; but the peer's close_notify has to be read.
        if self._paused:
            self._raw.resume_reading()
        self._shut()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._closing = True
        if self._raw is not None:
            self._raw.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing or self._raw.is_closing()

    def set_protocol(self, protocol: Any) -> None:
        """Sets the protocol above, an `asyncio.Protocol` or `asyncio.BufferedProtocol`."""
        self._protocol = protocol
        buffered = isinstance(protocol, asyncio.BufferedProtocol)
        self._get_buffer: Any = protocol.get_buffer if buffered else None
        self._buffer_updated: Any = protocol.buffer_updated if buffered else None

    def get_protocol(self) -> Any:
        """The protocol above."""
        return self._protocol

    def is_reading(self) -> bool:
        """Whether the protocol above is told of data."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Passes on nothing, and reads nothing, until `resume_reading()`."""
        if not self._paused and not self._closing:
            self._paused = True
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Goes on after `pause_reading()`."""
        if self._paused and not self._closing:
            self._paused = False
            self._raw.resume_reading()
            # Not from within: the protocol above may be in the middle of something.
            self._loop.call_soon(self._read_on)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Sets the marks, in bytes of ciphertext, that writing is paused and resumed at."""
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Those marks, the lower first."""
        limits: tuple[int, int] = self._raw.get_write_buffer_limits()
        return limits

    def get_write_buffer_size(self) -> int:
        """How many bytes are still to be written."""
        below: int = self._raw.get_write_buffer_size()
        return below + sum(map(len, self._backlog))

    def can_write_eof(self) -> bool:
        """No: asyncio and others take a close_notify as the end of both sides."""
        return False

    def write_eof(self) -> None:
        """There is no half of a TLS connection here.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a TLS connection can't be ended on one side")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`ssl_object`, `sslcontext`, `peercert`, `cipher`, `compression`, or what is known below."""
        match name:
            case "ssl_object":
                return self._tls
            case "sslcontext":
                return self._context
            case "peercert":
                return self._tls.getpeercert() if self._open else default
            case "cipher":
                return self._tls.cipher()
            case "compression":
                return self._tls.compression()
        return default if self._raw is None else self._raw.get_extra_info(name, default)
