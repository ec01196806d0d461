"""Close codes and Close frames (RFC 6455 §5.5.1, §7.4), as `websockets.frames` names them."""

from __future__ import annotations

import dataclasses
import enum
from typing import Self

from . import _native
from .typing import BytesLike

__all__ = ["Close", "CloseCode", "Frame", "Opcode"]


class Opcode(enum.IntEnum):
    """What a frame carries (RFC 6455 §5.2)."""

    CONT = 0x00
    """The next fragment of a message."""
    TEXT = 0x01
    """A text message, or its first fragment."""
    BINARY = 0x02
    """A binary message, or its first fragment."""
    CLOSE = 0x08
    """The closing handshake."""
    PING = 0x09
    """To be answered with a pong."""
    PONG = 0x0A
    """The answer to a ping, or a sign of life."""


CONT, TEXT, BINARY, CLOSE, PING, PONG = Opcode
DATA_OPCODES = CONT, TEXT, BINARY
CTRL_OPCODES = CLOSE, PING, PONG


class CloseCode(enum.IntEnum):
    """Close codes that have a registered meaning (RFC 6455 §7.4.1 and IANA's registry)."""

    NORMAL_CLOSURE = 1000
    """The purpose of the connection is fulfilled."""
    GOING_AWAY = 1001
    """A server goes down, or a browser leaves the page."""
    PROTOCOL_ERROR = 1002
    """The peer broke the protocol."""
    UNSUPPORTED_DATA = 1003
    """Data of a type that this endpoint can't accept."""
    NO_STATUS_RCVD = 1005
    """Never sent: the peer's Close frame had no code."""
    ABNORMAL_CLOSURE = 1006
    """Never sent: no Close frame came."""
    INVALID_DATA = 1007
    """Data that does not fit its type, as text that is not UTF-8."""
    POLICY_VIOLATION = 1008
    """A message that breaks this endpoint's policy."""
    MESSAGE_TOO_BIG = 1009
    """A message too big to process."""
    MANDATORY_EXTENSION = 1010
    """A client misses an extension that it needs."""
    INTERNAL_ERROR = 1011
    """A server met a condition that keeps it from fulfilling the request."""
    SERVICE_RESTART = 1012
    """The service restarts."""
    TRY_AGAIN_LATER = 1013
    """The service is overloaded."""
    BAD_GATEWAY = 1014
    """A gateway got an invalid answer."""
    TLS_HANDSHAKE = 1015
    """Never sent: the TLS handshake failed."""


OK_CLOSE_CODES = {CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD}
"""Codes of connections that ended as they should."""

# Where the name of a code says it otherwise.
_MEANINGS = {
    1000: "OK",
    1005: "no status received [internal]",
    1006: "abnormal closure [internal]",
    1007: "invalid frame payload data",
    1015: "TLS handshake failure [internal]",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """What a Close frame says.

    Attributes:
        code: why the connection closes; 1005 for a Close frame without a code.
        reason: an explanation for people, possibly empty.
    """

    code: int
    reason: str

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Reads the payload of a Close frame. Raises `ProtocolError`."""
        return cls(*_native.parse_close(bytes(data)))

    def serialize(self) -> bytes:
        """The payload of a Close frame. Raises `SendError` if none can say this."""
        return _native.close_payload(self.code, self.reason)

    def check(self) -> None:
        """Raises `SendError` if no Close frame can say this."""
        self.serialize()

    def __str__(self) -> str:
        """The code, what it means and the reason: `1000 (OK) bye`."""
        try:
            meaning = _MEANINGS.get(self.code) or CloseCode(self.code).name.lower().replace("_", " ")
        except ValueError:
            if 3000 <= self.code < 4000:
                meaning = "registered"
            elif 4000 <= self.code < 5000:
                meaning = "private use"
            else:
                meaning = "unknown"
        return f"{self.code} ({meaning}) {self.reason}".rstrip()


@dataclasses.dataclass
class Frame:
    """A frame, as it came: unmasked, and not compressed any more.

    Attributes:
        opcode: what it carries.
        data: the payload.
        fin: whether the message ends with it.
        rsv1, rsv2, rsv3: the reserved bits; `False` once extensions are through with a frame.
    """

    opcode: Opcode
    data: BytesLike
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False

    def __str__(self) -> str:
        """The frame in one line, as in log records."""
        from .frame_log import describe_frame

        data = bytes(self.data)
        return describe_frame(self.opcode.name, data[:256], len(data), self.fin)
