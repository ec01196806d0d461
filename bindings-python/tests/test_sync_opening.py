"""Opening connections in threads, mirrored: every parameter of `connect()` and `serve()`, TLS, proxies,
redirects."""

from __future__ import annotations

import http
import importlib
import inspect
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

import itoden
import itoden.sync.client
import itoden.sync.server
from harness import REQUEST
from sync_parity import (
    LIBRARIES,
    both_ends,
    echo,
    nothing,
    port,
    raised,
    running,
    same,
    serving,
    threaded,
)

CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "ws", "wss", "socks", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()):
            monkeypatch.delenv(name, raising=False)


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


# --- names ---


@pytest.mark.parametrize("module", ["client", "server", "connection", "router"])
def test_every_name_of_a_module_is_there(module: str) -> None:
    theirs = importlib.import_module(f"websockets.sync.{module}").__all__
    ours = importlib.import_module(f"itoden.sync.{module}")
    assert [name for name in theirs if not hasattr(ours, name)] == []


def parameters(function: Any) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize(
    "name",
    [
        "connect", "reconnect", "unix_connect", "unix_reconnect", "serve", "unix_serve",
        "route", "unix_route", "basic_auth", "broadcast", "Server",
    ],
)  # fmt: skip
def test_every_parameter_is_there_with_the_same_default(name: str) -> None:
    theirs, ours = (parameters(getattr(library, name)) for library in LIBRARIES.values())
    assert list(theirs) == list(ours)
    for parameter, default in theirs.items():
        if not callable(default) and parameter not in ("user_agent_header", "server_header"):
            assert default == ours[parameter], parameter


@pytest.mark.parametrize("name", ["send", "recv", "recv_streaming", "ping", "pong", "close", "wait_closed"])
def test_every_parameter_of_a_method_is_there_with_the_same_default(name: str) -> None:
    theirs, ours = (parameters(getattr(library.ClientConnection, name)) for library in LIBRARIES.values())
    assert theirs == ours


@pytest.mark.parametrize("name", ["serve_forever", "shutdown", "fileno"])
def test_every_parameter_of_a_method_of_servers_is_there(name: str) -> None:
    theirs, ours = (parameters(getattr(library.Server, name)) for library in LIBRARIES.values())
    assert theirs == ours


# --- requests and responses ---

CLIENT_OPTIONS: list[dict[str, Any]] = [
    {},
    {"origin": "https://example.com"},
    {"subprotocols": ["chat", "superchat"]},
    {"compression": None},
    {"additional_headers": {"X-One": "1"}},
    {"additional_headers": [("X-One", "1"), ("X-One", "2")]},
    {"user_agent_header": "me"},
    {"user_agent_header": None},
]


@pytest.mark.parametrize("options", CLIENT_OPTIONS)
def test_the_request_has_the_same_header_fields(options: dict[str, Any]) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(
            library, options, {"subprotocols": ["superchat"]} if "subprotocols" in options else {}
        ) as (
            client,
            server,
        ):
            fields = sorted(
                (name, value)
                for name, value in server.request.headers.raw_items()
                if name not in ("Host", "Sec-WebSocket-Key", "Sec-WebSocket-Extensions")
                and not (name == "User-Agent" and "user_agent_header" not in options)
            )
            assert client.request.headers["Sec-WebSocket-Key"] == server.request.headers["Sec-WebSocket-Key"]
            return (
                fields,
                client.subprotocol,
                server.subprotocol,
                client.response.status_code,
                server.request.path,
            )

    same(scenario)


SERVER_OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"origins": ["https://a.example"]}, {}),
    ({"origins": ["https://a.example", None]}, {}),
    ({"origins": ["https://a.example"]}, {"origin": "https://a.example"}),
    ({"origins": [re.compile(r"https://\w+\.example")]}, {"origin": "https://b.example"}),
    ({"origins": [re.compile(r"https://\w+\.example")]}, {"origin": "https://b.example.com"}),
    ({"subprotocols": ["chat"]}, {}),
    ({"subprotocols": ["chat"]}, {"subprotocols": ["chat"]}),
    ({"subprotocols": ["chat"]}, {"subprotocols": ["other"]}),
    ({"select_subprotocol": lambda connection, names: names[-1]}, {"subprotocols": ["a", "b"]}),
    ({"select_subprotocol": lambda connection, names: 1 / 0}, {"subprotocols": ["a", "b"]}),
    ({"server_header": None}, {}),
    ({"server_header": "mine"}, {}),
    ({"process_request": lambda connection, request: connection.respond(403, "no\n")}, {}),
    ({"process_request": lambda connection, request: None}, {}),
    ({"process_request": lambda connection, request: 1 / 0}, {}),
    ({"process_response": lambda connection, request, response: connection.respond(503, "later\n")}, {}),
    ({"process_response": lambda connection, request, response: 1 / 0}, {}),
]


@pytest.mark.parametrize(("server", "client"), SERVER_OPTIONS)
def test_a_server_answers_in_the_same_way(server: dict[str, Any], client: dict[str, Any]) -> None:
    def scenario(library: Any) -> Any:
        with serving(library, nothing, **server) as uri:
            try:
                with library.connect(uri, **client) as connection:
                    names = sorted(name for name, _ in connection.response.headers.raw_items())
                    return names, connection.subprotocol
            except library.top.InvalidStatus as error:
                response = error.response
                named = response.headers.get("Server") == "mine"
                # What is said of subprotocols has words of its own.
                body = "subprotocol" if b"subprotocol" in response.body else bytes(response.body)
                return response.status_code, response.headers["Content-Type"], body, named

    same(scenario)


def test_a_response_can_be_changed() -> None:
    def scenario(library: Any) -> Any:
        def process_response(connection: Any, request: Any, response: Any) -> None:
            response.headers["X-Added"] = request.path

        with serving(library, nothing, process_response=process_response) as uri:
            with library.connect(uri + "room?n=1") as connection:
                return connection.response.headers["X-Added"]

    assert same(scenario) == "/room?n=1"


def test_credentials_are_asked_for_and_checked() -> None:
    def scenario(library: Any) -> Any:
        seen = []

        def handler(connection: Any) -> None:
            seen.append(connection.username)

        auth = library.basic_auth("shop", ("anna", "secret"))
        with serving(library, handler, process_request=auth) as uri:
            for credentials in ("", "anna:secret@", "anna:wrong@", "eve:secret@"):
                try:
                    with library.connect(uri.replace("://", f"://{credentials}")) as connection:
                        connection.wait_closed()
                except library.top.InvalidStatus as error:
                    seen.append((error.response.status_code, error.response.headers["WWW-Authenticate"]))
        return seen

    same(scenario)


def test_a_check_of_credentials_may_be_a_function() -> None:
    def scenario(library: Any) -> Any:
        auth = library.basic_auth(check_credentials=lambda user, password: user == password)
        with serving(library, nothing, process_request=auth) as uri:
            with library.connect(uri.replace("://", "://a:a@")) as connection:
                return connection.response.status_code

    assert same(scenario) == 101


# --- wrong peers ---


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAA\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_an_answer_that_does_not_open_raises(answer: bytes) -> None:
    def scenario(library: Any) -> Any:
        listener = socket.create_server(("127.0.0.1", 0))

        def once() -> None:
            sock, _ = listener.accept()
            request = b""
            while b"\r\n\r\n" not in request:
                request += sock.recv(4096)
            sock.sendall(answer)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
            sock.close()

        thread = threading.Thread(target=once)
        thread.start()
        kind = raised(library.connect, f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
        listener.close()
        return kind[0]

    same(scenario)


def test_a_server_that_does_not_answer_is_given_up() -> None:
    def scenario(library: Any) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return raised(library.connect, f"ws://127.0.0.1:{listener.getsockname()[1]}/", open_timeout=0.2)

    assert same(scenario) == ("TimeoutError", "timed out while waiting for handshake response")


def test_a_client_that_does_not_ask_is_given_up() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(nothing, "127.0.0.1", 0, open_timeout=0.2)) as server:
            with socket.create_connection(("127.0.0.1", port(server))) as client:
                return client.recv(10)

    assert same(scenario) == b""


def test_a_request_of_another_kind_is_answered() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(nothing, "127.0.0.1", 0)) as server:
            with socket.create_connection(("127.0.0.1", port(server))) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return client.makefile("rb").readline()

    assert same(scenario) == b"HTTP/1.1 426 Upgrade Required\r\n"


@threaded
def test_a_client_that_ends_its_half_after_the_request_is_answered() -> None:
    with running(itoden.sync.server.serve(nothing, "127.0.0.1", 0)) as server:
        with socket.create_connection(("127.0.0.1", port(server))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            assert client.makefile("rb").readline() == b"HTTP/1.1 426 Upgrade Required\r\n"


def test_nobody_listens() -> None:
    def scenario(library: Any) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            uri = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        return raised(library.connect, uri)[0]

    assert same(scenario) == "ConnectionRefusedError"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("http://localhost/",), {}),
        (("ws://localhost/",), {"ssl": ssl.create_default_context()}),
        (("ws://localhost/",), {"compression": "brotli"}),
        (("ws://localhost/",), {"subprotocols": "chat"}),
        (("ws://localhost/",), {"proxy": "ftp://localhost"}),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    def scenario(library: Any) -> Any:
        return raised(library.connect, *arguments, **options)[0]

    same(scenario)


@pytest.mark.parametrize(
    "options",
    [
        {"ping_interval": "soon"}, {"max_size": -1}, {"open_timeout": -1}, {"close_timeout": "x"},
        {"max_queue": 1.5}, {"origin": 5}, {"create_connection": 5}, {"user_agent_header": 5},
        {"server_hostname": 5},
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        itoden.sync.client.connect("ws://localhost/", **options)


# --- ways to a server ---


def test_tls_carries_messages_and_both_close_frames() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
            uri = f"wss://localhost:{port(server)}/"
            with library.connect(uri, ssl=client_context(), max_size=None) as connection:
                back = []
                for message in ("Hello", "x" * 500_000, b"y" * 1_000_000):
                    connection.send(message)
                    back.append(connection.recv() == message)
            return back, connection.close_code

    assert same(scenario) == ([True, True, True], 1000)


@pytest.mark.parametrize("role", ["client", "server"])
def test_tls_with_websockets_at_the_other_end(role: str) -> None:
    ours, theirs = LIBRARIES["itoden"], LIBRARIES["websockets"]
    one, other = (ours, theirs) if role == "client" else (theirs, ours)
    with running(other.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
        with one.connect(f"wss://localhost:{port(server)}/", ssl=client_context()) as connection:
            connection.send("x" * 100_000)
            assert connection.recv() == "x" * 100_000
        assert connection.close_code == 1000


def test_tls_checks_the_certificate() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
            return raised(library.connect, f"wss://localhost:{port(server)}/")[0]

    assert same(scenario) == "SSLCertVerificationError"


def test_the_name_in_the_certificate_may_be_another_than_in_the_uri() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
            options = {"ssl": client_context(), "server_hostname": "localhost"}
            with library.connect(f"wss://127.0.0.1:{port(server)}/", **options) as connection:
                return connection.response.status_code

    assert same(scenario) == 101


def test_a_peer_without_tls_is_refused() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
            with socket.create_connection(("127.0.0.1", port(server))) as client:
                client.sendall(REQUEST.encode() + b"\r\n")
                try:
                    return b"HTTP" in client.recv(4096)
                except ConnectionResetError:
                    return False

    assert same(scenario) is False


def test_unix_sockets(tmp_path: Path) -> None:
    def scenario(library: Any) -> Any:
        path = tmp_path / library.name
        with running(library.unix_serve(echo, path)):
            with library.unix_connect(path) as connection:
                connection.send("hi")
                return connection.recv(), connection.request.headers["Host"]

    assert same(scenario) == ("hi", "localhost")


def test_a_socket_of_ones_own() -> None:
    def scenario(library: Any) -> Any:
        listener = socket.create_server(("127.0.0.1", 0))
        with running(library.serve(echo, sock=listener)) as server:
            sock = socket.create_connection(("127.0.0.1", port(server)))
            with library.connect("ws://example.com/", sock=sock) as connection:
                connection.send("hi")
                return (
                    connection.recv(),
                    connection.request.headers["Host"],
                    server.fileno() == listener.fileno(),
                )

    assert same(scenario) == ("hi", "example.com", True)


def test_another_address_than_in_the_uri() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(echo, "127.0.0.1", 0)) as server:
            address = ("127.0.0.1", port(server))
            with library.connect("ws://example.com/", address=address, proxy=None) as connection:
                return connection.remote_address == address, connection.local_address[0]

    assert same(scenario) == (True, "127.0.0.1")


# --- redirects ---


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_takes_no_credentials_elsewhere(status: int) -> None:
    def scenario(library: Any) -> Any:
        with serving(library, nothing) as there:

            def redirect(connection: Any, request: Any) -> Any:
                response = connection.respond(status, "")
                response.headers["Location"] = there if request.path == "/away" else "/away"
                return response

            with serving(library, nothing, process_request=redirect) as uri:
                headers = {"Authorization": "secret", "Cookie": "a=b", "X-Kept": "1"}
                with library.connect(uri, additional_headers=headers) as connection:
                    fields = dict(connection.request.headers.raw_items())
                    return sorted(fields.keys() & headers.keys())

    assert same(scenario) == ["X-Kept"]


@pytest.mark.parametrize(
    ("options", "location"), [({}, "http://localhost/"), ({}, ""), ({"address": ()}, "ws://localhost:1/")]
)
def test_a_redirect_that_leads_nowhere_is_refused(options: dict[str, Any], location: str) -> None:
    def scenario(library: Any) -> Any:
        def redirect(connection: Any, request: Any) -> Any:
            response = connection.respond(http.HTTPStatus.FOUND, "")
            response.headers["Location"] = location
            return response

        with running(library.serve(nothing, "127.0.0.1", 0, process_request=redirect)) as server:
            address = {"address": ("127.0.0.1", port(server))} if options else {}
            return raised(library.connect, f"ws://127.0.0.1:{port(server)}/", **address)[0]

    ours = scenario(LIBRARIES["itoden"])
    assert ours == {"": "SecurityError", "ws://localhost:1/": "ValueError"}.get(
        location, "ConnectionRefusedError"
    )
    if location == "":
        assert scenario(LIBRARIES["websockets"]) == ours
