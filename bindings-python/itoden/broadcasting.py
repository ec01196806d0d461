"""One message for many connections. The same on asyncio and in threads."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from .exceptions import ConcurrencyError, SendError
from .state import State
from .typing import DataLike, LoggerLike

__all__ = ["send_to_each"]


class _Connection(Protocol):
    @property
    def logger(self) -> LoggerLike: ...
    @property
    def state(self) -> State: ...
    def _is_sending_fragments(self) -> bool: ...


_C = TypeVar("_C", bound=_Connection)


def send_to_each(
    connections: Iterable[_C],
    message: DataLike,
    send: Callable[[_C, str | bytes], Any],
    *,
    raise_exceptions: bool,
) -> None:
    """Sends a message with `send` to each connection that is open; see `broadcast()`."""
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
            error = ConcurrencyError("sending a fragmented message")
        else:
            try:
                send(connection, message)
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
                error = RuntimeError("failed to write message")
                error.__cause__ = failed
        exceptions.append(error)
    if exceptions:
        raise ExceptionGroup("skipped broadcast", exceptions)
