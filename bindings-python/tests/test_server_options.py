"""What `serve()` is told about requests, responses and connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import itoden
from harness import REQUEST, asynchronous, until
from parity import nothing, port, same, serving

CERTIFICATE = Path(__file__).with_name("localhost.pem")
UPGRADE = REQUEST + "\r\n"


async def ask(uri: str, request: str = UPGRADE) -> tuple[str, dict[str, str], bytes]:
    """The answer to a request: first line, header fields in lower case, and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2].rstrip("/")))
    writer.write(request.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = b"" if " 101 " in first else await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return first, fields, body


def status_of(answer: tuple[str, dict[str, str], bytes]) -> int:
    return int(answer[0].split()[1])


ORIGINS: dict[str, Any] = {
    "a list": ["https://example.com", "https://example.org"],
    "none is allowed too": ["https://example.com", None],
    "only none": [None],
    "a pattern": [re.compile(r"https://.*\.example\.com")],
    "a pattern and none": [re.compile(r"https?://example\.com"), None],
    "nobody": [],
}
ASKED = [
    None,
    "https://example.com",
    "https://a.example.com",
    "https://example.com.evil",
    "https://a.example.com.evil",
]


@pytest.mark.parametrize("origins", ORIGINS)
def test_origins_are_allowed_and_refused_as_in_websockets(origins: str) -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing, origins=ORIGINS[origins]) as uri:
            answers = []
            for origin in ASKED:
                request = UPGRADE if origin is None else f"{REQUEST}Origin: {origin}\r\n\r\n"
                answers.append(status_of(await ask(uri, request)))
            return answers

    assert set(same(scenario)) <= {101, 403}


def select(connection: Any, offered: Any) -> Any:
    assert connection.request is not None
    return "b" if "b" in offered else None


SUBPROTOCOLS: dict[str, dict[str, Any]] = {
    "none": {},
    "in order": {"subprotocols": ["b", "a"]},
    "other": {"subprotocols": ["z"]},
    "selected": {"select_subprotocol": select},
    "selected of some": {"subprotocols": ["a"], "select_subprotocol": select},
}


@pytest.mark.parametrize("options", SUBPROTOCOLS)
@pytest.mark.parametrize("offered", [None, ["a"], ["a", "b"], ["c"]], ids=str)
def test_subprotocols_are_chosen_as_in_websockets(options: str, offered: list[str] | None) -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing, **SUBPROTOCOLS[options]) as uri:
            try:
                async with library.connect(uri, subprotocols=offered) as connection:
                    return connection.subprotocol
            except library.InvalidStatus as error:
                return error.response.status_code

    same(scenario)


@pytest.mark.parametrize("server_header", ["mine/1.0", None])
def test_server_header_says_what_the_server_is(server_header: str | None) -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing, server_header=server_header) as uri:
            opened = await ask(uri)
            refused = await ask(uri, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return [answer[1].get("server") for answer in (opened, refused)]

    assert same(scenario) == [server_header] * 2


PLAIN: dict[str, str] = {
    "plain HTTP": "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another version": UPGRADE.replace("Version: 13", "Version: 8"),
    "no key": re.sub("Sec-WebSocket-Key.*\r\n", "", UPGRADE),
    "an unreadable key": re.sub("Sec-WebSocket-Key.*\r\n", "Sec-WebSocket-Key: x\r\n", UPGRADE),
    "another upgrade": UPGRADE.replace("Upgrade: websocket", "Upgrade: h2c"),
    "POST": "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/1.0": "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("what", PLAIN)
def test_requests_that_do_not_open_a_connection_have_the_status_of_websockets(what: str) -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing) as uri:
            first, fields, _ = await ask(uri, PLAIN[what])
            return int(first.split()[1]), fields.get("allow"), fields.get("upgrade"), "date" in fields

    if what == "another version":
        # `websockets` answers 400; RFC 6455 §4.4 names 426 and a field that says which version there is.
        assert asyncio.run(scenario(itoden)) == (426, None, "websocket", True)
    else:
        assert 400 <= same(scenario)[0] <= 505


@pytest.mark.parametrize("what", PLAIN)
def test_process_request_sees_every_request_of_http(what: str) -> None:
    async def scenario(library: Any) -> object:
        seen: list[Any] = []

        async def process(connection: Any, request: Any) -> Any:
            await asyncio.sleep(0)
            seen.append((request.path, request.headers["Host"], connection.state.name))
            return connection.respond(200, "fine\n")

        async with serving(library, nothing, process_request=process) as uri:
            first, fields, body = await ask(uri, PLAIN[what])
            return seen, first.split(" ", 1)[1], body, fields["content-length"], fields["content-type"]

    _, first, body, *_ = same(scenario)
    assert (first, body) == ("200 OK", b"fine\n")


@asynchronous
async def test_a_request_that_comes_in_pieces_is_seen_whole() -> None:
    seen: list[Any] = []

    def process(connection: itoden.ServerConnection, request: itoden.Request) -> itoden.Response:
        seen.append((request.method, request.path, request.protocol, request.headers["X-Last"]))
        return connection.respond(200, "fine\n")

    async with serving(itoden, nothing, process_request=process) as uri:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2].rstrip("/")))
        for byte in b"PUT /health HTTP/1.1\r\nHost: localhost\r\nX-Last: yes\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
    assert seen == [("PUT", "/health", "HTTP/1.1", "yes")]


def decide(what: str) -> Callable[[Any, Any, Any], Any]:
    def process(connection: Any, request: Any, response: Any) -> Any:
        if what == "adds":
            response.headers["X-Status"] = str(response.status_code)
        elif what == "answers":
            return connection.respond(418, "short and stout\n")
        elif what == "removes":
            del response.headers["Server"]
        elif what == "raises":
            raise RuntimeError("mine")
        return None

    return process


@pytest.mark.parametrize("what", ["nothing", "adds", "answers", "removes", "raises"])
@pytest.mark.parametrize("asynchronously", [False, True])
@pytest.mark.parametrize("request_", [UPGRADE, PLAIN["plain HTTP"]], ids=["upgrade", "plain"])
def test_process_response_may_change_the_response(what: str, asynchronously: bool, request_: str) -> None:
    process = decide(what)

    async def process_later(*args: Any) -> Any:
        await asyncio.sleep(0)
        return process(*args)

    async def scenario(library: Any) -> object:
        options = {"process_response": process_later if asynchronously else process}
        async with serving(library, nothing, server_header="mine", **options) as uri:
            first, fields, _ = await ask(uri, request_)
            return int(first.split()[1]), fields.get("x-status"), fields.get("server")

    status, added, _ = same(scenario)
    assert added == (str(status) if what == "adds" else None)


def test_the_handler_sees_the_response_that_process_response_made() -> None:
    async def scenario(library: Any) -> object:
        seen: list[Any] = []

        async def handler(connection: Any) -> None:
            seen.append((connection.response.status_code, connection.response.headers["X-Status"]))

        async with serving(library, handler, process_response=decide("adds")) as uri:
            async with library.connect(uri) as connection:
                await connection.wait_closed()
                return seen, connection.response.headers["X-Status"]

    assert same(scenario) == ([(101, "101")], "101")


@pytest.mark.parametrize("wrong", ["splits", "is a string", "has no length"])
@asynchronous
async def test_a_response_that_can_not_be_sent_becomes_500(wrong: str) -> None:
    def process(
        connection: itoden.ServerConnection, request: itoden.Request, response: itoden.Response
    ) -> Any:
        if wrong == "is a string":
            return "no"
        response.headers["X-Split"] = "a\r\nb" if wrong == "splits" else "\x00"
        return None

    async with serving(itoden, nothing, process_response=process) as uri:
        assert status_of(await ask(uri)) == 500
        assert status_of(await ask(uri, PLAIN["plain HTTP"])) == 500


@asynchronous
async def test_process_request_may_open_the_connection_with_headers_of_its_own() -> None:
    def process(connection: itoden.ServerConnection, request: itoden.Request) -> itoden.Response:
        headers = itoden.Headers({"X-Mine": "1", "Sec-WebSocket-Protocol": "chat"})
        return itoden.Response(101, "Switching Protocols", headers)

    async def greet(connection: itoden.ServerConnection) -> None:
        await connection.send(str(connection.subprotocol))

    async with serving(itoden, greet, process_request=process) as uri:
        async with itoden.connect(uri, subprotocols=["chat"]) as connection:
            assert await connection.recv() == "chat"
            assert connection.response is not None
            assert connection.response.headers["X-Mine"] == "1"
        assert status_of(await ask(uri)) == 500, "chat was not offered"


@asynchronous
async def test_a_client_that_leaves_while_the_application_thinks_is_not_answered() -> None:
    release, asked, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def process(connection: itoden.ServerConnection, request: itoden.Request) -> None:
        asked.set()
        await connection.wait_closed()
        left.set()
        await release.wait()

    async def never(connection: itoden.ServerConnection) -> None:
        raise AssertionError("there is nobody to handle")

    async with itoden.serve(never, "127.0.0.1", 0, process_request=process) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", port(server))
        writer.write(UPGRADE.encode())
        await asked.wait()
        writer.transport.abort()
        (connection,) = server._opening
        connection._abort()
        await left.wait()
        release.set()
        await until(lambda: not server._tasks)


def test_create_connection_makes_connections_of_another_class() -> None:
    async def scenario(library: Any) -> object:
        class Mine(library.ServerConnection):  # type: ignore[misc]
            async def send(self, message: Any, **options: Any) -> None:
                await super().send(f"mine: {message}", **options)

        async def greet(connection: Any) -> None:
            await connection.send("hello")

        async with serving(library, greet, create_connection=Mine) as uri:
            async with library.connect(uri) as connection:
                return await connection.recv()

    assert same(scenario) == "mine: hello"


def test_the_attributes_of_a_server_and_its_connections() -> None:
    async def scenario(library: Any) -> object:
        observed: list[Any] = []
        opened = asyncio.Event()

        async def handler(connection: Any) -> None:
            observed.append((connection.server is server, connection.state.name, connection.latency == 0))
            observed.append((connection.local_address[1] == number, connection in server.connections))
            opened.set()
            await connection.wait_closed()
            observed.append((connection.close_code, connection.close_reason, connection.state.name))

        server = await library.serve(handler, "127.0.0.1", 0)
        number = port(server)
        observed.append(
            (server.is_serving(), server.get_loop() is asyncio.get_running_loop(), server.connections)
        )
        async with library.connect(f"ws://127.0.0.1:{number}/") as connection:
            await opened.wait()
            await connection.close(3000, "bye")
        server.close()
        await server.wait_closed()
        observed.append((server.is_serving(), server.connections, list(server.sockets)))
        return observed

    assert same(scenario)[-1] == (False, set(), [])


@pytest.mark.parametrize(
    "name", ["select_subprotocol", "process_request", "process_response", "create_connection"]
)
def test_what_is_no_function_is_named(name: str) -> None:
    serve: Any = itoden.serve
    with pytest.raises(TypeError, match=name):
        serve(nothing, "localhost", 0, **{name: 5})


@asynchronous
async def test_tls_is_given_no_more_time_than_the_handshake() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with serving(itoden, nothing, ssl=context, open_timeout=0.02) as uri:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2].rstrip("/")))
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("library", ["websockets", "itoden"])
def test_a_handshake_that_takes_too_long_is_dropped(library: str, caplog: pytest.LogCaptureFixture) -> None:
    @asynchronous
    async def run() -> None:
        async with serving(__import__(library), nothing, open_timeout=0.02) as uri:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2].rstrip("/")))
            writer.write(b"GET / HTTP/1.1\r\n")
            assert await reader.read() == b""
            writer.close()

    with caplog.at_level(logging.INFO):
        run()
    assert not [
        record for record in caplog.records if record.levelno > logging.INFO and record.name != "asyncio"
    ]
