"""States and ends of a connection, as `websockets.protocol` names them."""

from __future__ import annotations

import enum

__all__ = ["CLIENT", "CLOSED", "CLOSING", "CONNECTING", "OPEN", "SERVER", "Side", "State"]


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


class Side(enum.IntEnum):
    """Which end of a connection this is."""

    SERVER = 0
    """The end that accepts."""
    CLIENT = 1
    """The end that asks, and masks its frames."""


SERVER, CLIENT = Side
