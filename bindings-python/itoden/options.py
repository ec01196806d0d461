"""Checks of the arguments that `connect()` and `serve()` share, and their defaults."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from . import _native, limits
from .extensions.permessage_deflate import deflate_settings

MAX_SIZE = 1 << 20
"""Default of `max_size`: 1 MiB."""

MAX_QUEUE = 16
"""Default of `max_queue`, in messages."""

WRITE_LIMIT = 32 << 10
"""Default of `write_limit`: 32 KiB."""

TIMEOUT = 10.0
"""Default of `open_timeout` and `close_timeout`, in seconds."""

PING = 20.0
"""Default of `ping_interval` and `ping_timeout`, in seconds."""

Size = int | None | tuple[int | None, int | None]
Queue = int | None | tuple[int | None, int | None]
WriteLimit = int | tuple[int, int | None]


def settings(
    *,
    server: bool,
    max_size: Size,
    close_timeout: float | None,
    max_queue: Queue,
    write_limit: WriteLimit,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    compression: str | None = None,
    extensions: Sequence[Any] | None = None,
) -> _native.Settings:
    """The settings of connections. Raises `TypeError` or `ValueError` that names the argument."""
    message_size, frame_size = max_size if isinstance(max_size, (tuple, list)) else (max_size, None)
    for value in (message_size, frame_size):
        if value is not None:
            check_int("max_size", value)
    return _native.Settings(
        max_message_size=message_size,
        max_frame_size=frame_size,
        max_fragments=limits.MAX_FRAGMENTS,
        close_timeout=check_timeout("close_timeout", close_timeout),
        ping_interval=check_timeout("ping_interval", ping_interval),
        ping_timeout=check_timeout("ping_timeout", ping_timeout),
        deflate=deflate_settings(extensions, compression, server=server),
        max_queue=_marks(max_queue),
        write_limit=_pair("write_limit", write_limit),
        max_head_size=limits.MAX_HEAD_SIZE,
        max_headers=limits.MAX_NUM_HEADERS,
        max_body_size=limits.MAX_BODY_SIZE,
    )


def check_int(argument: str, value: object) -> int:
    """An integer that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{argument} must be int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{argument} is {value}; it must not be negative")
    return value


def check_timeout(argument: str, value: object) -> float | None:
    """A number of seconds; None, as an endless one, is no limit."""
    if value is None or value == math.inf:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{argument} must be a number of seconds or None, not {type(value).__name__}")
    if not value >= 0:
        raise ValueError(f"{argument} is {value}; it must be a number of seconds, 0 or more, or None")
    return float(value)


def check_subprotocols(value: Sequence[str] | None) -> list[str]:
    """Names of subprotocols. A single string is most likely a mistake."""
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"subprotocols must be a list of str, not {type(value).__name__}")
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"subprotocols must be a list of str, but one is {type(name).__name__}")
    return list(value)


def check_callback(argument: str, value: Any, *, required: bool = False) -> None:
    """A function, or None unless it is required."""
    if not callable(value) and (required or value is not None):
        allowed = "a function" if required else "a function or None"
        raise TypeError(f"{argument} must be {allowed}, not {type(value).__name__}")


def tls_context(ssl: Any, kwargs: dict[str, Any]) -> Any:
    """`ssl`, or what is given by its old name, `ssl_context`."""
    if ssl is not None or "ssl_context" not in kwargs:
        return ssl
    warnings.warn("ssl_context was renamed to ssl", DeprecationWarning, stacklevel=3)
    return kwargs.pop("ssl_context")


def check_str(argument: str, value: object) -> str | None:
    """A string or None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{argument} must be str or None, not {type(value).__name__}")
    return value


def _pair(argument: str, value: object) -> tuple[int, int | None]:
    if not isinstance(value, (tuple, list)):
        return check_int(argument, value), None
    if len(value) != 2:
        raise ValueError(f"{argument} has {len(value)} values; a pair of high and low is needed")
    high = check_int(argument, value[0])
    low = None if value[1] is None else check_int(argument, value[1])
    if low is not None and low > high:
        raise ValueError(f"{argument} is {value}; the second value must not be above the first")
    return high, low


def _marks(value: object) -> tuple[int, int] | None:
    """`max_queue`: the low mark is a quarter of the high one if it is not given."""
    if value is None or (isinstance(value, (tuple, list)) and [*value] == [None, None]):
        return None
    high, low = _pair("max_queue", value)
    return high, high // 4 if low is None else low
