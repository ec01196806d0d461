"""The opening handshake of a server: what the application has a say in. The same for asyncio and threads."""

from __future__ import annotations

import http
import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any, Protocol

from .datastructures import Headers
from .exceptions import InvalidHandshake, InvalidOrigin, NegotiationError
from .http11 import Request, Response, refusal
from .typing import LoggerLike, Origin, Subprotocol

__all__ = ["Openable", "Origins", "Rules", "check_origins"]

Origins = Sequence[Origin | re.Pattern[str] | None]

_Fields = list[tuple[str, str]]
_FAILED = "Failed to open a WebSocket connection"


class Openable(Protocol):
    """The native half of a server's connection, as far as it is needed here."""

    response: Response | None
    handshake_exc: Exception | None

    @property
    def logger(self) -> LoggerLike: ...
    def _info(self, message: str, *args: object) -> None: ...
    def _debug(self, message: str, *args: object) -> None: ...
    def _request(self) -> tuple[str, str, str, _Fields] | None: ...
    def _adopt_request(self, method: str, target: str, headers: _Fields) -> None: ...
    def _check_request(self) -> None: ...
    def _offered_subprotocols(self) -> list[str]: ...
    def _propose(self, subprotocol: str | None, headers: _Fields) -> tuple[int, str, _Fields]: ...
    def _accept(
        self, subprotocol: str | None, headers: _Fields, fields: _Fields | None = None
    ) -> tuple[int, str, _Fields]: ...
    def _refuse(self, response: bytes) -> None: ...
    def _log_response(self) -> None: ...


def check_origins(origins: Origins | None) -> Origins | None:
    """Origins that are allowed. A single string is most likely a mistake."""
    if isinstance(origins, str):
        raise TypeError("origins must be a list, not str")
    for origin in origins or ():
        if not isinstance(origin, (str, re.Pattern, type(None))):
            raise TypeError(f"origins must hold str, compiled patterns or None, not {type(origin).__name__}")
    return origins


class Rules:
    """What a server answers to a request.

    Args:
        origins: the origins that are allowed, or `None` for all.
        subprotocols: those that are served, in order of preference.
        select_subprotocol: chooses one instead.
        server_header: the value of Server, or `None` for none.
    """

    def __init__(
        self,
        origins: Origins | None,
        subprotocols: list[str],
        select_subprotocol: Callable[[Any, Sequence[Subprotocol]], Subprotocol | None] | None,
        server_header: str | None,
    ) -> None:
        self._origins = origins
        self._subprotocols = subprotocols
        self._select_subprotocol = select_subprotocol
        self._server_header = server_header

    def answer(self, connection: Openable, request: Request) -> tuple[Response, str | None]:
        """The response to a request, and the subprotocol that is chosen if the response accepts it."""
        try:
            connection._check_request()
            self._check_origin(request)
            subprotocol = self._choose(connection)
            return self._proposal(connection, subprotocol), subprotocol
        except Exception as error:
            connection.handshake_exc = error
            return self._refusal(connection, error), None

    @staticmethod
    def adopt(connection: Openable, request: Request, came: tuple[str, str, str, _Fields] | None) -> None:
        """Makes what the application changed in a request, or put in its place, the request to answer.

        Args:
            connection: the connection.
            request: the request by now.
            came: how it came; `None` if it was read elsewhere.
        """
        fields = list(request.headers.raw_items())
        if came is None:
            connection._adopt_request(request.method, request.path, fields)
            return
        changed = (request.method, request.path, fields) != (came[0], came[1], came[3])
        # The client may have gone away meanwhile.
        if changed and request.protocol == "HTTP/1.1" and connection._request() is not None:
            connection._adopt_request(request.method, request.path, fields)

    def _refusal(self, connection: Openable, error: Exception) -> Response:
        if isinstance(error, InvalidOrigin):
            connection._debug("! invalid origin")
            return refusal(http.HTTPStatus.FORBIDDEN, f"{_FAILED}: {error}.\n")
        if isinstance(error, NegotiationError):
            connection._debug("! invalid handshake")
            return refusal(http.HTTPStatus.BAD_REQUEST, f"{_FAILED}: {error}.\n")
        answer = getattr(error, "answer", None)
        if answer is None:
            connection.logger.error("opening handshake failed", exc_info=True)
            return self.failure()
        connection._debug("! invalid handshake")
        (status, reason, fields), body = answer
        response = Response(status, reason, Headers._of(fields), body)
        response.headers.setdefault("Date", formatdate(usegmt=True))
        return response

    def failure(self) -> Response:
        """The response when the server's own code failed."""
        return refusal(
            http.HTTPStatus.INTERNAL_SERVER_ERROR, f"{_FAILED}.\nSee server log for more information.\n"
        )

    def name_server(self, response: Response) -> None:
        """Adds Server, unless it is there."""
        if self._server_header is not None:
            response.headers.setdefault("Server", self._server_header)

    def send(
        self, connection: Openable, response: Response, subprotocol: str | None, *, forced: bool
    ) -> None:
        """Sends the response; one with the status 101 opens the connection.

        `forced` tells that the application answers the request by itself.
        """
        if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS:
            try:
                if forced:
                    self._complete(connection, response)
                    subprotocol = response.headers.get("Sec-WebSocket-Protocol")
                connection._accept(subprotocol, [], list(response.headers.raw_items()))
            except InvalidHandshake:
                connection.logger.error("opening handshake failed", exc_info=True)
                response, forced = self.failure(), False
            else:
                connection.response = response
                connection._log_response()
                connection._info("connection open")
                return
        try:
            answer = response.serialize()
        except (ValueError, TypeError):
            connection.logger.error("opening handshake failed", exc_info=True)
            response, forced = self.failure(), False
            answer = response.serialize()
        connection.response = response
        connection._refuse(answer)
        connection._log_response()
        connection._info(
            "HTTP response sent (%d %s)" if forced else "connection rejected (%d %s)",
            response.status_code,
            response.reason_phrase,
        )

    def _complete(self, connection: Openable, response: Response) -> None:
        """Puts what makes a response an opening handshake before what the application put into it."""
        connection._check_request()
        proposal = self._proposal(connection, response.headers.get("Sec-WebSocket-Protocol"))
        for name, value in response.headers.raw_items():
            if name not in proposal.headers:
                proposal.headers[name] = value
        response.headers = proposal.headers

    def _proposal(self, connection: Openable, subprotocol: str | None) -> Response:
        status, reason, fields = connection._propose(subprotocol, [])
        return Response(status, reason, Headers._of([("Date", formatdate(usegmt=True)), *fields]))

    def _check_origin(self, request: Request) -> None:
        """Raises `InvalidOrigin` unless the request's Origin is allowed (RFC 6455 §10.2)."""
        if self._origins is None:
            return
        origin = request.headers.get("Origin")
        for allowed in self._origins:
            if isinstance(allowed, re.Pattern):
                if origin is not None and allowed.fullmatch(origin):
                    return
            elif allowed == origin:
                return
        raise InvalidOrigin(origin)

    def _choose(self, connection: Openable) -> str | None:
        offered = connection._offered_subprotocols()
        if self._select_subprotocol is not None:
            return self._select_subprotocol(connection, offered)
        if not self._subprotocols:
            return None
        if not offered:
            raise NegotiationError("missing subprotocol")
        for name in self._subprotocols:
            if name in offered:
                return name
        raise NegotiationError(
            f"none of the subprotocols {offered} is among those served: {self._subprotocols}"
        )
