"""WebSocket URIs (RFC 6455 §3), and the IRIs that stand for them."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse

from . import _native
from .exceptions import InvalidURI
from .headers import build_authorization_basic, build_host

__all__ = ["WebSocketURI", "parse_uri"]

# RFC 3986 §2.2 and §2.3: what an IRI's path and query keep; everything else is percent-encoded.
_KEPT = ":/?#[]@!$&'()*+,;=-._~%"

_AUTHORITY = re.compile(r"([^:/?#]*://)([^/?#]*@)?([^/?#:]*)(.*)", re.DOTALL)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


class WithUser:
    """What may stand before an `@`."""

    username: str | None
    password: str | None

    @property
    def user_info(self) -> tuple[str, str] | None:
        """User and password, or `None`."""
        if self.username is None or self.password is None:
            return None
        return self.username, self.password


@dataclasses.dataclass(frozen=True)
class WebSocketURI(WithUser):
    """The parts of a WebSocket URI.

    Attributes:
        secure: whether the scheme is `wss`.
        host: the host, an international name in its ASCII form, an IPv6 address without brackets.
        port: the port; 80 or 443 if the URI has none.
        path: the path; it may be empty, which stands for `/`.
        query: the query, without its `?`; it may be empty.
        username: the user, or `None`.
        password: the password, or `None`.
    """

    secure: bool
    host: str
    port: int
    path: str
    query: str
    username: str | None = None
    password: str | None = None

    @property
    def resource_name(self) -> str:
        """Path and query: the request target (RFC 6455 §3)."""
        return (self.path or "/") + (f"?{self.query}" if self.query else "")

    @property
    def host_header(self) -> str:
        """The value of Host: the host, and the port unless it is the scheme's own."""
        return build_host(self.host, self.port, self.secure)

    @property
    def authorization(self) -> str | None:
        """The value of Authorization that user and password make, or `None`."""
        return None if self.user_info is None else build_authorization_basic(*self.user_info)


def parse_uri(uri: str) -> WebSocketURI:
    """Takes a WebSocket URI or IRI apart.

    Raises:
        InvalidURI: if it is not one; the message says why.
    """
    if not isinstance(uri, str):
        raise TypeError(f"uri must be str, not {type(uri).__name__}")
    try:
        secure, host, port, _, resource_name, userinfo = _native.parse_uri(_ascii(uri.strip()))
    except InvalidURI as error:
        raise InvalidURI(uri, error.msg) from error
    path, _, query = urllib.parse.quote(resource_name, safe=_KEPT).partition("?")
    return WebSocketURI(secure, host, port, path, query, *_user_info(uri, userinfo))


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


def _user_info(uri: str, userinfo: str | None) -> tuple[str | None, str | None]:
    if userinfo is None:
        return None, None
    user, colon, password = userinfo.partition(":")
    if not colon:
        raise InvalidURI(uri, "it has a user, but no password")
    user = urllib.parse.unquote(user)
    # "A user-id containing a colon character is invalid" (RFC 7617 §2).
    if ":" in user:
        raise InvalidURI(uri, "its user has a colon")
    return user, urllib.parse.unquote(password)
