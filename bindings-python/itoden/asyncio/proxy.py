"""Ways to a server through a proxy."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from .. import _native
from ..datastructures import Headers
from ..exceptions import InvalidHandshake, InvalidProxyMessage, InvalidProxyStatus, ProxyError
from ..http11 import Response
from ..proxy import Proxy, connect_request, socks_version
from ..uri import WebSocketURI
from .securing import create_connection

__all__ = ["connect_http_proxy", "connect_socks_proxy"]


async def connect_socks_proxy(proxy: Proxy, uri: WebSocketURI, **kwargs: Any) -> socket.socket:
    """A socket that leads to the server through a SOCKS proxy.

    Raises:
        ImportError: the package python-socks is not there.
        ProxyError: the proxy refuses.
        OSError: the proxy can't be reached.
    """
    version, remote_lookup = socks_version(proxy, "python-socks[asyncio]")
    import python_socks
    from python_socks.async_.asyncio import Proxy as SocksProxy

    socks = SocksProxy(version, proxy.host, proxy.port, proxy.username, proxy.password, rdns=remote_lookup)
    try:
        return await socks.connect(uri.host, uri.port, **kwargs)
    except python_socks.ProxyError as error:
        raise ProxyError(f"failed to connect to SOCKS proxy {proxy.address}") from error


class _Tunnel(asyncio.Protocol):
    """Asks an HTTP proxy for a tunnel, and reads the answer."""

    def __init__(self, settings: _native.Settings) -> None:
        self._settings = settings
        self._received = b""
        self.answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not of the class asyncio.Transport on uvloop.
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        self._received += data
        try:
            read = _native.read_response(self._received, self._settings)
        except InvalidHandshake as error:
            self._fail(error)
            return
        if read is None:
            return
        (status, reason, fields), used = read
        if 200 <= status < 300 and used < len(self._received):
            # The server can't have spoken yet: nothing was asked of it.
            self._fail(InvalidHandshake(f"{len(self._received) - used} bytes came behind the answer"))
            return
        # Nothing is read until the connection takes the transport over.
        self._transport.pause_reading()
        self.answer.set_result(Response(status, reason, Headers._of(fields), self._received[used:]))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self._fail(exc or EOFError("connection closed while reading the proxy's answer"))

    def _fail(self, cause: Exception) -> None:
        error = InvalidProxyMessage("did not receive a valid HTTP response from proxy")
        error.__cause__ = cause
        self.answer.set_exception(error)


async def connect_http_proxy(
    proxy: Proxy,
    uri: WebSocketURI,
    settings: _native.Settings,
    user_agent_header: str | None,
    **kwargs: Any,
) -> asyncio.Transport:
    """A transport that leads to the server through an HTTP proxy; reading from it is paused.

    Raises:
        InvalidProxyMessage: the proxy does not speak HTTP.
        InvalidProxyStatus: the proxy refuses.
        OSError: the proxy can't be reached.
    """
    loop = asyncio.get_running_loop()
    kwargs.setdefault("host", proxy.host)
    kwargs.setdefault("port", proxy.port)
    if kwargs.get("ssl"):
        kwargs.setdefault("server_hostname", proxy.host)
    transport, tunnel = await create_connection(loop.create_connection, lambda: _Tunnel(settings), **kwargs)
    try:
        transport.write(connect_request(proxy, uri, user_agent_header))
        response = await tunnel.answer
        # "Any 2xx (Successful) response indicates that the sender [...] will switch to tunnel mode" (RFC 9110
        # §9.3.6).
        if not 200 <= response.status_code < 300:
            raise InvalidProxyStatus(response)
    except BaseException:
        transport.abort()
        raise
    return cast(asyncio.Transport, transport)
