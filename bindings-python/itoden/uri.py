"""WebSocket URIs (RFC 6455 §3), and the IRIs that stand for them."""

from __future__ import annotations

import base64
import dataclasses
import re
import urllib.parse

from . import _native
from .exceptions import InvalidURI

__all__ = ["WebSocketURI", "parse_uri"]

# RFC 3986 §2.2 and §2.3: what an IRI's path and query keep; everything else is percent-encoded.
_KEPT = ":/?#[]@!$&'()*+,;=-._~%"

_AUTHORITY = re.compile(r"([^:/?#]*://)([^/?#]*@)?([^/?#:]*)(.*)", re.DOTALL)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


@dataclasses.dataclass(frozen=True)
class WebSocketURI:
    """The parts of a WebSocket URI.

    Attributes:
        secure: whether the scheme is `wss`.
        host: the host, an international name in its ASCII form, an IPv6 address without brackets.
        port: the port; 80 or 443 if the URI has none.
        host_header: the value of Host: the host, and the port unless it is the scheme's own.
        resource_name: path and query: the request target.
        authorization: the value of Authorization that user and password make, or `None`.
    """

    secure: bool
    host: str
    port: int
    host_header: str
    resource_name: str
    authorization: str | None


def parse_uri(uri: str) -> WebSocketURI:
    """Takes a WebSocket URI or IRI apart.

    Raises:
        InvalidURI: if it is not one; the message says why.
    """
    if not isinstance(uri, str):
        raise TypeError(f"uri must be str, not {type(uri).__name__}")
    try:
        secure, host, port, host_header, resource_name, userinfo = _native.parse_uri(_ascii(uri))
    except InvalidURI as error:
        raise InvalidURI(uri, error.msg) from error
    return WebSocketURI(
        secure=secure,
        host=host,
        port=port,
        host_header=host_header,
        resource_name=urllib.parse.quote(resource_name, safe=_KEPT),
        authorization=None if userinfo is None else _authorization(uri, userinfo),
    )


def _ascii(uri: str) -> str:
    """The URI that an IRI stands for (RFC 3987 §3.1), its host in ASCII."""
    parts = None if uri.isascii() else _AUTHORITY.fullmatch(uri)
    if parts is None:
        return uri
    scheme, userinfo, host, rest = parts.groups(default="")
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidURI(uri, f"the host {host!r} has no ASCII form") from error
    return scheme + _escaped(userinfo) + host + _escaped(rest)


def _escaped(text: str) -> str:
    return _NOT_ASCII.sub(lambda found: urllib.parse.quote(found[0]), text)


def _authorization(uri: str, userinfo: str) -> str:
    user, colon, password = userinfo.partition(":")
    if not colon:
        raise InvalidURI(uri, "it has a user, but no password")
    user, password = urllib.parse.unquote(user), urllib.parse.unquote(password)
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
