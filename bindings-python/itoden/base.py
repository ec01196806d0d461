"""What the connections of asyncio and of threads have in common: identity, state, the log."""

from __future__ import annotations

import functools
import logging
import sys
import uuid
import weakref
from collections.abc import Sequence

from . import options
from ._native import AsyncConnection
from .datastructures import Headers
from .frame_log import describe_frame
from .http11 import Request, Response
from .protocol_view import ConnectionProtocol
from .state import State
from .typing import LoggerLike

__all__ = ["BaseConnection"]


class ReceivedMessages:
    """What was received and waits.

    Attributes:
        frames: as long as there are messages, or fragments once `recv_streaming()` was called.
    """

    def __init__(self, count: int) -> None:
        self.frames: Sequence[int] = range(count)

    def __len__(self) -> int:
        return len(self.frames)


class BaseConnection(AsyncConnection):
    """A connection without its way to wait."""

    request: Request | None
    response: Response | None

    # Why a server refused the opening handshake.
    handshake_exc: Exception | None = None

    # How requests and responses are marked in the log.
    _signs: tuple[str, str]

    _closing_logged = False

    _adapter: LoggerLike | None = None

    def __init__(self, logger: LoggerLike) -> None:
        self._logger = logger
        self.request = None
        self.response = None
        if logger.isEnabledFor(logging.DEBUG):
            self._trace()
            # Not as a record about this connection: there is nothing to be known of it yet.
            logger.debug("= connection is %s", self.state.name)

    @property
    def logger(self) -> LoggerLike:
        """The logger of this connection. Its records have the connection as their attribute `websocket`."""
        # Made when it is needed, which for most connections is never.
        if self._adapter is None:
            self._adapter = logging.LoggerAdapter(self._logger, {"websocket": weakref.proxy(self)})
        return self._adapter

    @logger.setter
    def logger(self, logger: LoggerLike) -> None:
        self._adapter = logger

    def _info(self, message: str, *args: object) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self.logger.info(message, *args)

    def _debug(self, message: str, *args: object) -> None:
        """With the exception that is handled."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self.logger.debug(message, *args, exc_info=sys.exc_info()[0] is not None)

    @functools.cached_property
    def id(self) -> uuid.UUID:
        """A number of its own for each connection."""
        # By one call of the dictionary, so that two threads that ask at once are told the same.
        made: uuid.UUID = self.__dict__.setdefault("id", uuid.uuid4())
        return made

    @property
    def close_timeout(self) -> float | None:
        """How many seconds the closing handshake may take; `None` sets no limit.

        It may be changed while the connection is open. Raises `TypeError` or `ValueError` for what is no such
        number, and `InvalidState` before the connection is open.
        """
        return self._close_timeout

    @close_timeout.setter
    def close_timeout(self, timeout: float | None) -> None:
        self._set_close_timeout(options.check_timeout("close_timeout", timeout))

    @property
    def recv_messages(self) -> ReceivedMessages:
        """What was received and waits for `recv()`: so many as its `frames` are."""
        return ReceivedMessages(self._queued)

    @property
    def protocol(self) -> ConnectionProtocol:
        """What is known of the connection's protocol: `side`, `close_rcvd`, `close_sent`, `close_exc`, …"""
        return ConnectionProtocol(self)

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED."""
        return State(self._ready_state)

    def _log_state(self) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self.logger.debug("= connection is %s", self.state.name)

    def _log_frame(self, came: bool, what: str, payload: bytes, length: int, fin: bool) -> None:
        """Called by the native half for each frame, if the logger is at the level DEBUG."""
        if what.startswith(("%", "-")):  # about keepalive
            self.logger.debug("%s", what)
            return
        self.logger.debug("%s %s", "<" if came else ">", describe_frame(what, payload, length, fin))
        if what == "CLOSE" and not self._closing_logged:
            self._closing_logged = True
            self.logger.debug("= connection is CLOSING")

    def _log_head(self, sign: str, first_line: str, headers: Headers, body: bytes | bytearray = b"") -> None:
        if not self._logger.isEnabledFor(logging.DEBUG):
            return
        self.logger.debug("%s %s", sign, first_line)
        for name, value in headers.raw_items():
            self.logger.debug("%s %s: %s", sign, name, value)
        if body:
            self.logger.debug("%s [body] (%d bytes)", sign, len(body))

    def _log_request(self, request: Request) -> None:
        self._log_head(self._signs[0], f"{request.method} {request.path} {request.protocol}", request.headers)

    def _log_response(self) -> None:
        response = self.response
        if response is not None:
            first_line = f"{response.protocol} {response.status_code} {response.reason_phrase}"
            self._log_head(self._signs[1], first_line, response.headers, response.body)
            if self.state is not State.CONNECTING:
                self._log_state()
