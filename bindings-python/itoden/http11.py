"""Requests and responses of the opening handshake, as `websockets.http11` has them."""

from __future__ import annotations

import dataclasses
import http
import os
import sys
from email.utils import formatdate

from . import _native
from .datastructures import Headers

__all__ = ["SERVER", "USER_AGENT", "Request", "Response"]

_PYTHON = f"Python/{sys.version_info.major}.{sys.version_info.minor}"

USER_AGENT = os.environ.get("ITODEN_USER_AGENT", f"{_PYTHON} itoden/{_native.__version__}")
"""The default of `user_agent_header`."""

SERVER = os.environ.get("ITODEN_SERVER", f"{_PYTHON} itoden/{_native.__version__}")
"""The default of `server_header`."""


@dataclasses.dataclass
class Request:
    """The request of an opening handshake (RFC 6455 §4.1).

    Attributes:
        path: the request target: path and query.
        headers: the header fields; a byte of a value that is not ASCII is the character of that number.
        method: `"GET"`.
        protocol: `"HTTP/1.1"`.
    """

    path: str
    headers: Headers
    method: str = "GET"
    protocol: str = "HTTP/1.1"

    def serialize(self) -> bytes:
        """The bytes on the wire."""
        return f"{self.method} {self.path} {self.protocol}\r\n".encode("ascii") + self.headers.serialize()


@dataclasses.dataclass
class Response:
    """The response of an opening handshake (RFC 6455 §4.2.2), or one that refuses it.

    Attributes:
        status_code: 101 if the connection was opened.
        reason_phrase: the phrase behind the status.
        headers: the header fields.
        body: the body of a refusal. A client has at most `ITODEN_MAX_BODY_SIZE` bytes of it.
        protocol: `"HTTP/1.1"`.
    """

    status_code: int
    reason_phrase: str
    headers: Headers
    body: bytes | bytearray = b""
    protocol: str = "HTTP/1.1"

    def serialize(self) -> bytes:
        """The bytes on the wire, for a response that refuses.

        Raises:
            TypeError: if the body is not bytes-like.
            ValueError: if the status is not from 200 to 599, or a header can't be sent.
        """
        if not isinstance(self.body, (bytes, bytearray, memoryview)):
            raise TypeError(f"the body of a response must be bytes, not {type(self.body).__name__}")
        fields = list(self.headers.raw_items())
        return _native.response_bytes(self.status_code, self.reason_phrase, fields, bytes(self.body))


def refusal(status: http.HTTPStatus | int, text: str) -> Response:
    """A response in plain text that refuses a handshake."""
    status = http.HTTPStatus(status)
    body = text.encode()
    headers = Headers._of(
        [
            ("Date", formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            ("Content-Type", "text/plain; charset=utf-8"),
        ]
    )
    return Response(status.value, status.phrase, headers, body)
