"""Which proxy leads to a server, and what it is asked. The same for asyncio and threads."""

from __future__ import annotations

import dataclasses
import urllib.parse
import urllib.request
from typing import Any

from .exceptions import InvalidProxy
from .headers import build_authorization_basic, build_host
from .uri import WebSocketURI, WithUser

__all__ = ["Proxy", "connect_request", "get_proxy", "parse_proxy", "socks_version"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


@dataclasses.dataclass
class Proxy(WithUser):
    """A proxy.

    Attributes:
        scheme: `"socks5h"`, `"socks5"`, `"socks4a"`, `"socks4"`, `"https"` or `"http"`.
        host: the host, in lower case and ASCII.
        port: the port; that which is usual for the scheme if the address has none.
        username: the user, or `None`.
        password: the password, or `None`.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    @property
    def address(self) -> str:
        """Host and port, without user and password: for messages."""
        return f"{self.scheme}://{build_host(self.host, self.port, False, always_include_port=True)}"


def parse_proxy(proxy: str) -> Proxy:
    """Takes the address of a proxy apart.

    Raises:
        InvalidProxy: it is not one; the message says why, and has no password in it.
    """
    if not isinstance(proxy, str):
        raise TypeError(f"proxy must be str, True or None, not {type(proxy).__name__}")
    try:
        parts = urllib.parse.urlsplit(proxy)
        port = parts.port
    except ValueError as error:
        raise InvalidProxy(_without_password(proxy), str(error)) from None
    shown = _without_password(proxy)
    if parts.scheme not in _DEFAULT_PORTS:
        allowed = ", ".join(_DEFAULT_PORTS)
        raise InvalidProxy(shown, f"scheme {parts.scheme!r} isn't supported; {allowed} are")
    if not parts.hostname:
        raise InvalidProxy(shown, "hostname isn't provided")
    for name, value in (
        ("path", parts.path.removeprefix("/")),
        ("query", parts.query),
        ("fragment", parts.fragment),
    ):
        if value:
            raise InvalidProxy(shown, f"{name} is meaningless")
    if parts.username is not None and parts.password is None:
        raise InvalidProxy(shown, "username provided without password")
    try:
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    except UnicodeError:
        raise InvalidProxy(shown, f"the host {parts.hostname!r} has no ASCII form") from None
    return Proxy(
        parts.scheme,
        host,
        _DEFAULT_PORTS[parts.scheme] if port is None else port,
        None if parts.username is None else urllib.parse.unquote(parts.username),
        None if parts.password is None else urllib.parse.unquote(parts.password),
    )


def _without_password(proxy: str) -> str:
    before, at, after = proxy.rpartition("@")
    if not at:
        return proxy
    scheme, slashes, _ = before.rpartition("://")
    return f"{scheme}{slashes}***@{after}"


def get_proxy(uri: WebSocketURI) -> str | None:
    """The proxy that the environment or the operating system names for a server, or `None`.

    In order: `ws_proxy` or `wss_proxy`, `socks_proxy`, `https_proxy`, and for `ws://` at last `http_proxy`
    (RFC 6455 §4.1 prefers SOCKS5 to HTTPS, and HTTPS to HTTP). `no_proxy` names servers that are reached
    directly.
    """
    if urllib.request.proxy_bypass(build_host(uri.host, uri.port, uri.secure, always_include_port=True)):
        return None
    proxies = urllib.request.getproxies()
    for scheme in ["wss", "socks", "https"] if uri.secure else ["ws", "socks", "https", "http"]:
        proxy = proxies.get(scheme)
        if proxy:
            # Operating systems name a SOCKS proxy by the scheme http.
            if scheme == "socks" and proxy.startswith("http://"):
                proxy = "socks5h" + proxy.removeprefix("http")
            return proxy
    return None


def socks_version(proxy: Proxy, package: str) -> tuple[Any, bool]:
    """The version of a SOCKS proxy as python-socks names it, and whether the proxy looks names up.

    Raises:
        ImportError: the package is not there.
    """
    try:
        from python_socks import ProxyType
    except ImportError as error:
        raise ImportError(
            f"connecting through {proxy.address} requires python-socks: pip install {package}"
        ) from error
    version = ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5
    return version, proxy.scheme in ("socks4a", "socks5h")


def connect_request(proxy: Proxy, uri: WebSocketURI, user_agent_header: str | None) -> bytes:
    """What an HTTP proxy is asked (RFC 9110 §9.3.6): a tunnel to the server."""
    authority = build_host(uri.host, uri.port, uri.secure, always_include_port=True)
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if user_agent_header is not None:
        lines.append(f"User-Agent: {user_agent_header}")
    if proxy.username is not None and proxy.password is not None:
        authorization = build_authorization_basic(proxy.username, proxy.password)
        lines.append(f"Proxy-Authorization: {authorization}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")
