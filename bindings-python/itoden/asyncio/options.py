"""Checks of the arguments that `connect()` and `serve()` share, and their defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import _native

MAX_SIZE = 1 << 20
"""Default of `max_size`: 1 MiB."""

MAX_QUEUE = 16
"""Default of `max_queue`, in messages."""

WRITE_LIMIT = 32 << 10
"""Default of `write_limit`: 32 KiB."""

TIMEOUT = 10.0
"""Default of `open_timeout` and `close_timeout`, in seconds."""

Size = int | None | tuple[int | None, int | None]
Queue = int | None | tuple[int, int | None]
WriteLimit = int | tuple[int, int | None]


NOT_THERE_YET = frozenset(
    {
        "compression",
        "create_connection",
        "extensions",
        "ping_interval",
        "ping_timeout",
        "process_exception",
        "process_response",
        "proxy",
        "proxy_ssl",
        "reconnect_delays",
        "server_header",
    }
)
"""Arguments of `websockets` that this version has nothing behind."""


def network_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What goes to the event loop.

    An argument of `websockets` that is not there yet may be None, which asks for nothing; else
    `NotImplementedError` names it.
    """
    for name in NOT_THERE_YET & arguments.keys():
        if arguments[name] is not None:
            raise NotImplementedError(f"{name} is not supported yet; only {name}=None is")
    return {name: value for name, value in arguments.items() if name not in NOT_THERE_YET}


def settings(
    *, max_size: Size, close_timeout: float | None, max_queue: Queue, write_limit: WriteLimit
) -> _native.Settings:
    """The settings of connections. Raises `TypeError` or `ValueError` that names the argument."""
    message_size, frame_size = max_size if isinstance(max_size, tuple) else (max_size, None)
    for value in (message_size, frame_size):
        if value is not None:
            check_int("max_size", value)
    return _native.Settings(
        max_message_size=message_size,
        max_frame_size=frame_size,
        close_timeout=check_timeout("close_timeout", close_timeout),
        max_queue=None if max_queue is None else _marks("max_queue", max_queue),
        write_limit=_pair("write_limit", write_limit),
    )


def check_int(argument: str, value: object) -> int:
    """An integer that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{argument} must be int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{argument} is {value}; it must not be negative")
    return value


def check_timeout(argument: str, value: object) -> float | None:
    """A number of seconds, or None for no limit."""
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{argument} must be a number of seconds or None, not {type(value).__name__}")
    if not 0 <= value < math.inf:
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


def check_str(argument: str, value: object) -> str | None:
    """A string or None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{argument} must be str or None, not {type(value).__name__}")
    return value


def _pair(argument: str, value: object) -> tuple[int, int | None]:
    if not isinstance(value, tuple):
        return check_int(argument, value), None
    if len(value) != 2:
        raise ValueError(f"{argument} has {len(value)} values; a pair of high and low is needed")
    high = check_int(argument, value[0])
    low = None if value[1] is None else check_int(argument, value[1])
    if low is not None and low > high:
        raise ValueError(f"{argument} is {value}; the second value must not be above the first")
    return high, low


def _marks(argument: str, value: object) -> tuple[int, int]:
    high, low = _pair(argument, value)
    return high, high // 4 if low is None else low
