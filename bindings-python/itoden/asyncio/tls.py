"""TLS between a transport of asyncio and a connection, in place of the one that asyncio brings.

That copies each piece of data once more than is needed, does in several callbacks what one can
do, and keeps a buffer of 256 KiB for each connection at rest. Here ciphertext goes from a buffer that the
connections of a thread share into OpenSSL, and plaintext from there to where the connection wants it. What
every record passes is native: `TlsRecords`, in `src/asyncio/tls.rs`. Handshakes and ends are here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any

from .._native import TlsRecords

__all__ = ["HANDSHAKE_TIMEOUT", "SHUTDOWN_TIMEOUT", "TLSTransport"]

_DISCARD = 256 << 10
"""How many bytes that nobody wants are read at once."""

HANDSHAKE_TIMEOUT = 60.0
"""How many seconds a handshake may take; as asyncio has it."""

SHUTDOWN_TIMEOUT = 30.0
"""How many seconds the peer has to answer a close_notify; as asyncio has it."""


class _Records(TlsRecords, asyncio.BufferedProtocol):
    """The protocol of the transport below. What comes, and what goes, passes no Python here."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport below is there: the handshake begins."""
        self.owner._begin(transport)

    def eof_received(self) -> bool:
        """The transport below has ended; it closes itself after this, unless there is more to pass on."""
        stays: bool = self.owner._ended_below()
        return stays

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport below is gone."""
        self.owner._lost_below(exc)

    def pause_writing(self) -> None:
        """The transport below has much to write."""
        self.owner._pause_writing(True)

    def resume_writing(self) -> None:
        """The transport below has room again."""
        self.owner._pause_writing(False)


class TLSTransport(asyncio.Transport):
    """The transport of a protocol above, which sees plaintext; `below` is the protocol of a transport below.

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
    _protocol: Any

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
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            incoming, outgoing, server_side=server_side, server_hostname=server_hostname or None
        )
        self._records = _Records(self._tls, incoming, outgoing)
        self._records.belong_to(self)
        self._loop = asyncio.get_running_loop()
        self._shutdown_timeout = shutdown_timeout
        self._handshake_timeout = handshake_timeout
        self._timer: asyncio.TimerHandle | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._raw: Any = None
        self._ended = False  # the protocol above knows of the peer's end
        self._eof = False  # nothing comes from below any more
        self._lost = False
        self._error: Exception | None = None
        # Plaintext that waits for what the peer has to say first.
        self._held: deque[bytes] = deque()
        self.set_protocol(protocol)

    def __repr__(self) -> str:
        records = self._records
        state = "closing" if records.closing else "open" if records.opened else "handshaking"
        return f"<{type(self).__name__} {state} over {self._raw!r}>"

    # What the transport below tells.

    @property
    def below(self) -> asyncio.BufferedProtocol:
        """The protocol that the transport below is to have."""
        return self._records

    def _begin(self, transport: asyncio.BaseTransport) -> None:
        self._raw = transport
        self._records.write_to(transport)
        self._timer = self._loop.call_later(self._handshake_timeout, self._handshake_took_too_long)
        self._handshake()

    def _advance(self) -> None:
        """Ciphertext has come, but not for a connection that is open."""
        if not self._records.closing:
            self._handshake()
        elif self._records.opened and not self._lost:
            self._shut()

    def _ended_below(self) -> bool:
        self._eof = True
        records = self._records
        if records.opened and not records.closing:
            records.read()
        else:
            self._advance()
        if not records.opened:
            self._fail_handshake(
                ConnectionResetError("the peer ended the connection during the TLS handshake")
            )
        elif not records.closing:
            if records.paused:
                return True
            self._end()
        return False

    def _lost_below(self, exc: Exception | None) -> None:
        self._lost = self._records.closing = True
        self._stop_timer()
        self._held.clear()
        self._records.holding = False
        if self._records.opened:
            self._protocol.connection_lost(self._error or exc)
        else:
            self._decide(exc or ConnectionResetError("the connection was lost during the TLS handshake"))

    def _pause_writing(self, pause: bool) -> None:
        if not self._records.opened:
            return
        if pause:
            self._protocol.pause_writing()
        else:
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
        records = self._records
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            records.flush()
        except (ssl.SSLError, ssl.CertificateError) as error:
            records.flush()  # the alert that tells the peer why
            self._fail_handshake(error)
        else:
            records.flush()
            self._stop_timer()
            records.opened = True
            self._protocol.connection_made(self)
            self._decide(None)
            # The peer's first data may have come with its last flight.
            records.read()

    def _handshake_took_too_long(self) -> None:
        timeout = f"{self._handshake_timeout:g} seconds"
        self._fail_handshake(
            ConnectionAbortedError(f"SSL handshake is taking longer than {timeout}: aborting the connection")
        )

    def _fail_handshake(self, error: Exception) -> None:
        self._stop_timer()
        self._decide(error)
        self._records.closing = True
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

    # Reading and writing, where it is not the matter of `TlsRecords` alone.

    def _read_on(self) -> None:
        records = self._records
        if records.paused or records.closing:
            return
        records.read()
        if self._eof and not records.paused and not records.closing:
            self._end()

    def _end(self) -> None:
        """The peer has ended its side, and with it the whole: there is no half of a TLS connection here."""
        if not self._ended:
            self._ended = True
            self._protocol.eof_received()
        self.close()

    def write(self, data: Any) -> None:
        """Encrypts bytes and writes them; what was written after `close()` is dropped, as by asyncio."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be a bytes-like object, not {type(data).__name__}")
        self._records.write(bytes(data))

    def _hold(self, data: bytes) -> None:
        """Keeps plaintext that can't be encrypted before the peer has said something."""
        self._held.append(data)
        self._records.holding = True

    def _write_held(self) -> None:
        waiting, self._held = self._held, deque()
        self._records.holding = False
        while waiting and not self._held:
            self._records.encrypt(waiting.popleft())
        self._held.extend(waiting)
        self._records.holding = bool(self._held)

    # Ending.

    def _fail(self, error: Exception) -> None:
        self._records.flush()
        self._records.closing = True
        self._error = self._error or error
        self._raw.abort()

    def _shut(self) -> None:
        """Sends a close_notify and waits for the peer's (RFC 8446 §6.1); what comes before is dropped."""
        self._write_held()
        if self._held:
            return
        done = self._eof
        try:
            self._tls.unwrap()
            done = True
        except ssl.SSLWantReadError:
            pass  # it is sent, and the peer's has not come
        except ssl.SSLError:
            done = done or self._discard()
        self._records.flush()
        if done:
            self._raw.close()

    def _discard(self) -> bool:
        """Reads what the peer sent before its close_notify. Whether nothing more comes."""
        try:
            while self._tls.read(_DISCARD):
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
        records = self._records
        if records.closing:
            return
        records.closing = True
        if not records.opened:
            self._decide(ConnectionAbortedError("the transport was closed"))
            self._raw.abort()
            return
        self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_took_too_long)
        # A protocol that had paused is not told of more; but the peer's close_notify has to be read.
        if records.paused:
            self._raw.resume_reading()
        self._shut()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._records.closing = True
        if self._raw is not None:
            self._raw.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._records.closing or self._raw.is_closing()

    def set_protocol(self, protocol: Any) -> None:
        """Sets the protocol above, an `asyncio.Protocol` or `asyncio.BufferedProtocol`."""
        self._protocol = protocol
        self._records.tell(protocol)

    def get_protocol(self) -> Any:
        """The protocol above."""
        return self._protocol

    def is_reading(self) -> bool:
        """Whether the protocol above is told of data."""
        return not self._records.paused and not self._records.closing

    def pause_reading(self) -> None:
        """Passes on nothing, and reads nothing, until `resume_reading()`."""
        if not self._records.paused and not self._records.closing:
            self._records.paused = True
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Goes on after `pause_reading()`."""
        if self._records.paused and not self._records.closing:
            self._records.paused = False
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
        return below + sum(map(len, self._held))

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
                return self._tls.getpeercert() if self._records.opened else default
            case "cipher":
                return self._tls.cipher()
            case "compression":
                return self._tls.compression()
        return default if self._raw is None else self._raw.get_extra_info(name, default)
