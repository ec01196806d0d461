"""What is wanted of permessage-deflate (RFC 7692), as `websockets.extensions.permessage_deflate` has it.

The core compresses; these are its settings::

    connect(uri, extensions=[ClientPerMessageDeflateFactory(server_max_window_bits=11)])
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, Self, TypeGuard

__all__ = [
    "ClientPerMessageDeflateFactory",
    "PerMessageDeflate",
    "ServerPerMessageDeflateFactory",
    "deflate_settings",
    "enable_client_permessage_deflate",
    "enable_server_permessage_deflate",
]

NAME = "permessage-deflate"


@dataclasses.dataclass(frozen=True)
class PerMessageDeflate:
    """What the two ends of a connection have agreed on (RFC 7692 §7.1).

    Attributes:
        remote_no_context_takeover: whether the peer starts each message with an empty window.
        local_no_context_takeover: whether this end does.
        remote_max_window_bits: the peer's window has at most 2 to the power of this many bytes.
        local_max_window_bits: this end's window has.
    """

    name: ClassVar[str] = NAME

    remote_no_context_takeover: bool
    local_no_context_takeover: bool
    remote_max_window_bits: int
    local_max_window_bits: int

    @classmethod
    def _agreed(cls, header: str, *, server: bool) -> Self:
        """What a value of Sec-WebSocket-Extensions in a response says, which was checked before."""
        _, *parameters = (part.strip().partition("=") for part in header.split(";"))
        told = {name.strip(): value.strip(' "') for name, _, value in parameters}
        remote, local = ("client", "server") if server else ("server", "client")
        return cls(
            f"{remote}_no_context_takeover" in told,
            f"{local}_no_context_takeover" in told,
            int(told.get(f"{remote}_max_window_bits") or _MAX_BITS),
            int(told.get(f"{local}_max_window_bits") or _MAX_BITS),
        )


_MAX_BITS = 15
_LEVEL = 6

Deflate = tuple[bool, bool, int, int, int, bool]
"""What the native settings take: whether server and client do without context takeover, the bits of their
windows, the level, and whether a client must let its window be bounded."""


class _Factory:
    """What both ends have in common."""

    name = NAME

    def __init__(
        self,
        server_no_context_takeover: bool,
        client_no_context_takeover: bool,
        server_max_window_bits: int | None,
        client_max_window_bits: int | Literal[True] | None,
        compress_settings: Mapping[str, Any] | None,
    ) -> None:
        self.server_no_context_takeover = server_no_context_takeover
        self.client_no_context_takeover = client_no_context_takeover
        self.server_max_window_bits = server_max_window_bits
        self.client_max_window_bits = client_max_window_bits
        self.compress_settings = compress_settings
        _native_settings(self)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class ClientPerMessageDeflateFactory(_Factory):
    """What a client wants of compression.

    Args:
        server_no_context_takeover: The server starts each message with an empty window (RFC 7692 §7.1.1.1).
        client_no_context_takeover: This client does (§7.1.1.2).
        server_max_window_bits: The server's window has at most 2 to the power of this many bytes, 8 to 15
            (§7.1.2.1); `None` asks for nothing.
        client_max_window_bits: This client's window, 8 to 15 (§7.1.2.2). `True` and `None` leave it to the
            server.
        compress_settings: `level`, 1 (fastest) to 9 (smallest), is the one that counts; `memLevel` and
            `strategy` are taken, but mean nothing to the core's zlib.

    Raises:
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | Literal[True] | None = True,
        compress_settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            compress_settings,
        )


class ServerPerMessageDeflateFactory(_Factory):
    """What a server wants of compression.

    Args:
        server_no_context_takeover: This server starts each message with an empty window (RFC 7692 §7.1.1.1).
        client_no_context_takeover: The client does (§7.1.1.2).
        server_max_window_bits: This server's window has at most 2 to the power of this many bytes, 8 to 15
            (§7.1.2.1).
        client_max_window_bits: The client's window, 8 to 15 (§7.1.2.2).
        compress_settings: as for a client.
        require_client_max_window_bits: A client that does not say whether its window may be bounded is not
            agreed with. By default its window is then as large as it likes.

    Raises:
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        compress_settings: Mapping[str, Any] | None = None,
        require_client_max_window_bits: bool = False,
    ) -> None:
        self.require_client_max_window_bits = require_client_max_window_bits
        super().__init__(
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            compress_settings,
        )
        if require_client_max_window_bits and client_max_window_bits is None:
            raise ValueError(
                "require_client_max_window_bits is True, but client_max_window_bits is not given"
            )


class _LikeAFactory(Protocol):
    server_no_context_takeover: bool
    client_no_context_takeover: bool
    server_max_window_bits: int | None
    client_max_window_bits: Any
    compress_settings: Any


def _is_factory(value: object) -> TypeGuard[_LikeAFactory]:
    """Whether it is one of those above, or of the package `websockets`."""
    return getattr(value, "name", None) == NAME and hasattr(value, "server_max_window_bits")


def enable_client_permessage_deflate(extensions: Sequence[Any] | None) -> Sequence[Any]:
    """The extensions, and compression with its usual settings if it is not among them."""
    return _enable(extensions, ClientPerMessageDeflateFactory())


def enable_server_permessage_deflate(extensions: Sequence[Any] | None) -> Sequence[Any]:
    """The extensions, and compression with its usual settings if it is not among them: windows of 4 KiB, to
    save memory."""
    return _enable(
        extensions, ServerPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12)
    )


def _enable(extensions: Sequence[Any] | None, default: object) -> Sequence[Any]:
    extensions = list(extensions or ())
    return extensions if any(map(_is_factory, extensions)) else [*extensions, default]


def deflate_settings(
    extensions: Sequence[Any] | None, compression: str | None, *, server: bool
) -> Deflate | None:
    """What `extensions` and `compression` ask for together; `None` for no compression.

    Raises:
        TypeError, ValueError: an argument is not of the right type or value; the message names it.
    """
    if compression not in ("deflate", None):
        raise ValueError(f"compression is {compression!r}; it must be 'deflate' or None")
    if isinstance(extensions, str) or not isinstance(extensions, (Sequence, type(None))):
        raise TypeError(f"extensions must be a list, not {type(extensions).__name__}")
    for extension in extensions or ():
        if not _is_factory(extension):
            raise TypeError(
                "extensions can hold ClientPerMessageDeflateFactory and ServerPerMessageDeflateFactory, not "
                f"{type(extension).__name__}"
            )
    if compression is not None:
        enable = enable_server_permessage_deflate if server else enable_client_permessage_deflate
        extensions = enable(extensions)
    if not extensions:
        return None
    if len(extensions) > 1:
        raise ValueError(f"extensions holds {NAME} {len(extensions)} times; once is allowed")
    return _native_settings(extensions[0])


def _native_settings(factory: _LikeAFactory) -> Deflate:
    for name in ("server_no_context_takeover", "client_no_context_takeover"):
        if not isinstance(getattr(factory, name), bool):
            raise TypeError(f"{name} must be bool, not {type(getattr(factory, name)).__name__}")
    return (
        factory.server_no_context_takeover,
        factory.client_no_context_takeover,
        _bits("server_max_window_bits", factory.server_max_window_bits),
        _bits("client_max_window_bits", factory.client_max_window_bits),
        _level(factory.compress_settings),
        bool(getattr(factory, "require_client_max_window_bits", False)),
    )


def _bits(argument: str, value: object) -> int:
    if value is None or (value is True and argument == "client_max_window_bits"):
        return _MAX_BITS
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{argument} must be int, not {type(value).__name__}")
    if not 8 <= value <= _MAX_BITS:
        raise ValueError(f"{argument} is {value}; it must be between 8 and 15")
    return value


def _level(compress_settings: object) -> int:
    if compress_settings is None:
        return _LEVEL
    if not isinstance(compress_settings, Mapping):
        raise TypeError(f"compress_settings must be a dict, not {type(compress_settings).__name__}")
    unknown = compress_settings.keys() - {"level", "memLevel", "strategy"}
    if unknown:
        raise TypeError(f"compress_settings has {sorted(unknown)}; level, memLevel and strategy are allowed")
    level = compress_settings.get("level", _LEVEL)
    if not isinstance(level, int) or isinstance(level, bool):
        raise TypeError(f"the level of compress_settings must be int, not {type(level).__name__}")
    if level == -1:  # zlib's own default
        return _LEVEL
    if not 1 <= level <= 9:
        raise ValueError(f"the level of compress_settings is {level}; it must be between 1 and 9, or -1")
    return level
