"""Servers whose handlers are chosen by the path, with the routes of werkzeug."""

from __future__ import annotations

import os
import ssl as ssl_module
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..http11 import Request, Response
from ..routing import BaseRouter, prepare
from ..typing import PathLike
from .server import Server, ServerConnection, serve

if TYPE_CHECKING:
    from werkzeug.routing import Map

    class _MakesRouter(Protocol):
        def __call__(self, url_map: Map, server_name: str | None, url_scheme: str) -> Router: ...


__all__ = ["Router", "route", "unix_route"]


class Router(BaseRouter):
    """Chooses the handler of a connection by the path of its request; `route()` makes one. See
    `BaseRouter`."""

    async def handler(self, connection: ServerConnection) -> None:
        """Runs the handler that was found."""
        await connection.handler(connection, **connection.handler_kwargs)


def route(
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: _MakesRouter | None = None,
    **kwargs: Any,
) -> Server:
    """Makes a WebSocket server that chooses the handler by the path. Requires the package werkzeug.

    ::

        async def room(websocket, number):
            ...

        url_map = Map([Rule("/room/<int:number>", endpoint=room)])

        async with route(url_map, "localhost", 8765) as server:
            await server.serve_forever()

    Args:
        url_map: a `werkzeug.routing.Map` whose endpoints are handlers. They are given what stands in the path
            as keywords. Rules need no `websocket=True`.
        *args: as for `serve()`, from `host` on.
        server_name: the name of the server as clients see it, for redirects; by default what their Host says.
            Needed behind a proxy that changes Host.
        ssl: the TLS context. `True` says that a proxy in front ends TLS: redirects then lead to `wss://`.
        create_router: a subclass of `Router`, or a function that is called in its place.
        **kwargs: as for `serve()`. `process_request` comes before the choice, and may answer by itself.

    Raises:
        ImportError: werkzeug is not there.
    """
    scheme = prepare(kwargs, ssl)
    router = (create_router or Router)(url_map, server_name, scheme)
    before = kwargs.pop("process_request", None)

    if before is None:
        kwargs["process_request"] = router.route_request
    else:

        async def process_request(connection: ServerConnection, request: Request) -> Response | None:
            response: Response | Awaitable[Response | None] | None = before(connection, request)
            if isinstance(response, Awaitable):
                response = await response
            return router.route_request(connection, request) if response is None else response

        kwargs["process_request"] = process_request
    return serve(router.handler, *args, **kwargs)


def unix_route(url_map: Map, path: PathLike | None = None, **kwargs: Any) -> Server:
    """Makes a server as `route()` does, that listens on a Unix socket, where there are such.

    Args:
        url_map: as for `route()`.
        path: the path of the socket; with `sock` none is needed.
        **kwargs: as for `route()`.
    """
    return route(url_map, unix=True, path=None if path is None else os.fspath(path), **kwargs)
