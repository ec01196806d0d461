"""Values of header fields, as far as applications and this package need them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from .exceptions import InvalidHeaderFormat, InvalidHeaderValue
from .typing import Subprotocol

__all__ = [
    "build_authorization_basic",
    "build_host",
    "build_subprotocol",
    "build_www_authenticate_basic",
    "parse_authorization_basic",
    "parse_connection",
    "parse_subprotocol",
    "parse_upgrade",
]

# RFC 9110 §5.6.2, §5.6.3 and §7.8.
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_PROTOCOL = re.compile(rf"{_TOKEN.pattern}(?:/{_TOKEN.pattern})?")
_SPACE = re.compile(r"[\t ]*")
_COMMAS = re.compile(r"(?:,[\t ]*)*")


def _list(item: re.Pattern[str], header: str, name: str) -> list[str]:
    """The items of a list, some of which may be empty (RFC 9110 §5.6.1)."""
    items = []
    position = _end(_COMMAS, header, 0)
    while True:
        found = item.match(header, position)
        if found is None:
            expected = "token" if item is _TOKEN else "protocol"
            raise InvalidHeaderFormat(name, f"expected {expected}", header, position)
        items.append(found[0])
        after = _end(_SPACE, header, found.end())
        position = _end(_COMMAS, header, after)
        if position == len(header):
            return items
        if position == after:
            raise InvalidHeaderFormat(name, "expected comma", header, position)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return position if found is None else found.end()


def parse_connection(header: str) -> list[str]:
    """The options in a value of Connection (RFC 9110 §7.6.1). Raises `InvalidHeaderFormat`."""
    return _list(_TOKEN, header, "Connection")


def parse_upgrade(header: str) -> list[str]:
    """The protocols in a value of Upgrade (RFC 9110 §7.8). Raises `InvalidHeaderFormat`."""
    return _list(_PROTOCOL, header, "Upgrade")


def parse_subprotocol(header: str) -> list[Subprotocol]:
    """The subprotocols in a value of Sec-WebSocket-Protocol (RFC 6455 §11.3.4). Raises
    `InvalidHeaderFormat`."""
    return _list(_TOKEN, header, "Sec-WebSocket-Protocol")


def build_subprotocol(subprotocols: Sequence[Subprotocol]) -> str:
    """The value of Sec-WebSocket-Protocol for these subprotocols (RFC 6455 §11.3.4)."""
    return ", ".join(subprotocols)


def build_host(host: str, port: int, secure: bool, *, always_include_port: bool = False) -> str:
    """The value of Host (RFC 9110 §7.2): without the port if it is the scheme's own, unless that is asked
    for."""
    if ":" in host:
        host = f"[{host}]"
    return host if port == (443 if secure else 80) and not always_include_port else f"{host}:{port}"


def build_authorization_basic(username: str, password: str) -> str:
    """The value of Authorization for HTTP Basic Auth (RFC 7617 §2)."""
    if ":" in username:
        raise ValueError("username has a colon, which HTTP Basic Auth does not allow")
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def build_www_authenticate_basic(realm: str) -> str:
    """The value of WWW-Authenticate for HTTP Basic Auth (RFC 7617 §2)."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}", charset="UTF-8"'


def parse_authorization_basic(header: str) -> tuple[str, str]:
    """The user and the password in a value of Authorization (RFC 7617 §2).

    Raises:
        InvalidHeaderFormat: it has no scheme and credentials.
        InvalidHeaderValue: the scheme is not Basic, or the credentials can't be read.
    """
    scheme, space, credentials = header.strip().partition(" ")
    if not space:
        raise InvalidHeaderFormat("Authorization", "expected a scheme and credentials", header, len(header))
    if scheme.lower() != "basic":
        raise InvalidHeaderValue("Authorization", f"unsupported scheme: {scheme}")
    try:
        username, colon, password = (
            base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        raise InvalidHeaderValue("Authorization", "expected base64-encoded credentials") from None
    if not colon:
        raise InvalidHeaderValue("Authorization", "expected username:password credentials")
    return username, password
