"""What can be known of the protocol of a connection, with I/O or without."""

from __future__ import annotations

import http
import logging
import uuid
from typing import TYPE_CHECKING

from .exceptions import ConnectionClosed
from .extensions.permessage_deflate import PerMessageDeflate
from .frames import Close, CloseCode
from .state import CLIENT, SERVER, Side, State
from .typing import LoggerLike

if TYPE_CHECKING:
    from .base import BaseConnection

__all__ = ["ConnectionProtocol", "ProtocolView"]


class ProtocolView:
    """What the native half of a connection tells."""

    _wire: BaseConnection

    @property
    def id(self) -> uuid.UUID:
        """A number of its own for each connection."""
        return self._wire.id

    @property
    def state(self) -> State:
        """CONNECTING, OPEN, CLOSING or CLOSED."""
        return self._wire.state

    @property
    def debug(self) -> bool:
        """Whether what is sent and received is logged."""
        return self._wire._logger.isEnabledFor(logging.DEBUG)

    @property
    def extensions(self) -> list[PerMessageDeflate]:
        """The extensions that were agreed on (§9): what compression does, or none."""
        response = self._wire.response
        if response is None or response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS:
            return []
        server = self._wire._signs[0] == "<"
        agreed = response.headers.get_all("Sec-WebSocket-Extensions")
        return [PerMessageDeflate._agreed(value, server=server) for value in agreed]

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on (RFC 6455 §1.9), or `None`."""
        return self._wire.subprotocol

    @property
    def close_rcvd(self) -> Close | None:
        """The Close frame that came, or `None`."""
        return self._wire._closed_exception().rcvd

    @property
    def close_sent(self) -> Close | None:
        """The Close frame that was sent, or `None`."""
        return self._wire._closed_exception().sent

    @property
    def close_rcvd_then_sent(self) -> bool | None:
        """Which of both Close frames was first; `None` if there are not both."""
        return self._wire._closed_exception().rcvd_then_sent

    @property
    def close_code(self) -> int | None:
        """The close code once the connection is closed (§7.1.5), else `None`."""
        ended = self._end()
        return None if ended is None else ended.code

    @property
    def close_reason(self) -> str | None:
        """The close reason once the connection is closed (§7.1.6), else `None`."""
        ended = self._end()
        return None if ended is None else ended.reason

    def _end(self) -> Close | None:
        if self.state is not State.CLOSED:
            return None
        return self.close_rcvd or Close(CloseCode.ABNORMAL_CLOSURE, "")

    @property
    def close_exc(self) -> ConnectionClosed:
        """The exception for those who use a connection that is closed. Only then is it complete."""
        if self.state is not State.CLOSED:
            raise AssertionError("connection isn't closed yet")
        return self._wire._closed_exception()

    @property
    def parser_exc(self) -> BaseException | None:
        """Why bytes that came ended the connection, or `None`; it is the cause of `close_exc`, too."""
        return self._wire._closed_exception().__cause__


class ConnectionProtocol(ProtocolView):
    """What the attribute `protocol` of a connection tells. Nothing can be done with it: do it with the
    connection."""

    __slots__ = ("_wire",)

    def __init__(self, connection: BaseConnection) -> None:
        self._wire = connection

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConnectionProtocol) and self._wire is other._wire

    def __hash__(self) -> int:
        return hash(self._wire)

    @property
    def side(self) -> Side:
        """Which end of the connection this is."""
        return CLIENT if self._wire._signs[0] == ">" else SERVER

    @property
    def logger(self) -> LoggerLike:
        """The logger of the connection."""
        return self._wire.logger

    @property
    def handshake_exc(self) -> Exception | None:
        """Why the opening handshake failed, or `None`."""
        return self._wire.handshake_exc
