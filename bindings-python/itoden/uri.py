"""WebSocket URIs (RFC 6455 §3)."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import urllib.parse

from .exceptions import InvalidURI

__all__ = ["WebSocketURI", "parse_uri"]

# RFC 3986 §2.2 and §2.3: what an IRI's path and query keep; everything else is percent-encoded.
_KEPT = ":/?#[]@!$&'()*+,;=-._~%"


@dataclasses.dataclass(frozen=True)
class WebSocketURI:
    """The parts of a WebSocket URI.

    Attributes:
        secure: whether the scheme is `wss`.
        host: the host, an international name in its ASCII form, an IPv6 address without brackets.
        port: the port; 80 or 443 if the URI has none.
        resource_name: path and query: the request target.
        authorization: the value of Authorization that user and password make, or `None`.
    """

    secure: bool
    host: str
    port: int
    resource_name: str
    authorization: str | None

    @property
    def host_header(self) -> str:
        """The value of Host: the host, and the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse_uri(uri: str) -> WebSocketURI:
    """Takes a WebSocket URI apart.

    Raises:
        InvalidURI: if it is not one; the message says why.
    """
    if not isinstance(uri, str):
        raise TypeError(f"uri must be str, not {type(uri).__name__}")
    try:
        parts = urllib.parse.urlsplit(uri)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        raise InvalidURI(uri, str(error)) from error
    if parts.scheme not in ("ws", "wss"):
        raise InvalidURI(uri, f"the scheme is {parts.scheme!r}, but ws or wss is needed")
    if not host:
        raise InvalidURI(uri, "the host is missing")
    # "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used" (RFC 6455
    # §3).
    if "#" in uri:
        raise InvalidURI(uri, "it has a fragment, which is not allowed")
    if any(character <= " " or character == "\x7f" for character in uri):
        raise InvalidURI(uri, "it has a space or a control character")
    secure = parts.scheme == "wss"
    if port is None:
        port = 443 if secure else 80
    resource = parts.path or "/"
    if parts.query or uri.endswith("?"):
        resource += "?" + parts.query
    return WebSocketURI(
        secure=secure,
        host=_ascii_host(uri, host),
        port=port,
        resource_name=urllib.parse.quote(resource, safe=_KEPT),
        authorization=_authorization(uri, parts),
    )


def _ascii_host(uri: str, host: str) -> str:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError as error:
            raise InvalidURI(uri, f"{host!r} is not an IPv6 address") from error
        return host
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidURI(uri, f"the host {host!r} has no ASCII form") from error


def _authorization(uri: str, parts: urllib.parse.SplitResult) -> str | None:
    if parts.username is None:
        return None
    if parts.password is None:
        raise InvalidURI(uri, "it has a user, but no password")
    user, password = urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password)
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
