"""WebSocket for uvicorn: `uvicorn app:app --ws itoden.uvicorn:WebSocketProtocol`.

Applications of ASGI, such as those of FastAPI and Starlette, run unchanged. What uvicorn's options say of
WebSocket holds: `--ws-max-size`, `--ws-max-queue`, `--ws-ping-interval`, `--ws-ping-timeout`,
`--ws-per-message-deflate`.
"""

from __future__ import annotations

import asyncio
import email.utils
import http
import logging
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from uvicorn.protocols.utils import (
    ClientDisconnected,
    get_client_addr,
    get_local_addr,
    get_path_with_query_string,
    get_remote_addr,
    is_ssl,
)

from . import _native, options
from .exceptions import ConcurrencyError, ConnectionClosed, InvalidHandshake
from .frames import CloseCode

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

__all__ = ["WebSocketProtocol"]

_Message = dict[str, Any]
_Fields = list[tuple[str, str]]

_logger = logging.getLogger("uvicorn.error")
_TRACE = 5  # uvicorn's level below DEBUG

_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}

# Where an application is in the life of its connection.
_CONNECTING, _OPEN, _RESPONDING, _ENDED = range(4)


# The settings of the configurations that are in use.
_known: weakref.WeakKeyDictionary[Config, _native.Settings] = weakref.WeakKeyDictionary()


def _settings(config: Config) -> _native.Settings:
    settings = _known.get(config)
    if settings is None:
        settings = _known[config] = options.settings(
            server=True,
            max_size=config.ws_max_size,
            max_queue=config.ws_max_queue,
            ping_interval=config.ws_ping_interval or None,  # uvicorn takes 0 for none
            ping_timeout=config.ws_ping_timeout,
            compression="deflate" if config.ws_per_message_deflate else None,
            close_timeout=options.TIMEOUT,
            write_limit=options.WRITE_LIMIT,
        )
    return settings


def _decode(fields: Any) -> _Fields:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


class WebSocketProtocol(_native.AsyncConnection, asyncio.BufferedProtocol):
    """A WebSocket connection of a uvicorn server, which makes one for each request that asks for WebSocket.

    Args:
        config: uvicorn's configuration.
        server_state: what the connections of the server share.
        app_state: the state of the lifespan, of which each connection is given a copy.
        _loop: the event loop; the running one by default.
    """

    def __new__(cls, config: Config, *args: Any, **kwargs: Any) -> Self:
        """Makes a connection that has no transport yet."""
        return super().__new__(cls, _settings(config), True)

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._config = config
        self._app: Callable[..., Any] = config.loaded_app
        self._app_state = app_state
        self._server_state = server_state
        self._loop = _loop
        self._scope: dict[str, Any] = {}
        self._phase = _CONNECTING
        self._connect_told = False
        self._started: tuple[int, _Fields, bytearray] | None = None
        # What receive() returns once nothing else can come; and whoever waits in it.
        self._disconnect: _Message | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._next_waiters: list[asyncio.Future[None]] = []
        self._writable: asyncio.Future[None] | None = None

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by uvicorn, before it hands the request on to `data_received()`."""
        self._read_ahead()
        super().connection_made(transport)
        any_set: set[Any] = self._server_state.connections
        any_set.add(self)
        self._log_trace("WebSocket connection made")

    def data_received(self, data: bytes) -> None:
        """Called by uvicorn with the request; after that the transport reads into the native half."""
        super().data_received(data)
        if self._scope:
            return
        asked = self._request()
        if asked is None:
            # Uvicorn has parsed it, so it is whole; it is none that itoden reads, and was refused.
            return
        try:
            self._check_request()
        except InvalidHandshake as error:
            refusal: Any = error
            (status, phrase, fields), body = refusal.answer
            self._refuse(_native.response_bytes(status, phrase, fields, body))
            self._phase = _ENDED
            return
        self._scope = self._make_scope(asked[1], asked[3])
        loop = self._loop or asyncio.get_running_loop()
        task = loop.create_task(self._run())
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio when the transport has ended."""
        super().connection_lost(exc)
        any_set: set[Any] = self._server_state.connections
        any_set.discard(self)
        self._log_trace("WebSocket connection lost")
        if self._phase != _OPEN:
            self._phase = _ENDED
            self._end(CloseCode.ABNORMAL_CLOSURE)
        self.resume_writing()

    def pause_writing(self) -> None:
        """Called by the transport when it has more to write than it should."""
        super().pause_writing()
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Called by the transport when it has room again."""
        super().resume_writing()
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set_result(None)

    def shutdown(self) -> None:
        """Called by uvicorn when the server stops: closes with 1012, "service restart"; a request that the
        application has not answered is answered with 500."""
        if self._phase == _OPEN:
            self._end(CloseCode.SERVICE_RESTART)
            self._close(CloseCode.SERVICE_RESTART, "")
        elif self._phase == _CONNECTING:
            self._fail_request()
        elif self.transport is not None:
            self.transport.close()

    # The application.

    def _make_scope(self, target: str, fields: _Fields) -> dict[str, Any]:
        transport: Any = self.transport
        raw_path, _, query = target.partition("?")
        root_path = self._config.root_path
        return {
            "type": "websocket",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(transport) else "ws",
            "server": get_local_addr(transport),
            "client": get_remote_addr(transport),
            "root_path": root_path,
            "path": root_path + unquote(raw_path),
            "raw_path": root_path.encode("ascii") + raw_path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "headers": [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in fields],
            "subprotocols": self._offered_subprotocols(),
            "state": self._app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }

    async def _run(self) -> None:
        """The application's life."""
        code = CloseCode.NORMAL_CLOSURE
        try:
            result = await self._app(self._scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            code = CloseCode.INTERNAL_ERROR
            _logger.exception("Exception in ASGI application\n")
        else:
            if self._phase == _CONNECTING:
                _logger.error("ASGI callable returned without completing handshake.")
            elif result is not None:
                _logger.error("ASGI callable should return None, but returned '%s'.", result)
        if self._phase in (_CONNECTING, _RESPONDING):
            self._fail_request()
        elif self._phase == _OPEN:
            self._end(code)
            self._close(code, "")

    async def receive(self) -> _Message:
        """ASGI's `receive`. After the end of the connection every call returns `websocket.disconnect`."""
        while True:
            if self._disconnect is not None:
                return self._disconnect
            if not self._connect_told:
                self._connect_told = True
                return {"type": "websocket.connect"}
            try:
                message = self._take()
            except ConnectionClosed:
                self._end(self.close_code or CloseCode.NO_STATUS_RCVD, self.close_reason or "")
                continue
            except ConcurrencyError:
                await self._wait_turn()
                continue
            if message is not None:
                if isinstance(message, str):
                    return {"type": "websocket.receive", "text": message}
                return {"type": "websocket.receive", "bytes": message}
            self._waiter = self._wait_message()
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._stop_waiting()
                if self._next_waiters:
                    self._wake_next()

    async def _wait_turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next_waiters.append(turn)
        await turn

    def _wake_next(self) -> None:
        waiters, self._next_waiters = self._next_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _end(self, code: int, reason: str = "") -> None:
        """From now on receive() returns this; whoever waits in it is woken."""
        if self._disconnect is None:
            self._disconnect = {"type": "websocket.disconnect", "code": int(code), "reason": reason}
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def send(self, message: _Message) -> None:
        """ASGI's `send`. Waits while more than 32 KiB wait to be written.

        Raises:
            OSError: the client is gone.
            RuntimeError: the message is not one that can be sent now.
        """
        if self._writable is not None:
            await asyncio.shield(self._writable)
        kind = message["type"]
        if self._phase == _OPEN:
            if kind == "websocket.send":
                self._send_data(message.get("bytes"), message.get("text"))
            elif kind == "websocket.close":
                self._send_close(message.get("code", 1000), message.get("reason") or "")
            else:
                raise RuntimeError(
                    f"Expected ASGI message 'websocket.send' or 'websocket.close', but got '{kind}'."
                )
        elif self._ready_state == 3:
            raise ClientDisconnected
        elif self._phase == _CONNECTING:
            self._send_answer(kind, message)
        elif self._phase == _RESPONDING:
            self._send_body(kind, message)
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}', after sending 'websocket.close'.")

    def _send_data(self, data: Any, text: Any) -> None:
        try:
            if data is not None:
                self._post(data, False)
            elif text is not None:
                if not isinstance(text, str):
                    raise TypeError(f"text of 'websocket.send' must be str, not {type(text).__name__}")
                self._post(text, None)
        except ConnectionClosed as error:
            raise ClientDisconnected from error

    def _send_close(self, code: int, reason: str) -> None:
        if self._ready_state > 1:
            raise ClientDisconnected
        self._close(code, reason)
        self._phase = _ENDED
        self._end(code, reason)

    # The answer to the request.

    def _send_answer(self, kind: str, message: _Message) -> None:
        if kind == "websocket.accept":
            self._log_answer("[accepted]")
            self._accept_request(message.get("subprotocol"), message.get("headers", ()))
        elif kind == "websocket.close":
            self._log_answer("403")
            self._respond(403, [], b"")
        elif kind == "websocket.http.response.start":
            status = message["status"]
            if not 200 <= status < 600:
                raise RuntimeError(f"Invalid HTTP status code '{status}' in response.")
            self._log_answer(str(status))
            self._started = (status, _decode(message.get("headers", ())), bytearray())
            self._phase = _RESPONDING
        else:
            raise RuntimeError(
                "Expected ASGI message 'websocket.accept', 'websocket.close' "
                f"or 'websocket.http.response.start' but got '{kind}'."
            )

    def _accept_request(self, subprotocol: str | None, headers: Any) -> None:
        # The application chooses the subprotocol, among the offered ones or not, as with uvicorn's own.
        fields = self._propose(None, [])[2] + _decode(self._server_state.default_headers) + _decode(headers)
        if subprotocol:
            fields.append(("Sec-WebSocket-Protocol", subprotocol))
        self._accept(None, [], fields)
        self._phase = _OPEN

    def _send_body(self, kind: str, message: _Message) -> None:
        if kind != "websocket.http.response.body" or self._started is None:
            raise RuntimeError(f"Expected ASGI message 'websocket.http.response.body' but got '{kind}'.")
        status, fields, body = self._started
        body += message.get("body", b"")
        if not message.get("more_body", False):
            self._respond(status, fields, bytes(body))

    def _fail_request(self) -> None:
        if self._ready_state == 0:
            self._respond(500, [("content-type", "text/plain; charset=utf-8")], b"Internal Server Error")

    def _respond(self, status: int, fields: _Fields, body: bytes) -> None:
        """Answers the request with a response of HTTP."""
        given = {name.lower() for name, _ in fields}
        for name, value in (
            ("date", email.utils.formatdate(usegmt=True)),
            ("connection", "close"),
            ("content-length", str(len(body))),
            ("content-type", "text/plain; charset=utf-8"),
        ):
            if name not in given:
                fields.append((name, value))
        phrase = _PHRASES.get(status, "")
        self._refuse(_native.response_bytes(status, phrase, fields, body))
        self._phase = _ENDED
        self._end(CloseCode.ABNORMAL_CLOSURE)

    # The log, with uvicorn's words.

    def _log_answer(self, answer: str) -> None:
        scope: Any = self._scope
        path = get_path_with_query_string(scope)
        _logger.info('%s - "WebSocket %s" %s', get_client_addr(scope), path, answer)

    def _log_trace(self, message: str) -> None:
        if _logger.isEnabledFor(_TRACE):
            client = get_remote_addr(self.transport) if self.transport is not None else None
            _logger.log(_TRACE, "%s%s", "{}:{} - ".format(*client) if client else "", message)
