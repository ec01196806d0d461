"""Which handler belongs to a path, with the routes of werkzeug. The same on asyncio and in threads."""

from __future__ import annotations

import http
import ssl as ssl_module
import urllib.parse
from typing import TYPE_CHECKING, Any, Literal

from .http11 import Request, Response

if TYPE_CHECKING:
    from werkzeug.routing import Map

__all__ = ["BaseRouter", "prepare"]


class BaseRouter:
    """Chooses the handler of a connection by the path of its request.

    Args:
        url_map: the routes. Each is made one for WebSocket here.
        server_name: the name of the server as clients see it; by default what their Host says.
        url_scheme: `"ws"` or `"wss"`, for the URIs of redirects.
    """

    def __init__(self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws") -> None:
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme
        for rule in self.url_map.iter_rules():
            rule.websocket = True

    def get_server_name(self, connection: Any, request: Request) -> str:
        """The name of the server for a request."""
        return request.headers.get("Host", "") if self.server_name is None else self.server_name

    def redirect(self, connection: Any, url: str) -> Response:
        """The response that leads elsewhere."""
        response: Response = connection.respond(http.HTTPStatus.FOUND, f"Found at {url}")
        response.headers["Location"] = url
        return response

    def not_found(self, connection: Any) -> Response:
        """The response where there is no route."""
        response: Response = connection.respond(http.HTTPStatus.NOT_FOUND, "Not Found")
        return response

    def route_request(self, connection: Any, request: Request) -> Response | None:
        """Finds the handler; a `process_request`. Returns a response if there is none."""
        from werkzeug.exceptions import NotFound
        from werkzeug.routing import RequestRedirect

        adapter = self.url_map.bind(
            server_name=self.get_server_name(connection, request), url_scheme=self.url_scheme
        )
        parts = urllib.parse.urlsplit(request.path)
        try:
            handler, arguments = adapter.match(path_info=parts.path, query_args=parts.query, websocket=True)
        except RequestRedirect as redirect:
            return self.redirect(connection, redirect.new_url)
        except NotFound:
            return self.not_found(connection)
        connection.handler = handler
        connection.handler_kwargs = dict(arguments)
        return None


def prepare(
    kwargs: dict[str, Any], ssl: ssl_module.SSLContext | Literal[True] | None
) -> Literal["ws", "wss"]:
    """The scheme of the URIs of redirects; `ssl` goes where `serve()` finds it.

    Raises:
        ImportError: werkzeug is not there.
    """
    try:
        import werkzeug.routing  # noqa: F401 - here rather than at the first request
    except ImportError as error:
        raise ImportError("route() requires werkzeug: pip install werkzeug") from error
    if ssl is not None and ssl is not True:
        kwargs["ssl"] = ssl
    return "ws" if ssl is None else "wss"
