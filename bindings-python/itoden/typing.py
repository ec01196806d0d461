"""Types of arguments, as `websockets.typing` names them."""

from __future__ import annotations

import http
import logging
import os
from typing import Any

from .datastructures import HeadersLike

__all__ = [
    "BytesLike",
    "Data",
    "DataLike",
    "ExtensionName",
    "ExtensionParameter",
    "HeadersLike",
    "LoggerLike",
    "Origin",
    "PathLike",
    "StatusLike",
    "Subprotocol",
]

Data = str | bytes
"""A message: `str` for text, `bytes` for binary."""

BytesLike = bytes | bytearray | memoryview
"""What is accepted where bytes are expected."""

DataLike = str | BytesLike
"""What is accepted where a message is expected."""

LoggerLike = logging.Logger | logging.LoggerAdapter[Any]
"""What is accepted as a logger."""

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""What is accepted as a path."""

StatusLike = http.HTTPStatus | int
"""What is accepted as an HTTP status."""

Origin = str
"""The value of an Origin header."""

Subprotocol = str
"""The name of a subprotocol (RFC 6455 §1.9)."""

ExtensionName = str
"""The name of an extension (RFC 6455 §9.1)."""

ExtensionParameter = tuple[str, str | None]
"""A parameter of an extension: its name, and its value if it has one."""
