"""Names that `websockets` has deprecated, for programs that still have them.

There they mean its former connections on asyncio; here they mean the present ones.
"""

from __future__ import annotations

import importlib
import warnings

__all__ = ["find"]

_CONNECTIONS = {
    "WebSocketClientProtocol": "asyncio.client.ClientConnection",
    "WebSocketCommonProtocol": "asyncio.connection.Connection",
    "WebSocketServer": "asyncio.server.Server",
    "WebSocketServerProtocol": "asyncio.server.ServerConnection",
}
_EXCEPTIONS = {
    "InvalidStatusCode": "exceptions.InvalidStatus",
    "WebSocketProtocolError": "exceptions.ProtocolError",
}
_OF_MODULES = {
    "itoden": _CONNECTIONS | _EXCEPTIONS,
    "itoden.client": {
        "WebSocketClientProtocol": _CONNECTIONS["WebSocketClientProtocol"],
        "connect": "asyncio.client.connect",
        "unix_connect": "asyncio.client.unix_connect",
    },
    "itoden.exceptions": _EXCEPTIONS,
    "itoden.server": {
        "WebSocketServer": _CONNECTIONS["WebSocketServer"],
        "WebSocketServerProtocol": _CONNECTIONS["WebSocketServerProtocol"],
        "broadcast": "asyncio.server.broadcast",
        "serve": "asyncio.server.serve",
        "unix_serve": "asyncio.server.unix_serve",
    },
}


def find(module: str, name: str) -> object:
    """What a deprecated name of a module stands for. For the `__getattr__()` of modules.

    Raises:
        AttributeError: the module has no such name.
    """
    place = _OF_MODULES[module].get(name)
    if place is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    where, _, present = place.rpartition(".")
    warnings.warn(f"{module}.{name} is deprecated; use itoden.{present}", DeprecationWarning, stacklevel=3)
    return getattr(importlib.import_module(f"itoden.{where}"), present)
