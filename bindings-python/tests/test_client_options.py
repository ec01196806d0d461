"""What `connect()` is told about the way to the server and the request."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import itoden
from harness import answer_upgrade, asynchronous, raw_server
from parity import LIBRARIES, nothing, port, same, serving

CERTIFICATE = Path(__file__).with_name("localhost.pem")


def tls(*, server: bool) -> ssl.SSLContext:
    if not server:
        return ssl.create_default_context(cafile=CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def name_of(library: Any, uri: str, **options: Any) -> Any:
    """The state of a connection that could be opened, or the exception."""
    try:
        async with library.connect(uri, **options) as connection:
            return connection.state.name
    except Exception as error:
        return type(error).__name__


def request_with(**options: Any) -> Callable[[Any], Awaitable[Any]]:
    """A scenario: the fields of the request that `connect()` makes, but those that differ each time."""
    path = options.pop("path", "/")

    async def scenario(library: Any) -> Any:
        requests: list[str] = []

        def answer(request: bytes) -> bytes:
            requests.append(request.decode("latin-1"))
            return answer_upgrade(request)

        async with raw_server(answer) as (number, streams):
            user = options.get("user", "")
            given = {name: value for name, value in options.items() if name != "user"}
            uri = f"ws://{user}127.0.0.1:{number}{path}"
            connection = await library.connect(uri, compression=None, **given)
            (await streams)[1].close()
            await connection.wait_closed()
        lines = requests[0].replace(str(number), "PORT").replace("websockets", "itoden").split("\r\n")
        changing = ("Sec-WebSocket-Key", "User-Agent: Python")
        return lines[0], sorted(line for line in lines[1:] if not line.startswith(changing))

    return scenario


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"origin": "https://example.com"},
        {"subprotocols": ["chat", "superchat"]},
        {"user_agent_header": None},
        {"user_agent_header": "test/1.0"},
        {"additional_headers": {"X-One": "1"}},
        {"additional_headers": [("X-One", "1"), ("X-One", "2")]},
        {"additional_headers": {"User-Agent": "mine"}, "user_agent_header": None},
        {"user": "user:pass@"},
        {"user": "us%20er:p%C3%A4ss@"},
        {"path": "/päth?quéry=1"},
        {"path": "/a%20b?c=%2F"},
        {"path": "?query"},
        {"path": ""},
    ],
    ids=str,
)
def test_the_request_is_that_of_websockets(options: dict[str, Any]) -> None:
    same(request_with(**options))


def test_an_international_host_is_asked_for_in_ascii() -> None:
    handshake = itoden.connect("ws://bücher.example/")._handshake()
    assert dict(handshake.headers)["Host"] == "xn--bcher-kva.example"


def test_host_and_port_lead_elsewhere_and_host_stays() -> None:
    async def scenario(library: Any) -> object:
        hosts: list[str] = []

        def note(connection: Any, request: Any) -> None:
            hosts.append(request.headers["Host"])

        async with serving(library, nothing, process_request=note) as uri:
            number = int(uri.split(":")[2].rstrip("/"))
            async with library.connect("ws://example.com/", host="127.0.0.1", port=number):
                return hosts

    assert same(scenario) == ["example.com"]


def test_sock_is_a_connection_that_is_there_already() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing) as uri:
            sock = socket.create_connection(("127.0.0.1", int(uri.split(":")[2].rstrip("/"))))
            local = sock.getsockname()
            async with library.connect("ws://example.com/", sock=sock) as connection:
                return connection.local_address == local

    assert same(scenario) is True


def test_local_addr_says_where_the_connection_comes_from() -> None:
    async def scenario(library: Any) -> object:
        remote: list[Any] = []

        async def note(connection: Any) -> None:
            remote.append(connection.remote_address[0])

        async with serving(library, note) as uri:
            async with library.connect(uri, local_addr=("127.0.0.2", 0)) as connection:
                await connection.wait_closed()
                return remote, connection.local_address[0]

    assert same(scenario) == (["127.0.0.2"], "127.0.0.2")


def test_server_hostname_is_what_the_certificate_is_for() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing, ssl=tls(server=True)) as uri:
            uri = uri.replace("ws://", "wss://")
            context = tls(server=False)
            return (
                await name_of(library, uri, ssl=context, server_hostname="other.example"),
                await name_of(library, uri, ssl=context, server_hostname="localhost"),
                await name_of(library, uri.replace("127.0.0.1", "localhost"), ssl=context),
                await name_of(library, uri.replace("127.0.0.1", "localhost")),
                await name_of(
                    library, uri, ssl=context, server_hostname="localhost", ssl_handshake_timeout=10
                ),
            )

    failed = "SSLCertVerificationError"
    assert same(scenario) == (failed, "OPEN", "OPEN", failed, "OPEN")


def test_ssl_and_the_scheme_of_the_uri_have_to_fit() -> None:
    async def scenario(library: Any) -> object:
        return (
            await given_up(library, "wss://localhost/", ssl=None),
            await given_up(library, "ws://localhost/", ssl=tls(server=False)),
        )

    assert same(scenario) == ("ValueError", "ValueError")


async def given_up(library: Any, uri: str, **options: Any) -> str:
    try:
        await library.connect(uri, **options)
    except Exception as error:
        return type(error).__name__
    return "connected"


@pytest.mark.parametrize("value", [False, "yes", 1])
def test_ssl_of_another_type_is_named(value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="ssl"):
        itoden.connect("wss://localhost/", ssl=value)


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_a_unix_socket_is_a_way_too(secure: bool, tmp_path: Path) -> None:
    async def scenario(library: Any) -> object:
        path = tmp_path / library.__name__
        options = {"ssl": tls(server=True)} if secure else {}
        seen: list[Any] = []

        async def note(connection: Any) -> None:
            seen.append(connection.request.headers["Host"])

        async with library.unix_serve(note, path, **options) as server:
            seen.append(server.sockets[0].getsockname() == str(path))
            options = {"ssl": tls(server=False)} if secure else {}
            async with library.unix_connect(path, **options) as connection:
                remote = connection.remote_address
                await connection.wait_closed()
                seen.append(remote == str(path))
            async with library.unix_connect(
                str(path), "wss://localhost:9/" if secure else "ws://a/", **options
            ):
                pass
        return seen

    assert same(scenario) == [True, "localhost", True, "localhost:9" if secure else "a"]


def test_create_connection_makes_connections_of_another_class() -> None:
    async def scenario(library: Any) -> object:
        class Mine(library.ClientConnection):  # type: ignore[misc]
            async def recv(self, decode: bool | None = None) -> Any:
                return "mine: " + await super().recv(decode)

        async def greet(connection: Any) -> None:
            await connection.send("hello")

        async with serving(library, greet) as uri:
            async with library.connect(uri, create_connection=Mine) as connection:
                return isinstance(connection, Mine), await connection.recv()

    assert same(scenario) == (True, "mine: hello")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_logger_of_ones_own_is_used(library: str, caplog: pytest.LogCaptureFixture) -> None:
    chosen = LIBRARIES[library]
    logger = logging.LoggerAdapter(logging.getLogger("mine"), {})

    @asynchronous
    async def run() -> None:
        async with serving(chosen, nothing) as uri:
            async with chosen.connect(uri, logger=logger) as connection:
                assert connection.logger is not logging.getLogger(f"{library}.client")

    with caplog.at_level(logging.DEBUG, "mine"):
        run()
    assert any(record.name == "mine" for record in caplog.records)


@pytest.mark.parametrize("stage", ["TCP accepts", "a part of the answer"])
def test_open_timeout_bounds_the_whole_opening(stage: str) -> None:
    async def scenario(library: Any) -> object:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if stage != "TCP accepts":
                writer.write(b"HTTP/1.1 101 Switching")
            try:
                await reader.read()
            finally:
                writer.close()
                gone.set()

        gone = asyncio.Event()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            try:
                await library.connect(f"ws://127.0.0.1:{port(server)}/", open_timeout=0.02)
            except TimeoutError as error:
                await gone.wait()
                return str(error), type(error.__cause__).__name__
        return None

    assert same(scenario) == ("timed out during opening handshake", "TimeoutError")


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost/",
        "ws:",
        "ws://",
        "ws://localhost/#fragment",
        "ws://user@localhost/",
        "localhost",
        "",
    ],
)
def test_what_is_no_websocket_uri_raises(uri: str) -> None:
    async def scenario(library: Any) -> object:
        return await given_up(library, uri)

    assert same(scenario) == "InvalidURI"


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 500])
def test_a_refusal_has_the_response(status: int) -> None:
    async def scenario(library: Any) -> object:
        def refuse(connection: Any, request: Any) -> Any:
            return connection.respond(status, "why\n")

        async with serving(library, nothing, process_request=refuse) as uri:
            with pytest.raises(library.InvalidStatus) as raised:
                await library.connect(uri)
            response = raised.value.response
            headers = {
                name: value for name, value in response.headers.raw_items() if name not in ("Date", "Server")
            }
            return (
                str(raised.value),
                response.status_code,
                response.reason_phrase,
                bytes(response.body),
                headers,
            )

    same(scenario)


def test_the_request_and_the_response_are_there_with_all_their_headers() -> None:
    async def scenario(library: Any) -> object:
        async with serving(library, nothing) as uri:
            async with library.connect(uri) as connection:
                names = [
                    set(map(str.lower, message.headers))
                    for message in (connection.request, connection.response)
                ]
                return names, connection.request.path, connection.response.status_code

    same(scenario)


@asynchronous
async def test_cancelling_while_it_connects_leaves_nothing_behind() -> None:
    async with raw_server(lambda _: b"HTTP/1.1 101 Switching") as (number, streams):
        connecting = asyncio.ensure_future(itoden.connect(f"ws://127.0.0.1:{number}/").connect())
        reader, _ = await streams
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert await reader.read() == b""
