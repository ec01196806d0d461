"""One message for many connections on asyncio."""

from __future__ import annotations

from collections.abc import Iterable

from ..broadcasting import send_to_each
from ..typing import DataLike
from .connection import Connection

__all__ = ["broadcast"]


def broadcast(
    connections: Iterable[Connection],
    message: DataLike,
    *,
    text: bool | None = None,
    raise_exceptions: bool = False,
) -> None:
    """Sends a message to several connections, without waiting for any.

    What a slow connection does not take stays in memory until it is closed: keep `ping_interval` and
    `ping_timeout` short. Connections that are not open are passed over. One that sends a message in
    fragments, and one that can't take the message, is passed over too, with a log record at the level
    WARNING.

    Args:
        connections: the connections, of servers and clients.
        message: the message: `str` or bytes-like, no fragments.
        text: as in `send()`.
        raise_exceptions: whether to raise an `ExceptionGroup` at the end instead of writing the log records.

    Raises:
        TypeError: `message` is neither `str` nor bytes-like.
        ValueError: it can't be encoded, as in `send()`.
        ExceptionGroup: with `raise_exceptions`: what went wrong.
    """
    send_to_each(
        connections,
        message,
        lambda connection, payload: connection._send(payload, text),
        raise_exceptions=raise_exceptions,
    )
