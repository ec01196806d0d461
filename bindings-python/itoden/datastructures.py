"""Header fields, as `websockets.datastructures` has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol, Self

__all__ = ["Headers", "HeadersLike", "MultipleValuesError"]


class MultipleValuesError(LookupError):
    """`Headers` was asked for the one value of a field that is there more than once; use `get_all()`."""


# RFC 9110 §5.5: what a value may consist of.
_is_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch


_KNOWN: dict[str, str] = {
    text: text
    for text in (
        *("Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Cookie"),
        *("Date", "Host", "Origin", "Pragma", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions"),
        *("Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "Server", "Upgrade"),
        *("User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
        *("13", "keep-alive, Upgrade", "websocket", "no-cache", "permessage-deflate"),
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        "gzip, deflate, br, zstd",
    )
}
"""What stands in the fields of most connections: it is kept once for all of them."""


class Headers(MutableMapping[str, str]):
    """Header fields in the order in which they came or are sent; names of any case are the same (RFC 9110
    §5.1).

    Setting a field adds one behind those of the same name; delete the field first to replace it. A value that
    would break out of its line raises `InvalidHeaderValue`; a number is told in decimal. Looking up a field
    that is there more than once raises `MultipleValuesError`.
    """

    __slots__ = ("_fields",)

    def __init__(self, *args: HeadersLike, **kwargs: str) -> None:
        self._fields: list[tuple[str, str]] = []
        self.update(*args, **kwargs)

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        if len(values) > 1:
            raise MultipleValuesError(f"{name} is there {len(values)} times")
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        self._fields.append(_checked(name, value))

    def __delitem__(self, name: str) -> None:
        lowered = name.lower()
        kept = [field for field in self._fields if field[0].lower() != lowered]
        if len(kept) == len(self._fields):
            raise KeyError(name)
        self._fields = kept

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._fields))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._fields})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._fields!r})"

    def __str__(self) -> str:
        """The fields as they stand on the wire, the empty line behind them included."""
        return "".join(f"{name}: {value}\r\n" for name, value in self._fields) + "\r\n"

    def _values(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in self._fields:
            values.setdefault(name.lower(), []).append(value)
        return values

    @classmethod
    def _of(cls, fields: Iterable[tuple[str, str]]) -> Self:
        """Fields that need no check, as those that came have none, or are checked when they are sent."""
        headers = cls()
        headers._fields = [(_KNOWN.get(name, name), _KNOWN.get(value, value)) for name, value in fields]
        return headers

    def copy(self) -> Self:
        """A copy that changes by itself."""
        return self._of(self._fields)

    def serialize(self) -> bytes:
        """The bytes of the fields on the wire, the empty line behind them included (RFC 9112 §5)."""
        return str(self).encode("latin-1")

    def clear(self) -> None:
        """Removes all fields."""
        self._fields = []

    def update(self, *args: Any, **kwargs: str) -> None:
        """Adds fields of `Headers`, a mapping or pairs, and then the keywords."""
        if len(args) > 1:
            raise TypeError(f"update() takes at most 1 positional argument, but {len(args)} were given")
        pairs = [*pairs_of(args[0] if args else ()), *kwargs.items()]
        # All are checked before any is added.
        self._fields += [_checked(name, value) for name, value in pairs]

    def get_all(self, key: str) -> list[str]:
        """The values of all fields of this name, in order; empty if there is none."""
        lowered = key.lower()
        return [value for other, value in self._fields if other.lower() == lowered]

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """All fields as pairs of name and value, in order, names as they were written."""
        return iter(self._fields)


def pairs_of(source: Any) -> Iterable[tuple[str, str]]:
    """The fields of `Headers`, a mapping or pairs. Their values may be such that can't be sent."""
    if isinstance(source, Headers):
        return source.raw_items()
    if hasattr(source, "keys"):
        names = source.keys()  # all that is known of it: it may not be iterable itself
        source = [(name, source[name]) for name in names]
    return [_typed(name, value) for name, value in source]


def _typed(name: object, value: object) -> tuple[str, str]:
    if isinstance(value, (int, float)):
        value = str(value)
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"header names and values must be str, not {name!r}: {value!r}")
    return _KNOWN.get(name, name), _KNOWN.get(value, value)


def _checked(name: object, value: object) -> tuple[str, str]:
    field = _typed(name, value)
    if not _is_value(field[1]):
        from .exceptions import InvalidHeaderValue  # which needs this module

        raise InvalidHeaderValue(*field)
    return field


class SupportsKeysAndGetItem(Protocol):
    """What is like a mapping as far as it has `keys()` and gives the value of each."""

    def keys(self) -> Iterable[str]: ...
    def __getitem__(self, key: str, /) -> str: ...


HeadersLike = Headers | Mapping[str, str] | Iterable[tuple[str, str]] | SupportsKeysAndGetItem
"""What is accepted where header fields are expected."""
