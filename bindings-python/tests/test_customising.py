"""What programs change about `connect()` and `serve()` from outside works as with `websockets`."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Generator
from typing import Any

import pytest

import itoden
import sync_parity
from parity import LIBRARIES, nothing, same, serving, shown


async def asked_for(library: Any, scenario: Callable[[Any, str, list[Any]], Any]) -> Any:
    """What a scenario returns, and the paths and turns that the server was asked with."""
    asked: list[Any] = []

    def note(connection: Any, request: Any) -> Any:
        agent = request.headers.get("User-Agent", "").partition(" ")[0]
        asked.append((request.path, request.headers.get_all("X-Turn"), agent))
        if request.path == "/moved":
            response = connection.respond(302, "")
            response.headers["Location"] = "/there"
            return response
        return connection.respond(503, "") if request.path == "/busy" else None

    async with serving(library, nothing, process_request=note) as uri:
        return await scenario(library, uri, asked), asked


def delays() -> Generator[float]:
    while True:
        yield 0


@pytest.mark.parametrize("change", ["the mapping", "the attribute"])
def test_headers_that_change_are_sent_at_the_next_attempt(change: str) -> None:
    async def scenario(library: Any, uri: str, asked: list[Any]) -> None:
        headers = {"X-Turn": "1"}
        connecting = library.connect(
            uri, additional_headers=headers, user_agent_header="a", reconnect_delays=delays
        )
        async for _ in connecting:
            if len(asked) == 2:
                break
            if change == "the mapping":
                headers["X-Turn"] = "2"
            else:
                connecting.additional_headers = [("X-Turn", "2"), ("X-Turn", "3")]
                connecting.user_agent_header = "b"

    _, asked = same(lambda library: asked_for(library, scenario))
    if change == "the mapping":
        assert asked == [("/", ["1"], "a"), ("/", ["2"], "a")]
    else:
        assert asked == [("/", ["1"], "a"), ("/", ["2", "3"], "b")]


def test_headers_that_can_be_read_once_are_sent_at_every_attempt() -> None:
    async def scenario(library: Any, uri: str, asked: list[Any]) -> None:
        headers = iter([("X-Turn", "1")])
        connecting = library.connect(uri, additional_headers=headers, user_agent_header=None)
        async for _ in connecting:
            if len(asked) == 2:
                break

    _, asked = asyncio.run(asked_for(itoden, scenario))
    assert asked == [("/", ["1"], "")] * 2


def test_an_attempt_tells_where_it_leads() -> None:
    async def scenario(library: Any, uri: str, asked: list[Any]) -> object:
        def again(error: Exception) -> None:
            return None

        connecting = library.connect(uri + "moved", process_exception=again, open_timeout=3, proxy=None)
        before = connecting.uri.removeprefix(uri), connecting.ws_uri.path
        async with connecting:
            pass
        kept = [
            connecting.process_exception is again,
            connecting.open_timeout,
            connecting.proxy,
            connecting.additional_headers,
            connecting.logger.name.partition(".")[2],
        ]
        return before, connecting.uri.removeprefix(uri), connecting.ws_uri.path, kept

    (before, *after, kept), _ = same(lambda library: asked_for(library, scenario))
    assert before == ("moved", "/moved")
    assert after == ["there", "/there"]
    assert kept == [True, 3, None, None, "client"]


def test_a_subclass_decides_about_redirects() -> None:
    async def scenario(library: Any, uri: str, asked: list[Any]) -> object:
        class Stays(library.connect):  # type: ignore[misc]
            def process_redirect(self, exc: Exception) -> Any:
                return exc

        class Refuses(library.connect):  # type: ignore[misc]
            def process_redirect(self, exc: Exception) -> Any:
                return ValueError("not there")

        class Elsewhere(library.connect):  # type: ignore[misc]
            def process_redirect(self, exc: Exception) -> Any:
                decided = super().process_redirect(exc)
                return decided.replace("there", "elsewhere") if isinstance(decided, str) else decided

        seen: list[Any] = []
        for kind in (Stays, Refuses, Elsewhere):
            try:
                async with kind(uri + "moved") as connection:
                    seen.append(connection.request.path)
            except (library.InvalidStatus, ValueError) as error:
                seen.append((*shown(error), type(error.__cause__).__name__))
        return seen

    seen, _ = same(lambda library: asked_for(library, scenario))
    assert seen == [
        ("InvalidStatus", "server rejected WebSocket connection: HTTP 302", "NoneType"),
        ("ValueError", "not there", "InvalidStatus"),
        "/elsewhere",
    ]


def test_what_process_exception_changes_counts_for_the_next_attempt() -> None:
    async def scenario(library: Any, uri: str, asked: list[Any]) -> None:
        def change(error: Exception) -> None:
            connecting.uri = uri + "free"
            # In websockets the parts are kept apart from the URI.
            connecting.ws_uri = type(connecting.ws_uri)(
                False, "127.0.0.1", connecting.ws_uri.port, "/free", ""
            )

        connecting = library.connect(
            uri + "busy", process_exception=change, reconnect_delays=delays, user_agent_header=None
        )
        async for _ in connecting:
            break

    _, asked = same(lambda library: asked_for(library, scenario))
    assert [path for path, *_ in asked] == ["/busy", "/free"]


def test_connections_can_be_made_with_arguments_of_ones_own() -> None:
    async def scenario(library: Any) -> object:
        seen: list[Any] = []

        class Client(library.ClientConnection):  # type: ignore[misc]
            def __init__(self, *args: Any, name: str = "", **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.name = name

        class Plain(library.ClientConnection):  # type: ignore[misc]
            def __init__(self, protocol: Any, **kwargs: Any) -> None:
                super().__init__(protocol, **kwargs)
                self.name = "plain"

        class Server(library.ServerConnection):  # type: ignore[misc]
            def __init__(self, protocol: Any, server: Any, name: str = "", **kwargs: Any) -> None:
                super().__init__(protocol, server, **kwargs)
                self.name = name

        def wrapped(protocol: Any, **kwargs: Any) -> Any:
            connection = library.ClientConnection(protocol, **kwargs)
            connection.name = "wrapped"
            return connection

        async def handler(connection: Any) -> None:
            seen.append((type(connection).__name__, connection.name))

        make_server = functools.partial(Server, name="server")
        async with serving(library, handler, create_connection=make_server) as uri:
            for make in (functools.partial(Client, name="client"), Plain, wrapped):
                async with library.connect(uri, create_connection=make) as connection:
                    await connection.wait_closed()
                    seen.append((type(connection).__name__, connection.name))
        return seen

    assert set(same(scenario)) == {
        ("Server", "server"),
        ("Client", "client"),
        ("Plain", "plain"),
        ("ClientConnection", "wrapped"),
    }


def test_what_a_subclass_makes_of_messages_counts_when_they_are_iterated_too() -> None:
    async def scenario(library: Any) -> object:
        class Loud(library.ClientConnection):  # type: ignore[misc]
            async def recv(self, decode: bool | None = None) -> Any:
                return (await super().recv(decode)).upper()

        async def greet(connection: Any) -> None:
            await connection.send("a")
            await connection.send("b")

        async with serving(library, greet) as uri:
            async with library.connect(uri, create_connection=Loud) as connection:
                return [message async for message in connection]

    assert same(scenario) == ["A", "B"]


class Telling(logging.LoggerAdapter[logging.Logger]):
    """Adds what it knows of a connection to the messages about it."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        websocket = kwargs.get("extra", {}).get("websocket")
        if websocket is None:
            return msg, kwargs
        request = "-" if websocket.request is None else websocket.request.path
        return f"[{type(websocket.id).__name__} {request}] {msg}", kwargs


def test_log_records_know_their_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(library: Any) -> object:
        caplog.clear()
        ends: list[Any] = []

        async def handler(connection: Any) -> None:
            ends.append(connection)
            connection.logger.info("handled")

        async with serving(library, handler) as uri:
            async with library.connect(uri) as connection:
                connection.logger.info("mine")
                await connection.wait_closed()
        (end,) = ends
        records = [record for record in caplog.records if record.levelno == logging.INFO]
        return [
            (record.getMessage(), record.websocket == {"mine": connection}.get(record.getMessage(), end))
            for record in records
            if hasattr(record, "websocket")
        ]

    with caplog.at_level(logging.DEBUG):
        seen = same(scenario)
    told = ["connection open", "handled", "mine", "connection closed"]
    assert sorted(seen) == sorted((message, True) for message in told)


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_a_logger_adapter_of_ones_own_is_told_the_connection(
    level: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(library: Any) -> object:
        caplog.clear()
        logger = Telling(logging.getLogger("telling"), {})
        async with serving(library, nothing, logger=logger) as uri:
            async with library.connect(uri + "path", logger=logger):
                pass
        messages = [record.getMessage() for record in caplog.records if record.name == "telling"]
        return sorted(
            message for message in messages if message.endswith(("connection open", "CLOSED", "closed"))
        )

    with caplog.at_level(level, "telling"):
        seen = same(scenario)
    assert "[UUID /path] connection open" in seen


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_connection_of_a_log_record_is_not_kept(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(LIBRARIES[name], nothing) as uri:
            async with LIBRARIES[name].connect(uri):
                pass

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    (record,) = [record for record in caplog.records if record.getMessage() == "connection open"]
    connection: Any = record.__dict__["websocket"]
    assert type(connection).__name__ == "ProxyType" or connection.id


def test_in_threads_too_attempts_can_be_changed() -> None:
    def scenario(library: Any) -> object:
        asked: list[Any] = []

        def note(connection: Any, request: Any) -> Any:
            asked.append((request.path, request.headers.get_all("X-Turn")))
            if request.path != "/moved":
                return None
            response = connection.respond(302, "")
            response.headers["Location"] = "/there"
            return response

        class Stays(library.reconnect):  # type: ignore[misc]
            def process_redirect(self, exc: Exception) -> Any:
                return exc

        class Named(library.ClientConnection):  # type: ignore[misc]
            def __init__(self, *args: Any, name: str = "", **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.name = name

        class Counted(library.ServerConnection):  # type: ignore[misc]
            def __init__(self, sock: Any, protocol: Any, server: Any, **kwargs: Any) -> None:
                super().__init__(sock, protocol, server, **kwargs)
                made.append(self)

        made: list[Any] = []
        headers = {"X-Turn": "1"}
        options = {"process_request": note, "create_connection": Counted}
        with sync_parity.serving(library, sync_parity.nothing, **options) as uri:
            connecting = library.reconnect(
                uri + "moved",
                additional_headers=headers,
                create_connection=functools.partial(Named, name="mine"),
            )
            names = []
            for connection in connecting:
                names.append(connection.name)
                if len(names) == 2:
                    break
                headers["X-Turn"] = "2"
            try:
                with Stays(uri + "moved"):
                    pass
            except library.top.InvalidStatus as error:
                names.append(error.response.status_code)
        assert len(made) == len(asked)
        return asked, names, connecting.uri.removeprefix(uri), connecting.ws_uri.path, connecting.open_timeout

    asked, names, *place, timeout = sync_parity.same(scenario)
    assert asked == [("/moved", ["1"]), ("/there", ["1"]), ("/there", ["2"]), ("/moved", [])]
    assert names == ["mine", "mine", 302]
    assert (place, timeout) == (["there", "/there"], 10)


@pytest.mark.parametrize("server", [["chat"], None], ids=str)
def test_subprotocols_may_be_wanted_by_their_header_field(server: list[str] | None) -> None:
    async def scenario() -> None:
        seen: list[Any] = []

        def note(connection: Any, request: Any) -> None:
            seen.append(request.headers.get_all("Sec-WebSocket-Protocol"))

        async with serving(itoden, nothing, subprotocols=server, process_request=note) as uri:
            headers = {"Sec-WebSocket-Protocol": "other, chat"}
            async with itoden.connect(uri, additional_headers=headers) as connection:
                assert connection.subprotocol == (None if server is None else "chat")
        assert seen == [["other, chat"]]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "copied",
    [
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
        {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade", "X-Own": "kept"},
    ],
)
def test_fields_of_every_handshake_may_be_copied_and_are_sent_once(copied: dict[str, str]) -> None:
    async def scenario() -> None:
        async with serving(itoden, nothing) as uri:
            host = uri.removeprefix("ws://").rstrip("/")
            async with itoden.connect(uri, additional_headers={"Host": host, **copied}) as connection:
                assert connection.request is not None
                fields = connection.request.headers
                assert [fields.get_all(name) for name in copied] == [[fields[name]] for name in copied]
                assert fields.get("X-Own") == copied.get("X-Own")
        for name, value in (("Host", "elsewhere"), ("Connection", "close"), ("Sec-WebSocket-Version", "8")):
            with pytest.raises(itoden.InvalidOption, match=name):
                itoden.connect(uri, additional_headers={name: value})

    asyncio.run(scenario())


def test_a_process_exception_knows_an_answer_that_ended_too_early_by_its_cause() -> None:
    async def scenario(library: Any) -> object:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        seen: list[Any] = []

        def once(error: Exception) -> Exception | None:
            early = isinstance(error, library.InvalidMessage) and isinstance(error.__cause__, EOFError)
            seen.append(early)
            return None if early and len(seen) == 1 else error

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(library.InvalidMessage):
                async for _ in library.connect(uri, process_exception=once, reconnect_delays=delays):
                    pass
        return seen

    assert same(scenario) == [True, True]


@pytest.mark.parametrize(
    "options",
    [{"max_size": [100, 50]}, {"max_queue": [4, 1]}, {"max_queue": [None, None]}, {"write_limit": [9, 3]}],
)
def test_pairs_may_be_lists(options: dict[str, Any]) -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, lambda connection: connection.send("hello"), **options) as uri:
            async with library.connect(uri, **options) as connection:
                return await connection.recv()

    assert same(scenario) == "hello"


def test_who_does_at_once_what_one_can_do_at_a_time_is_told_in_the_same_words() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, lambda connection: connection.recv()) as uri:
            async with library.connect(uri) as connection:
                receiving = asyncio.create_task(connection.recv())
                await asyncio.sleep(0)
                attempts = [connection.recv(), anext(connection.recv_streaming())]
                connection.transport.pause_reading()
                await connection.ping("a")
                attempts.append(connection.ping(b"a"))
                connection.transport.resume_reading()
                told = await asyncio.gather(*attempts, return_exceptions=True)
                receiving.cancel()
                return [shown(error) for error in told if isinstance(error, BaseException)]

    assert len(same(scenario)) == 3


def test_how_long_closing_may_take_can_be_changed_while_a_connection_is_open() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing) as uri:
            connection = await library.connect(uri, close_timeout=20)
            before = connection.close_timeout
            connection.close_timeout = 0.01
            connection.transport.pause_reading()  # the answer never comes
            await connection.close()
            with pytest.raises(library.ConnectionClosedError) as raised:
                await connection.recv()
            return before, type(raised.value.__cause__).__name__

    assert same(scenario) == (20, "TimeoutError")


def test_in_threads_too_how_long_closing_may_take_can_be_changed() -> None:
    def scenario(library: Any) -> object:
        with sync_parity.both_ends(library, {"close_timeout": None}) as (client, server):
            before = client.close_timeout, server.close_timeout
            client.close_timeout = 5
            server.close_timeout = None
            return before, client.close_timeout, server.close_timeout

    assert sync_parity.same(scenario) == ((None, 10), 5, None)


@pytest.mark.parametrize(("timeout", "error"), [("1", TypeError), (-1, ValueError)])
def test_a_close_timeout_that_is_none_is_named(timeout: Any, error: type[Exception]) -> None:
    async def scenario() -> None:
        def early(connection: Any, request: Any) -> None:
            with pytest.raises(itoden.InvalidState):
                connection.close_timeout = 1

        async with serving(itoden, nothing, process_request=early) as uri:
            async with itoden.connect(uri) as connection:
                with pytest.raises(error, match="close_timeout"):
                    connection.close_timeout = timeout

    asyncio.run(scenario())


def test_how_many_messages_wait_is_told() -> None:
    async def scenario(library: Any) -> object:
        async def send(connection: Any) -> None:
            for _ in range(3):
                await connection.send("x")
            await connection.recv()

        async with serving(library, send) as uri:
            async with library.connect(uri) as connection:
                while len(connection.recv_messages.frames) < 3:
                    await asyncio.sleep(0.001)
                await connection.recv()
                left = len(connection.recv_messages.frames)
                await connection.send("")
                return left

    assert same(scenario) == 2
