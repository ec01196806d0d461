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
    body: bytes = b""
    protocol: str = "HTTP/1.1"

    def serialize(self) -> bytes:
        """The bytes on the wire, for a response that refuses.

        Raises:
            ValueError: if the status is not from 200 to 599, or a header can't be sent.
        """
        fields = list(self.headers.raw_items())
        return _native.response_bytes(self.status_code, self.reason_phrase, fields, self.body)


def refusal(status: http.HTTPStatus | int, text: str) -> Response:
    """A response in plain text that refuses a handshake."""
    status = http.HTTPStatus(status)
    body = text.encode()
    headers = Headers(
        [
            ("Date", formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            ("Content-Type", "text/plain; charset=utf-8"),
        ]
    )
    return Response(status.value, status.phrase, headers, body)
