"""Ways to a server through a proxy, with time limits."""

from __future__ import annotations

import socket
import ssl as ssl_module
import time
from typing import Any

from .. import _native
from ..datastructures import Headers
from ..exceptions import InvalidHandshake, InvalidProxyMessage, InvalidProxyStatus, ProxyError
from ..http11 import Response
from ..proxy import Proxy, connect_request, socks_version
from ..uri import WebSocketURI

__all__ = ["Deadline", "connect_http_proxy", "connect_socks_proxy"]


class Deadline:
    """A time that several steps share.

    Args:
        timeout: how many seconds there are; `None` sets no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._until = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """How many seconds are left, or `None`. Raises `TimeoutError` if there are none."""
        if self._until is None:
            return None
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


def connect_socks_proxy(proxy: Proxy, uri: WebSocketURI, deadline: Deadline, **kwargs: Any) -> socket.socket:
    """A socket that leads to the server through a SOCKS proxy.

    Raises:
        ImportError: the package python-socks is not there.
        ProxyError: the proxy refuses.
        OSError: the proxy can't be reached.
    """
    version, remote_lookup = socks_version(proxy, "python-socks")
    import python_socks
    from python_socks.sync import Proxy as SocksProxy

    socks = SocksProxy(version, proxy.host, proxy.port, proxy.username, proxy.password, rdns=remote_lookup)
    kwargs.setdefault("timeout", deadline.left())
    try:
        return socks.connect(uri.host, uri.port, **kwargs)
    except python_socks.ProxyError as error:
        raise ProxyError(f"failed to connect to SOCKS proxy {proxy.address}") from error


def connect_http_proxy(
    proxy: Proxy,
    uri: WebSocketURI,
    deadline: Deadline,
    settings: _native.Settings,
    *,
    user_agent_header: str | None,
    ssl: ssl_module.SSLContext | bool | None,
    server_hostname: str | None,
    **kwargs: Any,
) -> socket.socket:
    """A socket that leads to the server through an HTTP proxy.

    Raises:
        InvalidProxyMessage: the proxy does not speak HTTP.
        InvalidProxyStatus: the proxy refuses.
        OSError: the proxy can't be reached.
    """
    kwargs.setdefault("timeout", deadline.left())
    sock = socket.create_connection((proxy.host, proxy.port), **kwargs)
    try:
        if proxy.scheme == "https":
            context = ssl if isinstance(ssl, ssl_module.SSLContext) else ssl_module.create_default_context()
            sock.settimeout(deadline.left())
            sock = context.wrap_socket(sock, server_hostname=server_hostname or proxy.host)
        sock.settimeout(deadline.left())
        sock.sendall(connect_request(proxy, uri, user_agent_header))
        response = _read_answer(sock, deadline, settings)
        # "Any 2xx (Successful) response indicates that the sender [...] will switch to tunnel mode" (RFC 9110
        # §9.3.6).
        if not 200 <= response.status_code < 300:
            raise InvalidProxyStatus(response)
    except BaseException:
        sock.close()
        raise
    return sock


def _read_answer(sock: socket.socket, deadline: Deadline, settings: _native.Settings) -> Response:
    received = b""
    try:
        while (read := _native.read_response(received, settings)) is None:
            sock.settimeout(deadline.left())
            data = sock.recv(4096)
            if not data:
                raise EOFError("connection closed while reading the proxy's answer")
            received += data
        (status, reason, fields), used = read
        if 200 <= status < 300 and used < len(received):
            # The server can't have spoken yet: nothing was asked of it.
            raise InvalidHandshake(f"{len(received) - used} bytes came behind the answer")
    except TimeoutError:
        raise TimeoutError("timed out while connecting to HTTP proxy") from None
    except (InvalidHandshake, EOFError, OSError) as error:
        raise InvalidProxyMessage("did not receive a valid HTTP response from proxy") from error
    return Response(status, reason, Headers._of(fields), received[used:])
