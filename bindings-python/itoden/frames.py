"""Close codes and Close frames (RFC 6455 §5.5.1, §7.4), as `websockets.frames` names them."""

from __future__ import annotations

import dataclasses
import enum

__all__ = ["Close", "CloseCode"]


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
