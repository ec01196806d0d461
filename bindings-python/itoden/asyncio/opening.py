"""The opening handshake of a server on asyncio."""

from __future__ import annotations

import http
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..datastructures import Headers
from ..http11 import Request, Response, refusal
from ..opening import Rules
from ..state import State
from ..typing import Subprotocol

if TYPE_CHECKING:
    from .server import ServerConnection

ProcessRequest = Callable[["ServerConnection", Request], Awaitable[Response | None] | Response | None]
ProcessResponse = Callable[
    ["ServerConnection", Request, Response], Awaitable[Response | None] | Response | None
]
SelectSubprotocol = Callable[["ServerConnection", Sequence[Subprotocol]], Subprotocol | None]


class Opening:
    """Answers the request of a client, with what the application says about it."""

    def __init__(
        self, rules: Rules, process_request: ProcessRequest | None, process_response: ProcessResponse | None
    ) -> None:
        self._rules = rules
        self._process_request = process_request
        self._process_response = process_response

    async def __call__(self, connection: ServerConnection) -> bool:
        """Waits for the request and answers it. Returns whether the connection was opened.

        Raises:
            InvalidHandshake: there is no request, or none of HTTP.
        """
        waiter = connection._wait_opening()
        if waiter is not None:
            await waiter
        connection._check_opening()
        asked = connection._request()
        if asked is None:
            return False
        method, target, version, fields = asked
        request = connection.request = Request(target, Headers._of(fields), method, f"HTTP/{version}")
        connection._log_request(request)

        subprotocol = None
        response = await self._ask("process_request", self._process_request, connection, request)
        if self._process_request is not None:
            request = connection.request or request
            self._rules.adopt(connection, request, asked)
        forced = response is not None
        if response is None:
            response, subprotocol = self._rules.answer(connection, request)
        self._rules.name_server(response)
        changed = await self._ask("process_response", self._process_response, connection, request, response)
        response = response if changed is None else changed

        if response.status_code == http.HTTPStatus.SWITCHING_PROTOCOLS and not connection.server.is_serving():
            response = refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "Server is shutting down.\n")
            self._rules.name_server(response)
        if connection._request() is None:
            return False  # the client went away while the application thought about it
        self._rules.send(connection, response, subprotocol, forced=forced)
        return connection.state is not State.CONNECTING

    async def _ask(
        self, argument: str, process: Callable[..., Any] | None, connection: ServerConnection, *args: Any
    ) -> Response | None:
        """What the application wants to answer. If it fails: a response that says so."""
        if process is None:
            return None
        try:
            response = process(connection, *args)
            if isinstance(response, Awaitable):
                response = await response
            if response is not None and not isinstance(response, Response):
                raise TypeError(f"{argument} must return a Response or None, not {type(response).__name__}")
        except Exception:
            connection.logger.error("%s failed", argument, exc_info=True)
            return self._rules.failure()
        return response
