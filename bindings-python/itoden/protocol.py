"""A connection without I/O, as `websockets.protocol` has it: bytes in, frames out, and the reverse.

For those who have a transport of their own. `ClientProtocol` and `ServerProtocol` also do the opening
handshake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _native, options
from .exceptions import InvalidHandshake, InvalidState, ProtocolError
from .frames import CloseCode, Frame, Opcode
from .http11 import Request, Response
from .protocol_view import ProtocolView
from .state import CLIENT, CLOSED, CLOSING, CONNECTING, OPEN, SERVER, Side, State
from .typing import BytesLike, LoggerLike

if TYPE_CHECKING:
    from .base import BaseConnection

Event = Request | Response | Frame
"""What `events_received()` gives."""

__all__ = [
    "CLIENT",
    "CLOSED",
    "CLOSING",
    "CONNECTING",
    "OPEN",
    "SEND_EOF",
    "SERVER",
    "Protocol",
    "Side",
    "State",
]


SEND_EOF = b""
"""In what `data_to_send()` returns: this side of the transport is to be ended."""


class _Collector:
    """Stands for the transport and the event loop: keeps what is to be written, and waits for nothing."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.eof_sent = False

    def set_write_buffer_limits(self, high: int, low: int | None = None) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self.eof_sent:
            self.eof_sent = True
            self.writes.append(SEND_EOF)

    def close(self) -> None:
        self.write_eof()

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    # The time is the driver's business: close and keepalive timeouts are not set.
    def call_later(self, delay: float, callback: Callable[[], None]) -> _Collector:
        return self

    def cancel(self) -> None: ...

    def call_soon(self, callback: Callable[[], None]) -> None:
        callback()

    # As a future that nobody waits for.
    def create_future(self) -> _Collector:
        return self

    def done(self) -> bool:
        return True


class Protocol(ProtocolView):
    """A connection without I/O; see the module.

    After each call of a `receive_…`, `send_…` or `fail` method write what `data_to_send()` returns, and
    after each `receive_…` method look at `events_received()`.

    Args:
        side: `Side.SERVER` or `Side.CLIENT`.
        state: `OPEN`, or for the subclasses `CONNECTING`.
        max_size: the largest message that is received, in bytes; `None` sets no limit. A pair bounds messages
            and single frames.
        logger: a logger; by default `logging.getLogger("itoden.client")` or `("itoden.server")`.

    Attributes:
        id: a `uuid.UUID`, to tell connections apart in logs.
        side: which end this is.
        logger: the logger of this connection.
        handshake_exc: why the opening handshake failed, or `None`.
        expect_continuation_frame: whether a message that is sent in fragments has not ended.
    """

    def __init__(
        self,
        side: Side,
        *,
        state: State = OPEN,
        max_size: options.Size = options.MAX_SIZE,
        logger: LoggerLike | None = None,
        extensions: Any = None,
    ) -> None:
        from .base import BaseConnection

        self.side = side
        self.logger = logger if logger is not None else logging.getLogger(f"itoden.{side.name.lower()}")
        self.handshake_exc: Exception | None = None
        self.expect_continuation_frame = False
        self._settings: _native.Settings = options.settings(
            server=side is SERVER,
            extensions=extensions,
            max_size=max_size,
            close_timeout=None,
            max_queue=None,
            write_limit=0,
        )
        self._output = _Collector()
        self._events: list[Event] = []
        self._eof_received = False
        self._text = False
        wire: BaseConnection = BaseConnection.__new__(BaseConnection, self._settings, side is SERVER)
        self._wire = wire
        wire._signs = (">", "<") if side is CLIENT else ("<", ">")
        wire.logger = self.logger  # its records are about no connection that there is
        wire.__init__(self.logger)  # type: ignore[misc]
        output: Any = self._output
        wire._attach(output, output)
        wire._tap()
        if state is not CONNECTING:
            wire._open_at_once()
            if state is not OPEN:
                raise ValueError(f"state is {state.name}; it must be OPEN or CONNECTING")

    # --- what is ---

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED.

        Setting it to CLOSED tells that the transport has ended, as `receive_eof()` does, and to OPEN while
        it is CONNECTING that there is no opening handshake over bytes. Anything else raises `ValueError`.
        """
        return self._wire.state

    @state.setter
    def state(self, state: State) -> None:
        now = self.state
        if state is CLOSED:
            self.receive_eof()
        elif state is OPEN and now is CONNECTING:
            self._wire._open_at_once()
        elif state is not now:
            raise ValueError(f"state is {now.name}; it can't be set to {state!r}")

    def close_expected(self) -> bool:
        """Whether the transport should end soon: set a time limit for it."""
        state = self.state
        return state is CLOSING or (state is CONNECTING and self._output.eof_sent)

    # --- what comes ---

    def receive_data(self, data: BytesLike) -> None:
        """Takes bytes from the transport. Raises `EOFError` after `receive_eof()`."""
        if self._eof_received:
            raise EOFError("stream ended")
        rest = memoryview(data)
        while rest:
            buffer = self._wire.get_buffer(-1)
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            self._wire.buffer_updated(count)
            rest = rest[count:]
        self._take_events()

    def receive_eof(self) -> None:
        """The transport's incoming side has ended."""
        if self._eof_received:
            return
        self._eof_received = True
        self._wire.eof_received()
        self._take_events()
        self._output.write_eof()
        self._wire.connection_lost(None)
        self._wire._log_state()
        if self.side is SERVER:
            self.logger.info("connection closed")

    def _take_events(self) -> None:
        self._take_handshake()
        for opcode, data, fin in self._wire._take_frames():
            self._events.append(Frame(Opcode(opcode), data, fin))

    def _take_handshake(self) -> None:
        """Overridden by those who do an opening handshake."""

    def _fail_handshake(self) -> bool:
        """Whether the peer's part of the opening handshake is wrong."""
        try:
            self._wire._check_opening()
        except InvalidHandshake as error:
            self.handshake_exc = error
            self._output.write_eof()
            return True
        return False

    def events_received(self) -> list[Event]:
        """What came since the last call: the request or the response, and frames."""
        events, self._events = self._events, []
        return events

    # --- what goes ---

    def data_to_send(self) -> list[bytes]:
        """What is to be written now, in order. `SEND_EOF` ends this side of the transport."""
        writes, self._output.writes = self._output.writes, []
        return writes

    def _check_state(self, *allowed: State) -> None:
        state = self.state
        if state not in allowed:
            raise InvalidState(f"connection is {state.name.lower()}")

    def send_continuation(self, data: BytesLike, fin: bool) -> None:
        """Sends the next fragment of a message (§5.4); the one with `fin` ends it."""
        if not self.expect_continuation_frame:
            raise ProtocolError("unexpected continuation frame")
        self._check_state(OPEN)
        self._wire._send_fragment(data, self._text, False, fin)
        self.expect_continuation_frame = not fin

    def send_text(self, data: BytesLike, fin: bool = True) -> None:
        """Sends a text message, in UTF-8 (§5.6), or without `fin` its first fragment."""
        self._begin(data, True, fin)

    def send_binary(self, data: BytesLike, fin: bool = True) -> None:
        """Sends a binary message (§5.6), or without `fin` its first fragment."""
        self._begin(data, False, fin)

    def _begin(self, data: BytesLike, text: bool, fin: bool) -> None:
        if self.expect_continuation_frame:
            raise ProtocolError("expected a continuation frame")
        self._check_state(OPEN)
        if fin:
            self._wire._send(data, text)
        else:
            self._wire._send_fragment(data, text, True, False)
            self.expect_continuation_frame, self._text = True, text

    def send_close(self, code: int | None = None, reason: str = "") -> None:
        """Begins the closing handshake (§7.1.2). Raises `SendError` for what can't be sent."""
        self._check_state(OPEN)
        self._wire._close(code, reason)

    def send_ping(self, data: BytesLike) -> None:
        """Sends a ping with at most 125 bytes (§5.5.2)."""
        self._check_state(OPEN)
        self._wire._send_ping(data)

    def send_pong(self, data: BytesLike) -> None:
        """Sends a pong that nobody asked for, with at most 125 bytes (§5.5.3)."""
        self._check_state(OPEN)
        self._wire._pong(data)

    def fail(self, code: int, reason: str = "") -> None:
        """Fails the connection (§7.1.7): sends a Close frame, unless one was, and reads nothing more. The
        code 1006 says that the transport does not work: no Close frame is sent."""
        if code == CloseCode.ABNORMAL_CLOSURE:
            self.receive_eof()
        else:
            self._wire._fail(code, reason)
