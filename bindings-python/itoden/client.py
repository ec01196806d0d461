"""Clients: one without I/O, and what those on asyncio and in threads have in common: retries, redirects, the
request."""

from __future__ import annotations

import base64
import logging
import random
import ssl as ssl_module
import urllib.parse
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from . import _native, limits, options
from .datastructures import Headers, HeadersLike, pairs_of
from .exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, SecurityError
from .http11 import Request, Response
from .protocol import CLIENT, Protocol
from .proxy import parse_proxy
from .state import CONNECTING, State
from .typing import LoggerLike
from .uri import WebSocketURI, parse_uri

if TYPE_CHECKING:
    from .base import BaseConnection

__all__ = [
    "ClientProtocol",
    "Connecting",
    "backoff",
    "check_ssl",
    "decide",
    "process_exception",
    "take_answer",
]

_REDIRECTS = (300, 301, 302, 303, 307, 308)
_RETRIED = (500, 502, 503, 504)
_OF_THE_HANDSHAKE = (
    "host",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
)
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")


def process_exception(exc: Exception) -> Exception | None:
    """Whether `async for` and `reconnect()` try again after an exception: the default of `process_exception`.

    They do after errors of the network (`OSError`, `TimeoutError`, an answer that ended too early), and when
    the server answers with 500, 502, 503 or 504.

    Args:
        exc: what made the connection fail.

    Returns:
        `None` to try again; an exception to raise.
    """
    if isinstance(exc, (OSError, TimeoutError)):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(exc.__cause__, EOFError):  # it ended too early
        return None
    if isinstance(exc, InvalidStatus) and exc.response.status_code in _RETRIED:
        return None
    return exc


def backoff(
    initial_delay: float = limits.BACKOFF_INITIAL_DELAY,
    min_delay: float = limits.BACKOFF_MIN_DELAY,
    max_delay: float = limits.BACKOFF_MAX_DELAY,
    factor: float = limits.BACKOFF_FACTOR,
) -> Generator[float]:
    """Delays between attempts to connect: the default of `reconnect_delays`.

    Args:
        initial_delay: the first delay is random and at most this, in seconds, so that clients which lost the
            same server don't come back together.
        min_delay: the second delay, in seconds.
        max_delay: no delay is longer, in seconds.
        factor: how many times the one before each delay is, from the third on.

    Yields:
        How many seconds to wait before the next attempt.
    """
    yield random.random() * initial_delay  # noqa: S311 - nobody gains by foretelling it
    delay = min_delay
    while delay < max_delay:
        yield delay
        delay *= factor
    while True:
        yield max_delay


def take_answer(connection: BaseConnection) -> None:
    """Keeps and logs the server's answer to a client's request.

    Raises:
        InvalidHandshake: it made the opening handshake fail.
    """
    answer = connection._response()
    if answer is not None:
        (status, reason, fields), body = answer
        connection.response = Response(status, reason, Headers._of(fields), body)
        connection._log_response()
    try:
        connection._check_opening()
    except InvalidHandshake as error:
        connection.handshake_exc = error
        if isinstance(error, InvalidStatus) and connection.response is not None:
            error.response = connection.response
        raise


class Connecting:
    """Where `connect()` on asyncio and `reconnect()` in threads lead to, and what is asked there.

    Attributes:
        uri: the URI as it was given, or where a redirect led. Setting it leads elsewhere.
        ws_uri: its parts.
        additional_headers: further header fields. What is set or changed here, as a new token, is sent from
            the next attempt on.
        user_agent_header: the value of User-Agent, or `None`.
        proxy: the argument.
        process_exception: the argument.
        open_timeout: the argument.
        reconnect_delays: the argument.
        logger: the logger.
    """

    def __init__(
        self,
        uri: str,
        settings: _native.Settings,
        *,
        origin: str | None,
        subprotocols: Sequence[str] | None,
        additional_headers: HeadersLike | None,
        user_agent_header: str | None,
        proxy: str | Literal[True] | None,
        process_exception: Callable[[Exception], Exception | None],
        open_timeout: float | None,
        reconnect_delays: Callable[[], Generator[float]],
        logger: LoggerLike | None,
        create_connection: object,
    ) -> None:
        self.uri = uri
        self.additional_headers: HeadersLike | None = additional_headers
        if isinstance(additional_headers, Iterator):  # to be read once, but there may be several attempts
            self.additional_headers = Headers._of(pairs_of(additional_headers))
        self.user_agent_header = options.check_str("user_agent_header", user_agent_header)
        self._settings = settings
        self._origin = options.check_str("origin", origin)
        self._subprotocols = options.check_subprotocols(subprotocols)
        # What can't be sent is refused here, before anything is connected.
        self._handshake()
        if proxy not in (None, True):
            parse_proxy(cast(str, proxy))
        options.check_callback("process_exception", process_exception, required=True)
        options.check_callback("reconnect_delays", reconnect_delays, required=True)
        options.check_callback("create_connection", create_connection)
        self.proxy = proxy
        self.process_exception = process_exception
        self.open_timeout = options.check_timeout("open_timeout", open_timeout)
        self.reconnect_delays = reconnect_delays
        self.logger = logger if logger is not None else logging.getLogger("itoden.client")

    @property
    def uri(self) -> str:
        """The URI."""
        return self._uri

    @uri.setter
    def uri(self, uri: str) -> None:
        self.ws_uri = parse_uri(uri)
        self._uri = uri

    def _handshake(self) -> _native.ClientHandshake:
        """A new handshake."""
        fields = [] if self._origin is None else [("Origin", self._origin)]
        additional = [] if self.additional_headers is None else [*pairs_of(self.additional_headers)]
        names = {name.lower() for name, _ in additional}
        lists = [value for name, value in additional if name.lower() == "sec-websocket-protocol"]
        offered = [name.strip() for value in lists for name in value.split(",")]
        if self.ws_uri.authorization is not None and "authorization" not in names:
            fields.append(("Authorization", self.ws_uri.authorization))
        fields += [field for field in additional if not self._is_sent_otherwise(*field)]
        if self.user_agent_header is not None and "user-agent" not in names:
            fields.append(("User-Agent", self.user_agent_header))
        return _native.ClientHandshake(
            self.ws_uri.host_header,
            self.ws_uri.resource_name,
            subprotocols=self._subprotocols + offered,
            headers=fields,
            settings=self._settings,
        )

    def _is_sent_otherwise(self, name: str, value: str) -> bool:
        """Whether the handshake has this header field itself: it was copied from another request, perhaps."""
        value = value.strip().lower()
        match name.lower():
            case "upgrade":
                return value == "websocket"
            case "connection":
                tokens = {token.strip() for token in value.split(",")}
                return "upgrade" in tokens and tokens <= {"upgrade", "keep-alive"}
            case "host":
                return value == self.ws_uri.host_header
            case "sec-websocket-version":
                return value == "13"
            case "sec-websocket-protocol":
                return True
        return False

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Whether to follow a redirect. Subclasses may decide otherwise; returning `exc` follows none.

        Args:
            exc: what the handshake raised.

        Returns:
            The URI that an answer leads to, or an exception to raise: `exc` itself if it tells of no
            redirect; `SecurityError` or `ValueError` if it is not safe to go there, or the arguments don't
            allow it. Credentials in `additional_headers` are removed if it leads to another origin.

        Raises:
            InvalidURI: what it leads to is not a WebSocket URI.
        """
        if not isinstance(exc, InvalidStatus) or exc.response.status_code not in _REDIRECTS:
            return exc
        location = exc.response.headers.get_all("Location")
        if len(location) != 1:
            return exc
        uri = _websocket_scheme(urllib.parse.urljoin(self.uri, location[0]))
        parts = parse_uri(uri)
        network = self._network()
        if network.get("sock") is not None:
            return ValueError(f"cannot follow redirect to {uri} with a preexisting socket")
        if self.ws_uri.secure and not parts.secure:
            return SecurityError(f"cannot follow redirect to non-secure URI {uri}")
        if _origin_of(self.ws_uri) != _origin_of(parts):
            if network.get("unix"):
                return ValueError(f"cannot follow cross-origin redirect to {uri} with a Unix socket")
            if network.get("host") is not None or network.get("port") is not None:
                return ValueError(
                    f"cannot follow cross-origin redirect to {uri} with an explicit host or port"
                )
            if self.additional_headers is not None:
                self.additional_headers = Headers(
                    [
                        field
                        for field in pairs_of(self.additional_headers)
                        if field[0].lower() not in _CREDENTIALS
                    ]
                )
        return uri

    def _network(self) -> Mapping[str, Any]:
        """The arguments for the network: some of them allow no redirect, or none elsewhere."""
        raise NotImplementedError

    def _follow(self, error: Exception) -> bool:
        """Changes to where an answer leads; `False` if it leads nowhere and is to be raised itself."""
        try:
            decided = self.process_redirect(error)
            if isinstance(decided, str):
                self.uri = decided
                return True
        except Exception as refused:
            raise refused from error
        if decided is error:
            return False
        raise decided from error


def _origin_of(uri: WebSocketURI) -> tuple[bool, str, int]:
    return uri.secure, uri.host, uri.port


def _websocket_scheme(uri: str) -> str:
    """`http` and `https` in a redirect mean `ws` and `wss`, as in the WHATWG's WebSockets standard."""
    scheme, colon, rest = uri.partition(":")
    return {"http": "ws", "https": "wss"}.get(scheme.lower(), scheme) + colon + rest


def check_ssl(uri: WebSocketURI, ssl: object, *, given: bool) -> None:
    """Whether `ssl`, if it was `given`, fits the scheme of the URI. Raises `TypeError` or `ValueError`."""
    if ssl is not None and not isinstance(ssl, (ssl_module.SSLContext, bool)):
        raise TypeError(f"ssl must be an SSLContext, True or None, not {type(ssl).__name__}")
    if ssl is False:
        raise ValueError("ssl is False; it must be an SSLContext, True or None")
    if uri.secure and given and ssl is None:
        raise ValueError("ssl is None, but the URI begins with wss://; TLS can't be left out there")
    if not uri.secure and ssl is not None:
        raise ValueError("ssl is given, but the URI begins with ws://; TLS needs wss://")


def decide(process: Callable[[Exception], Exception | None], error: Exception) -> None:
    """Raises what `process_exception` makes of an exception, unless that is to try again."""
    try:
        decided = process(error)
    except Exception as raised:
        decided = raised
    if decided is error:
        raise error
    if decided is not None:
        raise decided from error


class ClientProtocol(Protocol):
    """A client's end of a connection without I/O.

    Ask with `send_request(connect())`. The first event is a `Response`; `handshake_exc` then says whether the
    connection is open.

    Args:
        uri: the URI; see `itoden.uri.parse_uri()`.
        origin: the value of Origin.
        extensions: at most one `ClientPerMessageDeflateFactory`. By default nothing is compressed.
        subprotocols: the subprotocols that are wanted, in order of preference.
        state: `CONNECTING`; `OPEN` does without an opening handshake.
        max_size: the largest message that is received, in bytes; see `Protocol`.
        logger: a logger; by default `logging.getLogger("itoden.client")`.
    """

    def __init__(
        self,
        uri: WebSocketURI,
        *,
        origin: str | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[str] | None = None,
        state: State = CONNECTING,
        max_size: options.Size = options.MAX_SIZE,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(CLIENT, state=state, max_size=max_size, logger=logger, extensions=extensions)
        self.uri = uri
        self.origin = options.check_str("origin", origin)
        self._offered = options.check_subprotocols(subprotocols)
        self._answered = state is not CONNECTING

    def _handshake(self, headers: Headers, host: str, nonce: bytes | None) -> _native.ClientHandshake:
        return _native.ClientHandshake(
            host,
            self.uri.resource_name,
            subprotocols=self._offered,
            headers=list(headers.raw_items()),
            settings=self._settings,
            nonce=nonce,
        )

    def connect(self) -> Request:
        """The request that asks for a connection. Header fields may be added before `send_request()`."""
        headers = Headers()
        if self.origin is not None:
            headers["Origin"] = self.origin
        if self.uri.authorization is not None:
            headers["Authorization"] = self.uri.authorization
        handshake = self._handshake(headers, self.uri.host_header, None)
        return Request(handshake.target, Headers._of(handshake.headers))

    def send_request(self, request: Request) -> None:
        """Sends a request that `connect()` made. Raises `InvalidHandshake` for what can't be sent."""
        fields = [field for field in request.headers.raw_items() if field[0].lower() not in _OF_THE_HANDSHAKE]
        nonce = base64.b64decode(request.headers["Sec-WebSocket-Key"])
        handshake = self._handshake(Headers._of(fields), request.headers["Host"], nonce)
        self._wire._log_request(Request(handshake.target, Headers._of(handshake.headers)))
        self._wire._start(handshake)

    def _take_handshake(self) -> None:
        if self._answered or self._wire._wait_opening() is not None:
            return
        self._answered = True
        answer = self._wire._response()
        failed = self._fail_handshake()
        if answer is not None:
            (status, reason, fields), body = answer
            response = self._wire.response = Response(status, reason, Headers._of(fields), body)
            self._wire._log_response()
            self._events.append(response)
            if failed and isinstance(self.handshake_exc, InvalidStatus):
                self.handshake_exc.response = response


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from .deprecated import find

        return find(__name__, name)
