"""Servers in threads, mirrored: shutdown, broadcast, routes; reconnecting; the log."""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
import werkzeug.routing

from sync_parity import (
    both_ends,
    echo,
    nothing,
    port,
    raised,
    running,
    same,
    serving,
    until,
)

CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "ws", "wss", "socks", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()):
            monkeypatch.delenv(name, raising=False)


# --- servers ---


def test_shutdown_closes_connections_with_1001_and_waits_for_handlers() -> None:
    def scenario(library: Any) -> Any:
        done = []

        def handler(connection: Any) -> None:
            connection.wait_closed()
            done.append(connection.close_code)

        server = library.serve(handler, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with library.connect(f"ws://127.0.0.1:{port(server)}/") as connection:
            until(lambda: bool(server.connections))
            closing = threading.Thread(target=server.shutdown)
            closing.start()
            connection.wait_closed()
            closing.join()
            thread.join()
            server.shutdown()
            return connection.close_code, done, len(server.connections)

    assert same(scenario) == (1001, [1001], 0)


def test_shutdown_may_leave_connections_to_their_handlers() -> None:
    def scenario(library: Any) -> Any:
        server = library.serve(echo, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with library.connect(f"ws://127.0.0.1:{port(server)}/") as connection:
            until(lambda: bool(server.connections))
            closing = threading.Thread(target=server.shutdown, args=(False,))
            closing.start()
            connection.send("still there")
            answer = connection.recv()
        closing.join()
        thread.join()
        return answer, connection.close_code

    assert same(scenario) == ("still there", 1000)


def test_shutdown_takes_a_code_and_a_reason() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(nothing, "127.0.0.1", 0)) as server:
            with library.connect(f"ws://127.0.0.1:{port(server)}/") as connection:
                until(lambda: bool(server.connections))
                server.shutdown(code=1012, reason="restart")
                return connection.wait_closed(), connection.close_code

    assert same(scenario) == (True, 1012)


def test_a_handshake_in_the_making_is_refused_with_503_by_shutdown() -> None:
    def scenario(library: Any) -> Any:
        asked, go_on = threading.Event(), threading.Event()

        def process_request(connection: Any, request: Any) -> None:
            asked.set()
            assert go_on.wait(10)

        server = library.serve(nothing, "127.0.0.1", 0, process_request=process_request)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        outcome: list[Any] = []
        uri = f"ws://127.0.0.1:{port(server)}/"
        connecting = threading.Thread(target=lambda: outcome.append(raised(library.connect, uri)))
        connecting.start()
        assert asked.wait(10)
        closing = threading.Thread(target=server.shutdown)
        closing.start()
        serving.join()
        go_on.set()
        connecting.join()
        closing.join()
        return outcome

    assert same(scenario) == [("InvalidStatus", "server rejected WebSocket connection: HTTP 503")]


def test_broadcast_reaches_all_that_are_open() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(nothing, "127.0.0.1", 0)) as server:
            uri = f"ws://127.0.0.1:{port(server)}/"
            clients = [library.connect(uri, legacy=True) for _ in range(5)]
            until(lambda: len(server.connections) == 5)
            connections = server.connections
            clients.pop().close()
            library.broadcast(connections, "news")
            library.broadcast(connections, b"\x01", text=False)
            received = [(client.recv(), client.recv()) for client in clients]
            for client in clients:
                client.close()
            return received, raised(library.broadcast, connections, ["x"])[0]

    same(scenario)


def test_broadcast_passes_over_a_connection_that_sends_fragments(caplog: pytest.LogCaptureFixture) -> None:
    def scenario(library: Any) -> Any:
        caplog.clear()
        with both_ends(library) as (client, server):

            def fragments() -> Any:
                yield "a"
                library.broadcast([server], "news")
                yield "b"

            server.send(fragments())
            warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
            return client.recv(), warned

    same(scenario)


def test_routes_choose_the_handler() -> None:
    def scenario(library: Any) -> Any:
        def room(connection: Any, number: int) -> None:
            connection.send(f"room {number}")

        rules = [
            werkzeug.routing.Rule("/room/<int:number>", endpoint=room),
            werkzeug.routing.Rule("/old", redirect_to="/room/7"),
        ]
        url_map = werkzeug.routing.Map(rules)
        with running(library.route(url_map, "127.0.0.1", 0)) as server:
            uri = f"ws://127.0.0.1:{port(server)}"
            with library.connect(uri + "/room/5") as connection:
                first = connection.recv()
            with library.connect(uri + "/old") as connection:
                second = connection.recv()
            return first, second, raised(library.connect, uri + "/nowhere")

    same(scenario)


def test_routes_on_a_unix_socket(tmp_path: Path) -> None:
    def scenario(library: Any) -> Any:
        url_map = werkzeug.routing.Map([werkzeug.routing.Rule("/", endpoint=echo)])
        path = os.fspath(tmp_path / library.name)
        with running(library.unix_route(url_map, path)):
            with library.unix_connect(path) as connection:
                connection.send("hi")
                return connection.recv()

    assert same(scenario) == "hi"


# --- reconnecting and the warning ---


def test_reconnect_connects_again_after_each_body() -> None:
    def scenario(library: Any) -> Any:
        with serving(library, echo) as uri:
            seen: list[Any] = []
            for connection in library.reconnect(uri):
                connection.send(str(len(seen)))
                seen.append(connection.recv())
                if len(seen) == 3:
                    break
            return seen

    assert same(scenario) == ["0", "1", "2"]


def test_reconnect_waits_out_what_may_pass_and_raises_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    def scenario(library: Any) -> Any:
        caplog.clear()
        caplog.set_level(logging.INFO)
        answers = iter([503, 500, 404])

        def refuse(connection: Any, request: Any) -> Any:
            return connection.respond(next(answers), "")

        with serving(library, nothing, process_request=refuse) as uri:
            connecter = library.reconnect(uri, reconnect_delays=lambda: iter([0.0, 0.0, 0.0]))
            failed = raised(lambda: [None for _ in connecter])
        shown = [record.getMessage() for record in caplog.records if "reconnecting" in record.getMessage()]
        return failed, [message.replace(f"{library.name}.", "") for message in shown]

    same(scenario)


def test_a_connection_that_is_used_without_a_block_warns_once() -> None:
    def scenario(library: Any) -> Any:
        with serving(library, echo) as uri:
            counts = []
            for options in ({}, {"legacy": True}):
                connection = library.connect(uri, **options)
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    connection.send("a")
                    connection.recv()
                counts.append([str(warning.message) for warning in caught])
                connection.close()
            with library.connect(uri, legacy=False) as connection:
                connection.send("a")
            return counts

    same(scenario)


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_class_of_ones_own(role: str) -> None:
    def scenario(library: Any) -> Any:
        name = "ClientConnection" if role == "client" else "ServerConnection"
        own = type("Own", (getattr(library, name),), {})
        options = {"create_connection": own}
        with both_ends(library, *([options, {}] if role == "client" else [{}, options])) as (client, server):
            return type(client).__name__, type(server).__name__

    same(scenario)


# --- the log ---


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_the_same_is_logged_at_the_same_levels(level: int, caplog: pytest.LogCaptureFixture) -> None:
    def scenario(library: Any) -> Any:
        caplog.clear()
        caplog.set_level(level)
        server = library.serve(echo, "127.0.0.1", 0, compression=None)
        with running(server):
            number = str(port(server))
            uri = f"ws://127.0.0.1:{number}/"
            with library.connect(uri, compression=None, ping_interval=None) as connection:
                connection.send("hi")
                connection.recv()
        return sorted(
            (record.name.partition(".")[2], record.levelname, record.getMessage().replace(number, "PORT"))
            for record in caplog.records
            if not re.search(r"Date|Sec-WebSocket-(Key|Accept)|User-Agent|Server:|EOF", record.getMessage())
        )

    same(scenario)


def test_a_handler_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def scenario(library: Any) -> Any:
        caplog.clear()

        def fails(connection: Any) -> None:
            raise KeyError

        with serving(library, fails) as uri, library.connect(uri) as connection:
            connection.wait_closed()
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    assert ("ERROR", "connection handler failed") in same(scenario)
