"""Limits and defaults that environment variables change, as they are in `websockets` under `WEBSOCKETS_*`.

They are read once, when this module is imported.

- `ITODEN_MAX_HEAD_SIZE`: the longest head of a request or response, in bytes; 16384.
- `ITODEN_MAX_NUM_HEADERS`: most header fields of a request or response; 128.
- `ITODEN_MAX_BODY_SIZE`: most bytes of the body of a refusal that a client keeps; 1048576.
- `ITODEN_MAX_FRAGMENTS`: most fragments of one message; 131072.
- `ITODEN_MAX_REDIRECTS`: most redirects that `connect()` follows; 10.
- `ITODEN_MAX_LOG_SIZE`: most characters of a frame in a log record; 75.
- `ITODEN_BACKOFF_INITIAL_DELAY`, `_MIN_DELAY`, `_MAX_DELAY`, `_FACTOR`: see `itoden.client.backoff`; 5, 3.1
  and 90 seconds, and 1.618.
- `ITODEN_USER_AGENT`, `ITODEN_SERVER`: defaults of `user_agent_header` and `server_header`.
"""

from __future__ import annotations

import math
import os

__all__ = [
    "BACKOFF_FACTOR",
    "BACKOFF_INITIAL_DELAY",
    "BACKOFF_MAX_DELAY",
    "BACKOFF_MIN_DELAY",
    "MAX_BODY_SIZE",
    "MAX_FRAGMENTS",
    "MAX_HEAD_SIZE",
    "MAX_LOG_SIZE",
    "MAX_NUM_HEADERS",
    "MAX_REDIRECTS",
]


def _integer(name: str, default: int) -> int:
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        number = int(value)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError(f"the environment variable {name} is {value!r}; it must be an integer, 0 or more")
    return number


def _number(name: str, default: float) -> float:
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number < math.inf:
        raise ValueError(f"the environment variable {name} is {value!r}; it must be a number, 0 or more")
    return number


MAX_HEAD_SIZE = _integer("ITODEN_MAX_HEAD_SIZE", 16 << 10)
"""The longest head of a request or response, in bytes, its empty line included."""

MAX_NUM_HEADERS = _integer("ITODEN_MAX_NUM_HEADERS", 128)
"""Most header fields of a request or response."""

MAX_BODY_SIZE = _integer("ITODEN_MAX_BODY_SIZE", 1 << 20)
"""Most bytes of the body of a refusal that a client keeps."""

MAX_FRAGMENTS = _integer("ITODEN_MAX_FRAGMENTS", 128 << 10)
"""Most fragments of one message."""

MAX_REDIRECTS = _integer("ITODEN_MAX_REDIRECTS", 10)
"""Most redirects that `connect()` follows."""

MAX_LOG_SIZE = _integer("ITODEN_MAX_LOG_SIZE", 75)
"""Most characters of a frame in a log record."""

BACKOFF_INITIAL_DELAY = _number("ITODEN_BACKOFF_INITIAL_DELAY", 5)
"""The first delay is random, and at most this many seconds."""

BACKOFF_MIN_DELAY = _number("ITODEN_BACKOFF_MIN_DELAY", 3.1)
"""The second delay, in seconds."""

BACKOFF_MAX_DELAY = _number("ITODEN_BACKOFF_MAX_DELAY", 90)
"""No delay is longer, in seconds."""

BACKOFF_FACTOR = _number("ITODEN_BACKOFF_FACTOR", 1.618)
"""From the second delay on each is this many times the one before."""
