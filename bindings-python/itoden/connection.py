"""The old name of `itoden.protocol`, as `websockets.connection` is that of `websockets.protocol`."""

from __future__ import annotations

import warnings

from .protocol import (
    CLIENT,
    CLOSED,
    CLOSING,
    CONNECTING,
    OPEN,
    SEND_EOF,
    SERVER,
    Protocol,
    Side,
    State,
)

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

warnings.warn("itoden.connection was renamed to itoden.protocol", DeprecationWarning, stacklevel=2)
