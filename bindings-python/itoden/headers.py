"""Values of header fields, as far as applications and this package need them."""

from __future__ import annotations

import base64
import binascii

from .exceptions import InvalidHeaderFormat, InvalidHeaderValue

__all__ = [
    "build_authorization_basic",
    "build_host",
    "build_www_authenticate_basic",
    "parse_authorization_basic",
]


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
