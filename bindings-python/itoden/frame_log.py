"""Records at the level DEBUG of what goes over the wire, in the form that `websockets` has made known."""

from __future__ import annotations

from . import limits
from .frames import Close

__all__ = ["describe_frame"]


def describe_frame(what: str, payload: bytes, length: int, fin: bool) -> str:
    """A frame in one line: what it is, the beginning of its payload, and its length.

    Args:
        what: `TEXT`, `BINARY`, `CONT`, `PING`, `PONG` or `CLOSE`.
        payload: the beginning of the payload.
        length: the length of all of it, in bytes.
        fin: whether the message ends with it.
    """
    kind, shown = _shown(what, payload, whole=length == len(payload))
    details = [f"{length} byte{'' if length == 1 else 's'}"]
    # Said where the frame itself does not say it.
    if kind is not None and what != "TEXT" and (what, kind) != ("BINARY", "binary"):
        details.insert(0, kind)
    if not fin:
        details.append("continued")
    return f"{what} {shown} [{', '.join(details)}]"


def _shown(what: str, payload: bytes, *, whole: bool) -> tuple[str | None, str]:
    """Whether it is text or binary, as far as it can be seen, and how it is shown."""
    if not payload:
        return None, "''"
    if what == "CLOSE":
        return None, str(Close(int.from_bytes(payload[:2]), payload[2:].decode(errors="replace")))
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        # A character that is cut where what is kept ends is no reason to show all of it in hexadecimal.
        if what != "TEXT" and (whole or error.start < len(payload) - 3):
            return "binary", _cut(payload.hex(" "), whole=whole)
        text = payload.decode(errors="ignore")
    if what != "TEXT" and not text.isprintable():
        return "binary", _cut(payload.hex(" "), whole=whole)
    return "text", _cut(repr(text), whole=whole)


def _cut(text: str, *, whole: bool) -> str:
    room = limits.MAX_LOG_SIZE
    if whole and len(text) <= room:
        return text
    return text[: max(room - 3, 1)] + "..."
