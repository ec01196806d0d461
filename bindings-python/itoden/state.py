"""States of a connection, as `websockets.protocol` names them."""

from __future__ import annotations

import enum

__all__ = ["CLOSED", "CLOSING", "CONNECTING", "OPEN", "State"]


class State(enum.IntEnum):
    """Where a connection is in its life."""

    CONNECTING = 0
    """The opening handshake is not done."""
    OPEN = 1
    """Messages go both ways."""
    CLOSING = 2
    """A Close frame was sent or received, or the connection failed."""
    CLOSED = 3
    """The transport has ended."""


CONNECTING, OPEN, CLOSING, CLOSED = State
