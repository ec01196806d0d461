"""Where TLS is opened: as event loops do it, but on asyncio's own and uvloop with the TLS of this package.

It costs less than theirs; but of other loops nobody has tried how they treat the protocol below it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from .tls import HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT, TLSTransport

__all__ = ["create_connection", "listening", "start_tls"]

_NAMES = ("ssl", "server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout")


def _is_known(loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(loop, asyncio.BaseEventLoop) or any(
        one.__module__ == "uvloop.loop" for one in type(loop).__mro__
    )


def _timeouts(options: dict[str, Any]) -> dict[str, Any]:
    """The timeouts of TLS among some options."""
    timeouts = {}
    for name, default in (("handshake_timeout", HANDSHAKE_TIMEOUT), ("shutdown_timeout", SHUTDOWN_TIMEOUT)):
        given = options.get(f"ssl_{name}")
        timeout = default if given is None else given
        if not isinstance(timeout, int | float):
            raise TypeError(f"ssl_{name} must be a number of seconds or None, not {type(timeout).__name__}")
        if not timeout > 0:
            raise ValueError(f"ssl_{name} should be a positive number, got {timeout}")
        timeouts[name] = timeout
    return timeouts


async def create_connection(
    connect: Callable[..., Awaitable[tuple[Any, Any]]], factory: Callable[[], Any], **kwargs: Any
) -> Any:
    """As `loop.create_connection()` or `loop.create_unix_connection()`, whichever is given as `connect`.

    Args:
        connect: makes a transport.
        factory: makes the protocol.
        **kwargs: passed on to `connect`, apart from what is about TLS.

    Returns:
        A pair: the transport, and the protocol.
    """
    context: Any = kwargs.get("ssl")
    host = kwargs.get("server_hostname")
    host = kwargs.get("host") if host is None else host
    ours = context is True or isinstance(context, ssl.SSLContext)
    if not ours or host is None or not _is_known(asyncio.get_running_loop()):
        return await connect(factory, **kwargs)
    timeouts = _timeouts(kwargs)
    for name in _NAMES:
        kwargs.pop(name, None)
    if context is True:
        context = ssl.create_default_context()
        context.check_hostname = bool(host)

    # Happy eyeballs or not, a loop makes one protocol for the one socket that it has connected.
    made: list[TLSTransport] = []

    def make() -> asyncio.BufferedProtocol:
        made.append(TLSTransport(factory(), context, server_hostname=host, **timeouts))
        return made[0].below

    await connect(make, **kwargs)
    secured = made[0]
    await secured.ready()
    return secured, secured.get_protocol()


async def start_tls(transport: Any, protocol: Any, context: ssl.SSLContext, **options: Any) -> Any:
    """As `loop.start_tls()` of a client, but the protocol is told of the connection.

    Args:
        transport: what TLS is to go over; reading from it is paused.
        protocol: the protocol that is to see plaintext.
        context: the settings of TLS.
        **options: `server_hostname` and timeouts as `loop.start_tls()` takes them.

    Returns:
        The new transport.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(context, ssl.SSLContext) or not _is_known(loop):
        transport.set_protocol(protocol)
        theirs = await loop.start_tls(transport, protocol, context, **options)
        if theirs is None:
            raise ConnectionResetError("the connection to the proxy was lost during the TLS handshake")
        protocol.connection_made(theirs)
        return theirs
    host = options.get("server_hostname")
    secured = TLSTransport(protocol, context, server_hostname=host, **_timeouts(options))
    transport.set_protocol(secured.below)
    secured.below.connection_made(transport)
    transport.resume_reading()
    await secured.ready()
    return secured


def listening(factory: Callable[[], Any], kwargs: dict[str, Any]) -> tuple[Callable[[], Any], dict[str, Any]]:
    """What `loop.create_server()` and `loop.create_unix_server()` are to be given instead.

    Args:
        factory: makes a protocol for each connection.
        kwargs: what they were to be given otherwise.
    """
    context = kwargs.get("ssl")
    if not isinstance(context, ssl.SSLContext) or not _is_known(asyncio.get_running_loop()):
        return factory, kwargs
    timeouts = _timeouts(kwargs)
    rest = {name: value for name, value in kwargs.items() if name not in _NAMES}
    return lambda: TLSTransport(factory(), context, server_side=True, **timeouts).below, rest
