"""A server's end of a connection without I/O, as `websockets.server` has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import options
from .datastructures import Headers
from .http11 import Request, Response, refusal
from .opening import Origins, Rules, check_origins
from .protocol import SERVER, Protocol
from .state import CONNECTING, State
from .typing import LoggerLike, StatusLike, Subprotocol

__all__ = ["ServerProtocol"]


class ServerProtocol(Protocol):
    """A server's end of a connection without I/O.

    The first event is a `Request`. Answer it with `send_response(accept(request))`, or with what `reject()`
    returns. Who reads requests and writes responses otherwise, as an HTTP server does, begins with the state
    `OPEN`, gives `accept()` a `Request` made of what came, and writes the response that it returns.

    Args:
        origins: the values of Origin that are allowed; see `serve()`.
        extensions: at most one `ServerPerMessageDeflateFactory`. By default nothing is compressed.
        subprotocols: the subprotocols that are served, in order of preference.
        select_subprotocol: a function of this object and the offered subprotocols that chooses one or `None`.
        state: `CONNECTING`; `OPEN` does without the bytes of an opening handshake.
        max_size: the largest message that is received, in bytes; see `Protocol`.
        logger: a logger; by default `logging.getLogger("itoden.server")`.
    """

    def __init__(
        self,
        *,
        origins: Origins | None = None,
        extensions: Sequence[Any] | None = None,
        subprotocols: Sequence[Subprotocol] | None = None,
        select_subprotocol: Callable[[ServerProtocol, Sequence[Subprotocol]], Subprotocol | None]
        | None = None,
        state: State = CONNECTING,
        max_size: options.Size = options.MAX_SIZE,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(SERVER, state=state, max_size=max_size, logger=logger, extensions=extensions)
        options.check_callback("select_subprotocol", select_subprotocol)
        select = select_subprotocol
        self._rules = Rules(
            check_origins(origins),
            options.check_subprotocols(subprotocols),
            None if select is None else lambda _, offered: select(self, offered),
            None,
        )
        self._read_elsewhere = state is not CONNECTING
        self._asked = self._read_elsewhere
        self._came: tuple[str, str, str, list[tuple[str, str]]] | None = None
        self._accept_called = False
        self._chosen: str | None = None

    def _take_handshake(self) -> None:
        if self._asked or self._wire._wait_opening() is not None:
            return
        self._asked = True
        if self._fail_handshake():
            return
        asked = self._wire._request()
        if asked is not None:
            method, target, version, fields = asked
            request = Request(target, Headers._of(fields), method, f"HTTP/{version}")
            self._wire._log_request(request)
            self._came = asked
            self._events.append(request)

    def accept(self, request: Request) -> Response:
        """The response that opens the connection, or says why not. It may be changed before
        `send_response()`.

        Args:
            request: the request that came, changed perhaps; one made by hand, if this object has read none.
        """
        self._accept_called = True
        self._asked = True
        came, self._came = self._came, None
        self._rules.adopt(self._wire, request, came)
        response, self._chosen = self._rules.answer(self._wire, request)
        self.handshake_exc = self._wire.handshake_exc
        if self._read_elsewhere:
            self._open(response)
        return response

    def _open(self, response: Response) -> None:
        """Frames can come and go from now on; if the request was accepted, as the response says."""
        if self.handshake_exc is not None:
            self._wire._open_at_once()
            return
        unsent = self.data_to_send()
        self._wire._accept(self._chosen, [], list(response.headers.raw_items()))
        self._wire.response = response
        # The response is written by who reads requests.
        self._output.writes = unsent

    def reject(self, status: StatusLike, text: str) -> Response:
        """A response in plain text that does not open the connection.

        Args:
            status: the HTTP status.
            text: the body.
        """
        return refusal(status, text)

    def send_response(self, response: Response) -> None:
        """Sends a response; one with the status 101 opens the connection."""
        self._rules.send(self._wire, response, self._chosen, forced=not self._accept_called)
        self._take_events()


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from .deprecated import find

        return find(__name__, name)
