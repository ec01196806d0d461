"""One message for many connections."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from ..exceptions import SendError
from ..protocol import State
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
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"message must be str or bytes-like, not {type(message).__name__}")
    if isinstance(message, (bytearray, memoryview)):
        message = bytes(message)
    exceptions: list[Exception] = []
    for connection in connections:
        if connection.state is not State.OPEN:
            continue
        error: Exception
        if connection._is_sending_fragments():
            if not raise_exceptions:
                connection.logger.warning("skipped broadcast: sending a fragmented message")
                continue
            error = RuntimeError("sending a fragmented message")
        else:
            try:
                connection._send(message, text)
                continue
            except UnicodeError:
                raise
            except Exception as failed:
                if isinstance(failed, SendError) and failed.error_name == "text_not_utf8":
                    raise  # nor would any other connection take it
                if not raise_exceptions:
                    shown = traceback.format_exception_only(failed)[0].strip()
                    connection.logger.warning("skipped broadcast: failed to write message: %s", shown)
                    continue
                error = failed
        exceptions.append(error)
    if exceptions:
        raise ExceptionGroup("skipped broadcast", exceptions)
