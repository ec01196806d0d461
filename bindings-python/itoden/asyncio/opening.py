"""The opening handshake of a server: what the application has a say in."""

from __future__ import annotations

import http
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from ..datastructures import Headers
from ..exceptions import InvalidHandshake, InvalidOrigin, NegotiationError
from ..http11 import Request, Response, refusal
from ..typing import Origin, Subprotocol

if TYPE_CHECKING:
    from .server import ServerConnection

Origins = Sequence[Origin | re.Pattern[str] | None]
ProcessRequest = Callable[["ServerConnection", Request], Awaitable[Response | None] | Response | None]
SelectSubprotocol = Callable[["ServerConnection", Sequence[Subprotocol]], Subprotocol | None]


def check_origins(origins: Origins | None) -> Origins | None:
    """Origins that are allowed. A single string is most likely a mistake."""
    if isinstance(origins, str):
        raise TypeError("origins must be a list, not str")
    for origin in origins or ():
        if not isinstance(origin, (str, re.Pattern, type(None))):
            raise TypeError(f"origins must hold str, compiled patterns or None, not {type(origin).__name__}")
    return origins


class Opening:
    """The opening handshake of a server: what the application has a say in."""

    def __init__(
        self,
        origins: Origins | None,
        subprotocols: list[str],
        select_subprotocol: SelectSubprotocol | None,
        process_request: ProcessRequest | None,
        server_header: str | None,
    ) -> None:
        self._origins = origins
        self._subprotocols = subprotocols
        self._select_subprotocol = select_subprotocol
        self._process_request = process_request
        self._headers = [] if server_header is None else [("Server", server_header)]

    async def __call__(self, connection: ServerConnection) -> None:
        """Answers the request. Raises `InvalidHandshake` if it was refused."""
        waiter = connection._wait_opening()
        if waiter is not None:
            await waiter
        connection._check_opening()
        asked = connection._request()
        if asked is None:
            raise InvalidHandshake("the transport ended before the request was answered")
        method, target, fields = asked
        request = connection.request = Request(target, Headers(fields), method)
        try:
            response = await self._ask_application(connection, request)
            if response is None and not connection.server.is_serving():
                response = refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "The server is closing.\n")
            if response is None:
                self._check_origin(request)
                status, reason, fields = connection._accept(self._choose(connection), self._headers)
                connection.response = Response(status, reason, Headers(fields))
            else:
                self._refuse(connection, response)
        except InvalidOrigin as error:
            self._refuse(connection, refusal(http.HTTPStatus.FORBIDDEN, f"{error}\n"))
            raise
        except NegotiationError as error:
            self._refuse(connection, refusal(http.HTTPStatus.BAD_REQUEST, f"{error}\n"))
            raise
        except Exception as error:
            connection.logger.error("opening handshake failed", exc_info=True)
            self._refuse(
                connection, refusal(http.HTTPStatus.INTERNAL_SERVER_ERROR, "See the server's log.\n")
            )
            raise InvalidHandshake("the server's own code failed") from error
        if response is not None:
            raise InvalidHandshake(f"refused with status {response.status_code}")

    async def _ask_application(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._process_request is None:
            return None
        response = self._process_request(connection, request)
        if isinstance(response, Awaitable):
            response = await response
        if response is not None and not isinstance(response, Response):
            raise TypeError(f"process_request must return a Response or None, not {type(response).__name__}")
        return response

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

    def _choose(self, connection: ServerConnection) -> str | None:
        offered = connection._offered_subprotocols()
        if self._select_subprotocol is not None:
            return self._select_subprotocol(connection, offered)
        if not self._subprotocols or not offered:
            return None
        for name in self._subprotocols:
            if name in offered:
                return name
        raise NegotiationError(
            f"none of the subprotocols {offered} is among those served: {self._subprotocols}"
        )

    def _refuse(self, connection: ServerConnection, response: Response) -> None:
        for name, value in self._headers:
            if name not in response.headers:
                response.headers[name] = value
        connection.response = response
        connection._refuse(response.serialize())
