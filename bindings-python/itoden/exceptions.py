"""What can go wrong, in the classes that `websockets.exceptions` has.

* `WebSocketException`
    * `ConnectionClosed`
        * `ConnectionClosedOK`
        * `ConnectionClosedError`
    * `InvalidURI`
    * `InvalidProxy`
    * `InvalidHandshake`
        * `SecurityError`
            * `RequestLineTooLong`
            * `StatusLineTooLong`
            * `HeaderLineTooLong`
            * `TooManyHeaders`
        * `ProxyError`
            * `InvalidProxyMessage`
            * `InvalidProxyStatus`
        * `InvalidMessage`
        * `InvalidMethod`
        * `InvalidProtocol`
        * `InvalidStatus`
        * `InvalidHeader`
            * `InvalidHeaderFormat`
            * `InvalidHeaderValue`
            * `InvalidOrigin`
            * `InvalidUpgrade`
        * `NegotiationError`
            * `DuplicateParameter`
            * `InvalidParameterName`
            * `InvalidParameterValue`
        * `InvalidOption` (also a `ValueError`: the caller's own mistake)
    * `ProtocolError`
        * `SendError` (also a `ValueError`: the caller's own mistake)
    * `PayloadTooBig`
    * `TooManyFragments`
    * `InvalidState` (also an `AssertionError`, as in `websockets`)
    * `ConcurrencyError` (also a `RuntimeError`)

An exception that stands for an error of the core's table tells its row: see `WebSocketException`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from . import _native
from .frames import OK_CLOSE_CODES, Close, CloseCode

if TYPE_CHECKING:
    from .http11 import Response

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "DuplicateParameter",
    "HeaderLineTooLong",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidHeaderFormat",
    "InvalidHeaderValue",
    "InvalidMessage",
    "InvalidMethod",
    "InvalidOption",
    "InvalidOrigin",
    "InvalidParameterName",
    "InvalidParameterValue",
    "InvalidProtocol",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "NegotiationError",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "RequestLineTooLong",
    "SecurityError",
    "SendError",
    "StatusLineTooLong",
    "TooManyFragments",
    "TooManyHeaders",
    "WebSocketException",
]


class WebSocketException(Exception):
    """Base class of all exceptions of this package.

    Attributes:
        error_name: the stable name of the error, the same in every language of itoden (`"reserved_bits"`);
            `None` if the exception does not stand for an error of the core's table. The other attributes are
            then `None` too.
        close_code: for an error of the open connection, the close code that the peer is sent.
        status: for an error of the opening handshake, the HTTP status that a server answers with.
        section: where the rule stands: `"RFC 6455 §5.2"`.
        rule: the rule in one sentence.
    """

    error_name: str | None = None
    close_code: int | None = None
    status: int | None = None
    section: str | None = None
    rule: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is copied and pickled: not through `__init__()`, whose arguments may be other ones."""
        return _remade, (type(self), self.args, self.__dict__)


def _remade(
    cls: type[WebSocketException], args: tuple[Any, ...], attributes: dict[str, Any]
) -> WebSocketException:
    exception = cls.__new__(cls, *args)
    BaseException.__init__(exception, *args)
    exception.__dict__.update(attributes)
    return exception


class ConnectionClosed(WebSocketException):
    """The connection is closed, so nothing can be sent or received any more.

    Attributes:
        rcvd: the Close frame that was received, or `None`.
        sent: the Close frame that was sent, or `None`.
        rcvd_then_sent: if there are both, whether the received one came first; else `None`.

    `__cause__` tells why the connection did not end cleanly: a `ProtocolError`, an `OSError`, an `EOFError`
    (the transport ended without a Close frame) or a `TimeoutError` (the Close frame was not answered in
    time).
    """

    def __init__(self, rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None = None) -> None:
        super().__init__(rcvd, sent, rcvd_then_sent)
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent

    def __str__(self) -> str:
        """Which Close frames there were, in their order."""
        if self.rcvd is None:
            return (
                "no close frame received or sent"
                if self.sent is None
                else f"sent {self.sent}; no close frame received"
            )
        if self.sent is None:
            return f"received {self.rcvd}; no close frame sent"
        if self.rcvd_then_sent:
            return f"received {self.rcvd}; then sent {self.sent}"
        return f"sent {self.sent}; then received {self.rcvd}"

    @property
    def code(self) -> int:
        """Deprecated: use `rcvd.code`, or the connection's `close_code`."""
        warnings.warn("ConnectionClosed.code is deprecated; use rcvd.code", DeprecationWarning, stacklevel=2)
        return CloseCode.ABNORMAL_CLOSURE if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """Deprecated: use `rcvd.reason`, or the connection's `close_reason`."""
        warnings.warn(
            "ConnectionClosed.reason is deprecated; use rcvd.reason", DeprecationWarning, stacklevel=2
        )
        return "" if self.rcvd is None else self.rcvd.reason


class ConnectionClosedOK(ConnectionClosed):
    """The connection ended as it should: both Close frames have the code 1000 or 1001, or none."""


class ConnectionClosedError(ConnectionClosed):
    """The connection ended with an error: another close code, or no Close frame from the peer."""


class InvalidURI(WebSocketException):
    """The URI is not that of a WebSocket (RFC 6455 §3).

    Attributes:
        uri: the URI.
        msg: what is wrong with it.
    """

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        """The URI and what is wrong with it."""
        return f"{self.uri} isn't a valid URI: {self.msg}"


class InvalidProxy(WebSocketException):
    """The proxy that is to be used is not one.

    Attributes:
        proxy: the address of the proxy.
        msg: what is wrong with it.
    """

    def __init__(self, proxy: str, msg: str) -> None:
        super().__init__(proxy, msg)
        self.proxy = proxy
        self.msg = msg

    def __str__(self) -> str:
        """The proxy and what is wrong with it."""
        return f"{self.proxy} isn't a valid proxy: {self.msg}"


class InvalidHandshake(WebSocketException):
    """The opening handshake failed (RFC 6455 §4): no connection was made."""


class SecurityError(InvalidHandshake):
    """The peer sent a larger head than is allowed (RFC 6455 §10.4), or sends the client elsewhere than is
    safe."""


class RequestLineTooLong(SecurityError):
    """The request line alone is longer than a head may be."""


class StatusLineTooLong(SecurityError):
    """The status line is longer than a head may be. The core tells it as `HeaderLineTooLong`; this is here
    for those who catch it."""


class HeaderLineTooLong(SecurityError):
    """The head of a request or response is longer than `ITODEN_MAX_HEAD_SIZE`."""


class TooManyHeaders(SecurityError):
    """The peer sent more header fields than are allowed (RFC 6455 §10.4)."""


class ProxyError(InvalidHandshake):
    """There is no way to the server through the proxy."""


class InvalidProxyMessage(ProxyError):
    """An HTTP proxy answered with something else than HTTP."""


class InvalidProxyStatus(ProxyError):
    """An HTTP proxy refused.

    Attributes:
        response: the proxy's answer.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        """The status."""
        return f"proxy rejected connection: HTTP {self.response.status_code}"


class InvalidMessage(InvalidHandshake):
    """The peer's request or response is not HTTP/1.1, or ended too early (RFC 9112 §2)."""


class InvalidMethod(InvalidHandshake):
    """The request's method is not GET (RFC 6455 §4.1).

    Attributes:
        method: the method that came.
    """

    def __init__(self, method: str) -> None:
        super().__init__(f"unsupported HTTP method: {method}")
        self.method = method


class InvalidProtocol(InvalidHandshake):
    """The HTTP version is not 1.1 (RFC 6455 §4.1).

    Attributes:
        protocol: the version that came: `"HTTP/1.0"`.
    """

    def __init__(self, protocol: str) -> None:
        super().__init__(f"unsupported HTTP version: {protocol}")
        self.protocol = protocol


class InvalidStatus(InvalidHandshake):
    """The server answered with another status than 101 (RFC 6455 §4.1).

    Attributes:
        response: the answer.
    """

    response: Response

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        """The status."""
        response = self.__dict__.get("response")
        return (
            super().__str__()
            if response is None
            else f"server rejected WebSocket connection: HTTP {response.status_code}"
        )


class InvalidHeader(InvalidHandshake):
    """A header field is missing, there twice, or has a value that is not allowed.

    Attributes:
        name: the header field.
        value: its value, cut to 80 characters; `None` if it is missing or there twice.
    """

    def __init__(self, name: str, value: str | None = None) -> None:
        if value is None:
            message = f"missing {name} header"
        elif value:
            message = f"invalid {name} header: {value}"
        else:
            message = f"empty {name} header"
        super().__init__(message)
        self.name = name
        self.value = value


class InvalidHeaderFormat(InvalidHeader):
    """A header field does not follow its grammar."""

    def __init__(self, name: str, error: str, header: str, pos: int) -> None:
        super().__init__(name, f"{error} at {pos} in {header}")


class InvalidHeaderValue(InvalidHeader):
    """A header field has the right form, but not the value that is needed."""


class InvalidOrigin(InvalidHeader):
    """The Origin of the request is not among those that the server allows (RFC 6455 §10.2)."""

    def __init__(self, origin: str | None) -> None:
        super().__init__("Origin", origin)


class InvalidUpgrade(InvalidHeader):
    """Upgrade or Connection do not ask for WebSocket (RFC 6455 §4.1, §4.2.1)."""

    def __init__(self, name: str = "Upgrade", value: str | None = None) -> None:
        super().__init__(name, value)


class NegotiationError(InvalidHandshake):
    """The two ends don't agree on an extension or a subprotocol (RFC 6455 §4.1)."""


class DuplicateParameter(NegotiationError):
    """A parameter of an extension is there twice.

    Attributes:
        name: the parameter.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"duplicate parameter: {name}")
        self.name = name


class InvalidParameterName(NegotiationError):
    """An extension has no such parameter.

    Attributes:
        name: the parameter.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"invalid parameter name: {name}")
        self.name = name


class InvalidParameterValue(NegotiationError):
    """A parameter of an extension has a value that is not allowed.

    Attributes:
        name: the parameter.
        value: its value, or `None` if it has none.
    """

    def __init__(self, name: str, value: str | None) -> None:
        if value is None:
            message = f"missing value for parameter {name}"
        elif value:
            message = f"invalid value for parameter {name}: {value}"
        else:
            message = f"empty value for parameter {name}"
        super().__init__(message)
        self.name = name
        self.value = value


class InvalidOption(InvalidHandshake, ValueError):
    """The caller asked for a handshake that can't be sent: a header that would break out of its line, for
    example."""


class ProtocolError(WebSocketException):
    """The peer broke the protocol. It is the cause (`__cause__`) of a `ConnectionClosedError`."""


class SendError(ProtocolError, ValueError):
    """The caller asked for something that can't be sent: a close code or a reason that is not allowed, a ping
    of more than 125 bytes, text that is not UTF-8. The connection goes on as if the call had not been
    made."""


class PayloadTooBig(WebSocketException):
    """The peer sent a larger frame or message than `max_size` allows (RFC 6455 §10.4).

    Attributes:
        size: how large the frame or the message is, in bytes, or `None` if that is not known.
        max_size: what is allowed, in bytes.
        current_size: how much of the message came before, in bytes, or `None`.
    """

    def __init__(
        self, size_or_message: int | str | None, max_size: int | None = None, current_size: int | None = None
    ) -> None:
        self.size: int | None = None
        self.max_size: int | None = None
        self.current_size: int | None = None
        if isinstance(size_or_message, str):
            super().__init__(size_or_message)
            return
        self.size = size_or_message
        self.max_size = None if max_size is None else max_size + (current_size or 0)
        self.current_size = current_size
        with_size = "" if self.size is None else f" with {self.size} bytes"
        after = "" if current_size is None else f" after reading {current_size} bytes"
        super().__init__(f"frame{with_size}{after} exceeds limit of {self.max_size} bytes")


class TooManyFragments(WebSocketException):
    """The peer sent a message in more fragments than `ITODEN_MAX_FRAGMENTS` (RFC 6455 §10.4)."""

    def __init__(self, max_fragments: int) -> None:
        super().__init__(f"fragmented message exceeds limit of {max_fragments} frames")


class InvalidState(WebSocketException, AssertionError):
    """The call came at a time when it has no meaning: the connection is not open yet, for example."""


class ConcurrencyError(WebSocketException, RuntimeError):
    """Two tasks did what only one can do at a time: two `recv()`, or two `ping()` with the same data."""


TABLE = {name: (fault, status, section, rule) for name, fault, status, section, rule in _native.error_table()}
"""The core's table of errors: name → fault, close code or HTTP status, section and rule."""

_GENERAL: dict[str, type[WebSocketException]] = {
    "protocol": ProtocolError,
    "handshake": InvalidHandshake,
    "send": SendError,
}

CLASSES: dict[str, type[WebSocketException]] = {name: _GENERAL[row[0]] for name, row in TABLE.items()} | {
    "frame_too_big": PayloadTooBig,
    "message_too_big": PayloadTooBig,
    "too_many_fragments": TooManyFragments,
    "head_too_large": HeaderLineTooLong,
    "too_many_headers": TooManyHeaders,
    "target_too_long": RequestLineTooLong,
    "invalid_head": InvalidMessage,
    "unexpected_eof": InvalidMessage,
    "invalid_target": InvalidMessage,
    "invalid_header_list": InvalidMessage,
    "unexpected_body": InvalidMessage,
    "invalid_method": InvalidMethod,
    "invalid_http_version": InvalidProtocol,
    "missing_header": InvalidHeader,
    "duplicate_header": InvalidHeader,
    "invalid_header": InvalidHeaderValue,
    "upgrade_required": InvalidUpgrade,
    "not_upgraded": InvalidUpgrade,
    "unsupported_version": InvalidHeaderValue,
    "accept_mismatch": InvalidHeaderValue,
    "unexpected_status": InvalidStatus,
    "invalid_extension": NegotiationError,
    "unoffered_extension": NegotiationError,
    "unoffered_subprotocol": NegotiationError,
    "invalid_option": InvalidOption,
    "message_unfinished": ConcurrencyError,
}
"""The class of each of the core's errors."""

_HEADER_OF = {
    "upgrade_required": "Upgrade",
    "not_upgraded": "Upgrade",
    "unsupported_version": "Sec-WebSocket-Version",
    "accept_mismatch": "Sec-WebSocket-Accept",
}


def from_core(name: str, message: str, fields: dict[str, Any] | None = None) -> WebSocketException:
    """Makes the exception for an error of the core. For the native module."""
    fault, status, section, rule = TABLE[name]
    cls = CLASSES[name]
    # Not through its own __init__: the core has written the message already.
    exception = cls.__new__(cls, message)
    if cls is PayloadTooBig:
        exception.__dict__ |= {"size": None, "max_size": None, "current_size": None}
    if name in _HEADER_OF:
        exception.__dict__ |= {"name": _HEADER_OF[name], "value": None}
    exception.__dict__ |= fields or {}
    exception.error_name = name
    exception.section = section
    exception.rule = rule
    if status:
        exception.close_code = status if fault == "protocol" else None
        exception.status = status if fault == "handshake" else None
    if name == "unexpected_eof":
        # By this, functions that were written as a `process_exception` know it.
        exception.__cause__ = EOFError("the transport ended")
    return exception


def connection_closed(
    rcvd: tuple[int, str] | None,
    sent: tuple[int, str] | None,
    rcvd_first: bool,
    cause: BaseException | None,
) -> ConnectionClosed:
    """Makes the exception for the end of a connection. For the native module."""
    ok = rcvd is not None and sent is not None and rcvd[0] in OK_CLOSE_CODES and sent[0] in OK_CLOSE_CODES
    exception = (ConnectionClosedOK if ok else ConnectionClosedError)(
        None if rcvd is None else Close(*rcvd),
        None if sent is None else Close(*sent),
        None if rcvd is None or sent is None else rcvd_first,
    )
    exception.__cause__ = cause
    return exception


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from .deprecated import find

        return find(__name__, name)
